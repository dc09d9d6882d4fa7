"""A node's quantum memory: how a stored qubit decays, and how many fit.

Owns the decay of one stored qubit, by T1, T2 and noise of the user's, and the count of slots. Does not
know which qubit lies where (registry), who waits for a slot (plane), nor how old a qubit may grow
(quantum/node/memories.py).

Rules: what decays a qubit acts at the same time, so that its generators add; T1 and T2 are what they would
be without the rest, and a T2 that was measured with it in place is not to be stated again. A slot is taken
before a qubit comes into being in a node, and freed when it has gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, InternalError
from ..states import noise
from ..states.pauli import Superoperator

#: Maps of storage times that a memory keeps; the oldest are forgotten first.
_MAX_KEPT = 4096


@dataclass(frozen=True, slots=True)
class MemoryDecay:
    """Relaxation towards |0> with `t1_ns`, decoherence with `t2_ns`; None is infinite.

    `t2_ns` None with a finite `t1_ns` means no dephasing beyond what relaxation causes (T2 = 2 T1).
    `generator`, shape (4, 4), is what acts besides (noise.collapse_generator), None for nothing: the qubit
    follows the Lindblad equation of all of it for as long as it is stored. Raises InputError unless
    0 < T1, 0 < T2 <= 2 T1.
    """

    t1_ns: float | None = None
    t2_ns: float | None = None
    generator: Superoperator | None = field(default=None, repr=False, compare=False)
    _total: Superoperator | None = field(init=False, repr=False, compare=False)
    _kept: dict[int, Superoperator] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        noise.check_decay_times(self.t1_ns, self.t2_ns)
        total = None
        if self.generator is not None:
            total = noise.decay_generator(self.t1_ns, self.t2_ns) + self.generator
        object.__setattr__(self, "_total", total)

    def map(self, duration_ns: int) -> Superoperator:
        """What `duration_ns` of storage does to one qubit; read-only, and cached."""
        if self._total is None:
            return noise.decay(self.t1_ns, self.t2_ns, duration_ns)
        found = self._kept.get(duration_ns)
        if found is None:
            if len(self._kept) >= _MAX_KEPT:
                del self._kept[next(iter(self._kept))]
            found = self._kept[duration_ns] = noise.evolved(self._total, duration_ns)
        return found

    def sample(self) -> Superoperator:
        """The map of a time in which it does something: of what kind its decay is."""
        generator = self._total
        if generator is None:
            times_ns = [time_ns for time_ns in (self.t1_ns, self.t2_ns) if time_ns is not None]
            return noise.decay(self.t1_ns, self.t2_ns, min(times_ns, default=0.0))
        strength = float(np.abs(generator).max())
        return noise.evolved(generator, 1e9 / strength if strength > 0 else 0.0)

    def between(self, from_ns: int, to_ns: int) -> Superoperator:
        """What storage from `from_ns` to `to_ns` does to one qubit: it is the same at all times."""
        return self.map(to_ns - from_ns)

    def stored_between(self, from_ns: int, to_ns: int) -> Superoperator | None:
        """As `between`: no attempts disturb what is stored."""
        return self.between(from_ns, to_ns)

    def aged(
        self, vectors: NDArray[np.float64], since_ns: NDArray[np.int64], to_ns: int
    ) -> NDArray[np.float64]:
        """Pauli vectors, shape (k, 4), of k qubits stored since a time each; those of the future are left.

        By the binary digits of the storage times, because maps of times compose.
        """
        vectors, times_ns = vectors.copy(), np.maximum(to_ns - since_ns, 0)
        for digit in range(int(times_ns.max(initial=0)).bit_length()):
            those = (times_ns >> digit) & 1 == 1
            if those.any():
                vectors[those] = vectors[those] @ self.map(1 << digit).T
        return vectors

    def dephased(self, rate_hz: float) -> MemoryDecay:
        """This memory with so much more decoherence: coherence goes by another exp(-rate t)."""
        if rate_hz == 0:
            return self
        t2_ns = self.t2_ns
        if t2_ns is None and self.t1_ns is not None:
            t2_ns = 2 * self.t1_ns
        own_per_ns = 0.0 if t2_ns is None else 1 / t2_ns
        return replace(self, t2_ns=1 / (own_per_ns + rate_hz * 1e-9))


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
            raise InternalError("a slot was freed that was not taken")
        self.used -= 1

    def __repr__(self) -> str:
        return f"<Slots {self.used} of {self.count} taken>"
