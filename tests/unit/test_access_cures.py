"""One table of cures: the guide and the page say what the code says."""

import html
from pathlib import Path

from app.access.cures import CURES, SECTIONS
from tests.support import ROOT
from tests.webserver import StandInBroker, make_server

GUIDE = ROOT / "docs" / "connect-schwab.md"


def test_the_guide_has_every_cure() -> None:
    text = " ".join(GUIDE.read_text("utf-8").split())

    for cure in CURES.values():
        for part in (cure.sign, cure.cause, cure.cure):
            assert part in text, f"{cure.code}: {part}"


def test_the_sign_in_page_has_every_cure(tmp_path: Path) -> None:
    page = html.unescape(make_server(tmp_path, StandInBroker()).test_client().get("/login").text)

    for cure in CURES.values():
        assert cure.sign in page
        assert cure.cure in page


def test_every_row_has_a_name_of_its_own() -> None:
    assert len(CURES) == sum(len(rows) for rows in SECTIONS.values())
