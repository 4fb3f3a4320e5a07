"""The stream's thread: one connection at a time, kept alive, subscribed and fed into the books; rebuilt when it ends."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable

from app.errors import (
    AuthError,
    BrokerError,
    CacheError,
    GexError,
    LoginDenied,
    RateLimited,
    SignInNeeded,
    StreamClosed,
)
from app.feed.backoff import Backoff
from app.feed.board import Board
from app.feed.liveness import DataWatch, Liveness
from app.feed.subscription import SEVERING, Subscription, Wanted
from app.schwab.cures import trouble
from app.schwab.fields import OPTIONS
from app.schwab.frames import Frame
from app.schwab.oauth import OAuth
from app.schwab.rest import Rest
from app.schwab.stream import Stream

log = logging.getLogger(__name__)

_POLL_S = 0.25
_DENIED_PAUSE_S = 60.0
_DISPLACED_PAUSE_S = 30.0
_LONG_PAUSE_S = 3.0  # from here on a new sign-in ends it
_SIMULATOR_STARTS_S = 0.5  # between tries of the demo's own sign-in, which fails until the simulator listens
_LATE_S = 5.0  # below this a gap is no reason for an extra sweep


class Link:
    """Runs the stream until told to stop.

    Args:
        deliver: takes every frame that holds data.
        wanted: what should stream now; the same object as long as it hasn't changed.
        lost: called when the connection has ended: no row streams any more.
        dropped: called with option keys that the stream no longer carries.
        back: called after a gap, once the stream is live again.
        may_connect: whether this process may open a connection: its lease is confirmed.
        owed: whether data must come: a market that is subscribed to is open.
        sign_in: makes a login without a person (the demo), if there is a way.
    """

    def __init__(
        self,
        oauth: OAuth,
        rest: Rest,
        board: Board,
        *,
        deliver: Callable[[Frame], None],
        wanted: Callable[[], Wanted],
        lost: Callable[[], None],
        dropped: Callable[[tuple[str, ...]], None],
        back: Callable[[], None],
        may_connect: Callable[[], bool],
        sign_in: Callable[[], None] | None,
        owed: Callable[[], bool] = lambda: False,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._oauth = oauth
        self._rest = rest
        self._board = board
        self._deliver = deliver
        self._wanted = wanted
        self._lost = lost
        self._dropped = dropped
        self._back = back
        self._may_connect = may_connect
        self._sign_in = sign_in
        self._owed = owed
        self._stop = stop
        self._clock = clock
        self._backoff = Backoff(draw)
        self._stream: Stream | None = None
        self._denied = 0
        self._denied_token = ""
        self._ended_at: float | None = None
        self.key_limit: int | None = None

    def run(self) -> None:
        """Connect and serve until stopped; no failure ends it."""
        while not self._stop.is_set():
            if not self._may_connect():
                self._stop.wait(_POLL_S)
                continue
            self._rest_for(self._once())

    def abort(self) -> None:
        """Close the connection at once, from any thread."""
        stream = self._stream
        if stream is not None:
            stream.abort()

    def _once(self) -> float:
        """One connection from login to end; seconds to wait before the next."""
        try:
            self._serve()
        except SignInNeeded as error:
            return self._wait_for_person(error)
        except LoginDenied as error:
            return self._pause_denied(error)
        except AuthError as error:
            self._board.turn("signed_out")
            self._board.trouble("login", error)
            return _DENIED_PAUSE_S
        except StreamClosed as error:
            return self._pause_closed(error)
        except (BrokerError, CacheError) as error:
            self._board.trouble("stream", error)
            asked = error.retry_after_s if isinstance(error, RateLimited) else 0.0
            return max(self._backoff.failed(self._clock()), asked)
        except GexError as error:
            log.info("the stream's connection was not made: %s", error)
            return self._backoff.failed(self._clock())
        except Exception:  # a bug must not end the feed: it is logged, and the next connection tries again
            log.exception("the stream's thread failed")
            self._board.known_trouble("stream", "stream_lost")
            return self._backoff.failed(self._clock())
        return 0.0

    # --- one connection ---------------------------------------------------------------------------

    def _serve(self) -> None:
        if self._denied:  # one login per token
            self._oauth.reject(self._denied_token)
        token = self._oauth.access_token()
        if self._board.state in ("starting", "signed_out"):
            self._board.turn("connecting")
        info = self._rest.streamer_info()
        if self._stop.is_set() or not self._may_connect():
            return
        stream = self._stream = Stream(info, clock=self._clock)
        try:
            self._log_in(stream, token)
            self._pump(stream)
        finally:
            if self._stop.is_set():
                stream.logout()
            stream.abort()
            self._stream = None
            self._lost()

    def _log_in(self, stream: Stream, token: str) -> None:
        try:
            frames = stream.login(token)
        except LoginDenied:
            self._denied_token = token
            raise
        self._denied = 0
        self._backoff.connected(self._clock())
        if self._board.well("login"):
            self._back()  # the sweep has waited for the login as well
        self._board.well("stream")
        self._note_return()
        for frame in frames:
            self._board.heard(frame)

    def _note_return(self) -> None:
        self._board.turn("live")
        if self._ended_at is None:
            self._board.event("connected", "Connected to the streamer")
            return
        gap = self._clock() - self._ended_at
        self._board.reconnects += 1
        self._board.event("reconnected", f"Connected again after {gap:.1f} s", gap_s=round(gap, 3))
        if gap > _LATE_S:
            self._back()

    def _pump(self, stream: Stream) -> None:
        """Frames in, commands out, until stopped or the lease, the connection or the login is lost."""
        liveness, data = Liveness(self._clock()), DataWatch(self._clock())
        subscription = Subscription()
        while not self._stop.is_set():
            frame = stream.poll(_POLL_S)
            if stream.last_frame_at > liveness.heard_at:
                liveness.heard(stream.last_frame_at, text=frame is not None)
            if frame is not None:
                self._board.heard(frame)
                self._take(frame, subscription)
                if frame.has_data:
                    data.heard(self._clock())
            self._watch(stream, liveness)
            self._miss_data(data, subscription)
            if self._oauth.signed_out():
                raise trouble(SignInNeeded, "sign_in_needed")
            self._steer(stream, subscription)

    def _take(self, frame: Frame, subscription: Subscription) -> None:
        if frame.has_data:
            self._deliver(frame)
        now = self._clock()
        for answer in frame.answers:
            gone = subscription.answered(answer, now)
            if gone:
                self._dropped(gone)
            if not answer.ok:
                log.warning("the streamer answers %s to %s: %s", answer.code, answer.command, answer.msg)
        if frame.answers:
            self._note_keys(subscription)
        for notice in frame.notices:
            if notice.code in SEVERING:
                raise StreamClosed(f"the streamer stops: {notice.msg[:120]}", reason=f"code_{notice.code}")
            log.info("the streamer tells %s: %s", notice.code, notice.msg[:120])

    def _note_keys(self, subscription: Subscription) -> None:
        self._board.keys_used = subscription.options_held
        if subscription.stated_limit is not None:
            self.key_limit = subscription.stated_limit
        if OPTIONS in subscription.unavailable:
            self._board.known_trouble("stream", "no_stream")

    def _watch(self, stream: Stream, liveness: Liveness) -> None:
        verdict = liveness.verdict(self._clock())
        if verdict == "ping":
            stream.ping()
        elif verdict != "alive":
            raise StreamClosed("nothing was heard from the streamer", reason=verdict)

    def _miss_data(self, data: DataWatch, subscription: Subscription) -> None:
        """Heartbeats come, but no data of an open market: subscribe again, then connect again."""
        verdict = data.verdict(self._clock(), owed=subscription.options_held > 0 and self._owed())
        if verdict == "lost":
            raise StreamClosed("heartbeats come, but no data of an open market", reason="data_idle")
        if verdict == "resubscribe":
            self._board.reject({"stream_data_idle": 1})
            self._board.event(
                "resubscribed", "Heartbeats came, but no data: everything is subscribed to again"
            )
            subscription.renew()

    def _steer(self, stream: Stream, subscription: Subscription) -> None:
        command = subscription.next(self._wanted(), self._clock())
        if command is not None:
            request = stream.send(command.service, command.command, command.parameters)
            subscription.sent(command, request, self._clock())

    # --- after the end ----------------------------------------------------------------------------

    def _rest_for(self, seconds: float) -> None:
        """Wait; a new sign-in ends the waiting at once."""
        if seconds < _LONG_PAUSE_S:
            self._stop.wait(seconds)
            return
        signed_in_at = self._oauth.life().signed_in_at
        end = self._clock() + seconds
        while not self._stop.wait(min(1.0, max(0.0, end - self._clock()))):
            if self._oauth.life().signed_in_at != signed_in_at:
                self._denied = 0
                return
            if self._clock() >= end:
                return

    def _pause_closed(self, error: StreamClosed) -> float:
        self._board.keys_used = 0
        if self._stop.is_set():
            return 0.0
        now = self._clock()
        if self._board.state == "live":
            self._ended_at = now
            self._board.event("lost", f"The stream ended: {error}", reason=error.reason)
            log.warning("the stream ended: %s (%s)", error, error.reason)
        self._board.reject({f"stream_{error.reason}": 1})
        self._board.turn("reconnecting")
        wait = self._backoff.failed(now)
        if error.reason == "code_12":
            self._board.known_trouble("stream", "displaced")
            return max(wait, _DISPLACED_PAUSE_S)
        self._board.known_trouble("stream", "stream_lost", f"({error.reason})")
        return wait

    def _pause_denied(self, error: LoginDenied) -> float:
        """One login per token: the next try has a renewed one; when that is refused too, a try a minute and a word."""
        self._denied += 1
        self._board.turn("reconnecting")
        if self._denied == 1:
            log.info("%s; renewing the token", error)
            return 0.0
        self._board.trouble("login", trouble(AuthError, "login_denied"))
        return _DENIED_PAUSE_S

    def _wait_for_person(self, error: SignInNeeded) -> float:
        self._board.keys_used = 0
        self._board.turn("signed_out")
        if self._sign_in is not None:
            with contextlib.suppress(GexError):
                self._sign_in()
                return 0.0
        self._board.trouble("login", error)
        return 1.0 if self._sign_in is None else _SIMULATOR_STARTS_S
