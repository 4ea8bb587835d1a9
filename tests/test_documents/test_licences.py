"""Parts of other projects are named with their licences, which go with ours."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from tests.test_documents.reading import PROJECT, rows

VENDORS = [PROJECT / "crowdvote/static/vendor", PROJECT / "tests/vendor"]
# Licences under which packages may be installed beside ours: none asks for more than that it is passed on. (MPL and
# LGPL ask for it of their own files.)
ALLOWED = re.compile(
    r"\b(?:MIT|BSD|0BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|ZPL|Zope|LGPL|Unlicense)\b"
)
# Programs that `make check` starts: nothing of them is imported or passed on, so their licences say nothing of ours.
STARTED_ALONE = {"djlint"}


def pinned() -> list[str]:
    text = (PROJECT / "requirements" / "all.txt").read_text()
    return re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", text, re.MULTILINE)


def licence(package: str) -> str:
    """Return the licence that an installed package declares."""
    said = distribution(package).metadata.json
    classifiers = [one for one in said.get("classifier", ()) if one.startswith("License ::")]
    return " ".join(map(str, (said.get("license_expression", ""), said.get("license", ""), *classifiers)))


def test_ours_is_the_apache_licence() -> None:
    text = (PROJECT / "LICENSE").read_text()
    assert "Apache License" in text.splitlines()[0]
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda path: path.parent.name)
def test_the_notice_names_every_folder_of_others_with_its_licence(vendor: Path) -> None:
    notice = (PROJECT / "NOTICE").read_text()
    part = notice.partition(f"\n{vendor.relative_to(PROJECT)}/")[2].partition("\n\n")[0]
    folders = {path.name: path for path in vendor.iterdir() if path.is_dir()}
    assert set(re.findall(r"^  ([\w-]+)/ ", part, re.MULTILINE)) == set(folders)
    for folder in folders.values():
        assert (folder / "LICENSE").is_file()
    named = {
        word
        for row in rows(vendor / "README.md", "| folder | package | files | licence |")
        for word in licences(row[3])
    }
    assert named == licences(part)


def licences(text: str) -> set[str]:
    return set(re.findall(r"\b(?:MIT|ISC|Apache-2\.0|BSD-3-Clause|OFL-1\.1|MPL-2\.0)", text))


def test_every_package_has_a_licence_that_goes_with_ours() -> None:
    refused = []
    for package in set(pinned()) - STARTED_ALONE:
        try:
            said = licence(package)
        except PackageNotFoundError:
            continue  # of the scaled size, or for another platform
        if not ALLOWED.search(said):
            refused.append(f"{package}: {said[:80]!r}")
    assert refused == []
