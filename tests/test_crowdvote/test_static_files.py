"""Static files as browsers get them: under names with a hash, by which modules import each other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.core.management import call_command

from crowdvote.static_files import StaticFiles


@pytest.fixture
def collected(tmp_path: Path, settings) -> Path:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": f"{StaticFiles.__module__}.StaticFiles"}}
    call_command("collectstatic", interactive=False, verbosity=0)
    return tmp_path


def test_modules_import_modules_under_their_hashed_names(collected: Path) -> None:
    names = json.loads((collected / "staticfiles.json").read_text())["paths"]
    ours = [collected / hashed for name, hashed in names.items() if re.fullmatch(r"crowdvote/.*\.js", name)]
    imports = {
        (path.parent / imported).resolve()
        for path in ours
        for imported in re.findall(r"""^(?:import|export|\}).*["'](\.\.?/.*)["']""", path.read_text(), re.MULTILINE)
    }
    assert len(imports) > 20
    assert imports <= {(collected / hashed).resolve() for hashed in names.values()}
