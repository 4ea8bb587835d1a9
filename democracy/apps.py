"""The Django app, and the receivers that it connects.

Django calls `ready` once, after loading all models. Importing `democracy.signals` there connects its receivers, each
with a `dispatch_uid`, so that none is connected twice. When a vote, ballot, following, membership, application,
decision or choice is saved or deleted, or a community is saved, a receiver says what changed. The ledger's entry and
the raised counters belong to the transaction of the change; its commit wakes the recalculation. `democracy.eventlog`
connects to signing in and out.

Nothing is started here: the scheduler, which calculates in the background, starts with the server (`crowdvote.asgi`) or
the worker, so commands and migrations calculate nothing. The app depends on `accounts`, for the people of memberships
and what tells of their rights, and on Django's sessions, because watchers are told when a session ends.
"""

from django.apps import AppConfig


class DemocracyConfig(AppConfig):
    """The app of communities, decisions, ballots and followings."""

    name = "democracy"

    def ready(self) -> None:
        """Connect the receivers.

        Raises ImportError if a module they need cannot be imported. That ends the start: without receivers, changes
        would reach neither ledger nor results.
        """
        # The import connects the receivers.
        from democracy import eventlog, signals  # noqa: F401

        eventlog.connect()
