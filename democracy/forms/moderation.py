"""The form by which an operator hides something. The command judges; the form collects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from democracy.models.moderations import LONGEST_MODERATION_REASON

# What can be chosen beside the places of texts.
EVERYTHING, COMMENT = "everything", "comment"


class ModerationForm(forms.Form):
    what = forms.ChoiceField(label="What to hide", widget=forms.RadioSelect)
    by = forms.CharField(
        label="Whose comment",
        required=False,
        max_length=80,
        help_text="The handle or the pseudonym under which the ballot stands on the decision's page.",
    )
    reason = forms.CharField(
        max_length=LONGEST_MODERATION_REASON,
        widget=forms.TextInput(attrs={"size": 80}),
        help_text="Everybody who could read the text reads this in its place, and it stays in the history.",
    )

    def __init__(self, *args: Any, texts: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        what = self.fields["what"]
        assert isinstance(what, forms.ChoiceField)
        what.choices = list(texts)
        if COMMENT not in dict(texts):
            del self.fields["by"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("what") == COMMENT and not cleaned.get("by"):
            self.add_error("by", "Say whose comment.")
        return cleaned
