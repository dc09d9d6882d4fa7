"""What the registry asks of a formalism: the joint state of k entangled qubits.

Owns the interface and no arithmetic. A state is a value: every method answers with a new one and
leaves its own alone, so an engine may answer with a more general formalism, and looking at a state
(fidelity, probes) can never disturb it.

Rules: qubits are counted by position; positions behind a qubit that leaves move up by one. A state
draws nothing: who measures passes `u` in [0, 1). Probabilities are rounded to 12 digits before they
are compared with `u`, because BLAS kernels differ between machines in the last ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from numpy.typing import ArrayLike, NDArray

from .pauli import Superoperator

#: Digits of a probability that count when an outcome is decided.
PROBABILITY_DIGITS = 12

#: A measurement axis: Bloch vector (x, y, z) of unit length; outcome 0 is its +1 eigenstate.
Axis = tuple[float, float, float]


def decide(probability: float, u: float) -> int:
    """Outcome 0 iff `u` is below the (rounded) probability of outcome 0."""
    return 0 if u < round(probability, PROBABILITY_DIGITS) else 1


class State(ABC):
    """The joint state of `size` qubits, held in one formalism. Immutable.

    `formalism` is its name in topologies; `limit` the most qubits one state may hold.
    """

    __slots__ = ()
    formalism: ClassVar[str]
    limit: ClassVar[int]

    @property
    @abstractmethod
    def size(self) -> int:
        """How many qubits."""

    @classmethod
    @abstractmethod
    def eigenstate(cls, axis: Axis, outcome: int) -> State:
        """One qubit that a measurement along `axis` has just found to be `outcome`."""

    @classmethod
    @abstractmethod
    def from_density(cls, density: NDArray[Any]) -> State:
        """n qubits with the density matrix `density`, shape (2**n, 2**n).

        Raises InputError if it is not a density matrix by shape and trace.
        """

    @abstractmethod
    def merge(self, other: State) -> State:
        """Product of two states, the other's qubits behind these. Raises RegisterTooLarge."""

    @abstractmethod
    def apply_map(self, superoperator: Superoperator, indices: Sequence[int]) -> State:
        """A map on the qubits at `indices`, in the order of the map's factors."""

    @abstractmethod
    def measure(self, index: int, axis: Axis, u: float) -> tuple[int, State]:
        """Projective measurement: the outcome, and the state of the others. The qubit leaves."""

    @abstractmethod
    def bell_measure(self, first: int, second: int, u1: float, u2: float) -> tuple[int, int, State]:
        """Bell measurement: (z, x), and the state of the others. Both qubits leave.

        (z, x) is the finding X^x Z^z |Phi+> (on the second qubit); `u1` decides z, `u2` then x.
        """

    @abstractmethod
    def remove(self, index: int) -> State:
        """Partial trace over one qubit."""

    @abstractmethod
    def reduced(self, indices: Sequence[int]) -> State:
        """The state of the qubits at `indices`, in that order; the others are traced out."""

    @abstractmethod
    def fidelity(self, target: ArrayLike) -> float:
        """<phi|rho|phi> for a state vector of length 2**size (normalised first). Not its root.

        Raises InputError if `target` has another length or is zero.
        """

    @abstractmethod
    def to_qobj(self) -> Any:
        """The density matrix as a QuTiP Qobj with dims [[2] * size, [2] * size]."""
