"""The form of a following."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms

from democracy.models import MAX_FOLLOWINGS, Following
from democracy.tags import MAX_TAG_LENGTH, MAX_TAGS


class FollowForm(forms.Form):
    """Tags are one text with commas, so that they can be typed without scripts; buttons for suggestions add to it."""

    tags = forms.CharField(
        label="Topics",
        required=False,
        max_length=MAX_TAGS * (MAX_TAG_LENGTH + 2),
        help_text="Separate topics with commas. Leave it empty to follow on everything.",
    )
    order = forms.IntegerField(
        label="Place in your list",
        required=False,
        min_value=1,
        max_value=MAX_FOLLOWINGS,
        error_messages={"max_value": f"Nobody follows more than {MAX_FOLLOWINGS:,} members."},
        help_text="Only for your own overview: it does not change how much somebody counts.",
    )

    @classmethod
    def of(cls, following: Following | None, *, tags: Sequence[str] = ()) -> FollowForm:
        """The form as the following stands; without one it has these tags."""
        if following is None:
            return cls(initial={"tags": ", ".join(tags)})
        return cls(initial={"tags": ", ".join(following.tags), "order": following.order})

    def clean_tags(self) -> list[str]:
        return [tag for tag in self.cleaned_data["tags"].split(",") if tag.strip()]


class MoveForm(forms.Form):
    """One following moved one place up or down in one's list."""

    up = forms.IntegerField(required=False, min_value=1)
    down = forms.IntegerField(required=False, min_value=1)

    def clean(self) -> None:
        if not self.cleaned_data.get("up") and not self.cleaned_data.get("down"):
            raise forms.ValidationError("Nothing to move.")

    def move(self) -> tuple[int, int]:
        """The followee's membership, and by how many places to move it."""
        up: int | None = self.cleaned_data["up"]
        down: int | None = self.cleaned_data["down"]
        return (up, -1) if up else (down or 0, 1)
