"""Forms of decisions and ballots."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from accounts.text import whole_number
from democracy.models import (
    MAX_CHOICES,
    MAX_REMINDER_HOURS,
    MAX_STARS,
    MIN_CHOICES,
    REMINDER_HOURS,
    Ballot,
    Choice,
    Clarification,
    Decision,
)
from democracy.services import ChoiceInput
from democracy.tags import MAX_TAG_LENGTH, MAX_TAGS

_DESCRIPTION = (
    "What people should know before they vote. An empty line begins a paragraph, a line with - an item of a list; "
    "**two stars** make bold, *one* italic. Addresses become links."
)
_RATINGS = [str(stars) for stars in range(MAX_STARS + 1)]
_STARS = [("", "Not rated"), *zip(_RATINGS, _RATINGS, strict=True)]


# --- Ballots ----------------------------------------------------------------------------------------------------------


class BallotForm(forms.Form):
    """Stars for each choice, tags and a comment. `abstain` is a button of its own, with which the stars are ignored."""

    tags = forms.CharField(required=False, max_length=MAX_TAGS * (MAX_TAG_LENGTH + 2))
    comment = forms.CharField(
        required=False,
        max_length=Ballot._meta.get_field("comment").max_length,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Shown beside your ballot.",
    )
    abstain = forms.BooleanField(required=False)
    confirmed = forms.BooleanField(required=False)

    def __init__(self, choices: Sequence[Choice], data: QueryDict | None = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.rated = [(choice, f"choice-{choice.pk}") for choice in choices]
        for choice, name in self.rated:
            self.fields[name] = forms.TypedChoiceField(
                label=choice.title, choices=_STARS, coerce=int, empty_value=None, required=False
            )

    @classmethod
    def of(cls, choices: Sequence[Choice], ballot: Ballot | None, *, topics: Sequence[str] = ()) -> BallotForm:
        """The form as the ballot stands; without one it has the decision's topics for tags, and nothing else."""
        return cls(choices, initial={"tags": ", ".join(topics)} if ballot is None else fields_of(ballot))

    def ratings(self) -> list[dict[str, Any]]:
        """The star inputs: choice, name of the field, and value."""
        rows = []
        for choice, name in self.rated:
            value = str(self[name].value())
            rows.append({"choice": choice, "name": name, "value": int(value) if value in _RATINGS else None})
        return rows

    def clean_tags(self) -> list[str]:
        return _split(self.cleaned_data["tags"])

    @property
    def stars(self) -> dict[int, int]:
        """Stars by choice id, unrated ones left out; none for an abstention."""
        if self.cleaned_data["abstain"]:
            return {}
        given = {choice.pk: self.cleaned_data[name] for choice, name in self.rated}
        return {pk: stars for pk, stars in given.items() if stars is not None}


def fields_of(ballot: Ballot) -> dict[str, str]:
    """A ballot as the fields that cast it."""
    stars = {f"choice-{vote.choice_id}": str(vote.stars) for vote in ballot.votes.all()}
    abstain = {"abstain": "1"} if ballot.abstain else {}
    return {**stars, "tags": ", ".join(ballot.tags), "comment": ballot.comment, **abstain}


def _split(tags: str) -> list[str]:
    return [tag for tag in tags.split(",") if tag.strip()]


# --- Decisions --------------------------------------------------------------------------------------------------------


class ChoicesWidget(forms.Widget):
    """Rows of texts, in parallel lists. The template draws them."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[dict[str, str]]:
        columns = [data.getlist(f"{name}-{part}") for part in ("id", "title", "description")]
        length = min(max(map(len, columns)), 2 * MAX_CHOICES)
        padded = [column + [""] * (length - len(column)) for column in columns]
        return [
            {"id": pk, "title": title, "description": description}
            for pk, title, description in zip(*(column[:length] for column in padded), strict=True)
        ]


class ChoicesField(forms.Field):
    """Choices as a list of `ChoiceInput`; rows left blank are left out."""

    widget = ChoicesWidget

    def clean(self, value: Any) -> list[ChoiceInput]:
        choices = []
        for row in value or []:
            title, description = row["title"].strip(), row["description"].strip()
            if not title and not description:
                continue
            if not title:
                raise ValidationError("A choice with a description needs a name, too.")
            pk = whole_number(row["id"])
            choices.append(ChoiceInput(title, description, pk))
        return choices


class MomentInput(forms.DateTimeInput):
    """A date and time in UTC, which moments.js turns into the reader's zone."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(attrs={"data-moment": "", "step": "60"}, format="%Y-%m-%dT%H:%M")


class MomentField(forms.DateTimeField):
    widget = MomentInput


class _KeepsMoments(forms.Form):
    """A form that shows moments by the minute. One that is sent as it was shown stays as it is stored."""

    def clean(self) -> None:
        for name, stored in self.initial.items():
            if isinstance(stored, datetime) and self.cleaned_data.get(name) == stored.replace(second=0, microsecond=0):
                self.cleaned_data[name] = stored


class TopicsField(forms.CharField):
    """Tags with commas between, as a list."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            max_length=MAX_TAGS * (MAX_TAG_LENGTH + 2),
            help_text="What the question is about, with commas between: budget, roads. Ballots bear these unless their "
            "casters say otherwise, so that people who follow somebody on such a topic inherit.",
        )

    def clean(self, value: Any) -> list[str]:
        return _split(super().clean(value))


class ReminderField(forms.IntegerField):
    """Hours before closing; left empty, they stay as they are."""

    def __init__(self) -> None:
        super().__init__(
            label="Remind people this many hours before closing (0: never)",
            required=False,
            min_value=0,
            max_value=MAX_REMINDER_HOURS,
            initial=REMINDER_HOURS,
            help_text="Whoever has no ballot of their own then gets a notice. In decisions shorter "
            " than twice these hours it leaves when half of the time is over.",
        )


class ScheduledDecisionForm(_KeepsMoments):
    """The parts of a published decision that can change before it opens."""

    title = forms.CharField(label="Question", max_length=Decision._meta.get_field("title").max_length)
    description = forms.CharField(
        max_length=Decision._meta.get_field("description").max_length,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_DESCRIPTION,
    )
    topics = TopicsField()
    closes_at = MomentField(label="Voting closes", help_text="It can only move later. Times are in UTC.")
    reminder_hours = ReminderField()

    @classmethod
    def of(cls, decision: Decision, data: QueryDict | None = None) -> ScheduledDecisionForm:
        return cls(data, initial=_initial(decision))


class PublishedDecisionForm(_KeepsMoments):
    """The parts of a decision that can change once it is open."""

    closes_at = MomentField(label="Voting closes", help_text="It can only move later. Times are in UTC.")
    reminder_hours = ReminderField()

    @classmethod
    def of(cls, decision: Decision, data: QueryDict | None = None) -> PublishedDecisionForm:
        return cls(data, initial=_initial(decision))


class ClarificationForm(forms.Form):
    """An addition to a decision whose own text is frozen."""

    text = forms.CharField(
        label="Clarification",
        max_length=Clarification._meta.get_field("text").max_length,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="It stands beside the question with its date, and can't be taken back.",
    )


class DecisionForm(_KeepsMoments):
    # The row of choices that was just added or moved, or stands where one was removed: whoever did it goes on there;
    # how it was moved, and whether it can move on that way.
    touched: int | None = None
    moved = ""
    may_move_on = False

    title = forms.CharField(
        label="Question",
        max_length=Decision._meta.get_field("title").max_length,
        help_text="For example: Which contractor repairs the roof?",
    )
    description = forms.CharField(
        max_length=Decision._meta.get_field("description").max_length,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_DESCRIPTION,
    )
    topics = TopicsField()
    choices = ChoicesField(required=False)
    opens_at = MomentField(
        label="Voting opens", required=False, help_text="Leave it empty to open when you publish. Times are in UTC."
    )
    closes_at = MomentField(
        label="Voting closes", required=False, help_text="Needed before you publish. Times are in UTC."
    )
    results_visibility = forms.ChoiceField(
        label="When people see results",
        choices=[
            (Decision.Visibility.LIVE, "Live: after every vote"),
            (Decision.Visibility.BATCHED, "In steps: whenever five members have voted or changed their vote"),
            (Decision.Visibility.AFTER_CLOSE, "Only after voting has closed"),
        ],
        initial=Decision.Visibility.LIVE,
        widget=forms.RadioSelect,
        help_text="This can't be changed once people vote.",
    )
    reminder_hours = ReminderField()

    @classmethod
    def blank(cls) -> DecisionForm:
        return cls(initial={"choices": [_row()] * MIN_CHOICES})

    @classmethod
    def of(cls, decision: Decision, data: QueryDict | None = None) -> DecisionForm:
        rows = [_row(str(choice.pk), choice.title, choice.description) for choice in decision.choices.all()]
        rows += [_row()] * (MIN_CHOICES - len(rows))
        shown = _initial(decision) | {"choices": rows, "results_visibility": decision.results_visibility}
        return cls(data, initial=shown)


def _initial(decision: Decision) -> dict[str, str | int | datetime | None]:
    return {
        "title": decision.title,
        "description": decision.description,
        "topics": ", ".join(decision.topics),
        "opens_at": decision.opens_at,
        "closes_at": decision.closes_at,
        "reminder_hours": decision.reminder_hours,
    }


def _row(pk: str = "", title: str = "", description: str = "") -> dict[str, str]:
    return {"id": pk, "title": title, "description": description}


def with_choices_changed(form: DecisionForm, what: str, *, pasted: str = "") -> DecisionForm:
    """The form as typed, unchecked, with its choices changed: a row added ("add"), removed ("remove:2"), moved up
    ("up:2") or down ("down:2"), or moved to another place ("move:2:0"); or a row for each line of `pasted` ("paste").
    """
    values: dict[str, Any] = {name: form[name].value() for name in form.fields}
    rows = list(values["choices"])
    verb, _, place = what.partition(":")
    place, _, goal = place.partition(":")
    number, to = whole_number(place), whole_number(goal)
    at = len(rows) if number is None else number
    touched, may_move_on = None, False
    if verb == "add" and len(rows) < MAX_CHOICES:
        rows.append(_row())
        touched = len(rows) - 1
    elif verb == "remove" and at < len(rows):
        del rows[at]
        touched = min(at, len(rows) - 1)
    elif verb == "paste":
        rows = [row for row in rows if row["title"].strip() or row["description"].strip()] + _rows_of(pasted)
        rows = rows[:MAX_CHOICES] + [_row()] * (MIN_CHOICES - len(rows))
        touched = len(rows) - 1
    elif verb in _STEPS and at < len(rows):
        step = _STEPS[verb]
        to = at + step if step else to
        if to is not None and 0 <= to < len(rows):
            rows.insert(to, rows.pop(at))
            touched, may_move_on = to, step != 0 and 0 <= to + step < len(rows)
    changed = DecisionForm(initial=values | {"choices": rows})
    changed.touched, changed.may_move_on, changed.moved = touched, may_move_on, verb if verb in _STEPS else ""
    return changed


# By how many places a row goes on; 0: to the place that is said.
_STEPS = {"up": -1, "down": 1, "move": 0}
# What people write before the items of a list.
_BULLET = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+")


def _rows_of(pasted: str) -> list[dict[str, str]]:
    """A row for each line that is not empty; what follows a tab, as from a spreadsheet, is its description."""
    rows = []
    for line in pasted.splitlines():
        title, _, description = _BULLET.sub("", line).strip().partition("\t")
        if title:
            rows.append(_row(title=title.strip(), description=" ".join(description.split())))
    return rows


class BallotSearch(forms.Form):
    """The filters and the order of the list of ballots. Nonsense is left out rather than refused."""

    KINDS: Mapping[str, str] = {
        "": "All ballots",
        "cast": "Cast",
        "inherited": "Inherited",
        "abstained": "Abstained",
        "lobbyist": "Lobbyists', not counted",
    }
    q = forms.CharField(required=False, max_length=100)
    kind = forms.ChoiceField(required=False, choices=list(KINDS.items()))
    tag = forms.CharField(required=False, max_length=MAX_TAG_LENGTH)
    sort = forms.RegexField(r"\A-?(name|\d{1,2})\Z", required=False)

    def value(self, name: str) -> str:
        self.is_valid()
        return str(self.cleaned_data.get(name, ""))
