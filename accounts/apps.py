from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        # The import connects the receivers.
        from accounts import rights  # noqa: F401
