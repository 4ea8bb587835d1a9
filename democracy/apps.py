"""The app, and what connects when it is ready.

Django calls `ready` once, after all models are loaded. Importing `democracy.signals` there connects its receivers, each
with a `dispatch_uid`, so that nothing is connected twice: a saved or deleted vote, ballot, following, membership,
application, decision or choice, and a saved community, says what changed. That appends the ledger's entry and raises
the counters in the transaction of the change, and once it has committed wakes the recalculation. `democracy.eventlog`
connects to signing in and out.

Nothing is started here: the scheduler, which calculates in the background, starts with the server (`crowdvote.asgi`) or
the worker, so commands and migrations calculate nothing. It depends on `accounts`, whose people the memberships belong
to, and on Django's sessions, whose end is told to whoever watches.
"""

from django.apps import AppConfig


class DemocracyConfig(AppConfig):
    """Communities, decisions, ballots and who follows whom."""

    name = "democracy"

    def ready(self) -> None:
        """Connect the receivers. Raises ImportError where a module they need cannot be imported, which ends the start:
        without them changes would reach neither ledger nor results.
        """
        # Importing the module connects its receivers.
        from democracy import eventlog, signals  # noqa: F401

        eventlog.connect()
