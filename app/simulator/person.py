"""The person at the browser, as a function: opens the authorize page and presses its button."""

from __future__ import annotations

import requests

from app.errors import AuthError, BrokerError


def approve(authorize_url: str, timeout_s: float = 10.0) -> str:
    """Allow the application on the simulator's authorize page.

    Args:
        authorize_url: where the application sends its user, with client_id, redirect_uri and the rest.

    Returns:
        The address that the browser is redirected to, with code and state in its query.

    Raises:
        AuthError: the page refuses the application's key or its callback address.
        BrokerError: nobody answers there.
    """
    try:
        page = requests.get(authorize_url, timeout=timeout_s)
        pressed = requests.post(authorize_url, timeout=timeout_s, allow_redirects=False) if page.ok else page
    except requests.RequestException as error:
        raise BrokerError("the authorize page doesn't answer") from error
    if pressed.status_code != 302:
        raise AuthError(
            f"the authorize page answers {pressed.status_code}: unable to complete the request",
            cure="Check the app key, and the callback address byte for byte.",
        )
    return pressed.headers["Location"]
