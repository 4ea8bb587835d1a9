"""A large community from a file to a verified export, each step in a process of its own, as somebody would run it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings

from democracy import recalculation, services
from democracy.benchmarks import bundle_files, networks
from democracy.benchmarks.figures import Figure, percentile, seconds
from democracy.live.hub import hub, result_topic
from democracy.models import Ballot, Choice, Community, Decision, DecisionSnapshot, Membership

# Where models are imported Django has to be set up: a module that is run is too early.
_INSIDE = "import django; django.setup(); from democracy.benchmarks import large; large.inside()"
VERIFIER = "verify/crowdvote_verify.py"
_GIB = 1 << 30
_MOST_MEMORY = 8 * _GIB
_VOTES = 30
_PATIENCE = 30.0


@dataclass(frozen=True)
class Step:
    """A process that has ended: what it wrote, how long it took, on the processor too, and the most memory it had, in
    bytes (at least as much as the process that started it had then).
    """

    output: str
    seconds: float
    processor: float
    memory: int


def from_file_to_file(scale: float) -> Iterator[Figure]:
    """Measure import, calculation from scratch, single votes, export and verification of a community."""
    members = int(100_000 * scale)
    with tempfile.TemporaryDirectory(prefix="crowdvote-large-") as directory:
        given, exported = Path(directory) / "given.json", Path(directory) / "exported.json"
        _inside("generate", str(members), str(given))
        step = _command("import_community", str(given))
        yield _figure("importing a bundle", members, step, within=120 if scale == 10 else 0, most=_GIB)
        found = re.search(r"^community (\d+)\ndecision \S+ (\d+)$", step.output, re.MULTILINE)
        assert found is not None
        community, decision = found.groups()
        for what, options in (("storing all", []), ("comparing with what is stored", ["--from-scratch"])):
            step = _command("recalculate", "--community", community, *options)
            yield _figure(f"loading, calculating, {what}", members, _calculating(step), within=8 if scale == 1 else 0)
        step = _inside("vote", decision, str(max(5, int(_VOTES * min(1.0, scale * 4)))))
        yield _figure("a process that keeps the community, with the votes below", members, step)
        yield from (Figure("large", **row) for row in json.loads(step.output))
        step = _command("export_decision", decision, "--output", str(exported))
        yield _figure("exporting", members, step, note=f"{exported.stat().st_size / 2**20:,.0f} MiB")
        step = run([sys.executable, "-I", VERIFIER, str(exported)])
        yield _figure("verifying with nothing of CrowdVote", members, step)
        step = _command("verify_ledger", "--community", community)
        yield _figure("auditing ledger, tables and results", members, step, note=f"{step.processor:.1f} s of processor")


def _figure(
    what: str, members: int, step: Step, *, within: float = 0, most: int = _MOST_MEMORY, note: str = ""
) -> Figure:
    """`within` seconds, if not 0; with `most` bytes of memory always."""
    memory = f"{most / _GIB:g} GiB"
    return Figure(
        "large",
        f"{members:,} members, {what}",
        step.seconds,
        "s",
        target=f"{within:g} s, {memory}" if within else memory,
        reached=step.memory <= most and (not within or step.seconds <= within),
        note=f"{step.memory / 2**20:,.0f} MiB at most{', ' if note else ''}{note}",
    )


def _calculating(step: Step) -> Step:
    """The step without the start of its process."""
    said = re.search(r"calculated in ([\d.]+) s$", step.output, re.MULTILINE)
    assert said is not None
    return replace(step, seconds=float(said[1]))


def _command(name: str, *arguments: str) -> Step:
    return run([sys.executable, "-m", "django", name, *arguments])


def _inside(step: str, *arguments: str) -> Step:
    return run([sys.executable, "-c", _INSIDE, step, *arguments])


def run(command: Sequence[str]) -> Step:
    """Run it to its end. Raises RuntimeError with what it said if it fails."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=output, stderr=errors)
        # Waits for this process alone, which getrusage of all children could not.
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} failed: {errors.read().decode()[-2_000:]}")
        # Linux counts in KiB, macOS in bytes.
        unit = 1 if sys.platform == "darwin" else 1024
        return Step(output.read().decode(), took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


# --- Inside a process of its own --------------------------------------------------------------------------------------


def generate(members: int, path: Path) -> None:
    bundle_files.write(networks.preferential(members, members * 2), path)


def vote(decision_id: int, votes: int) -> list[dict[str, Any]]:
    """Measure single votes in a process that has loaded the community: calculated and stored, and until a subscriber
    knows.
    """
    decision = Decision.objects.get(pk=decision_id)
    choices = list(Choice.objects.filter(decision=decision).values_list("pk", flat=True))
    chance = random.Random(3)
    voters = chance.sample(
        list(Ballot.objects.filter(decision=decision).order_by("pk").values_list("membership", flat=True)), 2 * votes
    )

    def cast() -> None:
        member = Membership.objects.select_related("user").get(pk=voters.pop())
        stars = dict(zip(choices, networks.stars(chance, len(choices)), strict=True))
        services.cast_ballot(member.user, decision_id, stars=stars)

    # A vote makes the decision stale: it is loaded and calculated, as by the first run after a start.
    cast()
    loading, _ = seconds(lambda: recalculation.recalculate_community(decision.community_id))
    calculated = []
    for _ in range(votes - 1):
        cast()
        calculated.append(seconds(lambda: recalculation.recalculate_community(decision.community_id))[0])
    known = []
    recalculation.scheduler.start()
    watcher = _Watcher(decision_id)
    for _ in range(votes):
        started = time.perf_counter()
        cast()
        watcher.wait_for(Community.objects.get(pk=decision.community_id).revision)
        known.append(time.perf_counter() - started)
    recalculation.scheduler.stop()
    return [
        {
            "what": f"one changed vote calculated and stored, median of {len(calculated)}",
            "value": percentile(calculated, 50) * 1e3,
            "unit": "ms",
            "baseline": loading * 1e3,
            "baseline_is": "loading and from scratch",
            "note": f"worst {max(calculated) * 1e3:.3g} ms",
        },
        {
            "what": f"from one vote until a subscriber has its result, worst of {len(known)}",
            "value": max(known),
            "unit": "s",
            "target": "1 s",
            "reached": max(known) <= 1,
            "note": f"p50 {percentile(known, 50):.2f} s, {settings.RECALCULATION_DEBOUNCE:g} s of it the debounce",
        },
    ]


class _Watcher:
    """A subscriber of a decision's result in an event loop of its own, as a server has it."""

    def __init__(self, decision_id: int) -> None:
        self._topic = result_topic(decision_id)
        self._loop = asyncio.new_event_loop()
        self._ready, self._told = threading.Event(), threading.Condition()
        self._newest = 0
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._watch(),), daemon=True)
        self._thread.start()
        self._ready.wait(_PATIENCE)

    async def _watch(self) -> None:
        async with hub.subscribe(self._topic) as inbox:
            self._ready.set()
            while True:
                snapshot: DecisionSnapshot = (await inbox.next())[self._topic]
                with self._told:
                    self._newest = snapshot.revision
                    self._told.notify_all()

    def wait_for(self, revision: int) -> None:
        """Wait until it has a result of this revision or a newer one. Raises TimeoutError."""
        with self._told:
            if not self._told.wait_for(lambda: self._newest >= revision, _PATIENCE):
                raise TimeoutError(f"no result of revision {revision} after {_PATIENCE:g} s")


def inside() -> None:
    """Do the step that the command line names."""
    match sys.argv[1:]:
        case ["generate", members, path]:
            generate(int(members), Path(path))
        case ["vote", decision, votes]:
            sys.stdout.write(json.dumps(vote(int(decision), int(votes))))
