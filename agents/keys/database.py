"""The key store of a site on disk: SQLite, in the shell of its node.

Owns the tables and the transactions: what a step has changed is stored in one. Does not own what changes
(key_service.py), nor the encryption (sealing.py). Rules. Bits are stored sealed, metadata is not; bits that
are gone are deleted, block by block in pieces of `CHUNK` bytes. One service has the file at a time.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from ...emulator.errors import InfrastructureError, InputError
from ..secret import Secret
from ..storage import Place
from .applications import Usage
from .audit import FIRST, Entry
from .changes import (
    Change,
    Content,
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
from .pool import LABEL, Block, Intervals, Part
from .sealing import Sealer, key_of_run, read_key

CHUNK = 4096
VERSION = 1
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE known (block TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE blocks (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, peer TEXT NOT NULL, bytes INTEGER NOT NULL,
    made_ns INTEGER NOT NULL, origin TEXT NOT NULL, ready INTEGER NOT NULL, gone TEXT NOT NULL
);
CREATE TABLE chunks (
    block TEXT NOT NULL, start INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (block, start)
) WITHOUT ROWID;
CREATE TABLE keys (
    id TEXT PRIMARY KEY, peer TEXT NOT NULL, parts TEXT NOT NULL, master TEXT NOT NULL, slaves TEXT NOT NULL,
    due TEXT NOT NULL, made_ns INTEGER NOT NULL, origin TEXT NOT NULL, shared INTEGER NOT NULL,
    sealed BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE usage (
    application TEXT PRIMARY KEY, window INTEGER NOT NULL, bits INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE audit (
    number INTEGER PRIMARY KEY, t_ns INTEGER NOT NULL, what TEXT NOT NULL, facts TEXT NOT NULL,
    hash TEXT NOT NULL
);
"""
_decode = msgspec.json.decode


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def file_name(node: str, tenant: str) -> str:
    """How the store of a service is called."""
    return f"{node}.{tenant}.sqlite"


def open_database(place: Place, folder: Path | None, kek: Path | None) -> KeyDatabase:
    """The store of a key service, in a `folder` that outlives runs or in the run's. Raises InputError."""
    if place.folder is None:
        return KeyDatabase(None, Sealer(key_of_run(place.hash_key, place.node)))
    name = file_name(place.node, place.tenant)
    own = place.folder / name
    if folder is None:
        own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return KeyDatabase(own, Sealer(key_of_run(place.hash_key, place.node)))
    if kek is None:
        raise InputError(
            "a store that outlives a run needs `kek`, the file of a key-encryption key"
        )
    sealer = Sealer(read_key(kek))
    if place.repeats:  # what the run that is repeated began with; it stays as it is
        own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if place.incarnation == 1 and (folder / name).exists():
            shutil.copyfile(folder / name, own)
        return KeyDatabase(own, sealer)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = KeyDatabase(folder / name, sealer, durable=True)
    if place.incarnation == 1:
        start = start_of(place.folder)
        start.mkdir(mode=0o700, parents=True, exist_ok=True)
        database.copy_to(start / name)
    return database


def start_of(stores: Path) -> Path:
    """The folder of what stores that outlive runs held when a run began; `stores`: that of the run."""
    return stores / "start"


class KeyDatabase:
    """A store in a file, or (None) in memory. `durable`: a commit outlives a loss of power, too."""

    def __init__(self, path: Path | None, sealer: Sealer, durable: bool = False) -> None:
        self._path, self._sealer = path, sealer
        with self._named():
            if path is not None:
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path or ":memory:", timeout=0.0, isolation_level=None)
            try:
                self._prepare(durable)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, durable: bool) -> None:
        db = self._db
        db.execute("PRAGMA locking_mode = EXCLUSIVE")  # before WAL: then it needs no shared memory
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("BEGIN EXCLUSIVE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")
            db.execute("INSERT INTO meta VALUES ('kek', ?)", (self._sealer.fingerprint,))
        db.execute("COMMIT")
        if version not in (0, VERSION):
            raise InputError(f"{self._path}: a key store of version {version}, expected {VERSION}")
        ((fingerprint,),) = db.execute("SELECT value FROM meta WHERE name = 'kek'")
        if fingerprint != self._sealer.fingerprint:
            raise InputError(f"{self._path}: sealed under another key-encryption key")

    # --- reading ---

    def content(self) -> Content:
        """All of it."""
        with self._named():
            db = self._db
            last = db.execute(
                "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1"
            ).fetchone()
            audited, head = last or (0, FIRST)
            return Content(
                blocks=list(self._blocks()),
                known={block for (block,) in db.execute("SELECT block FROM known")},
                keys=list(self._keys()),
                usage={
                    name: Usage(window, bits)
                    for name, window, bits in db.execute("SELECT * FROM usage ORDER BY application")
                },
                audited=audited,
                head=head,
            )

    def _blocks(self) -> Iterator[Block]:
        rows = "SELECT id, peer, bytes, made_ns, origin, ready, gone FROM blocks ORDER BY number"
        for id, peer, size, made_ns, origin, ready, gone in self._db.execute(rows).fetchall():
            data = bytearray(size)  # what is gone has been deleted, and is never read
            chunks = "SELECT start, sealed FROM chunks WHERE block = ?"
            for start, sealed in self._db.execute(chunks, (id,)):
                opened = self._sealer.open(sealed, f"block {id} {start}")
                data[start : start + len(opened)] = opened
            bits = Secret(bytes(data), label=LABEL, id=id)
            taken = Intervals(_decode(gone))
            yield Block(id, peer, bits, made_ns, _decode(origin), bool(ready), taken)

    def _keys(self) -> Iterator[Key]:
        columns = "id, peer, parts, master, slaves, due, made_ns, origin, shared, sealed"
        rows = f"SELECT {columns} FROM keys ORDER BY made_ns, id"
        for (
            id,
            peer,
            parts,
            master,
            slaves,
            due,
            made_ns,
            origin,
            shared,
            sealed,
        ) in self._db.execute(rows):
            yield Key(
                id,
                peer,
                Secret(self._sealer.open(sealed, f"key {id}"), label=LABEL, id=id),
                _decode(parts, type=list[Part]),
                master,
                _decode(slaves),
                _decode(due),
                made_ns,
                _decode(origin),
                bool(shared),
            )

    # --- writing ---

    def commit(self, changes: Sequence[Change]) -> None:
        """Store the changes of a step in one transaction."""
        with self._named():
            self._db.execute("BEGIN")
            try:
                for change in changes:
                    self._carry_out(change)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def _carry_out(self, change: Change) -> None:
        execute = self._db.execute
        match change:
            case PutBlock(block):
                self._put_block(block)
            case Ready(block):
                execute("UPDATE blocks SET ready = 1 WHERE id = ?", (block,))
            case Gone(block, taken):
                execute("UPDATE blocks SET gone = ? WHERE id = ?", (_json(taken), block))
                before = Intervals(taken).beginning // CHUNK * CHUNK
                execute("DELETE FROM chunks WHERE block = ? AND start < ?", (block, before))
            case DropBlock(block):
                execute("DELETE FROM chunks WHERE block = ?", (block,))
                execute("DELETE FROM blocks WHERE id = ?", (block,))
            case PutKey(key):
                self._put_key(key)
            case KeyState(key, due, shared):
                execute(
                    "UPDATE keys SET due = ?, shared = ? WHERE id = ?", (_json(due), shared, key)
                )
            case DropKey(key):
                execute("DELETE FROM keys WHERE id = ?", (key,))
            case Used(application, usage):
                execute(
                    "INSERT OR REPLACE INTO usage VALUES (?, ?, ?)",
                    (application, usage.window, usage.bits),
                )
            case Noted(entry):
                execute(
                    "INSERT INTO audit VALUES (?, ?, ?, ?, ?)",
                    (entry.number, entry.t_ns, entry.what, _json(entry.facts), entry.hash),
                )

    def _put_block(self, block: Block) -> None:
        self._db.execute("INSERT INTO known VALUES (?)", (block.id,))
        self._db.execute(
            "INSERT INTO blocks (id, peer, bytes, made_ns, origin, ready, gone) "
            "VALUES (?, ?, ?, ?, ?, 0, '[]')",
            (block.id, block.peer, block.size, block.made_ns, _json(block.origin)),
        )
        for start in range(0, block.size, CHUNK):
            piece = Secret(block.bits.reveal_bytes()[start : start + CHUNK])
            sealed = self._sealer.seal(piece, f"block {block.id} {start}")
            self._db.execute("INSERT INTO chunks VALUES (?, ?, ?)", (block.id, start, sealed))

    def _put_key(self, key: Key) -> None:
        sealed = self._sealer.seal(key.bits, f"key {key.id}")
        lists = _json(key.parts), key.master, _json(key.slaves), _json(key.due)
        row = (key.id, key.peer, *lists, key.made_ns, _json(key.origin), key.shared, sealed)
        self._db.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def copy_to(self, path: Path) -> None:
        """A copy of it as it is."""
        with self._named():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            copy = sqlite3.connect(path)
            try:
                self._db.backup(copy)
            finally:
                copy.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._path is not None:
            self._db.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if "locked" in str(error):
                raise InputError(f"{self._path}: another service has this store") from error
            raise InfrastructureError(f"{self._path}: the key store fails: {error}") from error


def read_audit(path: Path) -> list[Entry]:
    """The audit trail of a store, which no other process may have open. Raises InputError."""
    if not path.exists():
        raise InputError(f"{path}: no key store")
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            rows = db.execute("SELECT number, t_ns, what, facts, hash FROM audit ORDER BY number")
            return [_entry(*row) for row in rows]
        finally:
            db.close()
    except sqlite3.Error as error:
        raise InputError(f"{path}: the key store cannot be read: {error}") from error


def _entry(number: int, t_ns: int, what: str, facts: str, hash: str) -> Entry:
    try:
        return Entry(number, t_ns, what, _decode(facts), hash)
    except msgspec.MsgspecError:  # it was changed, and the chain is broken here
        return Entry(number, t_ns, what, {}, "")
