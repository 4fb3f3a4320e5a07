"""One alert to one webhook: signed after the Standard Webhooks specification, to the checked address, without redirects.

    webhook-id          the alert's id, the same in every attempt
    webhook-timestamp   seconds since the epoch, of this attempt
    webhook-signature   v1,base64(HMAC-SHA256(secret, "{id}.{timestamp}.{body}"))

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import ssl
import time
from dataclasses import dataclass
from typing import Protocol

import certifi
import urllib3

from app import __version__
from app.alerts.alert import Alert
from app.alerts.hosts import HostRefused, Resolve, Target, resolved
from app.alerts.rules import RulesRefused
from app.log import redact
from app.models import Model

PREFIX = "whsec_"
_TIMEOUT = urllib3.Timeout(connect=3.0, read=5.0)
_ANSWER_BYTES = 200
# What another attempt may change: no answer, a server's error, too many or too slow requests.
_RETRIED = frozenset({0, 408, 425, 429})


class Cipher(Protocol):
    """What encrypts secrets at rest."""

    def seal(self, clear: bytes) -> bytes: ...

    def unseal(self, sealed: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """How one attempt went. `status` is 0 where there was no answer."""

    status: int
    detail: str

    @property
    def delivered(self) -> bool:
        return 200 <= self.status < 300

    @property
    def again(self) -> bool:
        """Whether another attempt may go better."""
        return self.status in _RETRIED or self.status >= 500


class Payload(Model):
    """The body of a POST."""

    type: str = "alert"
    timestamp: str
    data: Alert


def new_secret() -> str:
    """A signing secret, to be shown once."""
    made = PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()
    redact.learn(made)
    return made


def seal(cipher: Cipher, secret: str) -> str:
    """The secret as it is stored."""
    return cipher.seal(secret.encode()).decode("ascii")


def unseal(cipher: Cipher, sealed: str) -> str:
    """The secret again; the log knows not to print it. Raises GexError when no key fits."""
    secret = cipher.unseal(sealed.encode()).decode()
    redact.learn(secret)
    return secret


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`. Raises RulesRefused for a secret that isn't one."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise RulesRefused("The webhook's secret isn't one.", cure="Make the webhook anew.") from error
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def body_of(alert: Alert) -> bytes:
    """The JSON that is sent; how other sendings went is nobody else's affair."""
    data = alert.model_copy(update={"deliveries": []})
    return Payload(timestamp=alert.at.isoformat(), data=data).json_bytes()


def post(
    target: Target, secret: str, alert: Alert, *, resolve: Resolve | None = None, now_s: int | None = None
) -> Answer:
    """One attempt. Never raises for what the network or the other side does."""
    try:
        address = resolved(target, resolve)
    except HostRefused as error:
        return Answer(400, str(error))
    except (OSError, UnicodeError):
        return Answer(0, "The name can't be resolved.")
    body = body_of(alert)
    timestamp = int(time.time()) if now_s is None else now_s
    headers = {
        "Host": target.origin,
        "Content-Type": "application/json",
        "User-Agent": f"gex-dashboard/{__version__}",
        "webhook-id": alert.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, alert.id, timestamp, body),
    }
    return _send(target, address, body, headers)


def _send(target: Target, address: str, body: bytes, headers: dict[str, str]) -> Answer:
    with _pool(target, address) as pool:
        try:
            response = pool.urlopen(  # type: ignore[no-untyped-call]
                "POST",
                target.path,
                body=body,
                headers=headers,
                retries=False,
                redirect=False,
                timeout=_TIMEOUT,
                preload_content=False,
                decode_content=False,
            )
            said = response.read(_ANSWER_BYTES)
            response.close()
        except urllib3.exceptions.HTTPError as error:
            return Answer(0, _no_answer(error))
    return Answer(response.status, _words(response.status, said))


def _pool(target: Target, address: str) -> urllib3.HTTPConnectionPool:
    """Connects to the address that was checked, and to the name's certificate."""
    if target.scheme == "http":
        return urllib3.HTTPConnectionPool(address, target.port, maxsize=1)
    return urllib3.HTTPSConnectionPool(
        address,
        target.port,
        maxsize=1,
        server_hostname=target.host,
        assert_hostname=target.host,
        cert_reqs=ssl.CERT_REQUIRED,
        ca_certs=certifi.where(),
    )


def _no_answer(error: Exception) -> str:
    kinds = (
        (urllib3.exceptions.SSLError, "Its certificate isn't trusted, or TLS failed."),
        (urllib3.exceptions.NewConnectionError, "The connection was refused, or there is no way there."),
        (urllib3.exceptions.ConnectTimeoutError, "No connection within 3 s."),
        (urllib3.exceptions.ReadTimeoutError, "No answer within 5 s."),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), "The connection broke off.")


def _words(status: int, said: bytes) -> str:
    if 300 <= status < 400:
        return f"It answered {status}, a redirect, which is not followed."
    text = " ".join(said.decode("utf-8", "replace").split())
    shown = "".join(c for c in text if c.isprintable())[:80]
    return f"It answered {status}." if 200 <= status < 300 or not shown else f"It answered {status}: {shown}"
