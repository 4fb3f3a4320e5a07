"""docs/settings.md says what the program does."""

from app.settings import Settings
from tests.settings_docs import render
from tests.support import ROOT


def test_every_setting_is_documented_as_it_is() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == render(), "run: python -m tests.settings_docs > docs/settings.md"


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
