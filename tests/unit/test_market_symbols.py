from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import SymbolError
from app.market.symbols import OptionSymbol, canonical, underlying_of, wire


@pytest.mark.parametrize("text", ["SPX", "$SPX", "spx", " $spx "])
def test_an_index_is_one_underlying_however_it_is_written(text: str) -> None:
    assert canonical(text) == "SPX"
    assert wire(text) == "$SPX"


def test_stocks_and_share_classes_have_no_dollar_sign() -> None:
    assert wire("spy") == "SPY"
    assert canonical("brk.b") == "BRK/B"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "$",
        "SPX OR 1",
        "../etc",
        "<script>",
        "SP\nX",
        "A" * 7,
        "1SPX",
        "$$SPX",
        "SPX;",
        "ÄPX",
        "\u017fpx",
    ],
)
def test_what_is_no_symbol_is_refused(text: str) -> None:
    with pytest.raises(SymbolError):
        canonical(text)


def test_roots_belong_to_their_underlying() -> None:
    assert [underlying_of(r) for r in ("SPX", "SPXW", "NDXP", "RUTW", "AAPL", "AAPL1")] == [
        "SPX",
        "SPX",
        "NDX",
        "RUT",
        "AAPL",
        "AAPL",
    ]


def test_an_option_symbol_says_what_it_is() -> None:
    option = OptionSymbol.parse("SPXW  261016C07685000")
    assert (option.root, option.expiry, option.right, option.strike) == (
        "SPXW",
        date(2026, 10, 16),
        "C",
        7685.0,
    )


def test_cboe_writes_no_padding() -> None:
    assert OptionSymbol.parse("SPXW240105C01200000") == OptionSymbol("SPXW", date(2024, 1, 5), "C", 1200.0)


@given(
    st.from_regex(r"\A[A-Z]{1,6}\Z"),
    st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    st.sampled_from(["C", "P"]),
    st.integers(1, 99_999_999),
)
def test_an_option_symbol_survives_its_own_text(root: str, expiry: date, right: str, mills: int) -> None:
    option = OptionSymbol(root, expiry, right, mills / 1000)  # type: ignore[arg-type]
    assert len(str(option)) == 21
    assert OptionSymbol.parse(str(option)) == option


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SPXW",
        "SPXW  261316C07685000",
        "SPXW  261016X07685000",
        "SPXW  261016C0768500",
        "SPXW  261016C0768500\u0665",
    ],
)
def test_what_is_no_option_symbol_is_refused(text: str) -> None:
    with pytest.raises(SymbolError):
        OptionSymbol.parse(text)
