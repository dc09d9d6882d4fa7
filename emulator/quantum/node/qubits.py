"""What is remembered of a qubit: the records that the registry works on.

Rule: a node that no longer holds a qubit learns how it left this node, and nothing of what became of it
since: that would be faster than light.
"""

from __future__ import annotations

from ...states.engine import State
from ...units import format_ns

#: (what, when_ns): how a qubit left a node.
Parting = tuple[str, int]
FLYING = ""
#: The mate of a half whose pair is no more: the other half was traced out. No qubit has this name.
LOST = "(lost)"


class Register:
    """A joint state and the names of its qubits, in the state's order."""

    __slots__ = ("names", "state")

    def __init__(self, state: State, names: list[str]) -> None:
        self.state = state
        self.names = names


class Qubit:
    """One qubit: who holds it, which joint state it is in, since when it owes its memory's decay."""

    __slots__ = (
        "born_ns",
        "drawn",
        "frame",
        "holder",
        "mate",
        "name",
        "number",
        "parted",
        "register",
        "shared",
        "stored",
        "touched_ns",
    )

    def __init__(
        self, name: str, number: int, holder: str, register: Register, born_ns: int
    ) -> None:
        self.name = name
        self.number = number
        self.holder = holder
        self.register = register
        self.born_ns = born_ns
        self.touched_ns = born_ns
        #: The other half of the pair that it is said to be half of, by heralds and joins; "" for none,
        #: LOST once it was traced out.
        self.mate = ""
        #: (z, x): its holder owes it X^x Z^z; only fidelities know.
        self.frame = (0, 0)
        #: How many numbers of its own noise are used up; the first one is its birth's.
        self.drawn = 1
        #: How it left the nodes that have sent it away.
        self.parted: dict[str, Parting] = {}
        #: Whether it lies in a storage qubit of its holder.
        self.stored = False
        #: Whether it has ever been in one register with another qubit.
        self.shared = False


def parting_words(parting: Parting | None) -> str:
    """How a qubit left a node, for people."""
    if parting is None:
        return "it never was here, or is long gone"
    what, when_ns = parting
    return f"{what} at {format_ns(when_ns)}"
