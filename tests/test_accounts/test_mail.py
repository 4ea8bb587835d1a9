from __future__ import annotations

import email
import email.policy
import stat

import pytest
from django.core.mail import EmailMessage, get_connection

BACKEND = "accounts.mail.ConsoleAndFileBackend"


@pytest.fixture
def folder(settings, tmp_path):
    settings.MAIL_DIR = tmp_path / "not yet" / "mail"
    return settings.MAIL_DIR


def send(*bodies: str) -> int:
    mails = [EmailMessage(f"Number {number}", body, to=["a@example.org"]) for number, body in enumerate(bodies)]
    return get_connection(BACKEND).send_messages(mails)


def test_each_mail_is_one_file_and_printed_on_the_console(folder, capsys):
    assert send("https://vote.example.org/sign-in/abc/", "two") == 2
    files = sorted(folder.iterdir())
    parsed = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]
    assert [(mail["Subject"], mail["To"], mail.get_content().strip()) for mail in parsed] == [
        ("Number 0", "a@example.org", "https://vote.example.org/sign-in/abc/"),
        ("Number 1", "a@example.org", "two"),
    ]
    assert "\nhttps://vote.example.org/sign-in/abc/\n" in capsys.readouterr().out


def test_only_the_owner_can_read_the_files(folder):
    send("secret")
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
