"""What the registry asks of a formalism: the joint state of k entangled qubits.

Owns the interface, and no arithmetic beyond what all formalisms share. A state is a value: every method
answers with a new one and leaves its own alone, so an engine may answer with a more general
formalism, and looking at a state (fidelity, probes) can never disturb it. Which formalism a run uses,
and what may be approximated, is formalism.py's.

Rules: qubits are counted by position; positions behind a qubit that leaves move up by one. A state
draws nothing: who measures passes `u` in [0, 1), and so does who lets noise act or a qubit vanish. A
deterministic formalism leaves that `u` alone, and need not be given a drawn one; a stochastic one
follows one trajectory with it. Probabilities are rounded to 12 digits before they are compared with
`u`, because BLAS kernels differ between machines in the last ones.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Generic, TypeVar

from numpy.typing import ArrayLike, NDArray

from ..errors import OperationError
from ..units import unsigned_zero
from .pauli import Superoperator

#: Digits of a probability that count when an outcome is decided.
PROBABILITY_DIGITS = 12


#: A measurement axis: Bloch vector (x, y, z) of unit length; outcome 0 is its +1 eigenstate.
Axis = tuple[float, float, float]

_T = TypeVar("_T")


@lru_cache(maxsize=1024)
def unit_axis(axis: Axis) -> Axis:
    """The Bloch vector of length 1 along `axis`. Raises OperationError if it has no direction."""
    length = math.hypot(*axis)
    if not math.isfinite(length) or length == 0:
        raise OperationError(
            why=f"a measurement axis is three finite numbers, not all 0; not {axis}"
        )
    x, y, z = axis
    return unsigned_zero(x / length), unsigned_zero(y / length), unsigned_zero(z / length)


def decide(probability: float, u: float) -> int:
    """Outcome 0 iff `u` is below the (rounded) probability of outcome 0."""
    return 0 if u < round(probability, PROBABILITY_DIGITS) else 1


class PerMap(Generic[_T]):
    """What is worked out of a compiled map, or of a link's pairs, kept per array object.

    These are read-only and shared, so an object's identity stands for its contents; each is kept alive
    with its entry, so an identity is never used again. An array that may be written to is not kept.
    """

    __slots__ = ("_limit", "_work", "known")

    def __init__(self, work: Callable[[Superoperator], _T], limit: int = 4096) -> None:
        self._work = work
        self._limit = limit
        #: id of the map -> (the map, what was worked out): engines read it where every ns counts.
        self.known: dict[int, tuple[Superoperator, _T]] = {}

    def __call__(self, superoperator: Superoperator) -> _T:
        entry = self.known.get(id(superoperator))
        if entry is not None:
            return entry[1]
        made = self._work(superoperator)
        if not superoperator.flags.writeable:
            if len(self.known) >= self._limit:
                del self.known[next(iter(self.known))]
            self.known[id(superoperator)] = (superoperator, made)
        return made


class State(ABC):
    """The joint state of `size` qubits, held in one formalism. Immutable.

    `formalism` is its name in topologies; `limit` the most qubits one state may hold. `stochastic`
    tells whether noise needs a drawn `u`, because the state is one trajectory of many.
    """

    __slots__ = ()
    formalism: ClassVar[str]
    limit: ClassVar[int]
    stochastic: ClassVar[bool] = False

    @property
    @abstractmethod
    def size(self) -> int:
        """How many qubits."""

    @classmethod
    @abstractmethod
    def from_density(cls, density: NDArray[Any], u: float) -> State:
        """n qubits with the density matrix `density`, shape (2**n, 2**n).

        Raises InputError if it is not a density matrix by shape and trace, or not one that the
        formalism can hold.
        """

    @abstractmethod
    def promoted(self) -> State:
        """The same state as a density matrix. Raises RegisterTooLarge."""

    @abstractmethod
    def merge(self, other: State) -> State:
        """Product of two states, the other's qubits behind these. Raises RegisterTooLarge."""

    @abstractmethod
    def carries(self, superoperator: Superoperator, indices: Sequence[int]) -> bool:
        """Whether the map leaves the state in this formalism."""

    @abstractmethod
    def apply_map(self, superoperator: Superoperator, indices: Sequence[int], u: float) -> State:
        """A map on the qubits at `indices`, in the order of the map's factors.

        One that this formalism does not carry promotes; raises OperationError where that is no way out.
        """

    @abstractmethod
    def measure(self, index: int, axis: Axis, u: float) -> tuple[int, State]:
        """Projective measurement: the outcome, and the state of the others. The qubit leaves.

        Raises OperationError for an axis along which the formalism cannot measure.
        """

    @abstractmethod
    def bell_measure(self, first: int, second: int, u1: float, u2: float) -> tuple[int, int, State]:
        """Bell measurement: (z, x), and the state of the others. Both qubits leave.

        (z, x) is the finding X^x Z^z |Phi+> (on the second qubit); `u1` decides z, `u2` then x.
        """

    def bell_measure_across(
        self, index: int, other: State, other_index: int, u1: float, u2: float
    ) -> tuple[int, int, State]:
        """`bell_measure` of a qubit of this state and one of another, with which it has no part.

        The state that is left has this one's other qubits first.
        """
        return self.merge(other).bell_measure(index, self.size + other_index, u1, u2)

    @abstractmethod
    def remove(self, index: int, u: float) -> State:
        """Partial trace over one qubit."""

    @abstractmethod
    def reduced(self, indices: Sequence[int]) -> State:
        """The state of the qubits at `indices`, in that order; the others are traced out.

        For looking only: it is never stochastic. Raises RegisterTooLarge.
        """

    @abstractmethod
    def fidelity(self, target: ArrayLike) -> float:
        """<phi|rho|phi> for a state vector of length 2**size (normalised first). Not its root.

        Raises InputError if `target` has another length or is zero.
        """

    @abstractmethod
    def to_qobj(self) -> Any:
        """The density matrix as a QuTiP Qobj with dims [[2] * size, [2] * size]."""
