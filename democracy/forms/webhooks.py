"""The form of a webhook."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict

from democracy.models.webhooks import EVENTS, LONGEST_URL


class WebhookForm(forms.Form):
    url = forms.CharField(
        label="Address",
        max_length=LONGEST_URL,
        widget=forms.TextInput(attrs={"inputmode": "url", "spellcheck": "false", "placeholder": "https://"}),
        help_text="Whoever runs the other program says which. It begins with https:// and is in the public internet.",
    )
    events = forms.MultipleChoiceField(
        label="Told when",
        choices=[(event.value, event.label) for event in EVENTS],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one."},
    )

    def __init__(self, data: QueryDict | None = None, **options: Any) -> None:
        options.setdefault("initial", {"events": [event.value for event in EVENTS]})
        super().__init__(data, **options)
