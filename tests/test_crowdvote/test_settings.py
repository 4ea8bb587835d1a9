"""Settings come from the environment. Values that make no sense are refused in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crowdvote.serving import private_files
from tests import processes, servers
from tests.processes import NO_COMPILER, Ended


def settings_with(tmp_path: Path, expression: str, **environment: str) -> Ended:
    """Read the settings in a fresh process with exactly this environment."""
    code = f"from crowdvote import settings; print(({expression}))"
    return processes.run(code, {"PATH": NO_COMPILER, "CROWDVOTE_DATA_DIR": str(tmp_path), **environment})


def test_the_data_directory_holds_everything_that_is_written(tmp_path: Path) -> None:
    places = "settings.DATABASES['default']['NAME'], settings.LOG_DIR, settings.MAIL_DIR, settings.STATIC_ROOT"
    read = settings_with(tmp_path / "made", f"[str(place) for place in ({places})]")
    names = ("crowdvote.sqlite3", "logs", "mail", "static")
    assert read.output == str([str(tmp_path / "made" / name) for name in names])


def test_of_the_shell_tests_heed_where_the_real_data_is_and_nothing_else_of_crowdvotes() -> None:
    code = "import os, tests.settings; print(sorted(name for name in os.environ if name.startswith('CROWDVOTE_')))"
    environment = {"PATH": NO_COMPILER, "CROWDVOTE_SHARED_DATA": "there", "CROWDVOTE_SECRET_KEY": "short"}
    read = processes.run(code, environment)
    assert read.output == "['CROWDVOTE_DATA_DIR', 'CROWDVOTE_EXECUTOR', 'CROWDVOTE_SHARED_DATA']", read.errors


def test_the_secret_key_is_made_once_and_is_for_its_owner_only(tmp_path: Path) -> None:
    first, second = (settings_with(tmp_path, "settings.SECRET_KEY").output for _ in range(2))
    assert len(first) >= 50
    assert first == second
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]
    assert (tmp_path / "secret-key").stat().st_mode & 0o777 == 0o600


def test_the_environment_key_is_taken_and_not_written_down(tmp_path: Path) -> None:
    key = "a key from the environment, long enough"
    read = settings_with(tmp_path, "settings.SECRET_KEY", CROWDVOTE_SECRET_KEY=key)
    assert read.output == key
    assert not (tmp_path / "secret-key").exists()


@pytest.mark.parametrize("key", ["", "x", "only thirty-one characters long", "ab" * 40])
def test_a_key_that_can_be_guessed_is_refused(tmp_path: Path, key: str) -> None:
    read = settings_with(tmp_path, "settings.SECRET_KEY", CROWDVOTE_SECRET_KEY=key)
    assert (read.code, read.output) == (1, "")
    assert "CROWDVOTE_SECRET_KEY is too short or too simple" in read.errors.splitlines()[-1]


def test_what_is_kept_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    """In a new data directory, and in one that was open to others."""
    program = """
        import os
        os.umask(0)
        from django.core.management import call_command
        call_command("migrate", verbosity=0)
        from django.core.mail import send_mail
        send_mail("A link", "is in here", None, ["ada@example.org"])
        from democracy import eventlog
        eventlog.community_created("ada", "Ours")
        call_command("backup", os.environ["CROWDVOTE_DATA_DIR"] + "/copy.sqlite3", verbosity=0)
        from accounts.models import User
        from tests import factories
        if not User.objects.exists():
            factories.person()
        for directory, _, files in os.walk(os.environ["CROWDVOTE_DATA_DIR"]):
            for name in [".", *files]:
                print(oct(os.stat(f"{directory}/{name}").st_mode & 0o777), name)
    """
    data = tmp_path / "data"
    wanted = {"secret-key", "crowdvote.sqlite3", "crowdvote.sqlite3-wal", "crowdvote.log", "copy.sqlite3"}

    def rights() -> dict[str, str]:
        lines = servers.run(data, program).splitlines()
        found = dict(reversed(line.split(" ", 1)) for line in lines if line.startswith("0o"))
        assert wanted <= found.keys()
        assert {one for name, one in found.items() if name != "."} == {"0o600"}
        assert found["."] == "0o700"
        return found

    rights()
    (data / "copy.sqlite3").unlink()
    (data / "logs" / "crowdvote.log").rename(data / "logs" / "crowdvote.log.2026-01-01")
    for path in [data, *data.rglob("*")]:
        if "mail" not in path.parts:
            path.chmod(0o777 if path.is_dir() else 0o666)
    assert "crowdvote.log.2026-01-01" in rights()


def test_a_directory_that_all_may_write_to_is_left_alone(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    private_files.restrict(shared)
    assert shared.stat().st_mode & 0o7777 == 0o1777


def test_nothing_is_open_unless_asked_for(tmp_path: Path) -> None:
    read = settings_with(tmp_path, "settings.DEBUG, settings.DEMO_SIGN_IN, settings.ALLOWED_HOSTS")
    assert read.output == "(False, False, ['localhost', '127.0.0.1', '[::1]'])"


@pytest.mark.parametrize(
    ("url", "offered"),
    [("", True), ("postgres://postgres@127.0.0.1:5432/crowdvote", False)],
    ids=["embedded", "scaled"],
)
def test_the_demo_can_be_entered_only_on_the_embedded_default(tmp_path: Path, url: str, offered: bool) -> None:
    environment = {"CROWDVOTE_DEMO_SIGN_IN": "1"} | ({"DATABASE_URL": url} if url else {})
    assert settings_with(tmp_path, "settings.DEMO_SIGN_IN", **environment).output == str(offered)


@pytest.mark.parametrize(("site", "secure"), [("https://vote.example", True), ("http://localhost:8000", False)])
def test_cookies_are_for_https_where_the_site_is(tmp_path: Path, site: str, secure: bool) -> None:
    cookies = "settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE"
    read = settings_with(tmp_path, cookies, CROWDVOTE_SITE_URL=site)
    assert read.output == str((secure, secure))


@pytest.mark.parametrize(
    ("sender", "shown"),
    [
        ("noreply@vote.example", '"CrowdVote at vote.example" <noreply@vote.example>'),
        ("Our Club <noreply@vote.example>", "Our Club <noreply@vote.example>"),
    ],
)
def test_mails_are_from_the_site_by_name_unless_the_sender_has_one(tmp_path: Path, sender: str, shown: str) -> None:
    environment = {"CROWDVOTE_SITE_URL": "https://vote.example", "CROWDVOTE_EMAIL_FROM": sender}
    assert settings_with(tmp_path, "settings.DEFAULT_FROM_EMAIL", **environment).output == shown


LOGGING = """[
    __import__("django").setup(),
    __import__("democracy.eventlog").eventlog.login_failed(),
    __import__("logging").getLogger("somewhere").error("Something failed"),
] and "done\""""


@pytest.mark.parametrize("to", ["file", "stdout"])
def test_events_go_where_they_are_wanted_and_nothing_is_said_twice_in_one_place(tmp_path: Path, to: str) -> None:
    read = settings_with(tmp_path, LOGGING, CROWDVOTE_LOG_TO=to, DJANGO_SETTINGS_MODULE="crowdvote.settings")
    file = tmp_path / "logs" / "crowdvote.log"
    event, other = "Invalid magic link attempted", "Something failed"
    places = {"stdout": read.output, "stderr": read.errors, "file": file.read_text() if file.exists() else ""}
    found = {place: [line for line in (event, other) if text.count(line) == 1] for place, text in places.items()}
    assert found == {
        "stdout": [] if to == "file" else [event],
        "stderr": [event, other] if to == "file" else [other],
        "file": [] if to == "stdout" else [event],
    }


def test_every_line_is_an_object_where_json_is_wanted(tmp_path: Path) -> None:
    environment = {"CROWDVOTE_LOG_FORMAT": "json", "CROWDVOTE_LOG_TO": "both"}
    read = settings_with(tmp_path, LOGGING, **environment, DJANGO_SETTINGS_MODULE="crowdvote.settings")
    lines = [*read.output.splitlines()[:-1], *read.errors.splitlines()]
    lines += (tmp_path / "logs" / "crowdvote.log").read_text().splitlines()
    event = {"level": "WARNING", "event": "LOGIN_FAILED", "message": "Invalid magic link attempted"}
    other = {"level": "ERROR", "logger": "somewhere", "message": "Something failed"}
    for line, wanted in zip(map(json.loads, lines), (event, other, event), strict=True):
        assert wanted.items() <= line.items()


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("PORT", "eight", "PORT is a number, not 'eight'."),
        ("CROWDVOTE_DEBOUNCE", "soon", "CROWDVOTE_DEBOUNCE is a number, not 'soon'."),
        ("PORT", "nan", "PORT is a number, not 'nan'."),
        ("CROWDVOTE_CONNECTIONS", "1.5", "CROWDVOTE_CONNECTIONS is a whole number, not '1.5'."),
        ("CROWDVOTE_GRACE", "-1", "CROWDVOTE_GRACE is a number from 0 on, not '-1'."),
        ("CROWDVOTE_LOG_FORMAT", "xml", "CROWDVOTE_LOG_FORMAT is text or json, not 'xml'."),
        ("CROWDVOTE_LOG_TO", "syslog", "CROWDVOTE_LOG_TO is file, stdout or both, not 'syslog'."),
        ("CROWDVOTE_EXECUTOR", "thread", "CROWDVOTE_EXECUTOR is threads, celery or off, not 'thread'."),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(tmp_path: Path, name: str, value: str, complaint: str) -> None:
    read = settings_with(tmp_path, "settings.PORT", **{name: value})
    assert read.code == 1
    assert read.errors.splitlines()[-1].endswith(complaint)


PROVIDER = {"ISSUER": "https://id.example", "CLIENT_ID": "crowdvote", "CLIENT_SECRET": "shared"}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"CLIENT_SECRET": ""}, "CROWDVOTE_OIDC_ISSUER, _CLIENT_ID and _CLIENT_SECRET are given together, or not."),
        ({"ISSUER": "http://id.example"}, "is an address with https://, not 'http://id.example'."),
    ],
)
def test_half_a_provider_and_one_without_encryption_are_refused(
    tmp_path: Path, change: dict[str, str], complaint: str
) -> None:
    given = {f"CROWDVOTE_OIDC_{name}": value for name, value in (PROVIDER | change).items()}
    read = settings_with(tmp_path, "settings.OIDC_NAME", **given)
    assert (read.code, read.errors.endswith(complaint)) == (1, True)


def test_a_provider_is_called_by_its_host_unless_it_is_named(tmp_path: Path) -> None:
    pytest.importorskip("authlib")
    given = {f"CROWDVOTE_OIDC_{name}": value for name, value in PROVIDER.items()}
    assert settings_with(tmp_path, "settings.OIDC_NAME", **given).output == "id.example"


def test_what_needs_a_package_that_is_missing_says_which_requirements_have_it(tmp_path: Path) -> None:
    # A finder that finds nothing of this name stands for an environment without the package.
    program = """if True:
        import importlib.util as util
        find = util.find_spec
        util.find_spec = lambda name, *more: None if name == "fido2" else find(name, *more)
        from crowdvote import settings
    """
    environment = {"PATH": NO_COMPILER, "CROWDVOTE_DATA_DIR": str(tmp_path), "CROWDVOTE_PASSKEYS": "1"}
    read = processes.run(program, environment)
    assert read.errors.endswith("CROWDVOTE_PASSKEYS needs the package fido2: install requirements/sign-in.txt.")
