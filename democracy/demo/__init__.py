"""The demo communities: invented people with topics, chains and loops of trust, and decisions at every stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from democracy.demo import maple_court, riverside, springfield
from democracy.files.imported_community import Made, import_community
from democracy.files.new_community import NewCommunity
from democracy.models import Community


@dataclass(frozen=True)
class DemoCommunity:
    name: str
    content: Callable[[datetime], NewCommunity]
    happens_today: Callable[[Made, datetime], None] | None = None

    def make(self, now: datetime) -> Community:
        made = import_community(self.content(now))
        if self.happens_today is not None:
            self.happens_today(made, now)
        return made.community


# The start page shows its newest open decision.
EXAMPLE = springfield.NAME
# Maple Court comes first: one of its members applies to Springfield.
COMMUNITIES = (
    DemoCommunity(maple_court.NAME, maple_court.community, maple_court.happen_today),
    DemoCommunity(springfield.NAME, springfield.community, springfield.happen_today),
    DemoCommunity(riverside.NAME, riverside.community),
)
