"""`python -m app gex`: what is printed, and what becomes of files that hold no chain."""

from __future__ import annotations

import gzip
import math
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.__main__ import main
from app.chainfile import parse_chain
from app.errors import ChainFileError

CSV_HEADER = (
    "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,"
    "Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest"
)
PREAMBLE = 'S&P 500 INDEX,Last: 100.0,Change:  1.5\n"Date: January 5, 2024 at 3:00 PM EST",Bid: 1,Ask: 1\n'


def csv_line(strike: float, call: tuple[float, float], put: tuple[float, float], oi: Any = 10) -> str:
    code = f"{round(strike * 1000):08d}"
    legs = [
        f"SPXW240216{right}{code},1,0,{bid},{ask},5,0.2,0.5,0.01,{oi}"
        for right, (bid, ask) in (("C", call), ("P", put))
    ]
    return f"Fri Feb 16 2024,{legs[0]},{strike:.2f},{legs[1]}"


def csv_chain(*extra: str) -> str:
    prices = {95: (6.0, 1.0), 98: (3.9, 1.9), 100: (2.8, 2.8), 102: (1.9, 3.9), 105: (1.0, 6.0)}
    lines = [csv_line(k, (c - 0.05, c + 0.05), (p - 0.05, p + 0.05)) for k, (c, p) in prices.items()]
    return PREAMBLE + CSV_HEADER + "\n" + "\n".join([*lines, *extra]) + "\n"


def run(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    code = main(["gex", str(path), *options])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def chain_file(tmp_path: Path) -> Path:
    path = tmp_path / "chain.csv"
    path.write_text(csv_chain())
    return path


def test_json_is_the_whole_documents_shape(chain_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(chain_file, capsys)
    document = orjson.loads(out)
    assert (code, err) == (0, "")
    assert {"symbol", "spot", "as_of", "convention", "net_gex", "call_gex", "put_gex", "gross_gex", "flip", "flips",
            "call_wall", "put_wall", "absolute_gamma_strike", "max_pain", "strikes", "expiries", "profile",
            "quality"} <= set(document)  # fmt: skip
    assert document["symbol"] == "SPX"
    assert document["convention"]["side"] == "naive"
    assert set(document["strikes"][0]) == {
        "strike", "call_gex", "put_gex", "net_gex", "call_oi", "put_oi", "call_volume", "put_volume",
        "dex", "vex", "chex_day", "chex_hour",
    }  # fmt: skip
    assert all(row["put_gex"] <= 0 <= row["call_gex"] for row in document["strikes"])
    assert len(document["profile"]["spot"]) == len(document["profile"]["gex"]) == 200
    assert document["net_gex"] == pytest.approx(sum(row["net_gex"] for row in document["strikes"]))
    assert document["net_gex"] == pytest.approx(sum(row["net_gex"] for row in document["expiries"]))


def test_buckets_add_up_to_the_whole_in_the_document(
    chain_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = orjson.loads(run(chain_file, capsys)[1])
    for name in ("net_gex", "call_gex", "gross_gex", "dex", "vex", "chex_day"):
        parts = [row[name] for row in document["buckets"]]
        assert document[name] == pytest.approx(sum(parts), rel=1e-9)
    assert document["chex_hour"] is None
    assert {row["bucket"] for row in document["buckets"]} == set(document["profile"]["buckets"])
    assert document["dex"] == pytest.approx(sum(row["dex"] for row in document["strikes"]))


def test_a_scenario_without_shifts_is_the_total(chain_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = orjson.loads(run(chain_file, capsys)[1])
    grid = orjson.loads(run(chain_file, capsys, "--scenario")[1])
    still = grid["net_gex"][grid["vol_shifts"].index(0)][grid["spot_shifts"].index(0)]
    assert still == pytest.approx(whole["net_gex"], rel=1e-9)
    assert "+5%" in run(chain_file, capsys, "--scenario", "--format", "table")[1]


def test_a_change_since_an_earlier_chain_is_split_by_cause(
    chain_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = tmp_path / "later.csv"
    later.write_text(csv_chain().replace("at 3:00 PM", "at 3:30 PM").replace("0.01,10", "0.01,20"))
    change = orjson.loads(run(later, capsys, "--since", str(chain_file))[1])
    assert change["after"] == pytest.approx(2 * change["before"], rel=0.05)
    parts = sum(change[f"from_{cause}"] for cause in ("expired", "spot", "volatility", "weight", "coverage"))
    assert parts == pytest.approx(change["after"] - change["before"], abs=1e-9 * abs(change["after"]))
    assert change["from_weight"] == pytest.approx(change["before"], rel=0.05)
    assert "weight (oi)" in run(later, capsys, "--since", str(chain_file), "--format", "table")[1]
    code, _, err = run(chain_file, capsys, "--since", str(later))
    assert (code, "earlier" in err) == (1, True)


def test_a_gzipped_file_is_the_same_chain(
    chain_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "anything.bin"
    packed.write_bytes(gzip.compress(chain_file.read_bytes()))
    assert run(packed, capsys) == run(chain_file, capsys)


def test_the_table_shows_the_same_levels(chain_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(chain_file, capsys)
    _, table, _ = run(chain_file, capsys, "--format", "table")
    assert f"{orjson.loads(out)['call_wall']:,.2f}" in table
    assert "interest rate" in table


def test_conventions_change_signs_and_units(chain_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def net(*options: str) -> float:
        return float(orjson.loads(run(chain_file, capsys, *options)[1])["net_gex"])

    gross = orjson.loads(run(chain_file, capsys)[1])["gross_gex"]
    assert net("--side", "inverted") == pytest.approx(-net())
    assert net("--side", "long") == pytest.approx(gross)
    assert net("--unit", "per_point") == pytest.approx(net())  # spot is 100: one point is one percent
    assert net("--weight", "volume") == pytest.approx(net() / 2)
    assert net("--weight", "oi_plus_volume") == pytest.approx(net() * 1.5)


def test_the_rate_given_overrides(chain_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = orjson.loads(run(chain_file, capsys, "--rate", "0.07")[1])
    assert (document["quality"]["rate"], document["quality"]["rate_source"]) == (0.07, "argument")


def test_rows_that_cannot_be_read_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chain.csv"
    bad = csv_line(110, (0.4, 0.5), (10.0, 10.1), oi="many")
    path.write_text(csv_chain(bad, "Fri Feb 16 2024,SPXW240216C00111000,1", "Fri Feb 16 2024" + ",x" * 21))
    code, out, _ = run(path, capsys)
    quality = orjson.loads(out)["quality"]
    assert code == 0
    assert quality["excluded"] == {"unreadable_number": 2, "short_row": 2, "unreadable_symbol": 2}
    assert quality["contracts"] == 16
    assert quality["used"] == 10


def test_a_last_line_without_its_end_is_whole_when_all_columns_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "chain.csv"
    path.write_text(csv_chain().rstrip("\n"))
    code, out, _ = run(path, capsys)
    assert code == 0
    assert orjson.loads(out)["quality"]["contracts"] == 10


def test_what_cannot_be_priced_is_null_and_what_nobody_holds_is_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "chain.csv"
    nobody = csv_line(104, (1.2, 1.3), (5.2, 5.3), oi=0)
    priceless = csv_line(130, (0, 0), (0, 0)).replace(",0.2,", ",0,")
    path.write_text(
        csv_chain(nobody, priceless, priceless.replace("240216", "240315").replace("Feb 16", "Mar 15"))
    )
    document = orjson.loads(run(path, capsys)[1])
    by_strike = {row["strike"]: row for row in document["strikes"]}
    names = ("call_gex", "put_gex", "net_gex")
    assert [by_strike[104.0][name] for name in names] == [0, 0, 0]
    assert [by_strike[130.0][name] for name in names] == [None, None, None]
    unpriced = next(row for row in document["expiries"] if row["expiry"] == "2024-03-15")
    assert (unpriced["used"], unpriced["net_gex"], unpriced["gross_gex"]) == (0, None, None)


def test_absurd_numbers_are_unknown_and_never_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "chain.csv"
    path.write_text(
        csv_chain(
            csv_line(110, (math.nan, math.inf), (10.0, 10.1), oi="1e400"),
            csv_line(111, (1e300, 1e308), (-5.0, -4.0), oi=-7),
            csv_line(112, (0.3, 0.4), (12.0, 12.2), oi="nan"),
        )
    )
    code, out, _ = run(path, capsys)
    document = orjson.loads(out)  # refuses NaN and Infinity
    assert code == 0
    assert document["quality"]["excluded"]["open_interest_unknown"] > 0
    last = document["strikes"][-1]
    assert [last[name] for name in ("call_oi", "call_gex", "put_gex", "net_gex")] == [None] * 4


def schwab(**changes: Any) -> dict[str, Any]:
    def contract(right: str, strike: float, mid: float) -> dict[str, Any]:
        return {
            "putCall": "CALL" if right == "C" else "PUT",
            "symbol": f"SPXW  241015{right}{round(strike * 1000):08d}",
            "bid": mid - 0.05, "ask": mid + 0.05, "openInterest": 100, "totalVolume": 10, "strikePrice": strike,
            "multiplier": 100, "settlementType": "P", "optionRoot": "SPXW", "quoteTimeInLong": 1729005356539,
            "expirationDate": "2024-10-15T20:00:00.000+00:00", "gamma": -999.0, "volatility": -999.0,
        }  # fmt: skip

    prices = {95: (5.2, 0.2), 98: (2.8, 0.8), 100: (1.6, 1.6), 102: (0.8, 2.8), 105: (0.2, 5.2)}
    maps = {
        name: {"2024-10-15:0": {f"{k}.0": [contract(right, k, p[i])] for k, p in prices.items()}}
        for i, (name, right) in enumerate((("callExpDateMap", "C"), ("putExpDateMap", "P")))
    }
    return {
        "symbol": "$SPX",
        "status": "SUCCESS",
        "underlyingPrice": 100.0,
        "interestRate": 4.7,
        **maps,
        **changes,
    }


def test_schwabs_json_needs_none_of_its_greeks() -> None:
    chain = parse_chain(orjson.dumps(schwab()))
    assert len(chain) == 10
    assert chain.rate == pytest.approx(0.047)


def test_bare_nan_and_infinity_in_json_are_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        orjson.dumps(schwab())
        .decode()
        .replace("-999.0", "NaN")
        .replace('"totalVolume":10', '"totalVolume":Infinity')
    )
    path = tmp_path / "chain.json"
    path.write_text(text)
    code, out, _ = run(path, capsys)
    assert code == 0
    assert orjson.loads(out)["strikes"][0]["call_volume"] is None


def cboe(options: Any, **changes: Any) -> bytes:
    return orjson.dumps(
        {
            "timestamp": "2024-01-05 20:00:00",
            "data": {"options": options, "current_price": 100.0},
            "symbol": "_SPX",
            **changes,
        }
    )


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "blank": (b" \n\n", "empty"),
    "binary": (bytes(range(256)) * 8, "binary"),
    "latin-1": ("caf\xe9 ".encode("latin-1") * 50, "not text"),
    "zip": (b"PK\x03\x04" + b"\0" * 200, "binary"),
    "words": (b"hello, this is a letter\n" * 30, "Expiration Date"),
    "web page": (b"<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
    "json list": (b"[1, 2, 3]", "not an option chain"),
    "json object": (b'{"a": 1}', "not an option chain"),
    "json string": (b'{"data": "options"}', "not an option chain"),
    "cut json": (orjson.dumps(schwab())[:900], "malformed or cut short"),
    "deep json": (b'{"a":' * 20000, "not an option chain"),
    "cut gzip": (gzip.compress(csv_chain().encode())[:200], "cut short"),
    "damaged gzip": (gzip.compress(b"x" * 999)[:10] + b"\xff" * 60, "damaged"),
    "gzip of nothing": (gzip.compress(b""), "empty"),
    "schwab error": (b'{"errors": [{"id": "1", "status": 400, "title": "Bad Request"}]}', "error message"),
    "schwab without contracts": (orjson.dumps(schwab(callExpDateMap={}, putExpDateMap={})), "no contracts"),
    "schwab broken contracts": (
        orjson.dumps(schwab(callExpDateMap={"2024-10-15:0": {"95.0": [5, None]}}, putExpDateMap={})),
        "can be read",
    ),
    "csv without preamble's date": ((CSV_HEADER + "\n" + csv_line(100, (1, 2), (1, 2))).encode(), "date"),
    "csv of other columns": ((PREAMBLE + "Expiration Date,Strike,Bid,Ask\n1,2,3,4\n").encode(), "lacks"),
    "csv without rows": ((PREAMBLE + CSV_HEADER + "\n").encode(), "no contracts"),
    "csv cut within a row": (csv_chain()[:-40].encode(), "cut short at line 8"),
    "csv cut between the legs": (csv_chain().rpartition(",95.00")[0].encode(), "cut short at line 4"),
    "csv of letters": (
        (PREAMBLE + CSV_HEADER + "\n" + csv_line(100, (1, 2), (1, 2), oi="abc")).encode(),
        "none of its 2 contracts",
    ),
    "cboe options no list": (cboe({"a": 1}), "no list"),
    "cboe without options": (cboe([]), "no contracts"),
    "cboe of junk": (cboe([1, None, {}, {"option": "nonsense"}]), "none of its 4 contracts"),
    "schwab of junk": (
        orjson.dumps(
            schwab(callExpDateMap={"2024-10-15:0": {"95.0": [{"symbol": "?"}, 7]}}, putExpDateMap={})
        ),
        "can be read",
    ),
    "cboe without time": (
        cboe([{"option": "SPXW240216C00100000", "bid": 1, "ask": 2}], timestamp="soon"),
        "timestamp",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_chain_is_one_line_on_stderr(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, says = BAD_FILES[name]
    path = tmp_path / "file"
    path.write_bytes(data)
    code, out, err = run(path, capsys)
    assert code in (1, 2)
    assert out == ""
    assert err.count("\n") == 1
    assert says in err
    with pytest.raises(ChainFileError):
        parse_chain(data)


def test_what_cannot_be_opened_is_one_line_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path, tmp_path / "missing.csv", Path("a\0b")):
        code, out, err = run(path, capsys)
        assert (code, out) == (1, "")
        assert err.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_one_line_too(chain_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chain_file.chmod(0)
    code, out, err = run(chain_file, capsys)
    assert (code, out) == (1, "")
    assert "permission" in err


@pytest.mark.parametrize(
    "options",
    [["--as-of", "yesterday"], ["--rate", "5%"], ["--rate", "nan"], ["--side", "short"], ["--format", "xml"]],
)
def test_wrong_options_are_usage_errors(
    options: list[str], chain_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["gex", str(chain_file), *options])
    out, err = capsys.readouterr()
    assert (stopped.value.code, out) == (2, "")
    assert err.startswith("error:")
    assert err.count("\n") == 1


def test_a_wholly_settled_chain_says_so_and_invents_nothing(
    chain_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(chain_file, capsys, "--as-of", "2025-01-01T00:00:00Z")
    document = orjson.loads(out)
    assert code == 0
    names = (
        "net_gex",
        "call_gex",
        "put_gex",
        "gross_gex",
        "flip",
        "call_wall",
        "put_wall",
        "max_pain",
        "regime",
    )
    assert {document[name] for name in names} == {None}
    assert document["flips"] == document["strikes"] == document["expiries"] == []
    assert document["quality"]["excluded"] == {"settled": 10}
    assert document["quality"]["warnings"]
