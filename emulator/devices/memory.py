"""A node's quantum memory: how a stored qubit decays, and how many fit.

Owns the T1/T2 decay of one stored qubit and the count of slots. Does not know which qubit lies where
(registry) nor who waits for a slot (plane).

Rule: a slot is taken before a qubit comes into being in a node, and freed when it has gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError, InternalError
from ..quantum import noise
from ..quantum.pauli import Superoperator


@dataclass(frozen=True, slots=True)
class MemoryDecay:
    """Relaxation towards |0> with `t1_ns`, decoherence with `t2_ns`; None is infinite.

    `t2_ns` None with a finite `t1_ns` means no dephasing beyond what relaxation causes (T2 = 2 T1).
    Raises InputError unless 0 < T1, 0 < T2 <= 2 T1.
    """

    t1_ns: float | None = None
    t2_ns: float | None = None

    def __post_init__(self) -> None:
        noise.check_decay_times(self.t1_ns, self.t2_ns)

    def map(self, duration_ns: int) -> Superoperator:
        """What `duration_ns` of storage does to one qubit."""
        return noise.decay(self.t1_ns, self.t2_ns, duration_ns)


class Slots:
    """How many qubits a memory holds: `count` in all, `used` of them taken."""

    __slots__ = ("count", "used")

    def __init__(self, count: int) -> None:
        if count < 0:
            raise InputError(f"a memory has 0 slots or more, not {count}")
        self.count = count
        self.used = 0

    @property
    def free(self) -> int:
        """Slots that can be taken."""
        return self.count - self.used

    def take(self) -> bool:
        """Take a slot; False (and nothing taken) if none is free."""
        if self.used >= self.count:
            return False
        self.used += 1
        return True

    def release(self) -> None:
        """Give one slot back. Raises InternalError if none is taken."""
        if self.used == 0:
            raise InternalError("a slot was freed that nobody had taken")
        self.used -= 1

    def __repr__(self) -> str:
        return f"<Slots {self.used} of {self.count} taken>"
