"""Everything that pages, REST and the feed do with alerts, put together for one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from app.alerts.alert import Alert
from app.alerts.courier import Courier
from app.alerts.hosts import AllowList
from app.alerts.ledger import Ledger
from app.alerts.rulebook import RuleBook
from app.alerts.rules import MOST_HOOKS, Hook, HookUnknown, Rule, RuleSet, RulesRefused, new_id
from app.alerts.watch import Voice, Watch
from app.alerts.webhook import Answer, Cipher, new_secret, post, seal, unseal
from app.cache.base import Store
from app.errors import CacheError
from app.settings import Settings

_GOOD_S = 0.5


@dataclass(frozen=True, slots=True)
class Recent:
    """The last alerts, newest first, and the ids of those that were acknowledged."""

    alerts: tuple[Alert, ...] = ()
    acked: frozenset[str] = frozenset()

    def of(self, symbols: Collection[str] | None) -> Recent:
        """Those of certain symbols only; None leaves all, the feed's included."""
        if symbols is None:
            return self
        return Recent(tuple(alert for alert in self.alerts if alert.symbol in symbols), self.acked)


class Alerts:
    """Opens no connection before its first call, so it survives a fork."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        cipher: Cipher,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        realm = "simulator" if settings.simulated else "schwab"
        self.allowed = AllowList(settings.alert_webhook_hosts)
        self._cipher = cipher
        self._book = RuleBook(store, settings.data_dir, realm)
        self._ledger = Ledger(store, realm)
        self._clock = clock
        self._lock = threading.Lock()
        self._recent = Recent()
        self._read_at = float("-inf")

    # --- for the feed -----------------------------------------------------------------------------

    def watch(self, voice: Voice) -> Watch:
        """What evaluates the rules and sends the alerts, for one leadership of the feed."""
        watch = Watch(self._book, self._ledger, voice)
        watch.send_with(Courier(self.allowed, self._cipher, watch.report))
        return watch

    # --- what fired -------------------------------------------------------------------------------

    def recent(self) -> Recent:
        """What fired last, at most half a second old; every tab asks once a second. Raises CacheError before the first."""
        with self._lock:
            if self._clock() - self._read_at < _GOOD_S:
                return self._recent
            try:
                self._recent = Recent(tuple(self._ledger.fired()), self._ledger.acked())
            except CacheError:
                if self._read_at == float("-inf"):
                    raise
            self._read_at = self._clock()
            return self._recent

    def acknowledge(self, ids: Collection[str]) -> None:
        """Acknowledge alerts, for all browsers. Raises CacheError."""
        self._ledger.acknowledge(set(ids))
        with self._lock:
            self._read_at = float("-inf") if self._read_at == float("-inf") else self._clock() - _GOOD_S

    # --- the rules --------------------------------------------------------------------------------

    def rules(self) -> RuleSet:
        """The rules and webhooks. Raises RulesRefused, CacheError."""
        return self._book.read()

    def replace_rules(self, rules: list[Rule], expected: int) -> RuleSet:
        """Put these in the place of all rules, if the revision still is `expected`. Raises RulesRefused, CacheError."""
        return self._book.change(lambda kept: kept.model_copy(update={"rules": rules}), expected)

    # --- webhooks ---------------------------------------------------------------------------------

    def add_hook(self, url: str) -> tuple[Hook, str]:
        """A new webhook and its signing secret, which is never shown again. Raises RulesRefused, CacheError."""
        self.allowed.target(url)
        secret = new_secret()
        hook = Hook(id=new_id(), url=url, sealed=seal(self._cipher, secret))

        def add(kept: RuleSet) -> RuleSet:
            if len(kept.hooks) >= MOST_HOOKS:
                raise RulesRefused(
                    f"There are {MOST_HOOKS} webhooks already.", cure="Delete one that isn't used."
                )
            return kept.model_copy(update={"hooks": [*kept.hooks, hook]})

        self._book.change(add)
        return hook, secret

    def drop_hook(self, hook_id: str) -> None:
        """Delete a webhook; an unknown id changes nothing. Raises RulesRefused, CacheError."""
        self._book.change(
            lambda kept: kept.model_copy(
                update={"hooks": [hook for hook in kept.hooks if hook.id != hook_id]}
            )
        )

    def test_hook(self, hook_id: str) -> Answer:
        """Send a test to a webhook, from here and once. Raises RulesRefused, CacheError."""
        hook = next((hook for hook in self.rules().hooks if hook.id == hook_id), None)
        if hook is None:
            raise HookUnknown("There is no such webhook.")
        target = self.allowed.target(hook.url)
        return post(target, unseal(self._cipher, hook.sealed), _test())


def _test() -> Alert:
    return Alert(
        id=f"test-{new_id()}",
        at=datetime.now(UTC),
        rule="test",
        kind="feed",
        answer="test",
        text="This is a test of the webhook. No rule has fired.",
    )
