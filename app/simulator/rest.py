"""The REST side: who may ask, how often, and what is answered."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from app.simulator import chains, quotes, reference
from app.simulator.answers import Refusal, overflow, refuse, reply
from app.simulator.query import ChainQuery, bad, day, flag
from app.simulator.shared import Shared
from app.simulator.tokens import TokenRefused

ACCOUNT = "12345678"
STREAM_PATH = "/ws"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Rest:
    """Handlers of /marketdata/v1 and /trader/v1."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._recent: deque[float] = deque()
        self.customer = hashlib.sha256(shared.options.app_key.encode()).hexdigest()
        self.correl = str(uuid.uuid4())

    @web.middleware
    async def gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Faults first, then the bearer token, then the rate limit; refusals become answers here."""
        if request.path.startswith("/simulator/") or request.path == STREAM_PATH:
            return await handler(request)
        try:
            response = await self._guarded(request, handler)
        except Refusal as refusal:
            response = await refuse(request, refusal, self._shared.options.open.retry_after_s)
        except web.HTTPNotFound:
            response = await refuse(request, Refusal(404, "no such resource"))
        except web.HTTPMethodNotAllowed:
            response = await refuse(request, Refusal(404, "no such resource for this method"))
        self._shared.counters.statuses[str(response.status)] += 1
        return response

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        route = request.match_info.route.resource
        self._shared.counters.requests[route.canonical if route is not None else "unknown"] += 1
        if self._shared.faults.delay_s:
            await asyncio.sleep(self._shared.faults.delay_s)
        due = self._shared.faults.due(request.path_qs)
        if due is not None:
            raise Refusal(due, "Client not authorized" if due == 401 else "")
        if request.path.startswith(("/marketdata/", "/trader/")):
            self._authorise(request)
        if request.path.startswith("/marketdata/"):
            self._pace()
        return await handler(request)

    def _authorise(self, request: web.Request) -> None:
        header = request.headers.get("Authorization")
        if header is None:
            raise Refusal(400, "Authorization header is missing", {"header": "Authorization"})
        scheme, _, token = header.partition(" ")
        try:
            self._shared.mint.check_access(token.strip())
        except TokenRefused as refused:
            raise Refusal(401, "Client not authorized") from refused
        if scheme.lower() != "bearer":
            raise Refusal(401, "Client not authorized")

    def _pace(self) -> None:
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - 60:
            self._recent.popleft()
        if self._shared.options.rate_limit and len(self._recent) >= self._shared.options.rate_limit:
            raise Refusal(429)
        self._recent.append(now)

    async def chains(self, request: web.Request) -> web.Response:
        """GET /chains"""
        today = self._shared.market.clock.listing_day(self._shared.market.clock.now_ms())
        query = ChainQuery.read(request.query, today)
        book = self._shared.market.book(self._underlying(query.symbol))
        assert book is not None  # noqa: S101 - _underlying has refused what isn't traded
        at = self._shared.market.instant(book.profile)
        most = self._shared.faults.most_contracts(request.path_qs)
        page = chains.ChainPage(self._shared.market, book, query, at, most)
        limit = self._shared.options.body_limit
        body = b"" if chains.too_big(len(page.rows), limit) else await asyncio.to_thread(page.json)
        if not body or len(body) > limit:
            return await reply(request, orjson.dumps(overflow()), 502)
        return await reply(request, body)

    async def expirations(self, request: web.Request) -> web.Response:
        """GET /expirationchain"""
        book = self._shared.market.book(self._underlying(request.query.get("symbol", "")))
        assert book is not None  # noqa: S101
        at = self._shared.market.instant(book.profile)
        listed = [
            {
                "expirationDate": str(facts.series.expiry), "daysToExpiration": facts.days,
                "expirationType": facts.series.kind, "settlementType": facts.series.settlement,
                "optionRoots": facts.series.root, "standard": True,
            }
            for facts in book.series_facts if facts.series.settle_ms > at.market_ms
        ]  # fmt: skip
        return await reply(request, orjson.dumps({"expirationList": listed, "status": None}))

    def _underlying(self, wire_symbol: str) -> str:
        """The canonical symbol of an underlying. Raises Refusal when it isn't traded here."""
        if not wire_symbol:
            raise bad("symbol", "symbol is required")
        if wire_symbol.endswith(".X"):
            raise bad("symbol", f"{wire_symbol} is not a valid symbol")
        asset = self._shared.market.find_asset(wire_symbol)
        if asset is None:
            raise Refusal(404, f"no options for {wire_symbol[:32]}")
        return asset.profile.symbol

    async def quotes(self, request: web.Request) -> web.Response:
        """GET /quotes"""
        symbols = [symbol for symbol in request.query.get("symbols", "").split(",") if symbol.strip()]
        if not symbols:
            raise bad("symbols", "symbols is required")
        if len(symbols) > quotes.MAX_SYMBOLS:
            raise bad("symbols", f"Search combination should not exceed {quotes.MAX_SYMBOLS}")
        if any(symbol.endswith(".X") for symbol in symbols):
            raise bad("symbols", "symbols holds an invalid symbol")
        flag(request.query, "indicative")
        found = quotes.quotes(self._shared.market, symbols, _parts(request))
        return await reply(request, orjson.dumps(found))

    async def quote(self, request: web.Request) -> web.Response:
        """GET /{symbol}/quotes"""
        symbol = request.match_info["symbol"]
        if symbol.endswith(".X"):
            raise bad("symbol", f"{symbol} is not a valid symbol")
        found = quotes.quotes(self._shared.market, [symbol], _parts(request))
        if "errors" in found:
            raise Refusal(404, f"symbol {symbol[:32]} not found")
        return await reply(request, orjson.dumps(found))

    async def markets(self, request: web.Request) -> web.Response:
        """GET /markets and /markets/{market}"""
        single = request.match_info.get("market")
        names = [single] if single else [n for n in request.query.get("markets", "").split(",") if n]
        if not names:
            raise bad("markets", "markets is required")
        hours = reference.market_hours(self._shared.market, names, day(request.query, "date"))
        return await reply(request, orjson.dumps(hours))

    async def history(self, request: web.Request) -> web.Response:
        """GET /pricehistory"""
        history = await asyncio.to_thread(reference.price_history, self._shared.market, request.query)
        return await reply(request, orjson.dumps(history))

    async def movers(self, request: web.Request) -> web.Response:
        """GET /movers/{symbol}"""
        return await reply(
            request, orjson.dumps(reference.movers(self._shared.market, request.match_info["symbol"]))
        )

    async def instruments(self, request: web.Request) -> web.Response:
        """GET /instruments"""
        symbols = [s for s in request.query.get("symbol", "").split(",") if s]
        if not symbols:
            raise bad("symbol", "symbol is required")
        projection = request.query.get("projection", "symbol-search")
        return await reply(
            request, orjson.dumps(reference.instruments(self._shared.market, symbols, projection))
        )

    async def preference(self, request: web.Request) -> web.Response:
        """GET /userPreference: it is here that clients learn where to stream from."""
        account = {
            "accountNumber": ACCOUNT, "primaryAccount": True, "type": "BROKERAGE", "nickName": "Individual",
            "displayAcctId": f"...{ACCOUNT[-3:]}", "autoPositionEffect": False, "accountColor": "Green",
        }  # fmt: skip
        streamer = {
            "streamerSocketUrl": f"ws://{request.host}{STREAM_PATH}", "schwabClientCustomerId": self.customer,
            "schwabClientCorrelId": self.correl, "schwabClientChannel": "N9", "schwabClientFunctionId": "APIAPP",
        }  # fmt: skip
        offer = {"level2Permissions": True, "mktDataPermission": "NP"}
        body: dict[str, Any] = {"accounts": [account], "streamerInfo": [streamer], "offers": [offer]}
        return await reply(request, orjson.dumps(body))

    async def account_numbers(self, request: web.Request) -> web.Response:
        """GET /accounts/accountNumbers"""
        value = hashlib.sha256(ACCOUNT.encode()).hexdigest().upper()
        return await reply(request, orjson.dumps([{"accountNumber": ACCOUNT, "hashValue": value}]))


def _parts(request: web.Request) -> tuple[str, ...]:
    given = [part for part in request.query.get("fields", "").split(",") if part and part != "all"]
    if any(part not in quotes.PARTS for part in given):
        raise bad("fields", f"fields must be some of {', '.join(quotes.PARTS)}")
    return tuple(given) or quotes.PARTS
