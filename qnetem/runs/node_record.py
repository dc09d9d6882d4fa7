"""Reading what one incarnation of a node received and did (agents/process/files.py writes it).

Owns finding the file, and the errors for what is no record. Rule: a file is read in portions and never
held. An entry that ends with the file was never finished, because its process was killed: it counts as not
there, and `cut` is true.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

from ..agents.messages import Envelope, unseal
from ..agents.process.files import JournalRecord, Payload, decode_record
from ..emulator.errors import InfrastructureError, InputError, MessageError
from ..emulator.topology.written.names import nearest
from ..emulator.wire import HEADER, UNREADABLE, Welcome
from ..emulator.wire.compressed import open_stream
from ..emulator.wire.framing import FrameSplitter
from .files import unreadable
from .recorded import RecordedRun

_READ_BYTES = 256 * 1024


class NodeRecord:
    """The record of one incarnation. `cut`: after reading, whether it ends within a record."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut = False

    def records(self) -> Generator[JournalRecord, None, None]:
        """All records, Welcome first; close it when not all are taken. Raises InputError at what is none."""
        at, first = 0, True
        for body in self._bodies():
            try:
                record = decode_record(body)
            except UNREADABLE as error:
                raise self._no_record(at, str(error)) from error
            if first != isinstance(record, Welcome):
                what = type(record).__name__
                raise self._no_record(at, f"{what} where {'a' if first else 'no'} Welcome was due")
            at, first = at + HEADER.size + len(body), False
            yield record
        if first:
            raise InputError(f"{self.path} is empty: the node had not begun")

    def _bodies(self) -> Iterator[bytes]:
        splitter, read = FrameSplitter(), 0
        try:
            with open_stream(self.path) as file:
                while data := file.read(_READ_BYTES):
                    read += len(data)
                    yield from splitter.feed(data)
        except InfrastructureError as error:
            raise self._no_record(read, str(error)) from error
        except OSError as error:
            raise InputError(unreadable(self.path, error)) from error
        self.cut = splitter.held > 0

    def _no_record(self, at: int, why: str) -> InputError:
        return InputError(f"{self.path}: not the record of a node, at byte {at:,}: {why}")


def incarnations(run: RecordedRun, node: str) -> list[int]:
    """Which incarnations of a node are on record. Raises InputError when there is no such node, or none."""
    known = run.resolved().nodes
    if node not in known:
        raise InputError(f"{run.path} has no node {node!r}{nearest(node, known)}")
    found = [incarnation for name, incarnation in run.folder.recorded() if name == node]
    if not found:
        missing = f"{run.path} has no record of what {node} received"
        hashes = run.topology.get("record") == "hashes"
        why = ": it was recorded with `record: hashes`, which keeps none" if hashes else ""
        raise InputError(missing + why)
    return found


def node_record(run: RecordedRun, node: str, incarnation: int | None) -> NodeRecord:
    """The record of an incarnation (None: the first). Raises InputError when it is not there."""
    there = incarnations(run, node)
    chosen = there[0] if incarnation is None else incarnation
    if chosen not in there:
        listed = ", ".join(map(str, there))
        raise InputError(f"{node} has no incarnation {chosen} on record: expected one of {listed}")
    return NodeRecord(run.folder.record(node, chosen))


def sent_body(run: RecordedRun, source: str, incarnation: int, dst: str, seq: int) -> str | None:
    """The body of a message, as JSON text, from its receiver's record; None when it is in none.

    Only ever shown: a receiver's record that cannot be read is as good as none.
    """
    try:
        for receiving in incarnations(run, dst):
            received = NodeRecord(run.folder.record(dst, receiving))
            with closing(received.records()) as records:
                for record in records:
                    if isinstance(record, Payload) and record.source == source:
                        envelope = _envelope(record.data)
                        if envelope and (envelope.inc, envelope.seq) == (incarnation, seq):
                            return bytes(envelope.body).decode()
    except InputError:
        return None
    return None


def _envelope(data: bytes) -> Envelope | None:
    try:
        return unseal(data)
    except MessageError:
        return None
