"""The journal and the digest: what happened, in order, and one hash of it.

Owns the event lines and the hash chain of each entity. Does not own metrics (metrics.py) or the run folder.

Rule: one event is one JSON line `[t_ns, m, entity, kind, ...fields]`; the same bytes go to the file and
into the entity's chain, so the digest is of exactly what a reader can see. Lines are gathered, and hashed
when they are written, compressed: a hash of the joined lines is that of the lines. Never an event: grants,
timers, waits, process ids, wall-clock time, logs, secrets.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol

import msgspec

from ..errors import InfrastructureError
from ..units import unsigned_zero
from ..wire.compressed import CompressedFile

_encode = msgspec.json.Encoder().encode
_FLUSH_BYTES = 256 * 1024
_DIGITS = 12


class Clock(Protocol):
    """Where the journal reads the current instant."""

    now_ns: int
    m: int


class Chains:
    """One hash per entity over its lines, and the digest of all: the lines alone give the digest."""

    def __init__(self) -> None:
        self._chains: dict[str, hashlib.blake2b] = {}

    def take(self, lines: list[bytes], entities: list[str]) -> None:
        """Take lines (without their ends), and the entity of each, in order."""
        gathered: dict[str, list[bytes]] = {entity: [] for entity in entities}
        for line, entity in zip(lines, entities, strict=True):
            gathered[entity].append(line)
        for entity, its_lines in gathered.items():
            its_lines.append(b"")
            if entity not in self._chains:
                self._chains[entity] = hashlib.blake2b(digest_size=16)
            self._chains[entity].update(b"\n".join(its_lines))

    def digest(self) -> str:
        """BLAKE2b (128 bit, hex) of the sorted (entity, chain) list."""
        total = hashlib.blake2b(digest_size=16)
        for entity in sorted(self._chains):
            total.update(entity.encode() + b"\x1f" + self._chains[entity].digest())
        return total.hexdigest()


class Journal:
    """Events of one run, hashed per entity, and written to `path` (None keeps only the hashes)."""

    def __init__(self, clock: Clock, path: Path | None = None) -> None:
        self._clock = clock
        self._chains = Chains()
        #: What is not hashed and written yet: lines without their ends, and the entity of each.
        self._lines: list[bytes] = []
        self._entities: list[str] = []
        self._gathered_bytes = 0
        self._path = path
        self._file: CompressedFile | None = None
        if path is not None:
            self._file = _open(path)

    def event(self, entity: str, kind: str, *fields: Any) -> None:
        """Record that `kind` happened to `entity` now. `fields` are JSON values; round floats first."""
        clock = self._clock
        line = _encode((clock.now_ns, clock.m, entity, kind, *fields))
        self._lines.append(line)
        self._entities.append(entity)
        self._gathered_bytes += len(line)
        if self._gathered_bytes > _FLUSH_BYTES:
            self.flush()

    def digest(self) -> str:
        """BLAKE2b (128 bit, hex) of the sorted (entity, chain) list."""
        self.flush()
        return self._chains.digest()

    def flush(self) -> None:
        """Hash and write what is gathered. Raises InfrastructureError when the disk does not take it."""
        lines, entities = self._lines, self._entities
        if not lines:
            return
        self._lines, self._entities, self._gathered_bytes = [], [], 0
        self._chains.take(lines, entities)
        if self._file is None:
            return
        lines.append(b"")
        try:
            self._file.append(b"\n".join(lines))
        except OSError as error:
            self._file = None  # what came later would hide the gap before it
            raise _not_written(self._path, error) from error

    def close(self) -> None:
        """Flush and close; the journal takes no event afterwards."""
        try:
            self.flush()
            if self._file is not None:
                self._file.close()
        except OSError as error:
            raise _not_written(self._path, error) from error
        finally:
            self._file = None


def rounded(value: Any) -> Any:
    """`value` with every float rounded to 12 significant digits: BLAS kernels differ in the last ones.

    A zero has no sign: 0.0 and -0.0 are equal, so which of them comes first may not be seen.
    """
    if isinstance(value, float):
        return unsigned_zero(float(f"{value:.{_DIGITS}g}"))
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return value


def _not_written(path: Path | None, error: OSError) -> InfrastructureError:
    return InfrastructureError(f"the journal {path} cannot be written: {error.strerror or error}")


def _open(path: Path) -> CompressedFile:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return CompressedFile(path)
    except OSError as error:
        raise _not_written(path, error) from error
