"""The pages on which an operator hides a text or a community, reached from the pages of communities and decisions."""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import Truncator

from accounts.errors import DomainError
from democracy import access, services
from democracy.forms.moderation import COMMENT, EVERYTHING, ModerationForm
from democracy.models import Community, Decision, Moderation
from democracy.reading import moderation as reading

HIDDEN = "Hidden. The reason stands in its place and in the history; who wrote it, or the managers, are told."


class ModeratedAdmin(admin.ModelAdmin):
    """Adds a page to those of a community or a decision, for operators who may hide what people wrote."""

    change_form_template = "admin/moderated_change_form.html"

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_hide"
        return [
            path("<path:object_id>/hide/", self.admin_site.admin_view(self.hide_view), name=name),
            *super().get_urls(),
        ]

    def hide_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask what to hide and why, and hide it. Raises Http404 for a draft, which managers alone read."""
        if not access.moderates(request.user):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None or not (texts := _texts(row)):
            raise Http404
        form = ModerationForm(request.POST or None, texts=texts)
        if form.is_valid() and _hidden(request, row, form):
            self.log_change(request, row, f"Hid {form.cleaned_data['what']}: {form.cleaned_data['reason']}")
            self.message_user(request, HIDDEN, messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:democracy_moderation_changelist"))
        context = self.admin_site.each_context(request)
        context |= {"opts": self.opts, "original": row, "form": form, "title": "Hide", "subtitle": str(row)}
        context |= {"moderations": _in_force(row), "adminform": None}
        return TemplateResponse(request, "admin/hide.html", context, status=400 if form.errors else 200)


def _texts(row: Community | Decision) -> list[tuple[str, str]]:
    """The places that can be chosen, each with its label and the beginning of the text."""
    if isinstance(row, Community):
        texts = reading.texts_of_community(row)
        others = [] if row.is_hidden else [(EVERYTHING, "The whole community")]
    else:
        texts = reading.texts_of_decision(row)
        others = [(COMMENT, "The comment on a ballot")] if access.shows_ballots(row) else []
    return [(text.place, f"{text.label}: {Truncator(text.words).chars(100)}") for text in texts] + others


def _hidden(request: HttpRequest, row: Community | Decision, form: ModerationForm) -> bool:
    """Hide what the form says; where the command refuses, say so beside the field."""
    what, reason = form.cleaned_data["what"], form.cleaned_data["reason"]
    try:
        if isinstance(row, Decision) and what == COMMENT:
            services.hide_comment(request.user, row.pk, by=form.cleaned_data["by"], reason=reason)
        elif isinstance(row, Decision):
            services.hide_decision_text(request.user, row.pk, place=what, reason=reason)
        elif what == EVERYTHING:
            services.hide_community(request.user, row.pk, reason=reason)
        else:
            services.hide_community_text(request.user, row.pk, place=what, reason=reason)
    except DomainError as refusal:
        field = "what" if refusal.field == "place" else refusal.field
        form.add_error(field if field in form.fields else None, refusal.message)
        return False
    return True


def _in_force(row: Community | Decision) -> list[Moderation]:
    if isinstance(row, Community):
        return reading.moderations_in_force(row)
    return reading.moderations_in_force(row.community, row)
