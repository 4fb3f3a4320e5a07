"""The alerts that fired, what was acknowledged, and what the rules remember: kept in the cache, shared by all processes.

kv:alerts:fired    the last alerts, newest first, with how their sending went; only the feed's leader writes it
kv:alerts:memory   what each rule remembers; only the leader writes it
kv:alerts:acked    ids of what a reader has acknowledged
"""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import ValidationError

from app.alerts.alert import Alert, Delivery
from app.alerts.evaluate import Memories, Memory
from app.cache.base import Store
from app.cache.slot import RedisSlot

KEPT = 200


class Ledger:
    """Reads and writes them. Every method raises CacheError. What can't be read as alerts counts as none."""

    def __init__(self, store: Store, realm: str) -> None:
        self._store = store
        self._fired = f"alerts:fired:{realm}"
        self._memory = f"alerts:memory:{realm}"
        self._acked = RedisSlot(store, f"alerts-acked-{realm}", wait_s=2.0)

    def fired(self) -> list[Alert]:
        """The last alerts, newest first."""
        return _alerts(self._store.get(self._fired))

    def write_fired(self, alerts: list[Alert]) -> None:
        """Replace them by these; the leader's alone to call."""
        document = [alert.model_dump(mode="json") for alert in alerts[:KEPT]]
        self._store.put(self._fired, orjson.dumps(document))

    def memories(self) -> Memories:
        """What the rules remembered last."""
        data = self._store.get(self._memory)
        try:
            kept = orjson.loads(data) if data else {}
            return Memories({key: Memory.from_dict(memory) for key, memory in kept.items()})
        except (orjson.JSONDecodeError, TypeError, ValueError, AttributeError):
            return Memories()

    def write_memories(self, memories: Memories) -> None:
        """Replace them; the leader's alone to call."""
        document = {key: memory.to_dict() for key, memory in memories.by_key.items()}
        self._store.put(self._memory, orjson.dumps(document))

    def acked(self) -> frozenset[str]:
        """Ids of the alerts that were acknowledged."""
        return frozenset(_ids(self._acked.read()))

    def acknowledge(self, ids: set[str]) -> None:
        """Acknowledge alerts; unknown ids change nothing."""
        with self._acked.lock():
            fired = [alert.id for alert in self.fired()]
            held = set(_ids(self._acked.read())) | ids
            self._acked.write(orjson.dumps([id_ for id_ in fired if id_ in held]))


def delivered(alert: Alert, delivery: Delivery) -> Alert:
    """The alert with the news of one sending."""
    others = [held for held in alert.deliveries if held.hook != delivery.hook]
    return alert.model_copy(update={"deliveries": [*others, delivery]})


def _alerts(data: bytes | None) -> list[Alert]:
    found: list[Alert] = []
    for document in _list(data):
        try:
            found.append(Alert.model_validate(document))
        except ValidationError:
            continue
    return found


def _ids(data: bytes | None) -> list[str]:
    return [id_ for id_ in _list(data) if isinstance(id_, str)]


def _list(data: bytes | None) -> list[Any]:
    try:
        found = orjson.loads(data) if data else []
    except orjson.JSONDecodeError:
        return []
    return found if isinstance(found, list) else []
