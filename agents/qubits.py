"""Handles: all a node has of the quantum world.

Owns Qubit, Pair and Memory: names and what hardware would tell. The states stay in the emulator; no
operation copies a qubit, so no-cloning holds by construction. Every operation takes its duration in
virtual time, and is queued behind earlier operations on the same qubit. Each acts as if the qubit's Pauli
frame had been applied before it (frames.py).

Cancelling an await: gates and measurements run to their end, their result is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..emulator.errors import OperationError
from ..emulator.units import unsigned_zero
from ..emulator.wire import Apply, Discard, Joined, Measure, Reset, Store
from . import frames

if TYPE_CHECKING:
    from .interface import NodeInterface

Axis = str | tuple[float, float, float]
_AXES: dict[str, tuple[float, float, float]] = {
    "X": (1.0, 0.0, 0.0),
    "Y": (0.0, 1.0, 0.0),
    "Z": (0.0, 0.0, 1.0),
}


def bloch(axis: Axis) -> tuple[float, float, float]:
    """A measurement axis as a Bloch vector: "X", "Y", "Z" or three numbers. Raises OperationError."""
    if isinstance(axis, str):
        found = _AXES.get(axis.upper())
        if found is None:
            raise OperationError(f"no axis {axis!r}: expected X, Y, Z or a Bloch vector (x, y, z)")
        return found
    x, y, z = (unsigned_zero(float(part)) for part in axis)
    length = math.sqrt(x * x + y * y + z * z)
    if not math.isfinite(length) or length == 0:
        raise OperationError(f"{axis!r} is no axis: expected a finite vector that is not zero")
    return (x / length, y / length, z / length)


class Qubit:
    """A qubit held by this node.

    Attributes:
        name: its name in this run, as the journal has it.
        source: the node that sent it; "" if it came over no link.
        port: the mailbox of this node that it came to; "" for the program's.
        arrived_ns: the virtual time of its arrival; 0 if it came over no link.
    """

    __slots__ = ("name", "source", "arrived_ns", "port", "_node")

    def __init__(
        self,
        node: NodeInterface,
        name: str,
        source: str = "",
        arrived_ns: int = 0,
        port: str = "",
    ) -> None:
        self._node, self.name = node, name
        self.source, self.arrived_ns, self.port = source, arrived_ns, port

    def belong_to(self, node: NodeInterface) -> None:
        """It has been handed over: from now on it is used as that tenant's."""
        self._node = node

    def __repr__(self) -> str:
        return f"<Qubit {self.name}>"

    async def _gate(self, gate: str, *others: Qubit, angle: float = 0.0) -> None:
        qubits = [self.name, *(other.name for other in others)]
        angle = float(angle)
        if not math.isfinite(angle):
            raise OperationError(
                f"{gate}: {angle} is no angle: expected a finite number of radians"
            )
        held = self._node.frames
        if held.idle:
            await self._operate(gate, qubits, angle)
            return
        async with held.turn(qubits):
            physical, turned = gate, angle
            if not others:
                physical, turned = frames.before(gate, turned, held.of(self.name))
            try:
                await self._operate(physical, qubits, turned)
            except BaseException as error:
                if frames.has_happened(error):
                    held.transform(gate, qubits)
                raise
            held.transform(gate, qubits)

    async def _operate(self, gate: str, qubits: list[str], angle: float = 0.0) -> None:
        turned = unsigned_zero(angle)
        await self._node.operate(lambda number: Apply(number, gate, qubits, turned))

    async def x(self) -> None:
        """Pauli X."""
        await self._gate("x")

    async def y(self) -> None:
        """Pauli Y."""
        await self._gate("y")

    async def z(self) -> None:
        """Pauli Z."""
        await self._gate("z")

    async def h(self) -> None:
        """Hadamard."""
        await self._gate("h")

    async def s(self) -> None:
        """Phase gate diag(1, i)."""
        await self._gate("s")

    async def sdg(self) -> None:
        """Inverse phase gate diag(1, -i)."""
        await self._gate("sdg")

    async def t(self) -> None:
        """diag(1, exp(i pi/4))."""
        await self._gate("t")

    async def tdg(self) -> None:
        """diag(1, exp(-i pi/4))."""
        await self._gate("tdg")

    async def rx(self, angle: float) -> None:
        """exp(-i angle X / 2); radians."""
        await self._gate("rx", angle=angle)

    async def ry(self, angle: float) -> None:
        """exp(-i angle Y / 2); radians."""
        await self._gate("ry", angle=angle)

    async def rz(self, angle: float) -> None:
        """exp(-i angle Z / 2); radians."""
        await self._gate("rz", angle=angle)

    async def cx(self, target: Qubit) -> None:
        """Controlled X with this qubit as control."""
        await self._gate("cx", target)

    async def cz(self, other: Qubit) -> None:
        """Controlled Z."""
        await self._gate("cz", other)

    async def swap(self, other: Qubit) -> None:
        """Exchange the states of two qubits of this node (not entanglement swapping: `join`)."""
        await self._gate("swap", other)

    async def measure(self, axis: Axis = "Z", *, keep: bool = False) -> int:
        """0 for the +1 eigenstate along `axis`, else 1. The qubit is gone unless `keep`."""
        vector, held = bloch(axis), self._node.frames
        if held.idle:
            return await self._measured(vector, keep)
        async with held.turn([self.name]):
            x, y, z = frames.turned(vector, held.of(self.name))
            along = (unsigned_zero(x), unsigned_zero(y), unsigned_zero(z))
            return await self._measured(along, keep)

    async def _measured(self, along: tuple[float, float, float], keep: bool) -> int:
        name, keep = self.name, bool(keep)
        return int(await self._node.operate(lambda number: Measure(number, name, along, keep)))

    async def store(self) -> None:
        """Move it to a storage qubit of the node, so that the communication qubit is free; the handle stays.

        Takes two two-qubit gates, and errs as they do. Nothing happens where it is stored already, and on a
        node that does not tell the two apart. Raises OperationError if no storage qubit is free.
        """
        async with self._node.frames.turn([self.name]):
            await self._node.operate(lambda number: Store(number, self.name))

    async def reset(self) -> None:
        """Back to |0>, keeping the slot."""
        async with self._node.frames.turn([self.name]):
            self._node.frames.set(self.name, frames.NONE)
            await self._node.operate(lambda number: Reset(number, self.name))

    async def correct(self) -> None:
        """Apply the Paulis of its frame, if one is open, by gates."""
        async with self._node.frames.turn([self.name]):
            await self._apply_frame()

    async def _apply_frame(self) -> None:
        """`correct`, in a turn of `Node.frames`."""
        held = self._node.frames
        for gate in ("x", "z"):
            z, x = held.of(self.name)
            if x if gate == "x" else z:
                held.shift(self.name, gate == "z", gate == "x")
                await self._operate(gate, [self.name])

    async def discard(self) -> None:
        """Trace it out and free the slot."""
        async with self._node.frames.turn([self.name]):
            await self._node.operate(lambda number: Discard(number, [self.name]))

    @property
    def expired(self) -> bool:
        """Whether this node's memory has discarded it at its cut-off."""
        return self._node.has_expired(self.name)

    async def wait_expired(self) -> bool:
        """Wait until the memory discards it at its cut-off, and return True at that very instant.

        False as soon as it has left its slot in another way: measured, sent, discarded.
        """
        return await self._node.departure(self.name)


class Pair:
    """This node's half of an entangled pair.

    Its frame belongs to the qubit, and every operation on that accounts for it.

    Attributes:
        id: names the pair, alike at both ends, also a pair that joins have made longer.
        peer: the node that holds the other half.
        link: the link that heralded it.
        qubit: the half here, for gates.
        emitted_ns: the virtual time at which the half here was emitted.
        goodness: the fidelity with Phi+ at emission, as the link promises it.
        bell: the heralded Bell state: 0 Phi+, 1 Psi+, 2 Phi-, 3 Psi-.
        path: the ids of the link pairs it is made of, from this end outwards.
    """

    __slots__ = (
        "id", "peer", "link", "qubit", "emitted_ns", "goodness", "bell", "path", "_node",
    )  # fmt: skip

    def __init__(
        self, node: NodeInterface, id: str, peer: str, link: str, qubit: Qubit, emitted_ns: int,
        goodness: float, bell: int,
    ) -> None:  # fmt: skip
        self._node = node
        self.id, self.peer, self.link, self.qubit = id, peer, link, qubit
        self.emitted_ns, self.goodness, self.bell = emitted_ns, goodness, bell
        self.path = [id]

    def __repr__(self) -> str:
        return f"<Pair {self.id} with {self.peer}>"

    def belong_to(self, node: NodeInterface) -> None:
        """It has been handed over: from now on it is used as that tenant's."""
        self._node = node
        self.qubit.belong_to(node)

    @property
    def age_ns(self) -> int:
        """Virtual time since the pair was emitted."""
        return self._node.now_ns - self.emitted_ns

    @property
    def frame(self) -> frames.Frame:
        """(z, x): X^x Z^z is still to be applied to the half here."""
        return self._node.frames.of(self.qubit.name)

    @frame.setter
    def frame(self, frame: frames.Frame) -> None:
        z, x = frame
        self._node.frames.set(self.qubit.name, (int(z) & 1, int(x) & 1))

    @property
    def expired(self) -> bool:
        """Whether this node's memory has discarded the half here at its cut-off."""
        return self._node.has_expired(self.qubit.name)

    async def wait_expired(self) -> bool:
        """`Qubit.wait_expired` of the half here."""
        return await self.qubit.wait_expired()

    @property
    def ends(self) -> tuple[str, str]:
        """The nodes that hold the halves, in the order of their names: alike at both ends."""
        here = self._node.welcome.name
        return (here, self.peer) if here < self.peer else (self.peer, here)

    @property
    def reached(self) -> str:
        """The last of `path`: where the next join continues."""
        return self.path[-1]

    def shift(self, z: int, x: int) -> None:
        """Take note of a Pauli X^x Z^z that is still to be applied to the half here."""
        self._node.frames.shift(self.qubit.name, int(z) & 1, int(x) & 1)

    def extend(
        self, joined: Joined, peer: str, *, correct: bool, beyond: Sequence[str] = ()
    ) -> None:
        """The pair now reaches `peer`, by a join that consumed it. `correct`: this end owes the Pauli.

        `beyond`: link pairs behind the one it was joined with, if that was longer than a link. Raises
        OperationError for a join that has not succeeded.
        """
        if not joined.ok:
            raise OperationError(f"{self}: its join has failed, and the pair is lost")
        self.path.append(joined.right if joined.left == self.reached else joined.left)
        self.path.extend(beyond)
        self.id, self.peer = "+".join(sorted(self.path)), peer
        if correct:
            self.shift(joined.z, joined.x)

    async def correct(self) -> None:
        """Apply the Paulis of `frame` to the half here, and clear it."""
        await self.qubit.correct()

    async def measure(self, axis: Axis = "Z", *, keep: bool = False) -> int:
        """Measure the half here as if `frame` had been applied: by turning the axis instead."""
        return await self.qubit.measure(axis, keep=keep)

    async def store(self) -> None:
        """`Qubit.store` of the half here."""
        await self.qubit.store()

    async def discard(self) -> None:
        """Trace the half here out and free its slot."""
        await self.qubit.discard()


class Memory:
    """The slots of a program or a service: its own pool, or the node's that it shares.

    Attributes:
        slots: how many there are.
        communication: how many qubits of the node links can entangle, of all its slots; None: all.
    """

    __slots__ = ("communication", "slots", "_node")

    def __init__(self, node: NodeInterface, slots: int) -> None:
        self._node = node
        self.slots = slots
        self.communication = node.welcome.communication

    @property
    def free(self) -> int:
        """Slots without a qubit and not promised to a waiting request, as this node knows it."""
        return max(0, self.slots - self._node.slots_in_use)

    async def discard(self, *held: Qubit | Pair) -> None:
        """Trace several out at once."""
        names = [item.qubit.name if isinstance(item, Pair) else item.name for item in held]
        async with self._node.frames.turn(names):
            await self._node.operate(lambda number: Discard(number, names))


def names_of(held: Qubit | Pair | Any) -> list[str]:
    """The qubit names behind a handle."""
    if isinstance(held, Pair):
        return [held.qubit.name]
    if isinstance(held, Qubit):
        return [held.name]
    raise OperationError(f"expected a Qubit or a Pair, not {held!r}")
