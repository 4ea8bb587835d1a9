"""The first administrator is made without a password, which nobody has."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User

pytestmark = pytest.mark.django_db


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Type these answers, in order. Any further question ends the test."""
    answers: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: answers.pop(0))
    monkeypatch.setattr("getpass.getpass", lambda *question: pytest.fail("asked for a password"))
    return answers


def administrators() -> Iterable[tuple[str | None, str, str, bool]]:
    found = User.objects.filter(is_superuser=True, is_staff=True)
    return [(one.email, one.name, one.handle, one.has_usable_password()) for one in found]


def test_it_asks_for_what_an_administrator_needs_and_for_no_password(answering: list[str]) -> None:
    answering += ["no address", "", "You@Example.org", "Your Name", "you"]
    call_command("createsuperuser", stdin=Terminal(), stdout=io.StringIO(), stderr=io.StringIO())
    assert administrators() == [("you@example.org", "Your Name", "you", False)]
    assert answering == []


def test_it_asks_only_for_what_is_missing(answering: list[str]) -> None:
    answering += ["Your Name"]
    call_command("createsuperuser", email="you@example.org", handle="you", stdin=Terminal(), stdout=io.StringIO())
    assert administrators() == [("you@example.org", "Your Name", "you", False)]


@pytest.mark.parametrize(
    "given",
    [
        {"email": "you@example.org", "name": "You"},
        {"email": "TAKEN@example.org", "name": "You", "handle": "you"},
        {"email": "you@example.org", "name": "You", "handle": "taken"},
        {"email": "you@example.org", "name": "You", "handle": "Not one"},
    ],
)
def test_without_a_terminal_it_asks_nothing_and_says_what_is_wrong(given: dict[str, str], answering: list[str]) -> None:
    User.objects.create_user("taken@example.org", name="Taken", handle="taken")
    with pytest.raises(CommandError):
        call_command("createsuperuser", interactive=False, **given)
    assert administrators() == []
    call_command("createsuperuser", interactive=False, email="you@example.org", name="You", handle="you", verbosity=0)
    assert administrators() == [("you@example.org", "You", "you", False)]
