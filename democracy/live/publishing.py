"""Publishing: tell whoever watches, moments after a commit, of results, calculation status and community activity.

The hub carries a value to subscribers in this process; other processes get a hint over the relay and read the value
themselves. Publishing is a convenience: the database holds the truth, and the next `catch_up`, which the scheduler
calls every few seconds, makes up for a lost message. A slow subscriber gets the newest value, not all of them.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec

from django.db import close_old_connections, connection

from democracy.live.grants import grants
from democracy.live.hub import (
    access_topic,
    community_topic,
    hub,
    notices_topic,
    overview_topic,
    readers_topic,
    result_topic,
    status_topic,
)
from democracy.live.relay import Hint, relay
from democracy.models import Decision, DecisionSnapshot
from democracy.reading import communities, decisions, notices

P = ParamSpec("P")

# What subscribers have last been told of each decision, so that `catch_up` publishes only what they have missed.
_told: dict[str, Any] = {}


def result_stored(snapshot: DecisionSnapshot) -> None:
    """Tell of a new result that is in the database."""
    _tell(result_topic(snapshot.decision_id), snapshot)
    relay.send([("result", snapshot.decision_id)])
    if snapshot.is_final:
        community_id = snapshot.decision.community_id
        hub.publish(overview_topic(community_id), None)
        relay.send([("overview", community_id)])


def status_changed(decision_ids: Iterable[int]) -> None:
    """Tell of these decisions' calculation status, which may have changed."""
    changed = set(decision_ids)
    _tell_statuses(changed)
    relay.send(("status", decision_id) for decision_id in changed)


def inputs_changed(community_id: int, revision: int) -> None:
    """Tell that a community's ledger has grown to `revision`; some of its decisions may have become stale."""
    _tell_revision(community_id, revision)
    _tell_statuses_in({community_id})
    relay.send([("community", community_id)])


def access_changed(user_id: int) -> None:
    """Have a user's subscriptions check again what they may see: they signed out, left, lost a token or a right."""
    hub.publish(access_topic(user_id), None)
    relay.send([("access", user_id)])


def readers_changed(community_id: int) -> None:
    """Have all who watch something of a community check again whether they may."""
    hub.publish(readers_topic(community_id), None)
    relay.send([("readers", community_id)])


def notices_changed(user_ids: Iterable[int]) -> None:
    """Have what these people have open show that they got, or read, notices."""
    changed = set(user_ids)
    _tell_of_notices(changed & _watched("notices"))
    relay.send(("notices", user_id) for user_id in changed)


def catch_up() -> None:
    """Read all that is watched from the database, and tell what nobody told: other processes' changes, lost hints.

    It confirms the grants of those who watch, too.
    """
    _tell_statuses(_watched("status"))
    _tell_results(_watched("result"))
    _tell_revisions(_watched("community") | _watched("overview"))
    _tell_of_notices(_watched("notices"))
    # Forget topics that nobody watches any more.
    for topic in set(_told).difference(hub.topics("")):
        _told.pop(topic, None)
    grants.confirm_all()


def start_relay() -> None:
    """Exchange hints with the other processes, where Redis is set up."""
    relay.start(hear=_giving_back(_hear), catch_up=_giving_back(catch_up))


def _hear(hints: set[Hint]) -> None:
    """Read the changes that other processes hint at, as far as somebody watches them here."""
    rows: defaultdict[str, set[int]] = defaultdict(set)
    for what, row in hints:
        rows[what].add(row)
    _tell_results(rows["result"] & _watched("result"))
    _tell_statuses(rows["status"])
    _tell_revisions(rows["community"] & (_watched("community") | _watched("overview")))
    _tell_statuses_in(rows["community"])
    for user_id in rows["access"]:
        hub.publish(access_topic(user_id), None)
    _tell_of_notices(rows["notices"] & _watched("notices"))
    for community_id in rows["readers"]:
        hub.publish(readers_topic(community_id), None)
    for community_id in rows["overview"]:
        hub.publish(overview_topic(community_id), None)


def _giving_back(function: Callable[P, None]) -> Callable[P, None]:
    """Wrap a function for a thread of its own: it gets a working connection, and keeps none."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        close_old_connections()
        try:
            function(*args, **kwargs)
        finally:
            connection.close()

    return wrapper


def _tell_of_notices(user_ids: set[int]) -> None:
    if user_ids:
        for user_id, state in notices.notice_states(user_ids):
            _tell(notices_topic(user_id), state)


def _watched(kind: str) -> set[int]:
    """List the ids that somebody in this process watches."""
    return {int(topic.split(":")[1]) for topic in hub.topics(f"{kind}:")}


def _tell_results(decision_ids: set[int]) -> None:
    if decision_ids:
        for snapshot in decisions.newest_snapshots(decision_ids):
            _tell(result_topic(snapshot.decision_id), snapshot)


def _tell_statuses(decision_ids: set[int]) -> None:
    watched = _watched("status") & decision_ids
    if watched:
        for state in decisions.calculation_states(watched):
            _tell(status_topic(state.decision_id), state)


def _tell_statuses_in(community_ids: set[int]) -> None:
    watched = _watched("status")
    if watched and community_ids:
        theirs = Decision.objects.filter(pk__in=watched, community__in=community_ids)
        _tell_statuses(set(theirs.values_list("pk", flat=True)))


def _tell_revisions(community_ids: set[int]) -> None:
    if community_ids:
        for community_id, revision in communities.revisions(community_ids):
            _tell_revision(community_id, revision)


def _tell_revision(community_id: int, revision: int) -> None:
    """Tell whoever watches the community, and whoever has its page open, if that shows something new.

    The page shows neither votes nor followings.
    """
    _tell(community_topic(community_id), revision)
    topic = overview_topic(community_id)
    if community_id in _watched("overview"):
        looked_at = _told.get(topic)
        _told[topic] = revision
        if looked_at is None or communities.overview_changed(community_id, since=looked_at):
            hub.publish(topic, revision)


def _tell(topic: str, value: Any) -> None:
    if _told.get(topic) != value:
        _told[topic] = value
        hub.publish(topic, value)
