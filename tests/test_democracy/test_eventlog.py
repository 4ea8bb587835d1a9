from __future__ import annotations

import json
import logging
import re
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from accounts.signals import sign_in_failed
from crowdvote.operations.logfile import EventFormatter, JsonFormatter, SharedDailyFileHandler
from democracy import eventlog
from tests.factories import person
from tests.test_accounts.mailbox import link_in

LINE = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[([A-Z]+)\] \[([^\[\]]+)\] \[([^\[\]]+)\] - (.+)")
TODAY = f"{datetime.now(UTC):%Y-%m-%d}"


def handler_for(path: Path) -> SharedDailyFileHandler:
    options = {key: settings.LOGGING["handlers"]["events"][key] for key in ("when", "utc", "backupCount", "delay")}
    handler = SharedDailyFileHandler(path, **options)
    handler.setFormatter(EventFormatter())
    return handler


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "crowdvote.log"


@pytest.fixture
def log(path: Path):
    """The event log, in a directory that does not exist yet: gives the lines since the last call, without times."""
    handler, seen = handler_for(path), [0]
    eventlog.logger.addHandler(handler)

    def lines() -> list[str]:
        text = path.read_text() if path.exists() else ""
        new, seen[0] = text[seen[0] :], len(text)
        assert new == "" or new.endswith("\n")
        for line in new.splitlines():
            assert LINE.fullmatch(line), line
        return [line.partition("] ")[2] for line in new.splitlines()]

    yield lines
    eventlog.logger.removeHandler(handler)
    handler.close()


def write(handler: logging.Handler, message: str) -> None:
    handler.handle(logging.LogRecord("crowdvote.events", logging.INFO, "", 0, message, None, None))


class TestTheWords:
    def test_they_are_those_of_the_feature_plan(self, log):
        eventlog.community_created("admin_user", "Springfield")
        eventlog.decision_created("manager_user", "Budget Vote", "Springfield")
        eventlog.decision_published("manager_user", "Budget Vote")
        eventlog.joined("user", "Springfield", "Voter")
        eventlog.now_following("user", "alice_user", ["budget", "governance"])
        eventlog.stopped_following("user", "alice_user")
        eventlog.vote_cast("user", "Budget Vote")
        eventlog.staging_started(decisions=3, communities=2)
        eventlog.staging_completed(ballots=247, seconds=4.2)
        eventlog.tally_started(decisions=3)
        eventlog.tally_completed(seconds=1.8)
        eventlog.manual_recalculation("manager_user", "Budget Vote")
        eventlog.login("user")
        eventlog.logout("user")
        eventlog.login_failed()
        eventlog.signal_error("vote_changed", ValueError("no such row"))
        eventlog.thread_error(ValueError("no such row"))
        assert log() == [
            "[INFO] [COMMUNITY_CREATE] [admin_user] - Community 'Springfield' created",
            "[INFO] [DECISION_CREATE] [manager_user] - Decision 'Budget Vote' created in Springfield",
            "[INFO] [DECISION_PUBLISH] [manager_user] - Decision 'Budget Vote' published, voting opens",
            "[INFO] [MEMBERSHIP_CHANGE] [user] - Joined community 'Springfield' as Voter",
            "[INFO] [FOLLOWING_CHANGE] [user] - Now following alice_user on tags: budget,governance",
            "[INFO] [FOLLOWING_CHANGE] [user] - Stopped following alice_user",
            "[INFO] [VOTE_CAST] [user] - Vote cast on decision 'Budget Vote'",
            "[INFO] [STAGE_BALLOTS_START] [system] - Staging ballots for 3 decisions across 2 communities",
            "[INFO] [STAGE_BALLOTS_COMPLETE] [system] - Staged 247 ballots in 4.2 seconds",
            "[INFO] [TALLY_START] [system] - Tallying results for 3 decisions",
            "[INFO] [TALLY_COMPLETE] [system] - Tally completed in 1.8 seconds",
            "[INFO] [MANUAL_RECALC] [manager_user] - Manual recalculation triggered for decision 'Budget Vote'",
            "[INFO] [LOGIN] [user] - User logged in via magic link",
            "[INFO] [LOGOUT] [user] - User logged out",
            "[WARNING] [LOGIN_FAILED] [anonymous] - Invalid magic link attempted",
            "[ERROR] [SIGNAL_ERROR] [system] - Failed to process vote_changed signal: no such row",
            "[ERROR] [THREAD_ERROR] [system] - Background calculation failed: no such row",
        ]

    def test_what_the_plan_does_not_name_reads_like_it(self, log):
        eventlog.left("user", "Springfield")
        eventlog.left("user", "Springfield", removed=True)
        eventlog.role_changed("user", "Springfield", "Lobbyist")
        eventlog.role_changed("user", "Springfield", "Voter", is_manager=True)
        eventlog.now_following("user", "alice_user", [])
        eventlog.vote_withdrawn("user", "Budget Vote")
        eventlog.staging_started(decisions=1, communities=1)
        eventlog.staging_completed(ballots=1, seconds=0)
        eventlog.limit_reached("Two calculations are running, others wait")
        assert log() == [
            "[INFO] [MEMBERSHIP_CHANGE] [user] - Left community 'Springfield'",
            "[INFO] [MEMBERSHIP_CHANGE] [user] - Was removed from community 'Springfield'",
            "[INFO] [MEMBERSHIP_CHANGE] [user] - Now Lobbyist in community 'Springfield'",
            "[INFO] [MEMBERSHIP_CHANGE] [user] - Now Voter and manager in community 'Springfield'",
            "[INFO] [FOLLOWING_CHANGE] [user] - Now following alice_user on everything",
            "[INFO] [VOTE_WITHDRAWN] [user] - Vote withdrawn from decision 'Budget Vote'",
            "[INFO] [STAGE_BALLOTS_START] [system] - Staging ballots for 1 decision across 1 community",
            "[INFO] [STAGE_BALLOTS_COMPLETE] [system] - Staged 1 ballot in 0.0 seconds",
            "[WARNING] [LIMIT_REACHED] [system] - Two calculations are running, others wait",
        ]

    def test_the_time_is_utc_whatever_the_machine_thinks(self, log, path, monkeypatch):
        monkeypatch.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        try:
            before = datetime.now(UTC).replace(microsecond=0)
            eventlog.vote_cast("alice_user", "Springfield Budget 2025")
            after = datetime.now(UTC)
        finally:
            monkeypatch.undo()
            time.tzset()
        (line,) = path.read_text().splitlines()
        assert line[21:] == " [INFO] [VOTE_CAST] [alice_user] - Vote cast on decision 'Springfield Budget 2025'"
        assert before <= datetime.strptime(line[:21], "[%Y-%m-%d %H:%M:%S]").replace(tzinfo=UTC) <= after

    def test_it_stands_where_the_settings_say(self, path):
        assert settings.LOGGING["handlers"]["events"]["filename"] == settings.LOG_DIR / "crowdvote.log"
        eventlog.vote_cast("alice_user", f"In the configured file {path}")
        assert f"In the configured file {path}" in (settings.LOG_DIR / "crowdvote.log").read_text()


class TestNamesThatWouldFakeALine:
    @pytest.mark.parametrize(
        "breaks", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x00", "\x1b[2K\x1b[1A"]
    )
    def test_a_line_break_in_a_title_stays_in_its_line(self, log, breaks):
        eventlog.vote_cast("eve", f"x'{breaks}[2025-09-15 14:30:25] [INFO] [LOGIN] [root] - User logged in")
        (line,) = log()
        assert line.startswith("[INFO] [VOTE_CAST] [eve] - Vote cast on decision 'x'")
        assert "\x1b" not in line

    def test_text_that_turns_round_is_not_turned_round(self, log):
        eventlog.vote_cast("eve", "abc\u202edef\u2066ghi\u2069")
        assert log() == ["[INFO] [VOTE_CAST] [eve] - Vote cast on decision 'abcdefghi'"]

    def test_brackets_in_the_first_fields_are_not_fields(self, log):
        eventlog.vote_cast("root] - Vote cast [", "x")
        eventlog.log_event("LOGIN] [root", "eve\n", "x")
        eventlog.log_event("LOGIN", "", "x")
        assert log() == [
            "[INFO] [VOTE_CAST] [root) - Vote cast (] - Vote cast on decision 'x'",
            "[INFO] [LOGIN) (root] [eve] - x",
            "[INFO] [LOGIN] [anonymous] - x",
        ]

    @given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
    def test_whatever_the_names_it_is_one_line_of_one_actor(self, actor, title):
        record = logging.getLogger("crowdvote.events").makeRecord(
            "crowdvote.events",
            logging.INFO,
            "",
            0,
            "%s",
            (title,),
            None,
            extra={"event": "VOTE_CAST", "actor": "alice"},
        )
        line = EventFormatter().format(record)
        assert len(line.splitlines()) == 1
        field = eventlog._field(actor)
        assert not set(field) & set("[]\n\r\u2028\u2029\x85\x1b")

    def test_percent_signs_and_lone_surrogates_are_just_text(self, log):
        eventlog.vote_cast("eve", "100 %s %(x)d {event}")
        eventlog.vote_cast("eve", "a\ud800b")
        assert log() == [
            "[INFO] [VOTE_CAST] [eve] - Vote cast on decision '100 %s %(x)d {event}'",
            "[INFO] [VOTE_CAST] [eve] - Vote cast on decision 'a\ufffdb'",
        ]

    def test_a_very_long_message_is_cut(self, log):
        eventlog.thread_error("x" * 5_000)
        (line,) = log()
        assert line.endswith("x…")
        assert len(line) < 1_100

    def test_a_record_of_somebody_else_has_the_same_form(self, log):
        try:
            raise ValueError("first\nsecond")
        except ValueError:
            logging.getLogger("crowdvote.events").exception("It failed")
        (line,) = log()
        assert line.startswith("[ERROR] [EVENT] [system] - It failed")


class TestAsJson:
    @pytest.fixture
    def json_log(self, path: Path) -> Iterator[logging.Handler]:
        handler = handler_for(path)
        handler.setFormatter(JsonFormatter())
        eventlog.logger.addHandler(handler)
        yield handler
        eventlog.logger.removeHandler(handler)
        handler.close()

    def test_an_event_is_one_object_on_one_line(self, json_log, path):
        eventlog.vote_cast("alice_user", 'Budget "2026"\n[ERROR] {"level": "ERROR"}')
        (line,) = path.read_text().splitlines()
        event = json.loads(line)
        assert list(event) == ["time", "level", "event", "actor", "message"]
        assert re.fullmatch(rf"{TODAY}T\d\d:\d\d:\d\d\.\d\d\dZ", event.pop("time"))
        assert event == {
            "level": "INFO",
            "event": "VOTE_CAST",
            "actor": "alice_user",
            "message": 'Vote cast on decision \'Budget "2026" [ERROR] {"level": "ERROR"}\'',
        }

    def test_what_is_no_event_names_its_logger_and_its_exception(self):
        try:
            raise ValueError("two\nlines")
        except ValueError:
            record = logging.LogRecord("django", logging.ERROR, "", 0, "failed %s", ("twice",), sys.exc_info())
        line = JsonFormatter().format(record)
        written = json.loads(line)
        assert "\n" not in line
        assert (written["logger"], written["message"]) == ("django", "failed twice")
        assert written["exception"].endswith("ValueError: two\nlines")

    def test_a_file_knows_its_day_by_its_first_line(self, json_log, path):
        path.parent.mkdir()
        path.write_text('{"time": "2026-11-20T10:00:00.000Z", "level": "INFO", "message": "then"}\n')
        eventlog.logout("alice_user")
        assert "then" in path.with_name("crowdvote.log.2026-11-20").read_text()
        assert "User logged out" in path.read_text()


class TestWhatCannotBeWritten:
    """As root nothing is forbidden, so the ways are blocked by things that are not directories."""

    def test_a_log_in_no_directory_fails_nothing_and_is_said_once(self, tmp_path, capsys):
        (tmp_path / "logs").write_text("not a directory")
        handler = handler_for(tmp_path / "logs" / "crowdvote.log")
        for number in range(3):
            write(handler, f"line {number}")
        complaint = capsys.readouterr().err
        assert complaint.count("\n") == 1
        assert complaint.startswith("crowdvote.log: events are not being logged: ")
        assert handler.problem() == "an event could not be logged"

        (tmp_path / "logs").unlink()
        write(handler, "it works again")
        assert handler.problem() is None
        assert (tmp_path / "logs" / "crowdvote.log").read_text().endswith("it works again\n")
        assert capsys.readouterr().err == ""
        handler.close()

    def test_it_is_known_before_the_first_event(self, tmp_path):
        handler = handler_for(tmp_path / "logs" / "crowdvote.log")
        (tmp_path / "logs").write_text("not a directory")
        assert handler.problem() == "the log cannot be opened"
        (tmp_path / "logs").unlink()
        assert handler.problem() is None
        assert (tmp_path / "logs" / "crowdvote.log").read_text() == ""
        handler.close()

    def test_a_full_disk_fails_nothing_is_said_once_and_tears_no_later_line(self, tmp_path, capsys):
        path = tmp_path / "crowdvote.log"
        handler = handler_for(path)
        write(handler, "before")
        size, (soft, hard) = path.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
        try:
            for number in range(3):
                write(handler, f"line {number}")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        complaint = capsys.readouterr().err
        assert complaint == "crowdvote.log: events are not being logged: the disk is full\n"
        write(handler, "after")
        handler.close()
        before, torn, after = path.read_text().splitlines()
        assert before.endswith(" - before")
        assert torn == before[:10]
        assert LINE.fullmatch(after)[4] == "after"

    def test_no_stderr_is_no_reason_to_fail_either(self, tmp_path, monkeypatch):
        (tmp_path / "logs").write_text("not a directory")
        handler = handler_for(tmp_path / "logs" / "crowdvote.log")
        monkeypatch.setattr("sys.stderr", None)
        write(handler, "line")
        handler.close()

    @pytest.mark.django_db
    def test_a_request_does_not_notice(self, tmp_path, mailoutbox):
        (tmp_path / "logs").write_text("not a directory")
        handler = handler_for(tmp_path / "logs" / "crowdvote.log")
        eventlog.connect()
        eventlog.logger.addHandler(handler)
        try:
            client = Client()
            client.post(reverse("sign-in"), {"email": person("alice").email})
            assert client.post(link_in(mailoutbox[0])).status_code == 302
        finally:
            eventlog.logger.removeHandler(handler)
            handler.close()


class TestRotation:
    def old_line(self, days: int) -> tuple[str, str]:
        day = f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}"
        return day, f"[{day} 23:59:59] [INFO] [LOGIN] [user] - User logged in via magic link\n"

    def test_the_first_line_of_a_day_begins_a_file(self, path):
        path.parent.mkdir()
        day, line = self.old_line(1)
        path.write_text(line)
        handler = handler_for(path)
        write(handler, "one")
        write(handler, "two")
        handler.close()
        assert path.with_name(f"crowdvote.log.{day}").read_text() == line
        assert [text.partition(" - ")[2] for text in path.read_text().splitlines()] == ["one", "two"]
        assert path.read_text().startswith(f"[{TODAY}") or f"{datetime.now(UTC):%Y-%m-%d}" != TODAY

    def test_a_restart_on_the_same_day_goes_on_in_the_same_file(self, path):
        for message in ("one", "two"):
            handler = handler_for(path)
            write(handler, message)
            handler.close()
        assert [text.partition(" - ")[2] for text in path.read_text().splitlines()] == ["one", "two"]
        assert list(path.parent.iterdir()) == [path]

    def test_thirty_days_are_kept(self, path):
        path.parent.mkdir()
        days = [self.old_line(number)[0] for number in range(2, 40)]
        for day in days:
            path.with_name(f"crowdvote.log.{day}").write_text("old\n")
        bystander = path.with_name("crowdvote.log.notes")
        bystander.write_text("mine\n")
        path.write_text(self.old_line(1)[1])
        handler = handler_for(path)
        write(handler, "today")
        handler.close()
        kept = {self.old_line(1)[0], *days[:29]}
        assert {file.name for file in path.parent.iterdir()} == {
            path.name, bystander.name, *(f"crowdvote.log.{day}" for day in kept),
        }  # fmt: skip

    def test_a_file_of_that_day_is_never_written_over(self, path):
        path.parent.mkdir()
        day, line = self.old_line(1)
        path.with_name(f"crowdvote.log.{day}").write_text("first\n")
        path.write_text(line)
        handler = handler_for(path)
        write(handler, "today")
        handler.close()
        assert path.with_name(f"crowdvote.log.{day}").read_text() == "first\n"
        assert path.with_name(f"crowdvote.log.{day}.1").read_text() == line

    def test_a_process_that_slept_through_midnight_follows_the_one_that_rotated(self, path):
        path.parent.mkdir()
        sleeper, awake = handler_for(path), handler_for(path)
        write(sleeper, "placeholder")
        day, line = self.old_line(1)
        # In place, so that the sleeper has yesterday's file open.
        path.write_text(line)
        sleeper._day = day
        write(awake, "awake")
        write(sleeper, "sleeper")
        assert path.with_name(f"crowdvote.log.{day}").read_text() == line
        assert [text.partition(" - ")[2] for text in path.read_text().splitlines()] == ["awake", "sleeper"]
        for handler in (sleeper, awake):
            handler.close()

    def test_many_writers_at_midnight_lose_no_line(self, path):
        path.parent.mkdir()
        day, line = self.old_line(1)
        path.write_text(line)
        start, writers, lines = Barrier(6), 6, 50

        def run(writer: int) -> None:
            # Each has a file of its own open, as another process would.
            handler = handler_for(path)
            start.wait()
            for number in range(lines):
                write(handler, f"{writer}:{number}")
            handler.close()

        threads = [Thread(target=run, args=(writer,)) for writer in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        written = "".join(file.read_text() for file in path.parent.iterdir())
        messages = [text.partition(" - ")[2] for text in written.splitlines()]
        everything = [f"{writer}:{number}" for writer in range(writers) for number in range(lines)]
        assert sorted(messages) == sorted([*everything, "User logged in via magic link"])
        assert {file.name for file in path.parent.iterdir()} == {"crowdvote.log", f"crowdvote.log.{day}"}

    def test_a_log_that_cannot_be_rotated_is_said_once_and_goes_on(self, tmp_path, capsys):
        # With a date behind it this name is longer than file systems allow.
        path = tmp_path / ("x" * 250)
        path.write_text(self.old_line(1)[1])
        handler = handler_for(path)
        for message in ("one", "two"):
            write(handler, message)
        handler.close()
        assert [text.partition(" - ")[2] for text in path.read_text().splitlines()[1:]] == ["one", "two"]
        complaint = capsys.readouterr().err
        assert complaint.startswith(f"{path.name}: the log cannot be rotated: ")
        assert complaint.count("\n") == 1

    def test_a_log_that_somebody_moved_away_is_begun_anew(self, path):
        handler = handler_for(path)
        write(handler, "before")
        path.rename(path.with_name("elsewhere"))
        write(handler, "after")
        handler.close()
        assert path.read_text().partition(" - ")[2] == "after\n"


@pytest.mark.django_db
class TestSigningIn:
    @pytest.fixture(autouse=True)
    def connected(self):
        eventlog.connect()
        eventlog.connect()

    def test_in_and_out_are_logged_once_each(self, client, log, mailoutbox):
        client.post(reverse("sign-in"), {"email": person("alice_user").email})
        assert log() == []
        client.post(link_in(mailoutbox[0]))
        assert log() == ["[INFO] [LOGIN] [alice_user] - User logged in via magic link"]
        client.post(reverse("sign-out"))
        client.post(reverse("sign-out"))
        assert log() == ["[INFO] [LOGOUT] [alice_user] - User logged out"]

    def test_a_wrong_link_is_a_failed_attempt_of_nobody(self, client, log):
        client.get(reverse("sign-in-link", args=["wrong"]))
        client.post(reverse("sign-in-link", args=["wrong"]))
        assert log() == ["[WARNING] [LOGIN_FAILED] [anonymous] - Invalid magic link attempted"] * 2

    def test_a_link_that_is_only_looked_at_is_no_event(self, client, log, mailoutbox):
        client.post(reverse("sign-in"), {"email": "new@example.org"})
        client.get(link_in(mailoutbox[0]))
        assert log() == []

    def test_a_wrong_api_token_and_a_demo_visit_are_named(self, client, log, settings):
        settings.DEMO_SIGN_IN = True
        person("demo", is_demo=True)
        client.post(reverse("demo-sign-in"), {"handle": "demo"})
        client.get(reverse("profile"), headers={"Authorization": "Bearer wrong"})
        assert log() == [
            "[INFO] [LOGIN] [demo] - User logged in via the demo page",
            "[WARNING] [LOGIN_FAILED] [anonymous] - Invalid API token attempted",
        ]

    def test_a_limit_is_logged_when_it_first_bites(self, client, log, settings, mailoutbox):
        settings.SIGN_IN_LIMIT_PER_CLIENT = 1
        for number in range(4):
            client.post(reverse("sign-in"), {"email": f"p{number}@example.org"})
        assert log() == ["[WARNING] [LIMIT_REACHED] [system] - Sign-in links for one client: 1 in 15 minutes"]

    def test_neither_address_nor_token_is_written(self, client, path, log, mailoutbox):
        client.post(reverse("sign-in"), {"email": "secret.person@example.org"})
        link = link_in(mailoutbox[0])
        client.post(link)
        client.post(link)
        sign_in_failed.send_robust(sender=None)
        text = path.read_text()
        assert "example.org" not in text
        assert link.split("/")[2] not in text
