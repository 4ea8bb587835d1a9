"""An auditor's desk: downloads of a site, and what the verifier says of them and of forged ones."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from democracy.files import bundle_writer
from democracy.models import Community, Decision, Membership
from democracy.reading import receipts
from tests.rules import Clock
from tests.test_verify.bundles import verifier


@dataclass
class Desk:
    """An auditor's desk: files by name, and what the command says of them."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    community: Community
    members: dict[str, Membership]
    decision: Decision
    clock: Clock
    files: dict[str, Any] = field(default_factory=dict)
    said: str = ""

    def fetch(self, viewer: Any = None, *, name: str = "ledger.jsonl") -> list[dict[str, Any]]:
        self.community.refresh_from_db()
        lines = "".join(receipts.ledger_file(viewer or AnonymousUser(), self.community))
        self.files[name] = [json.loads(line) for line in lines.splitlines()]
        return self.files[name]

    def export(self, name: str = "bundle.json") -> Any:
        self.files[name] = json.loads("".join(bundle_writer.export(Decision.objects.get(pk=self.decision.pk))))
        return self.files[name]

    def receipt(self, handle: str) -> Any:
        self.files[f"{handle}.json"] = receipts.own_receipt(self.members[handle].user, self.decision).file
        return self.files[f"{handle}.json"]

    def check(self, *names: str, files: dict[str, Any] | None = None, more: tuple[str, ...] = ()) -> tuple[int, str]:
        """The exit code and all that is printed; of all files where none is named."""
        files = files or self.files
        paths = []
        for name in names or files:
            path = self.folder / name
            content = files[name]
            text = "\n".join(map(json.dumps, content)) if isinstance(content, list) else json.dumps(content)
            path.write_text(text, encoding="utf-8")
            paths.append(str(path))
        code = verifier.main([*paths, *more])
        printed = self.capsys.readouterr()
        self.said = printed.out + printed.err
        return code, self.said


def recalculated(bundle: Any) -> None:
    """Let the file say what its own inputs give: only the ledger can tell."""
    read = verifier.read_bundle(json.dumps(bundle))
    calculated = verifier.calculate(read, read.decisions[0])
    given = [row for row in bundle["decisions"][0]["staged"] if "given" in row]
    rows = {row["member"]: row for row in calculated["staged"]} | {row["member"]: row for row in given}
    bundle["decisions"][0] |= {"result": calculated["result"], "staged": list(rows.values())}


def rechained(rows: list[Any]) -> None:
    """Forge without the key: the chain fits, the checkpoint doesn't."""
    previous = verifier.GENESIS
    for number, row in enumerate(rows[1:], start=1):
        if "salt" in row:
            row["commitment"] = verifier.commitment({key: row[key] for key in ("salt", "content", "time")})
        row["revision"] = number
        previous = row["hash"] = verifier.chain_hash(previous, number, row["commitment"])
    rows[0]["checkpoint"] |= {"revision": len(rows) - 1, "hash": previous}


def closed(row: dict[str, Any]) -> dict[str, Any]:
    """An entry as somebody gives it who hides what it says."""
    told = {"kind": "ballot", "hour": row["time"][:14] + "00:00.000000+00:00", "decision": row["content"]["decision"]}
    return {key: row[key] for key in ("revision", "commitment", "hash")} | told
