"""A whole web server on the in-process store, without feed or network, for tests of pages and REST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flask_openapi3.openapi import OpenAPI

from app.models import TokenLife
from app.schwab.oauth import Login
from app.schwab.tokens import Token
from app.server import create_server
from app.services import Services, build_services
from app.settings import load_settings

KEY, SECRET = "K" * 32, "S" * 16


@dataclass
class StandInBroker:
    """Schwab's side of a login, whose account is chosen by the test."""

    customer: str = "customer-1"
    problem: Exception | None = None
    stored: list[str] = field(default_factory=list)
    verifiers: list[str | None] = field(default_factory=list)
    begun: int = 0

    def authorize(self) -> Login:
        self.begun += 1
        state = f"state-{self.begun}"
        return Login(f"https://schwab.example/authorize?state={state}", state, f"verifier-{self.begun}")

    def exchange(
        self,
        code: str,
        code_verifier: str | None = None,
        *,
        accept: Callable[[str], None] | None = None,
    ) -> Token:
        if self.problem:
            raise self.problem
        self.verifiers.append(code_verifier)
        if accept:
            accept(self.customer)
        self.stored.append(code)
        return Token("access", "refresh", 0, 0)

    def life(self) -> TokenLife:
        return TokenLife()

    def sign_out(self) -> None:
        self.stored.clear()


def make_services(data_dir: Path, **settings: Any) -> Services:
    """Services on memory://, with credentials, so that nothing is a demo."""
    given = {"redis_url": "memory://", "schwab_app_key": KEY, "schwab_app_secret": SECRET, **settings}
    return build_services(load_settings(data_dir=data_dir, _env_file=None, **given))


def make_server(data_dir: Path, broker: StandInBroker | None = None, **settings: Any) -> OpenAPI:
    """A server on memory://; with a stand-in for Schwab where one is given."""
    services = make_services(data_dir, **settings)
    if broker is not None:
        services = replace(services, oauth=broker)  # type: ignore[arg-type]
    return create_server(services)
