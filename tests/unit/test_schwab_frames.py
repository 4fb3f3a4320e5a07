"""Streamer frames: read as the protocol says, survived when they aren't."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.updates import STREAMED, UNCHANGED
from app.schwab.contents import read_contents
from app.schwab.fields import EQUITY_NUMBERS, OPTION_NUMBERS
from app.schwab.frames import Frame, decode_frame
from app.schwab.stream import MAX_REQUEST_BYTES, chunks
from tests.mutations import checked, mutated

KEY = "SPXW  251208C06880000"


def data(*contents: Any, service: str = "LEVELONE_OPTIONS", **more: Any) -> bytes:
    """A data frame with one service."""
    body = {"service": service, "timestamp": 1765082498588, "command": "SUBS", "content": list(contents)}
    return orjson.dumps({"data": [body | more]})


def test_an_image_carries_the_fields_by_name() -> None:
    content = {
        "key": KEY, "delayed": False, "assetMainType": "OPTION", "1": "SPXW 12/08/2025 6880.00 C",
        "2": 10.2, "3": 10.4, "4": 10, "8": 13, "9": 5360, "10": 50.26145407, "16": 78, "17": 20, "18": 1,
        "28": 0.04782425, "29": 0.00764162, "30": -0.23183248, "31": 0.02586748,
        "38": 1790625599999, "39": 1790625599756,
    }  # fmt: skip
    frame = decode_frame(data(content))
    (update,) = frame.options
    assert (update.key, update.bid, update.ask, update.last) == (KEY, 10.2, 10.4, 10.0)
    assert (update.volume, update.open_interest, update.volatility) == (13, 5360, 50.26145407)
    assert (update.bid_size, update.ask_size, update.last_size) == (78, 20, 1)
    assert (update.delta, update.gamma, update.theta, update.vega) == (
        0.04782425, 0.00764162, -0.23183248, 0.02586748,
    )  # fmt: skip
    assert (update.quote_ms, update.trade_ms) == (1790625599999, 1790625599756)
    assert frame.server_ms == 1765082498588
    assert not frame.rejected


def test_what_did_not_change_is_said_so() -> None:
    (update,) = decode_frame(data({"key": KEY, "2": 1.5})).options
    assert update.bid == 1.5
    assert update.ask == UNCHANGED
    assert update.quote_ms == UNCHANGED


@pytest.mark.parametrize("text", ["1e400", "-1e400", "1" + "0" * 400, "-1" + "0" * 400])
def test_no_number_of_the_wire_passes_for_unchanged(text: str) -> None:
    frame = decode_frame(data({"key": KEY, "2": 1.5}).replace(b"1.5", text.encode()))
    assert all(math.isnan(update.bid) for update in frame.options)
    assert (len(frame.options), frame.rejected["bad_field"]) == (1, 1)


def test_every_field_that_is_taken_is_subscribed_to_and_no_other() -> None:
    assert set(STREAMED) == set(OPTION_NUMBERS)


def test_an_index_is_read_from_the_equities_service() -> None:
    content = {"key": "$SPX", "3": 7685.5, "33": 7685.5, "35": 1790625599756}
    (update,) = decode_frame(data(content, service="LEVELONE_EQUITIES")).equities
    assert (update.key, update.last, update.mark, update.trade_ms) == ("$SPX", 7685.5, 7685.5, 1790625599756)


def test_several_services_in_one_frame() -> None:
    text = orjson.dumps(
        {
            "data": [
                {"service": "LEVELONE_EQUITIES", "content": [{"key": "SPY", "3": 1}]},
                {"service": "LEVELONE_OPTIONS", "content": [{"key": KEY, "3": 2}]},
                {"service": "CHART_EQUITY", "content": [{"key": "SPY", "2": 1.0}]},
            ]
        }
    )
    frame = decode_frame(text)
    assert (len(frame.equities), len(frame.options)) == (1, 1)
    assert frame.rejected == {"unknown_service": 1}


def test_heartbeats_answers_and_notices() -> None:
    assert decode_frame(b'{"notify":[{"heartbeat":"1668715930582"}]}').heartbeats == 1
    stop = b'{"notify":[{"service":"ADMIN","timestamp":1,"content":{"code":30,"msg":"Stop streaming"}}]}'
    assert decode_frame(stop).notices[0].code == 30
    for requestid in ('"2"', "2"):
        text = (
            '{"response":[{"service":"LEVELONE_OPTIONS","command":"ADD","requestid":ID,'
            '"timestamp":1668715930582,"content":{"code":0,"msg":"ADD command succeeded"}}]}'
        ).replace("ID", requestid)
        (answer,) = decode_frame(text).answers
        assert (answer.requestid, answer.ok) == ("2", True)


@pytest.mark.parametrize("code", [26, 27, 28, 29])
def test_the_guides_success_codes_are_success(code: int) -> None:
    response = {"requestid": "1", "service": "LEVELONE_OPTIONS", "command": "SUBS", "content": {"code": code}}
    assert decode_frame(orjson.dumps({"response": [response]})).answers[0].ok


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"data":[{"service":"LEVELONE_OPTIONS","con', "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"", "not_json"),
        (b"[]", "not_a_frame"),
        (b'{"snapshot":[]}', "not_a_frame"),
        (b'{"response":[{"content":{"code":0}}]}', "bad_response"),
        (b'{"notify":[7]}', "bad_notify"),
        (b'{"data":[5]}', "bad_content"),
    ],
)
def test_what_cannot_be_read_is_counted_by_reason(text: bytes, reason: str) -> None:
    frame = decode_frame(text)
    assert frame.rejected == {reason: 1}
    assert not frame.has_data


def test_one_bad_content_costs_only_itself() -> None:
    frame = decode_frame(data({"key": KEY, "2": 1.0}, {"2": 2.0}, "text", {"key": "B", "2": 3.0}))
    assert [update.key for update in frame.options] == [KEY, "B"]
    assert frame.rejected == {"bad_content": 2}


def test_one_bad_field_costs_only_itself() -> None:
    frame = decode_frame(data({"key": KEY, "2": "NaN", "3": 10.5, "38": "soon", "8": "12"}))
    (update,) = frame.options
    assert math.isnan(float(update.bid))  # type: ignore[arg-type]
    assert (update.ask, update.quote_ms, update.volume) == (10.5, 0, 12.0)
    assert frame.rejected == {"bad_field": 2}


def test_a_bare_nan_does_not_cost_the_frame() -> None:
    frame = decode_frame(b'{"data":[{"service":"LEVELONE_OPTIONS","content":[{"key":"A","2":NaN,"3":1.0}]}]}')
    (update,) = frame.options
    assert update.ask == 1.0


def test_minus_999_passes_as_the_wire_has_it() -> None:
    (update,) = decode_frame(data({"key": KEY, "29": -999})).options
    assert update.gamma == -999


def general(text: bytes) -> Frame:
    """The frame as the general decoder reads it, which text goes to."""
    return decode_frame(text.decode())


def assert_same(text: bytes) -> None:
    """Read into columns and read generally, a frame is the same to the last bit."""
    ours, theirs = decode_frame(text), general(text)
    assert ours.options.keys == theirs.options.keys
    assert np.array_equal(ours.options.values, theirs.options.values, equal_nan=True), text
    assert (ours.server_ms, ours.rejected) == (theirs.server_ms, theirs.rejected)


digits = st.text("0123456789", min_size=1, max_size=20)
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**17), 10**17).map(str),
    st.tuples(st.sampled_from(["", "-", "+"]), digits, st.sampled_from(["", "."]), digits).map("".join),
    st.tuples(digits, st.sampled_from(["e", "E-", "e+"]), st.integers(0, 400).map(str)).map("".join),
    st.sampled_from(
        ["-0", "-0.0", "0", "00", "1.", ".5", "-", "NaN", "null", "true", '"1"', "[1]", "{}", "1e5"]
    ),
)
names = st.one_of(
    st.sampled_from(list(OPTION_NUMBERS.values())),
    st.sampled_from(["0", "1", "55", "99", "100", "02", "delayed", "key", "", 'a"b', "\u00e9", "key\t"]),
)
members = st.tuples(names, numbers).map(lambda member: f"{orjson.dumps(member[0]).decode()}:{member[1]}")
keyed = st.sampled_from(
    ['"key":"A"', f'"key":"{KEY}"', '"key":""', f'"key":"{KEY}X"', '"key":"{"', '"delayed":false']
)
listed = st.lists(st.lists(st.one_of(members, keyed), max_size=5), max_size=4)


@settings(max_examples=400, deadline=None)
@given(
    listed,
    st.sampled_from(["1765082498588", "-1", "1.0", "1e3", "12345678901234567", '"1"', "null"]),
    st.booleans(),
)
def test_columns_hold_what_the_general_decoder_reads(
    contents: list[list[str]], at: str, spaced: bool
) -> None:
    bodies = ",".join(f"{{{','.join(content)}}}" for content in contents)
    text = f'{{"data":[{{"service":"LEVELONE_OPTIONS","timestamp":{at},"command":"SUBS","content":[{bodies}]}}]}}'
    assert_same((text.replace(",", ", ") if spaced else text).encode())


def test_columns_hold_what_the_general_decoder_reads_of_damaged_frames() -> None:
    seeds = [
        frame
        for frame in mutated(4000, seed=2)
        if frame.startswith(b'{"data":[{"service":"LEVELONE_OPTIONS"')
    ]
    readable = [text for text in seeds if _is_text(text)]
    assert len(readable) > 500
    for text in readable:
        assert_same(text)


def _is_text(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_the_usual_frame_is_read_into_columns() -> None:
    content = {"key": KEY, "delayed": False, "assetMainType": "OPTION", "1": "SPXW 12/08/2025 6880.00 C", "2": 10.25,
               "29": 0.0012345678901234567, "38": 1790625599999}  # fmt: skip
    found = read_contents(data(content, content | {"key": "B"}))
    assert found is not None
    assert found.changes.keys == [KEY, "B"]
    assert read_contents(data(content | {"2": "NaN"})) is None


WHOLE = data({"key": KEY, "2": 10.2, "38": 1790625599999}, {"key": "B", "3": 1.0})


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255), st.integers(0, len(WHOLE)))
def test_no_mutated_frame_raises(position: int, byte: int, cut: int) -> None:
    mutated = bytearray(WHOLE)
    mutated[position] = byte
    decode_frame(bytes(mutated))
    decode_frame(bytes(mutated[:cut]))


@given(st.lists(st.text("ABC", min_size=1, max_size=40), max_size=3000))
def test_chunks_hold_every_key_once_in_order_below_the_frame_limit(keys: list[str]) -> None:
    groups = list(chunks(keys))
    assert [key for group in groups for key in group] == keys
    assert all(len(",".join(group)) < MAX_REQUEST_BYTES for group in groups)


def test_three_thousand_option_keys_take_two_frames() -> None:
    assert [len(group) for group in chunks([KEY] * 3000)] == [2136, 864]


def test_field_numbers_are_those_of_an_independent_client() -> None:
    from schwab.streaming import StreamClient

    named = {"volume": "TOTAL_VOLUME", "quote_ms": "QUOTE_TIME_MILLIS", "trade_ms": "TRADE_TIME_MILLIS",
             "change": "NET_CHANGE", "percent_change": "NET_CHANGE_PERCENT"}  # fmt: skip
    for ours, theirs in (
        (OPTION_NUMBERS, StreamClient.LevelOneOptionFields.__members__),
        (EQUITY_NUMBERS, StreamClient.LevelOneEquityFields.__members__),
    ):
        for name, number in ours.items():
            label = named.get(name, name.upper())
            member = theirs.get(label) or theirs[f"{label}_PRICE"]
            assert member.value == int(number), name


def test_nothing_of_a_malformed_frame_is_lost_without_a_reason() -> None:
    for text in mutated(5000, seed=1):
        checked(text)


def test_a_code_beyond_all_numbers_is_a_bad_response() -> None:
    text = b'{"response":[{"service":"ADMIN","requestid":"0","content":{"code":1e999}}]}'
    assert decode_frame(text).rejected == {"bad_response": 1}
    assert decode_frame(b'{"notify":[{"content":{"code":1e999}}]}').rejected == {"bad_notify": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"null", "not_a_frame"),
        (b'{"data":5}', "bad_content"),
        (b'{"data":[{"service":"LEVELONE_OPTIONS","content":{}}]}', "bad_content"),
        (b'{"response":{}}', "bad_response"),
        (b'{"notify":"x"}', "bad_notify"),
    ],
)
def test_what_stands_in_place_of_a_list_is_counted(text: bytes, reason: str) -> None:
    assert decode_frame(text).rejected == {reason: 1}
