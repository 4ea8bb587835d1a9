"""Tags: the topics of ballots and followings."""

import unicodedata
from collections.abc import Iterable

from democracy.errors import InvalidTag

MAX_TAG_LENGTH = 50
MAX_TAGS = 20


def normalise_tag(text: str) -> str:
    """Bring a tag into its one form: NFKC, case-folded, inner white space collapsed, trimmed.

    Raises InvalidTag unless 1 to 50 characters without comma or control characters are left.
    """
    # Case folding can undo NFKC (and the other way round), hence once more afterwards.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    tag = " ".join(folded.split())
    if not tag:
        raise InvalidTag("A tag needs at least one character.")
    if len(tag) > MAX_TAG_LENGTH:
        raise InvalidTag(f"A tag has at most {MAX_TAG_LENGTH} characters; “{tag[:20]}…” has {len(tag)}.")
    if "," in tag:
        raise InvalidTag(f"A tag has no comma: “{tag}”.")
    if any(unicodedata.category(character) in {"Cc", "Cf", "Cs"} for character in tag):
        raise InvalidTag("A tag has no control characters.")
    return tag


def normalise_tags(texts: Iterable[str]) -> list[str]:
    """Normalise tags, without repetition, sorted. Raises InvalidTag for a bad one or for more than 20."""
    tags = sorted({normalise_tag(text) for text in texts})
    if len(tags) > MAX_TAGS:
        raise InvalidTag(f"At most {MAX_TAGS} tags; these are {len(tags)}.")
    return tags
