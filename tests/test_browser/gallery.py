"""A page that shows every component once. It exists in tests only: the browser gets it in place of an answer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.core.paginator import Paginator
from django.template import engines
from django.test import RequestFactory
from django.utils import timezone

from crowdvote.pages.icons import PATHS

DIALOG = """
<div class="dialog-header">
  <h2 id="dialog-title">Follow Ann</h2>
  <button class="button quiet small" data-dialog-close>Close</button>
</div>
<p>Her ballot becomes yours.</p>
"""


class Form(forms.Form):
    title = forms.CharField(help_text="A question, as short as it can be.")
    description = forms.CharField(widget=forms.Textarea, required=False)
    results = forms.ChoiceField(
        label="When are results shown?",
        choices=[("live", "Live"), ("after", "After closing")],
        widget=forms.RadioSelect,
        help_text="It can't be changed later.",
    )
    sure = forms.BooleanField(label="I know that three people follow me")


def gallery() -> str:
    now = timezone.now()
    form = Form({"results": "live"})
    anonymous = {"name": "Anonymous", "handle": "", "share": "", "note": "gave 3"}
    context = {
        "later": now + timedelta(days=2, hours=4, minutes=1),
        "earlier": now - timedelta(minutes=3),
        "tags": ["budget", "roads", "parks & trees"],
        "people": [
            {"name": "Ada Quill", "handle": "ada_quill", "note": "Manager"},
            {"name": "Anonymous", "handle": "", "note": ""},
            {"name": "A" * 80, "handle": "b" * 40, "note": ""},
        ],
        "form": form,
        "page": Paginator(range(95), 20).page(2),
        "icons": list(PATHS),
        "nodes": [
            {
                "name": "You",
                "handle": "me",
                "share": "",
                "note": "inherit 3.67 for Slate",
                "children": [
                    {"name": "Ada", "handle": "ada_quill", "share": "1/3", "note": "gave 5"},
                    {"name": "Cy", "handle": "cy", "share": "2/3", "note": "on budget", "children": [anonymous]},
                ],
            }
        ],
    }
    request = RequestFactory().get("/gallery")
    request.user = AnonymousUser()
    source = Path(__file__).with_name("gallery.html").read_text()
    return engines["django"].from_string(source).render(context, request)
