"""The client in TypeScript that `make clients` makes, against a served instance.

It runs where Node is installed and `npm ci` has brought what it needs, as `make test` sees to.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from tests.servers import Server
from tests.test_clients.making import CLIENTS, PROJECT, TYPESCRIPT, needs_node, output, run
from tests.test_documents.reading import blocks

# The pages that show programs.
PAGES = (PROJECT / "docs/clients.md", TYPESCRIPT / "README.md")
pytestmark = needs_node


def ask(typescript_client: Path, *arguments: str) -> Any:
    ended = run("node", "generated.mjs", typescript_client / "dist/index.js", *arguments, cwd=CLIENTS)
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def test_the_generated_client_reads_for_a_visitor_and_votes_for_nobody(
    server: Server, decision: str, typescript_client: Path
) -> None:
    visitor = ask(typescript_client, f"{server.url}/graphql/", "-", decision, "1")
    assert visitor["title"]
    assert (visitor["me"], visitor["vote"]["fullReceipt"]) == (None, None)
    assert [error["code"] for error in visitor["vote"]["errors"]] == ["SIGN_IN"]
    assert len(visitor["events"]) == 1
    assert visitor["refused"] == {"asked": ["INVALID_ID"], "watched": ["INVALID_ID"]}


def test_the_generated_client_votes_and_receives_the_next_event(
    server: Server, tokens: list[str], decision: str, typescript_client: Path
) -> None:
    voter = ask(typescript_client, f"{server.url}/graphql/", tokens[1], decision, "1")
    assert (voter["me"]["handle"], voter["vote"]["errors"]) == ("ada_1", [])
    first, *_, last = voter["events"]
    assert last["winner"]["title"] == voter["wanted"]["title"] != first["winner"]["title"]
    assert last["revision"] >= voter["vote"]["fullReceipt"]["revision"] > first["revision"]


def test_the_package_is_complete_and_can_be_used_where_it_is_installed(typescript_client: Path, tmp_path: Path) -> None:
    modules = tmp_path / "node_modules"
    modules.mkdir()
    output("npm", "pack", "--silent", "--pack-destination", str(tmp_path), cwd=typescript_client)
    (packed,) = tmp_path.glob("crowdvote-client-*.tgz")
    with tarfile.open(packed) as package:
        package.extractall(modules, filter="data")
    installed = (modules / "package").rename(modules / "crowdvote-client")
    files = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    made = {f"dist/{name}.{kind}" for name in ("generated", "index") for kind in ("d.ts", "js")}
    assert files == made | {"LICENSE", "README.md", "package.json"}
    assert (installed / "LICENSE").read_text() == (PROJECT / "LICENSE").read_text()
    # What it depends on, as npm would install it beside it.
    for name in ("graphql", "graphql-ws", "@graphql-typed-document-node"):
        (modules / name).symlink_to(TYPESCRIPT / "node_modules" / name)
    program = tmp_path / "program.mjs"
    program.write_text(
        'import { CrowdVote, DecisionDocument } from "crowdvote-client";\n'
        'const site = new CrowdVote("http://site.example/graphql/");\n'
        "await site.close();\n"
        "console.log(typeof site.ask, DecisionDocument.toString().includes('query Decision('));\n"
    )
    assert output("node", program, cwd=tmp_path) == "function true\n"


def test_a_program_that_uses_the_generated_client_is_checked_for_its_types(typescript_client: Path) -> None:
    program = """
        import {{ CrowdVote, DecisionDocument }} from "./index.js";
        const {{ decision }} = await new CrowdVote("").ask(DecisionDocument, {{ {variables} }});
        export const found: {type} | undefined = decision?.title;
    """

    def check(text: str) -> str:
        (typescript_client / "src/program.ts").write_text(text)
        return run("node_modules/.bin/tsc", "--noEmit", cwd=typescript_client).stdout

    assert check(program.format(variables='id: "1"', type="string")) == ""
    wrong = check(program.format(variables='id: "1"', type="number"))
    assert "Type 'string' is not assignable to type 'number'" in wrong
    assert "Property 'id' is missing" in check(program.format(variables="", type="string"))
    shown = [block for page in PAGES for block in blocks(page, "ts")]
    assert [check(block.replace('"crowdvote-client"', '"./index.js"')) for block in shown] == ["", ""]
