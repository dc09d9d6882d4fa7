from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from qnetem import Secret
from qnetem.agents.keys.applications import Application, Usage
from qnetem.agents.keys.audit import Trail, first_broken
from qnetem.agents.keys.changes import (
    Change,
    DropBlock,
    DropKey,
    Gone,
    Key,
    KeyState,
    Noted,
    PutBlock,
    PutKey,
    Ready,
    Used,
)
from qnetem.agents.keys.database import CHUNK, KeyDatabase, open_database, read_audit
from qnetem.agents.keys.pool import Block, Part
from qnetem.agents.keys.sealing import Sealer
from qnetem.agents.storage import Place
from qnetem.emulator.errors import InfrastructureError, InputError

KEK = bytes(range(32))
BITS = bytes((17 * at + at // 256) % 256 for at in range(3 * CHUNK))


def a_block(id: str = "run/b1") -> Block:
    return Block(id, "bob", Secret(BITS, id=id), 7, {"source": "link", "failure": 1e-9})


def a_key() -> Key:
    bits = Secret(BITS[100:132], id="k1")
    parts = [Part("run/b1", 100, 132)]
    return Key("k1", "bob", bits, parts, "app-a", ["app-b"], ["app-b"], 9, {"source": ["link"]})


def opened(path: Path, kek: bytes = KEK) -> KeyDatabase:
    return KeyDatabase(path, Sealer(kek))


def stored(path: Path, *changes: Change) -> None:
    database = opened(path)
    database.commit(changes)
    database.close()


def test_what_is_stored_is_there_again_and_no_file_has_a_bit_of_it(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    entry = Trail().entry(5, "delivered", {"key": "k1"})
    stored(path, PutBlock(a_block()), Ready("run/b1"), PutKey(a_key()), Noted(entry))
    stored(path, Gone("run/b1", [(0, CHUNK + 5)]), KeyState("k1", [], True), Used("a", Usage(3, 8)))
    database = opened(path)
    found = database.content()
    (block,), (key,) = found.blocks, found.keys
    assert block.ready and block.gone.taken == [(0, CHUNK + 5)] and block.origin["source"] == "link"
    assert block.bits.reveal_bytes()[CHUNK:] == BITS[CHUNK:], "what is not gone"
    assert not any(block.bits.reveal_bytes()[:CHUNK]), "whole pieces that are gone are deleted"
    assert key == replace(a_key(), due=[], shared=True)
    assert found.usage == {"a": Usage(3, 8)} and found.head == entry.hash and found.audited == 1
    files = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert not any(BITS[at : at + 16] in files for at in range(0, len(BITS), 16))
    database.commit([DropBlock("run/b1"), DropKey("k1")])
    left = database.content()
    assert (left.blocks, left.keys, left.known) == ([], [], {"run/b1"}), "its id stays known"
    database.close()
    assert {each.stat().st_mode & 0o077 for each in tmp_path.iterdir()} == {0}


def test_a_step_is_stored_wholly_or_not_at_all(tmp_path: Path) -> None:
    database = opened(tmp_path / "s.sqlite")
    with pytest.raises(InfrastructureError, match="UNIQUE"):
        database.commit([PutBlock(a_block("run/b2")), PutBlock(a_block()), PutBlock(a_block())])
    assert database.content().blocks == [] and database.content().known == set()
    database.close()


def test_another_key_encryption_key_another_service_and_a_changed_row_are_refused_by_name(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.sqlite"
    stored(path, PutBlock(a_block()), PutKey(a_key()))
    with pytest.raises(InputError, match="another key-encryption key"):
        opened(path, bytes(32))
    first = opened(path)
    with pytest.raises(InputError, match="another service has this store"):
        opened(path)
    first.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE keys SET id = 'k2'")
    db.close()
    changed = opened(path)
    with pytest.raises(InputError, match="key k2 of the store is not as it was stored"):
        changed.content()
    changed.close()


def test_a_trail_tells_the_first_entry_that_was_changed_or_taken_away(tmp_path: Path) -> None:
    path, trail = tmp_path / "s.sqlite", Trail()
    entries = [trail.entry(at, "delivered", {"key": f"k{at}"}) for at in range(4)]
    stored(path, *map(Noted, entries))
    assert first_broken(read_audit(path)) is None
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM audit WHERE number = 2")
    db.close()
    assert first_broken(read_audit(path)) == 2
    changed = [*entries[:2], replace_facts(entries[2]), entries[3]]
    assert first_broken(changed) == 3


def replace_facts(entry: object) -> object:
    import msgspec

    return msgspec.structs.replace(entry, facts={"key": "another"})  # type: ignore[type-var]


def test_a_store_that_outlives_runs_needs_a_key_of_its_own_that_others_cannot_read(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path / "stores", "alice", "keys", 1, b"seed", False)
    with pytest.raises(InputError, match="needs `kek`"):
        open_database(place, tmp_path / "kept", None)
    kek = tmp_path / "kek"
    kek.write_text(KEK.hex())
    kek.chmod(0o644)
    with pytest.raises(InputError, match="others may read"):
        open_database(place, tmp_path / "kept", kek)
    kek.chmod(0o600)
    database = open_database(place, tmp_path / "kept", kek)
    database.commit([PutBlock(a_block())])
    database.close()
    again = replace(place, repeats=True)
    copied = open_database(again, tmp_path / "stores" / "start", kek)
    assert copied.content().blocks == [], "a replay begins with what the run began with"
    copied.close()


def test_a_quota_counts_in_windows_and_what_was_not_served_is_given_back() -> None:
    limited, usage = Application("alice", quota=100, per=10.0), Usage()
    usage.add(limited, 5 * 10**9, 60)
    assert usage.left(limited, 9 * 10**9) == 40 and usage.left(limited, 10 * 10**9) == 100
    usage.give_back(limited, 6 * 10**9, 20)
    assert usage.left(limited, 9 * 10**9) == 60
    usage.add(limited, 12 * 10**9, 10)
    usage.give_back(limited, 25 * 10**9, 10)
    assert usage.left(limited, 15 * 10**9) == 90
    assert usage.left(Application("alice"), 0) is None
