"""The login at rest: encrypted, private to its owner, replaced whole, locked across processes."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from app.errors import SettingsError, SignInNeeded
from app.schwab.tokens import Token, TokenCipher, TokenStore
from app.slots import FileSlot

TOKEN = Token("I0.access-secret@", "refresh-secret@", 1000.0, 2800.0, "app")


def store_in(folder: Path, key: str = "") -> TokenStore:
    """A token store in files of this folder."""
    return TokenStore(FileSlot(folder / "login"), TokenCipher.open(key, folder))


def test_a_saved_login_comes_back_in_another_process(tmp_path: Path) -> None:
    store_in(tmp_path).save(TOKEN)
    assert store_in(tmp_path).load() == TOKEN


def test_no_login_is_none_and_clearing_leaves_none(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    assert store.load() is None
    store.save(TOKEN)
    store.clear()
    assert store.load() is None


def test_files_are_private_and_hold_no_secret(tmp_path: Path) -> None:
    data = tmp_path / "data"
    store_in(data).save(TOKEN)
    files = [path for path in data.iterdir() if path.is_file()]
    assert {path.name for path in files} >= {"login", "token.key"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert all(b"secret" not in path.read_bytes() for path in files)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_a_token_never_shows_its_secrets() -> None:
    assert "secret" not in f"{TOKEN} {TOKEN!r}"


def test_another_key_cannot_read_the_login_and_says_what_to_do(tmp_path: Path) -> None:
    store_in(tmp_path, Fernet.generate_key().decode()).save(TOKEN)
    with pytest.raises(SignInNeeded) as caught:
        store_in(tmp_path, Fernet.generate_key().decode()).load()
    assert "TOKEN_KEY" in str(caught.value)
    assert "/login" in caught.value.cure


def test_an_older_key_still_reads_after_rotation(tmp_path: Path) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    store_in(tmp_path, old).save(TOKEN)
    assert store_in(tmp_path, f"{new}, {old}").load() == TOKEN


def test_after_a_renewal_the_old_key_can_be_taken_out(tmp_path: Path) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    store_in(tmp_path, old).save(TOKEN)

    both = store_in(tmp_path, f"{new},{old}")
    held = both.load()
    assert held is not None
    both.save(held)  # as every renewal does

    assert store_in(tmp_path, new).load() == TOKEN
    with pytest.raises(SignInNeeded):
        store_in(tmp_path, old).load()


def test_a_damaged_login_asks_for_a_new_one(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    (tmp_path / "login").write_bytes(b"not encrypted")
    with pytest.raises(SignInNeeded):
        store.load()


def test_a_wrong_token_key_is_a_settings_error_that_shows_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        TokenCipher.open("too-short", tmp_path)
    assert "TOKEN_KEY" in str(caught.value)
    assert "urlsafe_b64encode" in caught.value.cure


def test_a_folder_that_cannot_be_made_is_a_settings_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="DATA_DIR"):
        TokenCipher.open("", tmp_path / "file" / "below")


def count_up(folder: Path, times: int) -> None:
    """Read, add one, write: loses counts when two do it at once."""
    slot = FileSlot(folder / "counter")
    for _ in range(times):
        with slot.lock():
            value = int(slot.read() or b"0")
            slot.write(str(value + 1).encode())


def test_the_lock_holds_between_processes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=count_up, args=(tmp_path, 40)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
    assert FileSlot(tmp_path / "counter").read() == b"120"


def test_the_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    slot = FileSlot(tmp_path / "login")
    pid = os.fork()
    if pid == 0:
        slot.lock().__enter__()
        os._exit(0)
    os.waitpid(pid, 0)
    with slot.lock():
        slot.write(b"taken")
    assert slot.read() == b"taken"
