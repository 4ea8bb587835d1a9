"""Forms of communities and memberships."""

from __future__ import annotations

from django import forms

from democracy.models import Application, Community, LedgerEntry, Membership

_NAME = Community._meta.get_field("name").max_length
_DESCRIPTION = Community._meta.get_field("description").max_length
_MESSAGE = Application._meta.get_field("message").max_length


class CommunityForm(forms.Form):
    name = forms.CharField(max_length=_NAME, help_text="What people know it by. No other community may have this name.")
    description = forms.CharField(
        max_length=_DESCRIPTION,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Who you are and what you decide here.",
    )
    visibility = forms.ChoiceField(
        label="Who may read",
        choices=Community.Visibility.choices,
        initial=Community.Visibility.MEMBERS,
        widget=forms.RadioSelect,
        help_text="The name and the description are always listed for everybody.",
    )
    joining = forms.ChoiceField(
        label="How people join",
        choices=Community.Joining.choices,
        initial=Community.Joining.REQUEST,
        widget=forms.RadioSelect,
        help_text="A manager can always invite people. Whoever was removed always needs a manager to come back.",
    )

    @classmethod
    def of(cls, community: Community) -> CommunityForm:
        return cls(
            initial={
                "name": community.name,
                "description": community.description,
                "visibility": community.visibility,
                "joining": community.joining,
            }
        )


class ApplicationForm(forms.Form):
    message = forms.CharField(
        label="Message to the managers",
        max_length=_MESSAGE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="For example who you are and why you want to join. Only the managers read it.",
    )


class DecideApplicationForm(forms.Form):
    approve = forms.TypedChoiceField(choices=[("1", "Approve"), ("0", "Reject")], coerce=lambda value: value == "1")


class MembershipForm(forms.Form):
    role = forms.ChoiceField(choices=Membership.Role.choices)
    is_manager = forms.BooleanField(label="Manager", required=False)


class AnonymityForm(forms.Form):
    anonymous = forms.TypedChoiceField(choices=[("1", "Yes"), ("0", "No")], coerce=lambda value: value == "1")
    confirmed = forms.BooleanField(required=False)


class SearchForm(forms.Form):
    """The filters of a list. Nonsense is left out rather than refused."""

    q = forms.CharField(label="Search", required=False, max_length=100)

    def value(self, name: str) -> str:
        if self.is_valid() or name not in self.errors:
            return str(self.cleaned_data.get(name, ""))
        return ""


class MemberSearchForm(SearchForm):
    role = forms.ChoiceField(
        required=False, choices=[("", "Everybody"), *Membership.Role.choices, ("manager", "Manager")]
    )


class NetworkSearchForm(SearchForm):
    tag = forms.CharField(label="Topic", required=False, max_length=50)


class LedgerForm(SearchForm):
    kind = forms.ChoiceField(label="What", required=False, choices=[("", "Everything"), *LedgerEntry.Kind.choices])
    decision = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    before = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)

    def number(self, name: str) -> int | None:
        self.is_valid()
        number = self.cleaned_data.get(name)
        return number if isinstance(number, int) else None
