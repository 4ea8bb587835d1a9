"""Collecting everything that the site gives somebody, by every way there is."""

from __future__ import annotations

import asyncio
import hashlib
import html
import itertools
import json
import logging
import re
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode, urljoin, urlsplit

from asgiref.sync import async_to_sync, sync_to_async
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Model
from django.test import AsyncClient, Client, override_settings
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.api import node_id
from crowdvote.operations.logfile import EventFormatter, JsonFormatter
from democracy.models import Ballot, Community, Decision, LedgerEntry, PublishedResult, Webhook, WebhookDelivery
from democracy.notices import payloads
from tests.test_privacy import operations
from tests.test_privacy.transcripts import Part, of_csv, of_html, of_json, of_text, of_value
from tests.test_privacy.worlds import ANONYMOUS, HIDDEN, NEVER_SHOWN, World

URL, JSON, EVENTS = "/graphql/", "application/json", "text/event-stream"
OURS = {"accounts", "democracy"}
_LINK = re.compile(r'(?:href|hx-get|src|action|data-[a-z-]+)="(/[^"]*|\?[^"]*)"')
_ASIDE = ("/static/", "/admin/", "/sign-out/", "/graphql/", "/sign-in/")
_MOST_PAGES = 600
# Listener, source, and the newest news of a step.
Told = list[tuple[int, str, str]]
# Row numbers that somebody tries.
_TRIED = 60
_PSEUDONYM = re.compile(r"Anonymous ([0-9a-f]{8,64})")
# As contents write it. A search for digits alone would find them in hashes, which are drawn.
_FIVE_STARS = '": 5'
# Revisions asked for at a time: as many as one query's cost allows.
PASTS = 5
_ABOUT_BALLOTS = {Ballot, LedgerEntry}


# --- Answers ----------------------------------------------------------------------------------------------------------


def answer(response: Any) -> Part:
    """Return an answer's status, its telling headers, and its body parsed by its kind."""
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    told = [f"{name}: {response[name]}" for name in ("Location", "HX-Trigger", "HX-Redirect") if name in response]
    head = of_text("\n".join([f"{response.status_code} {kind}", *told]))
    if response.streaming and kind == EVENTS:
        # It is read as subscriptions are.
        return Part("answer", (head,))
    content = response.getvalue() if response.streaming else response.content
    if kind.startswith("image/") and kind != "image/svg+xml":
        # In numbers: letters of a digest would be taken for one that is drawn.
        return Part("answer", (head, of_text(" ".join(map(str, hashlib.sha256(content).digest())))))
    text = content.decode()
    read = {"text/html": of_html, "text/csv": of_csv, JSON: of_json}.get(kind, of_text)
    return Part("answer", (head, read(text))) if text else Part("answer", (head,))


def ask(client: Client, operation: str) -> dict[str, Any]:
    found: dict[str, Any] = client.post(URL, json.dumps({"query": operation}), content_type=JSON).json()
    return found


class Looking:
    """The things to look at in a town. `is_thorough`: try every number, not some of each kind."""

    def __init__(self, one: World, *, is_thorough: bool) -> None:
        self.world, self.is_thorough = one, is_thorough

    # --- Numbers ------------------------------------------------------------------------------------------------------

    def decisions(self) -> list[Decision]:
        decisions = self.world.decisions
        if self.is_thorough:
            return [*decisions.values(), self.world.draft]
        return [decisions[title] for title in ("live", "over", *HIDDEN, NEVER_SHOWN)]

    def acted_on(self) -> list[Decision]:
        """Return the decisions that somebody calculates, edits or asks about."""
        return self.decisions() if self.is_thorough else [self.world.decisions[title] for title in HIDDEN]

    def _decisions(self, *titles: str) -> list[int]:
        """Return the decisions; without thoroughness, those with these titles."""
        decisions = self.decisions() if self.is_thorough else [self.world.decisions[title] for title in titles]
        return [decision.pk for decision in decisions]

    def _members(self) -> list[int]:
        members = self.world.members
        return [members[who].pk for who in (members if self.is_thorough else ("ann", "xena"))]

    def ids(self, *titles: str) -> dict[str, list[str]]:
        """Return ids as the API writes them: those that one knows and, thoroughly, any that one may try."""
        kinds = [model.__name__ for model in apps.get_models() if model._meta.app_label in OURS]
        tried = {kind: range(1, _TRIED) for kind in kinds} if self.is_thorough else {}
        pks = {
            **tried,
            "Community": [self.world.community.pk],
            "Decision": self._decisions(*titles),
            "Member": self._members(),
        }
        return {kind: [node_id(kind, pk) for pk in numbers] for kind, numbers in pks.items()}

    # --- The API ------------------------------------------------------------------------------------------------------

    def questions(self, client: Client) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, text in operations.questions(self.ids("live", "over", "hidden")):
            # Other words for it, if there is time.
            if self.is_thorough or not name.startswith(("communities", "decisions", "node", "me", "whatIf")):
                yield f"query {name}", ask(client, text)
        newest = Community.objects.get(pk=self.world.community.pk).revision
        for one in self.ids("live", "over", "hidden")["Decision"]:
            for start in range(1, newest + 1, PASTS):
                name = f"query pasts({one}, {start})"
                yield name, ask(client, operations.pasts(one, range(start, start + PASTS)))

    def changes_undone(self, client: Client) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return every mutation's answer, and undo its effects."""
        few = {kind: ids[-2:] if self.is_thorough else ids[-1:] for kind, ids in self.ids("batched").items()}
        for name, text in operations.changes(few):
            # These create the viewer's own secrets.
            if not name.startswith(("createApiToken", "requestSignInLink", "signIn", "signOut")):
                with transaction.atomic():
                    found = ask(client, text)
                    transaction.set_rollback(True)
                yield f"mutation {name}", found

    # --- Pages --------------------------------------------------------------------------------------------------------

    def pages(self, client: Client) -> Iterator[tuple[str, Part]]:
        """Visit every page that has an address and, thoroughly, every page that one of them leads to."""
        numbers = {
            "community_id": [self.world.community.pk],
            "decision_id": self._decisions("live", "over", "batched", NEVER_SHOWN),
            "membership_id": self._members(),
            "application_id": [1],
            "token_id": [1],
            "passkey_id": [1],
        }
        waiting = deque([*addresses(numbers), *self._asked_for()])
        known = set(waiting)
        while waiting:
            address = waiting.popleft()
            response = client.get(address)
            if response.status_code == 405:
                continue
            yield f"page {address}", answer(response)
            if response.headers.get("Content-Type", "").startswith("text/html"):
                text = response.content.decode()
                links = [*_links(address, text)] if self.is_thorough else []
                if address.endswith("/ballots/"):
                    # Visit pages of ballots under pseudonyms even if no link leads there.
                    links += (f"{address}a-{pseudonym}/" for pseudonym in _PSEUDONYM.findall(text))
                for link in links:
                    if link not in known:
                        known.add(link)
                        waiting.append(link)
            assert len(known) < _MOST_PAGES, f"pages lead to more and more others: {waiting[-1]}"

    def _asked_for(self) -> Iterator[str]:
        """Return addresses that bear a word, or a secret that somebody was told."""
        yield f"{reverse('search')}?q=one"
        for decision in self.decisions():
            page = reverse("decision-results", args=[decision.community_id, decision.pk])
            yield f"{reverse('oembed')}?{urlencode({'url': settings.SITE_URL + page})}"
            yield f"{page.removesuffix('results/')}report/?ballots=1"
        for published in PublishedResult.objects.order_by("decision"):
            address = reverse("published-result", args=[published.token])
            yield from (address, f"{address}embed/", f"{address}picture.png", f"{address}report/")

    # --- What comes by itself -----------------------------------------------------------------------------------------

    def watched(self, clients: Sequence[Client], steps: Iterator[object]) -> Told:
        """Yield what every subscription and open page of these people is told at each step.

        Only the newest of a step counts, as promised to slow clients.
        """
        community, decisions = self.world.community.pk, [decision.pk for decision in self.decisions()]
        ids = {
            "Community": [node_id("Community", community)],
            "Decision": [node_id("Decision", pk) for pk in decisions],
        }
        open_pages = addresses({"community_id": [community], "decision_id": decisions})
        events = [address for address in open_pages if address.endswith("/events/")]
        # Everything is in one transaction, so nobody may give its connection back.
        with patch.object(connection, "close_if_unusable_or_obsolete", lambda: None):
            return async_to_sync(_watched)(clients, [*operations.watching(ids)], events, steps)

    # --- Operators ----------------------------------------------------------------------------------------------------

    def administration(self, client: Client) -> Iterator[tuple[str, Part]]:
        """Visit every list with its filters, searches and orders, and every row's pages; guess what a list hides."""
        for model, model_admin in admin.site._registry.items():
            if model._meta.app_label not in OURS:
                continue
            prefix = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            listed = reverse(f"{prefix}_changelist")
            asked = [listed]
            if self.is_thorough or model in _ABOUT_BALLOTS:
                asked += (f"{listed}?{lookup}" for lookup in self._lookups(model))
            pages = ["change"]
            if self.is_thorough:
                asked += (f"{listed}?o={order}" for order in range(1, len(model_admin.list_display) + 1))
                asked += (f"{listed}?{urlencode({'q': word})}" for word in (*ANONYMOUS, _FIVE_STARS))
                pages += ["history", "delete"]
            for pk in range(1, _TRIED, 1 if self.is_thorough else 26):
                asked += (f"{listed}{pk}/{what}/" for what in pages)
            for address in asked:
                yield f"page {address}", answer(client.get(address))
        rest = [reverse("admin:index"), reverse("event-log"), f"{reverse('event-log')}?text=vote"]
        rest += (reverse("admin:accounts_user_delete", args=[self.world.people[who].pk]) for who in ("ann", "xena"))
        for address in rest:
            yield f"page {address}", answer(client.get(address))

    def _lookups(self, model: type[Model]) -> Iterator[str]:
        """Return filters that guess at columns a list does not show, and at columns of related rows."""
        xena, hidden = self.world.members["xena"], self.world.decisions["hidden"]
        guesses = {"actor": xena.user_id, "membership": xena.pk, "user": xena.user_id}
        for field in model._meta.get_fields():
            if field.name in guesses:
                yield f"{field.name}={guesses[field.name]}"
            kind = field.get_internal_type() if hasattr(field, "get_internal_type") else ""
            if kind in {"CharField", "TextField"}:
                yield f"{field.name}__startswith=ballot:{hidden.pk}:{xena.pk}"
            elif kind == "JSONField":
                yield f"{field.name}__icontains=: 5"
                yield f"{field.name}__icontains=roads"
            elif self.is_thorough and kind in {"ForeignKey", "ManyToOneRel"} and field.related_model is not None:
                for there in ("is_anonymous=True", "membership__user__handle=xena", "user__handle=xena", "stars=5"):
                    yield f"{field.name}__{there}"

    def mails(self, readers: Sequence[str]) -> Iterator[tuple[str, Part]]:
        """Return the mails that these people get by now, with all their headers, as text and as HTML."""
        for message in self.world.mails(readers):
            head = of_value({"Subject": message.subject, "From": message.from_email, **message.extra_headers})
            forms = (of_html(str(content)) for content, _ in message.alternatives)
            yield f"a mail to {message.to[0]}", Part("mail", (head, of_text(str(message.body)), *forms))

    def webhooks(self) -> Iterator[tuple[str, Part]]:
        """Return what a receiver is told of every event, if it happened now."""
        webhook = Webhook(community=self.world.community)
        for decision, event in itertools.product(self.decisions(), WebhookDelivery.Event.values):
            told = payloads.body(WebhookDelivery(webhook=webhook, event=event, decision=decision))
            yield f"webhook {event} of {decision.title}", of_json(told)

    def exports(self) -> Iterator[tuple[str, Part]]:
        """Return the output of commands whose output is published."""
        for title, decision in self.world.decisions.items():
            out = StringIO()
            try:
                call_command("export_decision", str(decision.pk), stdout=out, stderr=out)
            except Exception as error:  # a refusal is an answer, too
                yield f"export of {title}", of_text(f"{type(error).__name__}: {error}")
            else:
                yield f"export of {title}", of_json(out.getvalue())


# --- Addresses --------------------------------------------------------------------------------------------------------


def _links(address: str, text: str) -> Iterator[str]:
    for found in _LINK.findall(text):
        link = urljoin(address, html.unescape(found)).partition("#")[0]
        if urlsplit(link).path not in {"", "/"} and not link.startswith(_ASIDE):
            yield link


def addresses(numbers: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """Return the addresses of the site with these numbers in their places."""
    for route, wanted in _routes(get_resolver()):
        if not f"/{route}".startswith(_ASIDE) and set(wanted) <= numbers.keys():
            for chosen in itertools.product(*(numbers[name] for name in wanted)):
                yield "/" + _filled(route, chosen)


def _routes(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    for one in resolver.url_patterns:
        route = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from _routes(one, route)
        elif isinstance(one, URLPattern):
            yield route, re.findall(r"<(?:\w+:)?(\w+)>", route)


def _filled(route: str, values: Sequence[int]) -> str:
    remaining = iter(values)
    return re.sub(r"<[^>]+>", lambda _: str(next(remaining)), route)


# --- What comes by itself ---------------------------------------------------------------------------------------------


async def _watched(
    clients: Sequence[Client], subscriptions: Sequence[operations.Asked], events: Sequence[str], steps: Iterator[object]
) -> Told:
    newest: dict[tuple[int, str], str] = {}
    readers = []
    for number, client in enumerate(clients):
        watching = AsyncClient(raise_request_exception=False)
        watching.cookies = client.cookies
        for name, text in subscriptions:
            body = json.dumps({"query": text})
            response = await watching.post(URL, body, content_type=JSON, headers={"accept": EVENTS})
            readers.append(asyncio.create_task(_read((number, f"subscription {name}"), response, newest)))
        for address in events:
            response = await watching.get(address)
            readers.append(asyncio.create_task(_read((number, f"events of {address}"), response, newest)))
    told: Told = []
    step: object = 0
    while step is not None:
        await _settled()
        told += ((*source, text) for source, text in sorted(newest.items()))
        newest.clear()
        step = await sync_to_async(_next)(steps)
    for reader in readers:
        reader.cancel()
        with suppress(asyncio.CancelledError):
            await reader
    return told


async def _read(source: tuple[int, str], response: Any, newest: dict[tuple[int, str], str]) -> None:
    if not response.streaming:
        newest[source] = response.content.decode()
        return
    chunks: AsyncIterator[bytes] = aiter(response.streaming_content)
    async for chunk in chunks:
        text = chunk.decode()
        if not text.startswith((": ping", "event: alive")):
            newest[source] = text


async def _settled() -> None:
    """Let all readers read: each step of theirs is one of the loop's or of the thread's."""
    for _ in range(15):
        await asyncio.sleep(0)
        await sync_to_async(_nothing)()


def _next(steps: Iterator[object]) -> object:
    return next(steps, None)


def _nothing() -> None:
    pass


# --- The log ----------------------------------------------------------------------------------------------------------


class _Lines(logging.Handler):
    """Keep the lines of the event log, in both of their forms."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.lines: list[str] = []
        self.forms = (EventFormatter(), JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        lines = [form.format(record) for form in self.forms]
        self.lines += lines
        with self.path.open("a") as file:
            file.write(f"{lines[0]}\n")


@contextmanager
def log(directory: Path) -> Iterator[list[str]]:
    """Write the event log to a directory, from which the administration shows it."""
    handler = _Lines(directory / "crowdvote.log")
    logger = logging.getLogger("crowdvote.events")
    logger.addHandler(handler)
    try:
        with override_settings(LOG_DIR=directory):
            yield handler.lines
    finally:
        logger.removeHandler(handler)


def decision_id(one: World, title: str) -> str:
    return node_id("Decision", one.decisions[title].pk)


def told_of(one: World, title: str, who: str, fields: str) -> Any:
    query = f'query {{ decision(id: "{decision_id(one, title)}") {{ {fields} }} }}'
    answer = ask(one.client(who), query)
    assert "errors" not in answer, answer
    return answer["data"]["decision"]


def page(one: World, name: str, title: str, who: str = "mia") -> str:
    address = reverse(name, args=(one.community.pk, one.decisions[title].pk))
    return str(one.client(who).get(address).content.decode())
