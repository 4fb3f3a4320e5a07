"""What bandit says of the code, and pip-audit of the packages where its advisories can be reached."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest

from tests.security.conftest import FULL, Record
from tests.support import ROOT

pytestmark = pytest.mark.skipif(not FULL, reason="reads the whole tree: make security")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=240
    )


def _accepted(row: dict[str, Any], per_file: dict[str, list[str]]) -> bool:
    """Whether the code says at that place, to ruff's edition of the same rules, why it is all right."""
    rule = "S" + row["test_id"][1:]
    name = row["filename"].removeprefix("./")
    lines = (ROOT / name).read_text("utf-8").splitlines()
    here = " ".join(lines[number - 1] for number in row["line_range"])
    return rule in per_file.get(name, []) or bool(re.search(rf"noqa: [A-Z0-9, ]*{rule}\b", here))


def test_bandit_finds_nothing_of_weight(figure: Record) -> None:
    ran = _run("bandit", "-q", "-r", "app", "components", "callbacks", "gunicorn.conf.py", "-f", "json")
    results = json.loads(ran.stdout)["results"]
    per_file = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"][
        "per-file-ignores"
    ]
    heavy = [row for row in results if row["issue_severity"] != "LOW"]
    new = [
        f"{row['filename']}:{row['line_number']} {row['test_id']}"
        for row in heavy
        if not _accepted(row, per_file)
    ]
    kept, low = len(heavy) - len(new), len(results) - len(heavy)
    measured = f"{len(new)} of medium or above besides {kept} accepted in place, {low} low {new or ''}"
    figure(9, "bandit", "0 of medium or above", measured.strip(), not new)


def test_no_package_has_a_known_advisory(figure: Record) -> None:
    name, aim = "pip-audit", "0 of medium or above"
    for source in ("pypi", "osv"):
        ran = _run(
            "pip_audit", "-s", source, "-r", "requirements.txt", "--no-deps", "--disable-pip", "-f", "json"
        )
        try:
            packages = json.loads(ran.stdout)["dependencies"]
        except (json.JSONDecodeError, KeyError):
            continue
        asked = [package for package in packages if "vulns" in package]
        if asked:
            found = [f"{row['name']} {vuln['id']}" for row in asked for vuln in row["vulns"]]
            skipped = len(packages) - len(asked)
            figure(
                9,
                name,
                aim,
                f"{len(found)} in {len(asked)} packages, {skipped} not known there {found or ''}".strip(),
                not found,
            )
            return
    figure(9, name, aim, "blocked: no source of advisories can be reached from here", True)
    pytest.skip("no source of advisories can be reached from here")
