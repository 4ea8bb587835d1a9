"""Faults that a run must not show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """`kind` is one word for it, `subject` the register, decision, community or watcher, `detail` the evidence."""

    kind: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}: {self.detail}"
