"""The form that calls a decision off."""

from __future__ import annotations

from django import forms

from democracy.models import LONGEST_REASON


class CallingOffForm(forms.Form):
    reason = forms.CharField(
        label="Why it is called off",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Everybody who opens the decision reads it.",
    )
