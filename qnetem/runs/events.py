"""Reading journals: lines, events and instants, however long the file is.

Owns the form of a line (emulator/record/journal.py writes them) and the errors for what is no event. Does not
own comparing (compare/diff.py). Rule: a file is read line by line and never held. A line that is no event is
refused by its number. A last line without a line feed was never finished, because its writer was killed: it
counts as not there, and `cut` is true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from ..emulator.errors import InputError
from ..emulator.record.journal import Chains
from ..emulator.units import format_ns
from ..emulator.wire import UNREADABLE
from ..emulator.wire.compressed import open_stream
from .files import unreadable
from .run_folder import RunFolder

#: No event is longer: what it holds came over the wire.
_LONGEST_LINE = 256 * 1024 * 1024
_EXPECTED = "[t_ns, m, entity, kind, ...fields]"
_HEAD = re.compile(rb"\[(\d{1,20}),(\d{1,20}),")
_WITH_ENTITY = re.compile(rb'\[\d{1,20},\d{1,20},"((?:[^"\\]|\\.)*)",')
_LINES_AT_ONCE = 20_000
_decode = msgspec.json.Decoder(list[Any]).decode

Instant = tuple[int, int]


class Event(NamedTuple):
    """One line of a journal: something that has happened.

    Attributes:
        t_ns: the virtual time.
        m: the microstep within it.
        entity: to whom it has happened: a node, a link, "faults".
        kind: what it is: sent, delivered, operation, result, herald, begin, heal, end, ...
        fields: JSON values, by kind: ("bob", 1, 1, "outcome", ...) for a message that was sent.
        number: the line in the journal, from 1.
        raw: that line.
    """

    t_ns: int
    m: int
    entity: str
    kind: str
    fields: tuple[Any, ...]
    number: int
    raw: bytes

    @property
    def instant(self) -> Instant:
        """(t_ns, m)."""
        return self.t_ns, self.m

    def __str__(self) -> str:
        fields = "".join(f" {msgspec.json.encode(field).decode()}" for field in self.fields)
        return f"{format_ns(self.t_ns)} {self.entity} {self.kind}{fields}"


class Lines:
    """A journal, one line at a time: `line` is the present one (without its end), None after the last.

    Attributes: `number` (of the present line, from 1), `instant` (its instant), `instants` (how many
    there have been), `cut` (the file ends within a line). Opened by `with`. Raises InputError for what
    is no event or goes back in time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line: bytes | None = None
        self.number = self.instants = 0
        self.instant: Instant = (-1, 0)
        self.cut = False
        self._head = b"?"
        self._file: BinaryIO | None = None

    def __enter__(self) -> Lines:
        try:
            self._file = open_stream(self.path)
        except OSError as error:
            raise InputError(unreadable(self.path, error)) from error
        try:
            self.advance()
        except InputError:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def advance(self) -> None:
        """Go to the next line."""
        assert self._file is not None
        line = self._file.readline(_LONGEST_LINE)
        self.number += 1
        if not line.endswith(b"\n"):
            self._end(line)
        elif not line.startswith(self._head):
            self._enter(line)
            self.line = line[:-1]
        else:
            self.line = line[:-1]

    def event(self) -> Event:
        """The present line as an event."""
        assert self.line is not None
        return self.parsed(self.line, self.number)

    def parsed(self, line: bytes, number: int) -> Event:
        """A line as an event. Raises InputError, with the number."""
        try:
            found = _decode(line)
        except UNREADABLE as error:
            raise self._no_event(line, number) from error
        match found:
            case [int(t_ns), int(m), str(entity), str(kind), *fields]:
                return Event(t_ns, m, entity, kind, tuple(fields), number, line)
        raise self._no_event(line, number)

    def _end(self, line: bytes) -> None:
        """The file is over; what is left of it is half a line, or far too much to be one."""
        if len(line) == _LONGEST_LINE:
            raise self._no_event(line, self.number)
        if line and not line.startswith(b"["):
            raise self._no_event(line, self.number)
        self.line, self.cut = None, bool(line)

    def _enter(self, line: bytes) -> None:
        """The line begins another instant."""
        match = _HEAD.match(line)
        if match is None:
            raise self._no_event(line, self.number)
        instant = int(match[1]), int(match[2])
        if instant < self.instant:
            raise InputError(
                f"{self.path}:{self.number}: the journal goes back in time, "
                f"from {self.instant} to {instant}"
            )
        self._head, self.instant = match[0], instant
        self.instants += 1

    def _no_event(self, line: bytes, number: int) -> InputError:
        text = line[:60].decode("utf-8", errors="replace").rstrip("\n")
        more = "..." if len(line) > 60 else ""
        return InputError(f"{self.path}:{number}: expected {_EXPECTED}, found {text!r}{more}")


def read_events(run_folder: Path) -> list[Event]:
    """All events of a run that is over, in their order.

    Raises InputError when the run kept no journal (`record: hashes`) or it cannot be read.
    """
    path = RunFolder(run_folder).journal
    if not path.exists():
        raise InputError(f"there is no {path}: events are kept with `record: full` only")
    events = []
    with Lines(path) as lines:
        while lines.line is not None:
            events.append(lines.event())
            lines.advance()
    return events


def digest_of(path: Path) -> str:
    """The digest of the events in a journal. Raises InputError for what is none."""
    chains = Chains()
    with Lines(path) as lines:
        for gathered, entities in _gathered(lines):
            chains.take(gathered, entities)
    return chains.digest()


def _gathered(lines: Lines) -> Iterator[tuple[list[bytes], list[str]]]:
    """Lines and the entity of each, many at once."""
    gathered: list[bytes] = []
    entities: list[str] = []
    while lines.line is not None:
        match = _WITH_ENTITY.match(lines.line)
        gathered.append(lines.line)
        if match is not None and b"\\" not in match[1] and match[1].isascii():
            entities.append(match[1].decode())
        else:
            entities.append(lines.event().entity)
        if len(gathered) == _LINES_AT_ONCE:
            yield gathered, entities
            gathered, entities = [], []
        lines.advance()
    yield gathered, entities


def last_instant(path: Path) -> Instant:
    """The instant of the last event in a journal, (0, 0) without any. Raises InputError."""
    with Lines(path) as lines:
        while lines.line is not None:
            lines.advance()
        return lines.instant if lines.instants else (0, 0)
