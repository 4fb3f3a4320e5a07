"""What never changes about a contract within a day, in the words of the wire."""

from __future__ import annotations

from typing import Any

from app.simulator.book import Book
from app.simulator.fields import Opt


def description(book: Book, row: int) -> str:
    """ "SPXW 10/16/2026 7685.00 C" """
    series = book.listing.series[book.listing.of[row]]
    right = "C" if book.listing.is_call[row] else "P"
    return f"{series.root} {series.expiry:%m/%d/%Y} {book.listing.strike[row]:.2f} {right}"


def deliverable(book: Book) -> str:
    """ "100 $SPX(Cash)" for what is settled in cash, "100 AAPL" for what is delivered."""
    profile = book.profile
    return f"100 {profile.wire}(Cash)" if profile.cash_settled else f"100 {profile.wire}"


def is_penny(book: Book) -> bool:
    """Whether the class quotes in cents below $3."""
    return not book.profile.cash_settled


def exercise(book: Book) -> str:
    """A American, E European."""
    return "E" if book.profile.cash_settled else "A"


def stream_facts(book: Book, row: int, status: str) -> dict[Opt, Any]:
    """The fields of the stream that only a first image carries."""
    listing = book.listing
    series = listing.series[listing.of[row]]
    known = book.series_facts[listing.of[row]]
    return {
        Opt.DESCRIPTION: description(book, row), Opt.CLOSE: float(book.close[row]),
        Opt.OPEN_INTEREST: int(listing.open_interest[row]), Opt.YEAR: series.expiry.year, Opt.MULTIPLIER: 100,
        Opt.DIGITS: 2, Opt.STRIKE: float(listing.strike[row]), Opt.CONTRACT_TYPE: "C" if listing.is_call[row] else "P",
        Opt.UNDERLYING: book.profile.wire, Opt.MONTH: series.expiry.month, Opt.DELIVERABLES: deliverable(book),
        Opt.DAY: series.expiry.day, Opt.DAYS: known.days, Opt.STATUS: status, Opt.EXPIRATION_TYPE: series.kind,
        Opt.EXCHANGE: "O", Opt.EXCHANGE_NAME: "OPR", Opt.LAST_TRADING_DAY: known.last_trading_ms,
        Opt.SETTLEMENT: series.settlement, Opt.IMPLIED_YIELD: 0, Opt.IS_PENNY: is_penny(book), Opt.ROOT: series.root,
        Opt.INDICATIVE_ASK: 0, Opt.INDICATIVE_BID: 0, Opt.INDICATIVE_TIME: 0, Opt.EXERCISE: exercise(book),
    }  # fmt: skip
