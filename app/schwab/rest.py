"""Schwab's REST side: chains, expirations, quotes, market hours and the streamer's address."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import requests

from app.errors import AuthError, BrokerError, GexError, RateLimited
from app.market.symbols import wire
from app.schwab.cures import trouble
from app.schwab.http import read_document, read_whole, translated
from app.schwab.pacing import Pacer
from app.settings import SCHWAB_API

TIMEOUT_S = (5.0, 30.0)
_WHOLE_WITHIN_S = 60.0  # the largest windows are some MB


class TokenSource(Protocol):
    """What the client needs of a login; OAuth is one."""

    def access_token(self) -> str:
        """A token with life left. Raises AuthError or BrokerError."""

    def reject(self, access_token: str) -> None:
        """Schwab refused this token."""


@dataclass(frozen=True, slots=True)
class StreamerInfo:
    """Where the streamer is, and what its login wants to hear."""

    url: str
    customer_id: str
    correl_id: str
    channel: str
    function_id: str


@dataclass(frozen=True, slots=True, order=True)
class Expiration:
    """One series of an underlying's expiration chain."""

    expiry: date
    root: str
    settlement: str


class Rest:
    """One client for one thread or several; requests are paced together.

    A 401 renews the token once and asks again. All methods raise AuthError, SignInNeeded, RateLimited, ResponseTooBig or
    BrokerError.
    """

    def __init__(
        self,
        tokens: TokenSource,
        *,
        api_url: str = SCHWAB_API,
        pacer: Pacer | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._tokens = tokens
        self._api = api_url.rstrip("/")
        self._pacer = pacer
        self._stop = stop or threading.Event()
        self._session = requests.Session()
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip"})

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    def chain(self, symbol: str, first: date, last: date, side: str = "ALL") -> dict[str, Any]:
        """The /chains document of one underlying's expiries `first` to `last`, both included. May raise ResponseTooBig.

        `side` is CALL, PUT or ALL.
        """
        document = self.get(
            "/marketdata/v1/chains",
            {
                "symbol": wire(symbol),
                "contractType": side,
                "strategy": "SINGLE",
                "includeUnderlyingQuote": "true",
                "fromDate": first.isoformat(),
                "toDate": last.isoformat(),
            },
        )
        return _object(document)

    def expirations(self, symbol: str) -> list[Expiration]:
        """The series of one underlying, by date; entries that can't be read are left out."""
        document = _object(self.get("/marketdata/v1/expirationchain", {"symbol": wire(symbol)}))
        listed = document.get("expirationList")
        found = (_expiration(entry) for entry in (listed if isinstance(listed, list) else []))
        return sorted({expiration for expiration in found if expiration is not None})

    def markets(self) -> dict[str, Any]:
        """Today's hours of the equity and option markets."""
        return _object(self.get("/marketdata/v1/markets", {"markets": "equity,option"}))

    def streamer_info(self) -> StreamerInfo:
        """Where the streamer is. Raises BrokerError when the preferences don't say."""
        document = self.get("/trader/v1/userPreference")
        preferences = document[0] if isinstance(document, list) and document else document
        try:
            info = preferences["streamerInfo"][0]
            return StreamerInfo(
                url=str(info["streamerSocketUrl"]),
                customer_id=str(info["schwabClientCustomerId"]),
                correl_id=str(info["schwabClientCorrelId"]),
                channel=str(info["schwabClientChannel"]),
                function_id=str(info["schwabClientFunctionId"]),
            )
        except (KeyError, IndexError, TypeError) as error:
            raise trouble(BrokerError, "outage", "userPreference names no streamer") from error

    def get(self, path: str, params: dict[str, str] | None = None) -> Any:
        """One GET: paced, and asked again once with a renewed token when the first is refused."""
        for attempt in (1, 2):
            token = self._tokens.access_token()
            response = self._send(path, params, token)
            if response.status_code != 401 or attempt == 2:
                break
            self._tokens.reject(token)
        if response.status_code == 401:
            raise trouble(AuthError, "not_authorized")
        try:
            return read_document(response)
        except RateLimited as error:
            if self._pacer:
                self._pacer.hold(error.retry_after_s)
            raise

    def _send(self, path: str, params: dict[str, str] | None, token: str) -> requests.Response:
        if self._pacer and not self._pacer.wait(self._stop):
            raise GexError("the feed is stopping")
        with translated():
            response = self._session.get(
                self._api + path,
                params=params,
                headers={"Authorization": f"Bearer {token}"},
                timeout=TIMEOUT_S,
                allow_redirects=False,
                stream=True,
            )
            with response:
                read_whole(response, _WHOLE_WITHIN_S)
            return response


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise trouble(BrokerError, "outage", "the answer is not a JSON object")
    return document


def _expiration(entry: Any) -> Expiration | None:
    try:
        day = date.fromisoformat(entry.get("expirationDate") or entry["expiration"])
        roots, settlement = entry.get("optionRoots"), entry.get("settlementType")
        return Expiration(day, str(roots or ""), "A" if settlement == "A" else "P")
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
