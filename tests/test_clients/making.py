"""The clients of the repository, made in a temporary directory as `make clients` makes them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
# Programs that use clients.
CLIENTS = PROJECT / "tests/clients"
PYTHON = PROJECT / "client/python"
TYPESCRIPT = PROJECT / "client/typescript"
ENVIRONMENT = PYTHON / ".venv/bin"
PATIENCE = 120

needs_the_generator = pytest.mark.skipif(
    not (ENVIRONMENT / "ariadne-codegen").exists(),
    reason="the client in Python needs ariadne-codegen, which `make clients` installs",
)
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not all((place / "node_modules").is_dir() for place in (TYPESCRIPT, CLIENTS)),
    reason="clients in JavaScript need Node 20.19 or newer, and npm to install them and what makes ours",
)


def run(*command: str | Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program, with more in its environment."""
    return subprocess.run(
        command, cwd=cwd, env=os.environ | more, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def output(*command: str | Path, cwd: Path, **more: str) -> str:
    """Run a program that has to succeed, and return its output."""
    ended = run(*command, cwd=cwd, **more)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def copied(top: Path) -> Path:
    """Copy what the clients are made from, as it stands in the repository."""
    shutil.copy(PROJECT / "schema.graphql", top)
    made = shutil.ignore_patterns(
        *(
            ".venv",
            "crowdvote_client",
            "build",
            "dist",
            "*.egg-info",
            "node_modules",
            "generated.ts",
            "*.tgz",
            "wall.js",
        )
    )
    for place in ("client", "examples"):
        shutil.copytree(PROJECT / place, top / place, ignore=made)
    return top


def made_in_python(top: Path) -> Path:
    """Return the directory with the package of both clients, made by the settings that are shipped."""
    made = copied(top) / "client/python"
    for settings in ("pyproject.toml", "sync.toml"):
        output(ENVIRONMENT / "ariadne-codegen", "--config", settings, cwd=made)
    return made


def made_in_typescript(top: Path) -> Path:
    """Return the directory of the client, made and built by the settings that are shipped."""
    made = copied(top) / "client/typescript"
    (made / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    output("npm", "run", "--silent", "build", cwd=made)
    return made


def operations_copied(top: Path, **more: str) -> Path:
    """Copy what Relay's compiler reads, the operations of clients of others and more files, and return where."""
    copy = top / "tests/clients"
    copy.mkdir(parents=True)
    shutil.copy(PROJECT / "schema.graphql", top)
    for name in ("package.json", "operations.js"):
        shutil.copy(CLIENTS / name, copy)
    for name, text in more.items():
        (copy / f"{name}.js").write_text(text)
    return copy


def compiled(copy: Path) -> subprocess.CompletedProcess[str]:
    """Run Relay's compiler on copied operations."""
    return run(CLIENTS / "node_modules/.bin/relay-compiler", "--noWatchman", cwd=copy)


def made_of_others(made: Path) -> Path:
    """Return the directory of the programs that use clients of others, made beside copied operations.

    Its page.js gives the clients to a page.
    """
    ended = compiled(made)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (made / "node_modules").symlink_to(CLIENTS / "node_modules")
    for program in CLIENTS.glob("*.mjs"):
        shutil.copy(program, made)
    esbuild = TYPESCRIPT / "node_modules/.bin/esbuild"
    output(esbuild, "page.mjs", "--bundle", "--log-level=warning", "--outfile=page.js", cwd=made)
    return made


def made_with_list(made: Path) -> Path:
    """Return the same directory, with the documents that Relay's compiler lists by their hashes, in documents.json."""
    settings = json.loads((made / "package.json").read_text())
    settings["relay"]["persistConfig"] = {"file": "documents.json", "algorithm": "SHA256"}
    (made / "package.json").write_text(json.dumps(settings))
    (made / "documents.json").write_text("{}")
    return made_of_others(made)
