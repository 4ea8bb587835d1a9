"""Forms of invitations: a list of people, and a link that many may use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from accounts.errors import DomainError
from democracy.files.decoding import decode_spreadsheet
from democracy.files.member_lists import MemberList, read_member_list
from democracy.forms.communities import SearchForm
from democracy.forms.decisions import MomentField
from democracy.models import Decision, Invitation, Membership
from democracy.services.invitations import MAX_USES


class _LeadsToADecision(forms.Form):
    """`decision_id`: where somebody stands who has come in; none for the community's page."""

    decision_id = forms.TypedChoiceField(
        label="Leads to", coerce=int, empty_value=None, required=False, help_text="What people see once they are in."
    )

    def __init__(self, decisions: Iterable[Decision], data: QueryDict | None = None, **options: Any) -> None:
        super().__init__(data, **options)
        offered = [(str(one.pk), one.title) for one in decisions]
        self.fields["decision_id"].choices = [("", "The community's page"), *offered]  # type: ignore[attr-defined]
        self.fields["decision_id"].initial = offered[0][0] if len(offered) == 1 else ""


class InviteForm(_LeadsToADecision):
    people = forms.CharField(
        label="E-mail addresses",
        required=False,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
        help_text="One on each line, alone or with a name: Mary Ann <mary@example.org>. Or paste a table whose first "
        "line names its columns: address, name, role, manager, tags to follow. Without a role people are voters. "
        "Tags to follow are topics on which the person is asked to choose somebody to follow.",
    )
    file = forms.FileField(
        label="Or a file",
        required=False,
        help_text="A list from a spreadsheet, saved as CSV, with such a first line.",
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv,text/plain"}),
    )
    field_order = ("people", "file", "decision_id")

    def __init__(
        self,
        decisions: Iterable[Decision],
        data: QueryDict | None = None,
        files: MultiValueDict[str, Any] | None = None,
    ) -> None:
        super().__init__(decisions, data, files=files)

    def clean(self) -> dict[str, Any]:
        """Read the list into `people`, and note what it has that was not read."""
        given = super().clean() or self.cleaned_data
        file, text = given.pop("file", None), given.get("people", "")
        if bool(file) == bool(text.strip()):
            self.add_error("people", "Give addresses here, or choose a file, but not both.")
            return given
        try:
            found = _read(file.read() if file else text.encode())
        except DomainError as error:
            for one in error.parts:
                self.add_error("file" if file else "people", str(one))
            return given
        given["people"], self.passed_over = found.people, found.passed_over
        return given


def _read(data: bytes) -> MemberList:
    return read_member_list(decode_spreadsheet(data).text)


class InvitationLinkForm(_LeadsToADecision):
    role = forms.ChoiceField(
        label="People come in as",
        choices=Membership.Role.choices,
        initial=Membership.Role.VOTER,
        required=False,
        help_text="Voters are counted. Lobbyists, such as an adviser, may vote and be followed, but are not counted.",
    )
    needs_approval = forms.BooleanField(
        label="A manager decides on each person",
        required=False,
        help_text="Without this, everybody who has the link can join, and pass it on.",
    )
    ends_at = MomentField(label="Works until", required=False, help_text="Left empty: until you end it.")
    max_uses = forms.IntegerField(
        label="For at most so many people",
        required=False,
        min_value=1,
        max_value=MAX_USES,
        help_text="Left empty: for any number.",
    )
    field_order = ("decision_id", "role", "needs_approval", "ends_at", "max_uses")

    def __init__(self, decisions: Iterable[Decision], data: QueryDict | None = None) -> None:
        # The other form on the page has a field of the same name.
        super().__init__(decisions, data, auto_id="link-%s")

    def clean_role(self) -> str:
        return self.cleaned_data["role"] or Membership.Role.VOTER


class InvitationSearchForm(SearchForm):
    state = forms.ChoiceField(required=False, choices=[("", "Everybody"), *Invitation.State.choices])
