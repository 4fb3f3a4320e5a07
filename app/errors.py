"""Every error that this project raises on purpose.

    GexError
    ├── SettingsError        a setting is missing or wrong
    ├── DataError            a chain, symbol, frame or file can't be read
    │   ├── SymbolError          not a symbol
    │   └── ChainFileError       a file holds no option chain
    ├── AuthError            Schwab refuses the key, the code or the token
    │   ├── SignInNeeded         only a new browser login helps
    │   └── LoginDenied          the streamer refuses the access token
    ├── BrokerError          Schwab answered with an error, or not at all
    │   ├── RateLimited          429, with the seconds to wait
    │   └── ResponseTooBig       502 "Body buffer overflow": split the request
    ├── FeedError            the stream or the background thread failed
    │   └── StreamClosed         the streamer's connection ended
    ├── FollowRefused        an underlying can't be followed or dropped
    └── CacheError           Redis is missing, slow, full or read-only
        ├── ReadOnlyCache        what is connected is a replica
        ├── ForeignServer        what answers there is no Redis
        └── StaleWriter          a publish with an overtaken epoch was refused

Errors of redis, requests and websocket-client are translated where they arise (app/cache, app/schwab) and go no further.
"""


class GexError(Exception):
    """An error with what went wrong (`str(error)`) and what its reader can do about it (`cure`).

    `code` is a short stable name where the problem is a known one (app/schwab/cures.py), else empty.
    """

    cure = ""
    code = ""

    def __init__(self, message: str, *, cure: str = "") -> None:
        super().__init__(message)
        self.cure = cure or type(self).cure

    @property
    def line(self) -> str:
        """Both, in one line."""
        said = " ".join(str(self).split())
        return f"{said.rstrip('.')}. {self.cure}" if self.cure else said


class SettingsError(GexError):
    """A setting is missing or wrong."""


class DataError(GexError):
    """Data that can't be read."""


class SymbolError(DataError):
    """A text that isn't a symbol."""

    cure = "Use a symbol such as SPX, SPY or AAPL."


class ChainFileError(DataError):
    """A file that holds no option chain."""

    cure = "Give a Schwab /chains JSON, a Cboe delayed-quote JSON or a Cboe CSV, plain or .gz."


class AuthError(GexError):
    """Schwab refused the application's key, a code or a token."""


class SignInNeeded(AuthError):  # noqa: N818 - it names what the user has to do
    """There is no usable login: only a person at a browser can make one."""

    cure = "Sign in with Schwab again at /login."


class LoginDenied(AuthError):  # noqa: N818
    """The streamer refuses the access token (code 3): renew it, and if that doesn't help, sign in again."""


class BrokerError(GexError):
    """Schwab answered with an error, or did not answer.

    Attributes:
        status: the HTTP status, None where there was no answer.
    """

    def __init__(self, message: str, *, status: int | None = None, cure: str = "") -> None:
        super().__init__(message, cure=cure)
        self.status = status


class RateLimited(BrokerError):  # noqa: N818
    """Too many requests. `retry_after_s` is how long to wait."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, status=429)
        self.retry_after_s = retry_after_s


class ResponseTooBig(BrokerError):  # noqa: N818
    """The gateway's 502 "Body buffer overflow": ask for a narrower date window."""


class FeedError(GexError):
    """The stream or the background thread failed."""


class StreamClosed(FeedError):  # noqa: N818
    """The streamer's connection ended, or never came about.

    Attributes:
        reason: a short stable name, such as silent, half_open, closed_1006, refused, code_12, code_30.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class FollowRefused(GexError):  # noqa: N818
    """An underlying can't be followed or dropped as asked."""


class HistoryError(GexError):
    """What was recorded can't be written or read."""


class CacheError(GexError):
    """The cache can't be reached or can't take the write."""

    cure = "Check that Redis runs at REDIS_URL. It is tried again all the time, and everything goes on by itself."


class ReadOnlyCache(CacheError):  # noqa: N818
    """The connected Redis takes no writes: it is a replica, perhaps since another server took over."""

    cure = "Point REDIS_URL at the primary, not at a replica."


class ForeignServer(CacheError):  # noqa: N818
    """Something else than Redis answers there."""

    cure = "Correct host and port in REDIS_URL; redis:// is without TLS, rediss:// with it."


class StaleWriter(CacheError):  # noqa: N818
    """A publish carried an epoch that a later leader has overtaken; nothing was written."""
