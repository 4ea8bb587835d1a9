"""A process of the cluster, with all that it starts: started, killed, frozen, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


@dataclass
class Process:
    """A process of the cluster with all that it starts, under one name."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    output: Path
    user: str | None = None
    process: subprocess.Popen[bytes] | None = None
    frozen: bool = False
    # Of every start.
    pids: list[int] = field(default_factory=list)

    @property
    def is_up(self) -> bool:
        return self.process is not None and self.process.poll() is None and not self.frozen

    def start(self) -> None:
        with self.output.open("ab") as output:
            output.write(f"--- start {len(self.pids) + 1}\n".encode())
            output.flush()
            self.process = subprocess.Popen(
                self.command,
                cwd=PROJECT,
                env={**self.environment, "PGAPPNAME": self.name},
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
            )
        self.pids.append(self.process.pid)
        self.frozen = False

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; SIGKILL to all that the process has started, too, as a machine that fails would."""
        assert self.process is not None
        if number is signal.SIGKILL:
            for pid in [self.process.pid, *_descendants(self.process.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
        else:
            self.process.send_signal(number)

    def freeze(self) -> None:
        self.frozen = True
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)
        self.frozen = False

    def _signal_all(self, number: signal.Signals) -> None:
        assert self.process is not None
        for pid in [self.process.pid, *_descendants(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill_a_child(self, chance: random.Random) -> None:
        """Kill one of the processes that it has started."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(_descendants(self.process.pid)), signal.SIGKILL)

    async def end(self, patience: float = 15.0) -> float:
        """Ask it to end, kill it when it does not. Seconds that it took."""
        assert self.process is not None
        began = time.monotonic()
        self.kill(signal.SIGTERM)
        while self.process.poll() is None and time.monotonic() < began + patience:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)
        took = time.monotonic() - began
        if self.process.poll() is None:
            self.kill()
        return took


def _descendants(pid: int) -> list[int]:
    """List what a process has started, by /proc; nothing once it is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *_descendants(child)]
    return found
