"""The files of `deploy/` and docs/settings.md agree with the code on names, commands, files and times."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from django.conf import settings as django_settings
from django.core.management import get_commands

from crowdvote.serving.bodies import BODY_SECONDS, MAX_BODY
from crowdvote.serving.server import HEAD_SECONDS, MAX_HEAD, longest_stop
from tests.test_documents.reading import rows

PROJECT = Path(__file__).resolve().parents[2]
DEPLOY = PROJECT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
NAME = re.compile(r"\b(?:CROWDVOTE_[A-Z_]+[A-Z]|DATABASE_URL|REDIS_URL|PORT)\b")

SETTINGS = set(
    re.findall(
        r'"((?:CROWDVOTE_[A-Z_]+)|DATABASE_URL|REDIS_URL|PORT)"', (PROJECT / "crowdvote/settings.py").read_text()
    )
)
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def environment_file() -> dict[str, str]:
    lines = (DEPLOY / "crowdvote.env.example").read_text().splitlines()
    return dict(line.removeprefix("#").split("=", 1) for line in lines if re.match(r"#?[A-Z_]+=", line))


def documented() -> set[str]:
    """Return the variables of docs/settings.md; `_SHORT` stands for the row's first name with its end replaced."""
    found: set[str] = set()
    for variables, _, _ in rows(PROJECT / "docs/settings.md", "| variable | default | meaning |"):
        first, *others = re.findall(r"`([A-Z_]+)`", variables)
        found.add(first)
        for name in others:
            parts = first.split("_")
            stems = ["_".join(parts[:length]) + name for length in range(len(parts), 0, -1)]
            found.add(next((stem for stem in stems if stem in SETTINGS), name))
    return found


def test_the_settings_page_documents_every_setting_and_no_other() -> None:
    assert documented() == SETTINGS


@pytest.mark.parametrize(
    "path", [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()], ids=lambda path: path.name
)
def test_every_variable_is_a_setting(path: Path) -> None:
    assert set(NAME.findall(path.read_text())) <= SETTINGS


def test_the_example_environment_is_read_by_the_settings() -> None:
    names = set(environment_file())
    assert names <= SETTINGS
    # Settings that several processes must have in common.
    assert {"CROWDVOTE_SECRET_KEY", "DATABASE_URL", "REDIS_URL"} <= names


def test_every_command_exists() -> None:
    units = [re.search(r"manage\.py (\w+)", unit.read_text())[1] for unit in UNITS]
    services = [one["command"][0] for one in COMPOSE["services"].values() if "build" in one]
    image = re.search(r'^CMD \["(\w+)"', DOCKERFILE, re.MULTILINE)[1]
    assert (units, services, image) == (["serve", "worker"], ["serve", "worker", "migrate"], "serve")
    assert {*units, *services, image} <= get_commands().keys()


def test_the_image_gets_all_that_it_copies_and_every_package_of_ours() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for source in copied:
        assert (PROJECT / source).exists()
        assert f"!{source}" in ignored
    ours = {app.partition(".")[0] for app in django_settings.INSTALLED_APPS if (PROJECT / app).is_dir()}
    assert {*ours, "graph", "manage.py"} <= set(copied)


def test_the_image_holds_no_key_and_runs_as_nobody_special() -> None:
    assert re.findall(r"CROWDVOTE_SECRET_KEY=(\S+)", DOCKERFILE) == ["for-building-only-and-kept-nowhere"]
    assert "ENV CROWDVOTE_SECRET_KEY" not in DOCKERFILE
    (user,) = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert int(user) > 0


def test_nobody_is_killed_while_ending_in_order(settings) -> None:
    settings.DRAIN = float(environment_file()["CROWDVOTE_DRAIN"])
    settings.GRACE = float(environment_file()["CROWDVOTE_GRACE"])
    units = [int(re.search(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.MULTILINE)[1]) for unit in UNITS]
    services = [one["stop_grace_period"] for one in COMPOSE["services"].values() if "build" in one]
    times = [*units, *(int(time.removesuffix("s")) for time in services)]
    assert len(times) == 5
    assert min(times) > longest_stop()


def test_services_wait_for_services_that_are_there() -> None:
    services = COMPOSE["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= services.keys() - {name}
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert services[other]["healthcheck"]["test"]
        assert set(service["networks"]) <= COMPOSE["networks"].keys()


def test_the_proxy_finds_the_web_processes_and_is_believed() -> None:
    caddyfile = (DEPLOY / "Caddyfile").read_text()
    name, port = re.search(r"dynamic a \{\$WEB_NAME:(\w+)\} \{\$WEB_PORT:(\d+)\}", caddyfile).groups()
    assert name in COMPOSE["services"]
    assert f"PORT={port}" in DOCKERFILE
    assert environment_file()["CROWDVOTE_TRUSTED_PROXIES"] == "1"


def test_every_metric_that_is_watched_is_measured() -> None:
    measured = set(re.findall(r'"(crowdvote_[a-z_]+)"', (PROJECT / "crowdvote/operations/metrics.py").read_text()))
    watched = set(re.findall(r"\bcrowdvote_[a-z_]+", (PROJECT / "docs/operations.md").read_text()))
    assert {re.sub("_(total|bucket|info)$", "", name) for name in watched} - {
        "crowdvote_restored",
        "crowdvote_verify",
    } <= measured


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for unit, instance in zip(UNITS, ("8001", "9101"), strict=True):
        text = unit.read_text().replace("/opt/crowdvote/.venv/bin/python", "/bin/true")
        copy = tmp_path / unit.name.replace("@", f"@{instance}")
        copy.write_text(text)
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_the_proxy_refuses_what_the_processes_do() -> None:
    (size,) = re.findall(r"max_size (\d+)MiB", (DEPLOY / "Caddyfile").read_text())
    assert int(size) * 1024 * 1024 == MAX_BODY


def test_processes_have_files_for_their_connections_and_keep_others_out_of_theirs() -> None:
    for unit in UNITS:
        settings = dict(re.findall(r"^(\w+)=(\S+)$", unit.read_text(), re.MULTILINE))
        assert int(settings["LimitNOFILE"]) > 2 * django_settings.CONNECTIONS
        assert (settings["StateDirectoryMode"], settings["UMask"]) == ("0700", "0077")
    services = [one for one in COMPOSE["services"].values() if "build" in one]
    assert {one["ulimits"]["nofile"] for one in services} == {65_536}


def test_compose_insists_on_a_key() -> None:
    services = [one for one in COMPOSE["services"].values() if "build" in one]
    assert len(services) == 3
    assert {one["environment"]["CROWDVOTE_SECRET_KEY"] for one in services} == {"${CROWDVOTE_SECRET_KEY:?is not set}"}


def test_the_settings_page_and_the_operators_manual_say_what_the_limits_are() -> None:
    settings, manual = ((PROJECT / f"docs/{page}.md").read_text() for page in ("settings", "operations"))
    limits = (
        ("CROWDVOTE_SIGN_IN_PER_ADDRESS`, `_PER_CLIENT", "SIGN_IN_LIMIT_PER_ADDRESS", "SIGN_IN_LIMIT_PER_CLIENT"),
        ("CROWDVOTE_COMMUNITIES_PER_DAY", "COMMUNITIES_PER_DAY"),
        ("CROWDVOTE_INVITATIONS_PER_DAY", "INVITATIONS_PER_DAY"),
        ("CROWDVOTE_CONNECTIONS`, `_PER_ADDRESS", "CONNECTIONS", "CONNECTIONS_PER_ADDRESS"),
        ("CROWDVOTE_SUBSCRIPTIONS_PER_ADDRESS", "SUBSCRIPTIONS_PER_ADDRESS"),
        ("CROWDVOTE_OPERATION_SECONDS", "OPERATION_SECONDS"),
        ("CROWDVOTE_OPERATIONS_AT_ONCE`, `_PER_ADDRESS", "OPERATIONS_AT_ONCE", "OPERATIONS_AT_ONCE_PER_ADDRESS"),
        ("CROWDVOTE_OPERATIONS_PER_MINUTE", "OPERATIONS_PER_MINUTE"),
    )
    for variables, *names in limits:
        values = [int(getattr(django_settings, name)) for name in names]
        assert f"| `{variables}` | {', '.join(map(str, values))} |" in settings
        assert all(re.search(rf"\b{value:,}\b", manual) for value in values)
    for number in (MAX_HEAD // 1024, int(HEAD_SECONDS), int(BODY_SECONDS), django_settings.FAILURES_PER_CLIENT):
        assert re.search(rf"\b{number}\b", manual.partition("## Limits")[2].partition("\n## ")[0])
