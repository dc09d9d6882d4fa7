"""The frames between the emulator and a worker, which is a process that several nodes share.

Owns the structs. What emulator and node say to each other is as ever (messages.py): a worker carries the
streams of its nodes, one `Round` for all that is to be said at once. The rest begins and ends nodes in it.

Rules. A worker's first frame is `WorkerHello` (messages.py). Each incarnation in it begins with `Begin`, and
says its own Hello. Where a process is named by a node and a number, a worker is "" and its own number, which
counts from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from .messages import Frame, Stop
from .operations import Record

#: Nodes of one worker that a text names.
_MOST_NODES = 12


class Worker(NamedTuple):
    """A worker, for texts. `at_work`: the node in whose step it is or was, if any."""

    number: int
    nodes: Sequence[str]
    at_work: str = ""

    @property
    def words(self) -> str:
        """As `worker 1 (alice, bob)`."""
        more = len(self.nodes) - _MOST_NODES
        named = ", ".join(self.nodes[:_MOST_NODES])
        return f"worker {self.number} ({named}{f' and {more} more' if more > 0 else ''})"


class Part(Record):
    """The next bytes of one node's stream, framed as ever; `worked_s`: how long the node took for them."""

    node: str
    data: bytes
    worked_s: float = 0.0


class Round(Frame):
    """What is to be said at once, for several nodes or by them."""

    parts: list[Part]


class Begin(Frame):
    """Emulator -> worker: this incarnation of a node lives from now on. `token` is for its Hello."""

    node: str
    incarnation: int
    token: str

    def __repr__(self) -> str:
        return f"Begin({self.node!r}, {self.incarnation})"


class End(Frame):
    """Emulator -> worker: kill this incarnation, and no other node. Answer: `Ended`."""

    node: str
    incarnation: int


class Ended(Frame):
    """Worker -> emulator: nothing of this incarnation runs any more."""

    node: str
    incarnation: int


ToWorker = Round | Begin | End | Stop
FromWorker = Round | Ended

decode_to_worker: Callable[[bytes | memoryview], ToWorker] = msgspec.msgpack.Decoder(
    ToWorker
).decode
decode_from_worker: Callable[[bytes | memoryview], FromWorker] = msgspec.msgpack.Decoder(
    FromWorker
).decode
