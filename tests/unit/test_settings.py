from pathlib import Path

import pytest

from app.errors import SettingsError
from app.settings import load_settings, misspelt


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    from app.settings import Settings

    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)  # type: ignore[arg-type]


def test_without_credentials_it_is_the_demo() -> None:
    assert load_settings().demo
    assert not load_settings(schwab_app_key="k" * 32, schwab_app_secret="s" * 16).demo


def test_half_a_credential_is_the_demo_too() -> None:
    assert load_settings(schwab_app_key="k" * 32).demo


@pytest.mark.parametrize(
    ("host", "access", "public"),
    [
        ("127.0.0.1", "", True),
        ("::1", "", True),
        ("localhost", "", True),
        ("0.0.0.0", "", False),  # noqa: S104
        ("0.0.0.0", "public", True),  # noqa: S104
        ("127.0.0.1", "private", False),
        ("gex.example.com", "", False),
    ],
)
def test_only_loopback_is_public_unless_told(host: str, access: str, public: bool) -> None:
    assert load_settings(host=host, access=access).is_public is public


def test_a_proxy_in_front_of_loopback_makes_it_private() -> None:
    assert not load_settings(trusted_proxies=1).is_public


def test_symbols_are_canonical_and_unique() -> None:
    assert load_settings(symbols="$spx, spy,SPX,,").symbol_list == ["SPX", "SPY"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("SYMBOLS", ",,"),
        ("SYMBOLS", "<b>"),
        ("FEED_MODE", "maybe"),
        ("ACCESS", "everyone"),
    ],
)
def test_a_wrong_value_names_its_variable_on_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as caught:
        load_settings()
    assert "\n" not in str(caught.value)


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert load_settings().port == 8050


def test_secrets_do_not_show() -> None:
    shown = repr(load_settings(schwab_app_key="canary-key-1234", schwab_app_secret="canary-secret"))
    assert "canary" not in shown


def test_names_that_are_almost_settings_are_found(tmp_path: Path) -> None:
    place = tmp_path / ".env"
    assert misspelt(str(place)) == {}

    place.write_text("SCHWAB_APPKEY=k\nschwab_app_secret=s\nSymbol=SPX\nPORT=1\nNUMBA_CACHE_DIR=/tmp\n")

    assert misspelt(str(place)) == {"SCHWAB_APPKEY": "SCHWAB_APP_KEY", "SYMBOL": "SYMBOLS"}


def test_an_env_file_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00PORT=1\n")
    with pytest.raises(SettingsError, match=r"^\.env can't be read"):
        load_settings()
