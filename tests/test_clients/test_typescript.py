"""The client in TypeScript that `make clients` makes, against a served instance.

It runs where Node is installed and `npm ci` has brought what it needs, as `make test` sees to.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Server
from tests.test_documents.reading import blocks

PROJECT = Path(__file__).parents[2]
CLIENT = PROJECT / "client/typescript"
CLIENTS = PROJECT / "tests/clients"
# The pages that show programs.
PAGES = (PROJECT / "docs/clients.md", CLIENT / "README.md")
PATIENCE = 120
pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not all((place / "node_modules").is_dir() for place in (CLIENT, CLIENTS)),
    reason="the client in TypeScript needs Node 20.19 or newer, and npm to install what makes it",
)


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of client/typescript that is generated and built by the settings that are shipped."""
    top = tmp_path_factory.mktemp("generated")
    shutil.copy(PROJECT / "schema.graphql", top)
    shutil.copytree(PROJECT / "client/python/queries", top / "client/python/queries")
    unmade = shutil.ignore_patterns("node_modules", "dist", "generated.ts")
    copy = shutil.copytree(CLIENT, top / "client/typescript", ignore=unmade)
    (copy / "node_modules").symlink_to(CLIENT / "node_modules")
    built = run("npm", "run", "--silent", "build", cwd=copy)
    assert built.returncode == 0, built.stdout + built.stderr
    return copy


def ask(made: Path, *arguments: str) -> Any:
    ended = run("node", "generated.mjs", made / "dist/index.js", *arguments, cwd=CLIENTS)
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def test_the_generated_client_reads_for_a_visitor_and_votes_for_nobody(
    server: Server, decision: str, made: Path
) -> None:
    visitor = ask(made, f"{server.url}/graphql/", "-", decision, "1")
    assert visitor["title"]
    assert (visitor["me"], visitor["vote"]["fullReceipt"]) == (None, None)
    assert [error["code"] for error in visitor["vote"]["errors"]] == ["SIGN_IN"]
    assert len(visitor["events"]) == 1
    assert visitor["refused"] == {"asked": ["INVALID_ID"], "watched": ["INVALID_ID"]}


def test_the_generated_client_votes_and_receives_the_next_event(
    server: Server, tokens: list[str], decision: str, made: Path
) -> None:
    voter = ask(made, f"{server.url}/graphql/", tokens[1], decision, "1")
    assert (voter["me"]["handle"], voter["vote"]["errors"]) == ("ada_1", [])
    first, *_, last = voter["events"]
    assert last["winner"]["title"] == voter["wanted"]["title"] != first["winner"]["title"]
    assert last["revision"] >= voter["vote"]["fullReceipt"]["revision"] > first["revision"]


def test_a_program_that_uses_the_generated_client_is_checked_for_its_types(made: Path) -> None:
    program = """
        import {{ CrowdVote, DecisionDocument }} from "./index.js";
        const {{ decision }} = await new CrowdVote("").ask(DecisionDocument, {{ {variables} }});
        export const found: {type} | undefined = decision?.title;
    """

    def check(text: str) -> str:
        (made / "src/program.ts").write_text(text)
        return run("node_modules/.bin/tsc", "--noEmit", cwd=made).stdout

    assert check(program.format(variables='id: "1"', type="string")) == ""
    wrong = check(program.format(variables='id: "1"', type="number"))
    assert "Type 'string' is not assignable to type 'number'" in wrong
    assert "Property 'id' is missing" in check(program.format(variables="", type="string"))
    shown = [block for page in PAGES for block in blocks(page, "ts")]
    assert [check(block.replace('"crowdvote-client"', '"./index.js"')) for block in shown] == ["", ""]
