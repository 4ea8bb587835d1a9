"""Programs of tests end, and know of their surroundings, as those do that a shell has started."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests import processes
from tests.processes import NO_COMPILER, PROJECT, Ended

ENVIRONMENT = {"PATH": NO_COMPILER}


def test_they_know_the_environment_they_are_given_the_project_and_no_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROWDVOTE_SECRET_KEY", "of the test's own process")
    monkeypatch.chdir(tmp_path)
    program = """if True:
        import os, sys
        from django.conf import settings
        ours = {"accounts", "crowdvote", "democracy", "graph"} & sys.modules.keys()
        print(sorted(os.environ), os.getcwd(), settings.configured, ours)
    """
    ended = processes.run(program, ENVIRONMENT | {"MORE": "1"})
    assert ended == Ended(0, f"['MORE', 'PATH'] {PROJECT} False set()", "")


def test_threads_end_before_what_is_registered_for_the_end() -> None:
    program = """if True:
        import atexit, threading, time
        atexit.register(print, "registered")
        threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
        print("program")
    """
    assert processes.run(program, ENVIRONMENT) == Ended(0, "program\nthread\nregistered", "")


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit('no')", 1, "no"),
        ("raise ValueError('wrong')", 1, "ValueError: wrong"),
        ("raise KeyboardInterrupt", -signal.SIGINT, ""),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
        ("print('a last word', file=sys.stderr); os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, "a last word"),
        # The annotation is evaluated.
        ("x: nothing = 1", 1, "NameError: name 'nothing' is not defined"),
    ],
)
def test_how_they_end_is_told(end: str, code: int, said: str) -> None:
    ended = processes.run(f"import os, signal, sys\n{end}", ENVIRONMENT)
    assert (ended.code, ended.errors.splitlines()[-1:]) == (code, [said] if said else [])


def test_one_that_does_not_end_is_ended_and_fails_the_test() -> None:
    program = "import os, sys, time; print(os.getpid(), file=sys.stderr, flush=True); time.sleep(60)"
    with pytest.raises(AssertionError, match=r"still ran after 0\.5 seconds") as failure:
        processes.run(program, ENVIRONMENT, patience=0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int(str(failure.value).splitlines()[1]), 0)
