"""Whose login a token is, asked of Schwab before anything is stored."""

from __future__ import annotations

from app.schwab.rest import Rest
from app.schwab.tokens import Token


class _Issued:
    """One token, as it was issued: there is no other to renew it with."""

    def __init__(self, token: Token) -> None:
        self._access = token.access

    def access_token(self) -> str:
        return self._access

    def reject(self, access_token: str) -> None:
        del access_token


def customer_of(token: Token, api_url: str) -> str:
    """The streamer's customer id of the user that a token was issued to. Raises AuthError or BrokerError."""
    rest = Rest(_Issued(token), api_url=api_url)
    try:
        return rest.streamer_info().customer_id
    finally:
        rest.close()
