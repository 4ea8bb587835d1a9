"""Results as everybody may see them, signed in or not: of decisions of public communities, and published ones.

# Note [What leaves the site]
Previews, pictures, embeds and feeds go to people and programs of whom nothing is known, and are kept by them. So they
are made for a visitor, whoever asks; and while a decision hides its ballots they have no numbers at all. A published
result of a members-only decision is shown with its question, result and turnout: neither ballots nor names, and nothing
of the community but its name.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib.auth.models import AnonymousUser

from accounts.text import ended
from democracy import access
from democracy.access import Viewer
from democracy.models import Choice, Decision, DecisionSnapshot
from democracy.presenting import addresses
from democracy.presenting.numbers import count_text
from democracy.presenting.results import Outcome, outcome_of
from democracy.reading.decisions import newest_snapshots
from graph import Participation

Status = Decision.Status
# The size of an embed, in pixels, where the page that embeds it says nothing.
EMBED_WIDTH, EMBED_HEIGHT = 600, 480


def date_text(moment: datetime | None) -> str:
    """ "5 March 2026", in UTC, since nobody knows where it is read."""
    return f"{moment.astimezone(UTC):%-d %B %Y}" if moment else ""


def status_sentence(decision: Decision) -> str:
    match decision.status:
        case Status.SCHEDULED:
            return f"Voting opens on {date_text(decision.opens_at)}."
        case Status.OPEN:
            return f"Voting is open until {date_text(decision.closes_at)}."
        case Status.CLOSED:
            return f"Voting closed on {date_text(decision.closes_at)}."
        case Status.CALLED_OFF:
            return f"Called off on {date_text(decision.called_off_at)}. There is no result."
        case _:
            return ""


def participation_sentence(who: Participation) -> str:
    """Say who is counted: "34 of 40 voters are counted: 30 voted themselves, 4 through people they follow." """
    of_all = f"{who.counted:,} of {count_text(who.eligible, 'voter')} are counted"
    if not who.inherited:
        return f"{of_all}."
    return f"{of_all}: {who.cast:,} voted themselves, {who.inherited:,} through people they follow."


@dataclass(frozen=True)
class Shared:
    """A decision whose result everybody may see. `token`: that of its address, "" in a public community.

    `outcome` and `snapshot` are None while there is nothing to tell: no result yet, or hidden ballots.
    """

    decision: Decision
    choices: tuple[Choice, ...]
    snapshot: DecisionSnapshot | None
    outcome: Outcome | None
    token: str = ""

    @property
    def title(self) -> str:
        return self.decision.title

    @property
    def status(self) -> str:
        return status_sentence(self.decision)

    @property
    def result(self) -> str:
        """The result in two sentences, or the reason why there is none."""
        if self.outcome is not None:
            return f"{self.outcome.title}. {self.outcome.explanation}"
        if access.hides_ballots(self.decision) and self.decision.status == Status.OPEN:
            return "The result is shown after voting has closed."
        return ""

    @property
    def turnout(self) -> str:
        return participation_sentence(self.outcome.participation) if self.outcome is not None else ""

    @property
    def description(self) -> str:
        """The text beside the title, where a link to it is shown."""
        return " ".join(filter(None, (ended(self.decision.community.name), self.status, self.result)))

    @property
    def address(self) -> str:
        """The address of the result, or of the question while voting goes on."""
        if self.token:
            return addresses.of_token("published-result", self.token)
        page = "decision-results" if self.decision.status == Status.CLOSED else "decision"
        return addresses.of_decision(page, self.decision)

    @property
    def embed(self) -> str:
        return self._beside("embed")

    @property
    def picture(self) -> str:
        """The address of the picture, another one whenever what is on it changes: programs keep pictures for long."""
        said = f"{self.title}\n{self.description}\n{self.turnout}"
        return f"{self._beside('picture')}?v={hashlib.sha256(said.encode()).hexdigest()[:12]}"

    def embed_code(self, width: int = EMBED_WIDTH, height: int = EMBED_HEIGHT) -> str:
        """HTML that shows the result in a page of another site."""
        return (
            f'<iframe src="{html.escape(self.embed)}" title="{html.escape(self.title)}" width="{width}" '
            f'height="{height}" loading="lazy" style="border: 0; max-width: 100%"></iframe>'
        )

    def _beside(self, what: str) -> str:
        if self.token:
            return addresses.of_token(f"published-result-{what}", self.token)
        return addresses.of_decision(f"decision-{what}", self.decision)


def embeds(viewer: Viewer, decisions: Sequence[Decision]) -> dict[int, str]:
    """The addresses of the embeds of these decisions that have one: of public communities, and published results."""
    ids = [decision.pk for decision in decisions]
    public = access.decisions_visible_to(AnonymousUser()).filter(pk__in=ids).values_list("pk", flat=True)
    published = access.published_results_visible_to(viewer).filter(decision__in=ids).values_list("decision", "token")
    found = {pk: addresses.of_token("published-result-embed", token) for pk, token in published}
    everybodys = set(public)
    return found | {
        decision.pk: addresses.of_decision("decision-embed", decision)
        for decision in decisions
        if decision.pk in everybodys
    }


def shared_with_everybody(decision_id: int) -> Shared:
    """A published decision of a public community. Raises PermissionDenied where a visitor may not see it."""
    return shared(access.require_decision(AnonymousUser(), decision_id))


def shared_at(token: str) -> Shared:
    """The result that a manager has published at this address. Raises PermissionDenied."""
    return shared(access.decision_published_at(token), token=token)


def shared(decision: Decision, *, token: str = "") -> Shared:
    """Collect what everybody may see of a decision. The caller has made sure that they may."""
    snapshot = next(iter(newest_snapshots([decision.pk])), None)
    return told(decision, list(decision.choices.all()), snapshot, token=token)


def told(
    decision: Decision, choices: Sequence[Choice], snapshot: DecisionSnapshot | None, *, token: str = ""
) -> Shared:
    """Put into words what is told to everybody of a decision and its newest result."""
    tells_results = decision.status in {Status.OPEN, Status.CLOSED} and access.shows_ballots(decision)
    # A published result is a final one: the interim result of a moment after closing is not shown.
    if snapshot is None or not tells_results or (token and not snapshot.is_final):
        return Shared(decision, tuple(choices), None, None, token)
    return Shared(decision, tuple(choices), snapshot, outcome_of(snapshot, choices), token)
