"""Where the rules are kept: in the cache for all processes, and in a file, for a cache that keeps nothing on disk."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import orjson
from pydantic import ValidationError

from app.alerts.rules import RulesChanged, RuleSet, RulesRefused
from app.cache.base import Store
from app.errors import AuthError, CacheError
from app.slots import FileSlot

_CLAIM_MS = 5_000


class RuleBook:
    """Reads and changes the rules of one realm.

    Args:
        store: shared by all processes.
        folder: where the file is. With several hosts each has one; whoever sees newer rules in the cache files them.
        realm: the simulator's rules are not Schwab's.
    """

    def __init__(self, store: Store, folder: Path, realm: str) -> None:
        self._store = store
        self._key = f"alerts:rules:{realm}"
        self._file = FileSlot(folder / f"alerts-{realm}", "alert rules")
        self._filed = -1

    def read(self) -> RuleSet:
        """The newest rules. Raises CacheError when there is neither cache nor file, RulesRefused for an unreadable file."""
        try:
            kept = _parse(self._store.get(self._key))
        except CacheError:
            filed = self._from_file()
            if filed is None:
                raise
            return filed
        if kept is None:
            return self._restored()
        if kept.revision > self._filed:
            self._to_file(kept)
        return kept

    def change(self, change: Callable[[RuleSet], RuleSet], expected: int | None = None) -> RuleSet:
        """Make a change, one at a time among all processes; returns the new rules.

        Raises RulesChanged when the revision isn't `expected`, RulesRefused, CacheError.
        """
        claimant = secrets.token_hex(8)
        if self._store.acquire(self._key, claimant, _CLAIM_MS) is None:
            raise RulesChanged("The alert rules are being changed elsewhere right now.")
        try:
            now = self.read()
            if expected is not None and expected != now.revision:
                raise RulesChanged("The alert rules were changed elsewhere meanwhile.")
            new = _checked(change(now).named().model_copy(update={"revision": now.revision + 1}))
            self._to_file(new, must=True)
            self._store.put(self._key, new.json_bytes())
            return new
        finally:
            self._store.release(self._key, claimant)

    def _restored(self) -> RuleSet:
        """After the cache has lost them: those of the file, put back."""
        filed = self._from_file()
        if filed is None:
            return RuleSet()
        self._store.put(self._key, filed.json_bytes())
        return filed

    def _from_file(self) -> RuleSet | None:
        try:
            data = self._file.read()
        except AuthError as error:
            raise RulesRefused(str(error), cure="Make DATA_DIR readable.") from error
        found = _parse(data)
        if data is not None and found is None:  # never overwritten: it may be another version's
            raise RulesRefused(
                "The file of alert rules in DATA_DIR can't be read.", cure="Correct or delete it."
            )
        return found

    def _to_file(self, rules: RuleSet, *, must: bool = False) -> None:
        """File the rules. While they are only copied from the cache, a folder that can't be written is no reason to fail."""
        try:
            self._file.write(orjson.dumps(rules.model_dump(mode="json"), option=orjson.OPT_INDENT_2))
        except AuthError as error:
            if must:
                raise RulesRefused(str(error), cure=error.cure) from error
        self._filed = rules.revision


def _parse(data: bytes | None) -> RuleSet | None:
    """What was written; None for nothing, and for what is no set of rules."""
    if data is None:
        return None
    try:
        return RuleSet.model_validate_json(data)
    except ValidationError:
        return None


def _checked(rules: RuleSet) -> RuleSet:
    """model_copy checks nothing: the limits are checked here. Raises RulesRefused."""
    try:
        return RuleSet.model_validate(rules.model_dump())
    except ValidationError as error:
        said = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in said["loc"])
        raise RulesRefused(f"{where}: {said['msg'].removeprefix('Value error, ')}") from error
