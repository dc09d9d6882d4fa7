"""Casts: what a satellite broadcasts, and what it and its stations store of it.

Owns the messages, and the store of those that are not over. Does not own when they are sent
(key_broadcast.py), nor any key: what is stored are broadcasts, which all may see, and tags.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ....emulator.errors import InfrastructureError
from ...storage import Place


class Cast(msgspec.Struct, frozen=True, tag_field="what", tag="cast"):
    """Satellite -> both stations: the keys of the first one under those of the second one.

    `ids`: the keys of each; `cipher` is the XOR of their first bits, of which those of the first station are
    the block. The tags are from the last bits of each station's keys. `failure`: a bound on what the keys
    may fail with.
    """

    block: str
    stations: tuple[str, str]
    ids: tuple[list[str], list[str]]
    cipher: bytes
    failure: float
    first_tag: bytes = b""
    second_tag: bytes = b""

    def tag_of(self, station: str) -> bytes:
        """The one that this station can check."""
        return self.first_tag if station == self.stations[0] else self.second_tag

    @property
    def covered(self) -> bytes:
        """What the tags are of."""
        return msgspec.json.encode(
            [self.block, self.stations, self.ids, self.cipher, self.failure], order="sorted"
        )


class Got(msgspec.Struct, frozen=True, tag_field="what", tag="got"):
    """Station -> satellite: it has the block."""

    block: str
    tag: bytes = b""

    @property
    def covered(self) -> bytes:
        """What the tag is of."""
        return self.block.encode()


class Sent(msgspec.Struct, frozen=True, tag_field="what", tag="sent"):
    """Stored at the satellite: a cast, the tags of both answers, and when it was made, by the calendar."""

    cast: Cast
    answers: tuple[bytes, bytes]
    made_ns: int


class Answered(msgspec.Struct, frozen=True, tag_field="what", tag="answered"):
    """Stored at the satellite: a station has the block."""

    block: str
    station: str


class Over(msgspec.Struct, frozen=True, tag_field="what", tag="over"):
    """Stored at the satellite: both have it, or it has been given up."""

    block: str


AnyMessage = Cast | Got
Entry = Sent | Answered | Over | Got


class CastStore:
    """Entries in the order in which they came, in a file of JSON lines, or (None) in memory."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._entries = path, list[Entry]()

    def content(self) -> list[Entry]:
        """All entries so far."""
        if self._path is None or not self._path.exists():
            return list(self._entries)
        lines = self._path.read_bytes().split(b"\n")
        return [msgspec.json.decode(line, type=Entry) for line in lines[:-1]]

    def commit(self, changes: Sequence[Entry]) -> None:
        """Those of one step, by one write."""
        if self._path is None:
            self._entries += changes
            return
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(file, b"".join(msgspec.json.encode(each) + b"\n" for each in changes))
            finally:
                os.close(file)
        except OSError as error:
            raise InfrastructureError(f"{self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Nothing is open."""


def open_casts(place: Place) -> CastStore:
    """The store of a service, in the run's folder."""
    if place.folder is None:
        return CastStore(None)
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return CastStore(place.folder / f"{place.node}.{place.tenant}.jsonl")
