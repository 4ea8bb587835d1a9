from django.apps import AppConfig


class DemocracyConfig(AppConfig):
    name = "democracy"

    def ready(self) -> None:
        # Importing the module connects its receivers.
        from democracy import eventlog, signals  # noqa: F401

        eventlog.connect()
