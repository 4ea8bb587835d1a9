"""The event log in the administration: newest first, filtered, in pages. For superusers only.

A request chooses one of the log's own files by its day, never by a path: the day is compared with those of the files in
the log's directory.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import user_passes_test
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

PER_PAGE = 100
_BLOCK = 65_536
# The most that is read of a line: another program may have written an endless one.
_LONGEST_LINE = 10_000
_NAME, _LEVELS = "crowdvote.log", ("INFO", "WARNING", "ERROR")
_ROTATED = re.compile(re.escape(_NAME) + r"\.(\d{4}-\d\d-\d\d(?:\.\d+)?)", re.ASCII)
_LINE = re.compile(
    r"\[(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)] \[(?P<level>[A-Z]+)] \[(?P<event>[^]]*)] \[(?P<actor>[^]]*)] - "
    r"(?P<message>.*)",
    re.ASCII,
)


@dataclass(frozen=True)
class Event:
    """One line of the log. A line in another form is all message."""

    message: str
    time: str = ""
    level: str = ""
    event: str = ""
    actor: str = ""


class EventFilter(forms.Form):
    day = forms.ChoiceField(required=False, label="Day (UTC)")
    level = forms.ChoiceField(required=False, choices=[("", "All levels"), *((level, level) for level in _LEVELS)])
    event = forms.CharField(required=False, max_length=80)
    actor = forms.CharField(required=False, max_length=80)
    text = forms.CharField(required=False, max_length=200)
    page = forms.IntegerField(required=False, min_value=1, max_value=100_000, widget=forms.HiddenInput)

    def __init__(self, data: object, *, days: list[str]) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        # The current file first. It may hold an earlier day, if nothing was logged since.
        self.fields["day"].choices = [("", "Newest"), *((day, day) for day in days)]  # type: ignore[attr-defined]

    def accepts(self, event: Event) -> bool:
        wanted = self.cleaned_data
        return (
            wanted["level"] in ("", event.level)
            and wanted["event"].casefold() in event.event.casefold()
            and wanted["actor"].casefold() in event.actor.casefold()
            and wanted["text"].casefold() in event.message.casefold()
        )


@require_safe
@user_passes_test(lambda user: user.is_active and user.is_staff, login_url="admin:login")
def event_log(request: HttpRequest) -> HttpResponse:
    """Show the log of one day, filtered. Raises PermissionDenied for staff who are not superusers."""
    if not request.user.is_superuser:
        raise PermissionDenied
    files = log_files(Path(settings.LOG_DIR))
    form = EventFilter(request.GET, days=sorted(files.keys() - {""}, reverse=True))
    status, events, number, has_next = 400, [], 1, False
    if form.is_valid():
        status, number = 200, form.cleaned_data["page"] or 1
        chosen = files.get(form.cleaned_data["day"])
        found = filter(form.accepts, events_of(chosen)) if chosen else iter(())
        events = list(islice(found, (number - 1) * PER_PAGE, number * PER_PAGE + 1))
        has_next = len(events) > PER_PAGE
    context = {
        **admin.site.each_context(request),
        "title": "Event log",
        "form": form,
        "events": events[:PER_PAGE],
        "newer": request.GET.copy(),
        "older": request.GET.copy(),
        "number": number,
        "has_next": has_next,
        "elsewhere": settings.LOG_TO == "stdout",
    }
    context["newer"]["page"], context["older"]["page"] = number - 1, number + 1
    return TemplateResponse(request, "admin/event_log.html", context, status=status)


def log_files(directory: Path) -> dict[str, Path]:
    """Return the log's own files by day, "" for the current one. Links are ignored."""
    found = {}
    for path in directory.iterdir() if directory.is_dir() else ():
        if path.is_file() and not path.is_symlink():
            if path.name == _NAME:
                found[""] = path
            elif rotated := _ROTATED.fullmatch(path.name):
                found[rotated[1]] = path
    return found


def events_of(path: Path) -> Iterator[Event]:
    """Return the events of a file, newest first; none if the file has been deleted since."""
    for line in _lines_from_the_end(path):
        if text := line.decode("utf-8", "replace").rstrip("\r"):
            known = _LINE.fullmatch(text)
            yield Event(**known.groupdict()) if known else _json_event(text) or Event(text)


def _json_event(text: str) -> Event | None:
    """Return the event in a line of `crowdvote.operations.logfile.JsonFormatter`, or None."""
    try:
        found = json.loads(text) if text.startswith("{") else {}
        time = found["time"][:19].replace("T", " ")
        return Event(*(str(part) for part in (found["message"], time, found["level"], found["event"], found["actor"])))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _lines_from_the_end(path: Path) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        position, rest = file.seek(0, os.SEEK_END), b""
        while position:
            size = min(_BLOCK, position)
            position -= size
            file.seek(position)
            first, *lines = (file.read(size) + rest).split(b"\n")
            yield from reversed(lines)
            rest = first[:_LONGEST_LINE]
        yield rest
