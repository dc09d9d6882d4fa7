"""Pauli frames: Paulis that are still to be applied to qubits held here, and how operations take them along.

Owns the frame of each qubit of a node, by the qubit's name; what a frame does to a gate, an axis and an
outcome (Knill, Nature 434, 39 (2005)); and the order of operations on such qubits. Does not own when an
operation happens (node/node.py and the emulator).

A frame (z, x) says: the qubit's true state is X^x Z^z of what lies in the slot, up to a global phase.

Rules. Every operation does what it would do had the frame been applied before it. A Clifford gate stays as
it is and transforms the frame; a rotation turns the other way where the Pauli anticommutes with its axis, t
becomes tdg where x is set, and the frame stays. While frames are open, the operations on a qubit are issued
one at a time, in the order in which they were asked for: a two-qubit gate that fails must leave the frame of
the other qubit, and what follows must know it. That costs no virtual time: each starts when the one before
it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..emulator.errors import OperationError
from ..emulator.wire import PauliFrame

if TYPE_CHECKING:
    from .loop.virtual_loop import VirtualLoop

Frame = tuple[int, int]
Vector = tuple[float, float, float]

NONE: Frame = (0, 0)
_INVERSES = {"t": "tdg", "tdg": "t"}


def before(gate: str, angle: float, frame: Frame) -> tuple[str, float]:
    """The one-qubit gate that does before a frame's Pauli what `gate` does after it."""
    z, x = frame
    if gate in _INVERSES:
        return (_INVERSES[gate] if x else gate), angle
    anticommutes = {"rx": z, "ry": z ^ x, "rz": x}.get(gate, 0)
    return gate, -angle if anticommutes else angle


def after(gate: str, frames: Sequence[Frame]) -> list[Frame]:
    """The frames of a gate's qubits after it."""
    z, x = frames[0]
    if gate == "h":
        return [(x, z)]
    if gate in ("s", "sdg"):
        return [(z ^ x, x)]
    if len(frames) == 1:
        return [(z, x)]
    other_z, other_x = frames[1]
    if gate == "cx":
        return [(z ^ other_z, x), (other_z, other_x ^ x)]
    if gate == "cz":
        return [(z ^ other_x, x), (other_z ^ x, other_x)]
    return [(other_z, other_x), (z, x)]  # swap


def turned(axis: Vector, frame: Frame) -> Vector:
    """The axis along which to measure before a frame's Pauli what `axis` shows after it."""
    x, y, z = axis
    flip_z, flip_x = frame
    if flip_x:
        y, z = -y, -z
    if flip_z:
        x, y = -x, -y
    return (x, y, z)


def total(frames: Sequence[Frame]) -> Frame:
    """All frames together: what they do to the outcome of a Bell measurement."""
    z = x = 0
    for each_z, each_x in frames:
        z, x = z ^ each_z, x ^ each_x
    return (z, x)


class Frames:
    """The frames of a node's qubits."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        #: Qubit -> its frame, if that is open.
        self._open: dict[str, Frame] = {}
        #: Qubits whose frame has become another since the last report.
        self.changed: dict[str, None] = {}
        #: Operations under way or waiting while frames are open, in the order in which they were asked for.
        self._turns: list[Turn] = []

    @property
    def idle(self) -> bool:
        """Whether no frame is open and no operation waits for its turn."""
        return not self._open and not self._turns

    def of(self, qubit: str) -> Frame:
        """The qubit's frame; (0, 0) for one without."""
        return self._open.get(qubit, NONE)

    def set(self, qubit: str, frame: Frame) -> None:
        """From now on that is the qubit's frame."""
        if frame == self.of(qubit):
            return
        self.changed[qubit] = None
        if frame == NONE:
            del self._open[qubit]
        else:
            self._open[qubit] = frame

    def shift(self, qubit: str, z: int, x: int) -> None:
        """X^x Z^z more is still to be applied."""
        self.set(qubit, total((self.of(qubit), (z, x))))

    def transform(self, gate: str, qubits: Sequence[str]) -> None:
        """The gate has acted on the qubits."""
        frames = after(gate, [self.of(qubit) for qubit in qubits])
        for qubit, frame in zip(qubits, frames, strict=True):
            self.set(qubit, frame)

    def forget(self, qubit: str) -> None:
        """The qubit has left its slot: its frame is of no use any more."""
        self._open.pop(qubit, None)
        self.changed.pop(qubit, None)

    def take(self, qubits: Sequence[str]) -> Frame:
        """The frames of consumed qubits, all together; forgotten."""
        found = total([self.of(qubit) for qubit in qubits])
        for qubit in qubits:
            self.forget(qubit)
        return found

    def changes(self) -> list[PauliFrame]:
        """The frames that have become others since this was last asked."""
        if not self.changed:
            return []
        changed, self.changed = self.changed, {}
        return [PauliFrame(qubit, *self.of(qubit)) for qubit in changed]

    def turn(self, qubits: Sequence[str]) -> Turn:
        """`async with frames.turn(names):` issue and await one operation on these qubits."""
        return Turn(self, self._loop, qubits)

    def enter(self, turn: Turn) -> None:
        """The turn stands behind all those before it that share a qubit with it."""
        if self._turns or any(qubit in self._open for qubit in turn.qubits):
            self._turns.append(turn)

    def is_next(self, turn: Turn) -> bool:
        """Whether no turn before it shares a qubit with it."""
        for other in self._turns:
            if other is turn:
                return True
            if any(qubit in turn.qubits for qubit in other.qubits):
                return False
        return True

    def leave(self, turn: Turn) -> None:
        """The turn is over: those that waited for it begin."""
        if turn not in self._turns:
            return
        self._turns.remove(turn)
        for other in self._turns:
            if self.is_next(other):
                other.begin()


class Turn:
    """One operation's place in the order of those on its qubits; see `Frames.turn`."""

    __slots__ = ("qubits", "_frames", "_loop", "_waiting")

    def __init__(self, frames: Frames, loop: VirtualLoop, qubits: Sequence[str]) -> None:
        self._frames, self._loop, self.qubits = frames, loop, qubits
        self._waiting: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """It is this one's turn."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def __aenter__(self) -> None:
        self._frames.enter(self)
        if self._frames.is_next(self):
            return
        self._waiting = self._loop.create_future()
        try:
            await self._waiting
        except BaseException:
            self._frames.leave(self)
            raise

    async def __aexit__(self, *_: object) -> None:
        self._frames.leave(self)


def has_happened(error: BaseException) -> bool:
    """Whether an operation whose await raised `error` takes effect all the same: its await was cancelled."""
    return not isinstance(error, OperationError)
