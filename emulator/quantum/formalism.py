"""Which formalism a run's states are held in, and what may be approximated for it.

Owns the choice between the engines: in what a fresh qubit or pair is held, when a state becomes a density
matrix and when it goes back to being a Bell-diagonal pair, which noise a formalism takes as it is, and the
twirl. Does not own who is where (registry.py) nor any arithmetic (the engines).

- `auto`: a pair is Bell-diagonal as long as it can be, all else a density matrix. Exact.
- `bell_diagonal`: as `auto`, but what would make pairs anything else for good is refused: noise other
  than Pauli noise, heralded states that are not Bell-diagonal, more than four qubits in one state. Gates
  are exact; while they work on one pair or two (purification) those are density matrices, and are
  numbers again when what is left is Bell-diagonal. A single qubit takes any noise.
- `density_matrix`: everything, exact.
- `stabilizer`: everything is one trajectory of a stabilizer state; noise that is not Pauli is refused.

`approximate: twirl` puts the Pauli twirl in the place of what would be refused, and in `auto` of noise and
heralded states for which a pair would become a density matrix. Gates are never twirled. The first time
each kind of thing is twirled, `note` is called.

Rule: what is refused is refused before anything has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from ..errors import InputError, OperationError, RegisterTooLarge
from ..kernel.streams import entropy
from ..states import stabilizer
from ..states.bell_diagonal import BellDiagonal
from ..states.density_matrix import DensityMatrix
from ..states.engine import Axis, PerMap, State
from ..states.noise import pauli_weights, twirled
from ..states.pauli import Superoperator
from ..states.stabilizer import Stabilizer
from ..topology.model.topology import Topology

FORMALISMS = ("auto", "density_matrix", "bell_diagonal", "stabilizer")
APPROXIMATIONS = ("none", "twirl")
#: Most qubits in one state under `bell_diagonal`: two pairs at work.
MAX_AT_WORK = 4
#: Heralded densities that are remembered; links hand in few, again and again.
_MAX_BLUEPRINTS = 1024

_is_pauli = PerMap(lambda superoperator: pauli_weights(superoperator) is not None)
_twirled = PerMap(twirled)


def qubit_numbers(seed: int) -> Callable[[str, int], float]:
    """The n-th number in [0, 1) of a qubit's own noise: by its name, so that no other draws shift it."""

    def number(qubit: str, n: int) -> float:
        high, low, *_ = entropy(seed, "noise", qubit, n)
        return float((high << 21 | low >> 11) * 2.0**-53)

    return number


class Formalism:
    """The choice: `name` and `approximate` as in the topology. `note(what)` hears of the first twirl of each.

    Raises InputError for names that are none.
    """

    def __init__(
        self,
        name: str = "auto",
        approximate: str = "none",
        note: Callable[[str], None] | None = None,
    ) -> None:
        for value, known in ((name, FORMALISMS), (approximate, APPROXIMATIONS)):
            if value not in known:
                raise InputError(f"{value!r} is not one of {', '.join(known)}")
        self.name, self.approximate = name, approximate
        self.stochastic = name == "stabilizer"
        self._note = note
        self._noted: set[str] = set()
        self._twirls = approximate == "twirl" and name != "density_matrix"
        self._strict = name in {"bell_diagonal", "stabilizer"}
        #: Whether noise has to be looked at before it acts.
        self._watches = self._strict or self._twirls
        self._four_numbers = name in {"auto", "bell_diagonal"}
        self._blueprints = PerMap(self._blueprint, _MAX_BLUEPRINTS)
        self.limit = {"bell_diagonal": MAX_AT_WORK, "stabilizer": Stabilizer.limit}.get(
            name, DensityMatrix.limit
        )

    @property
    def is_exact(self) -> bool:
        """Whether states are held as they are, whatever noise and links make of them."""
        return not self._watches

    # --- states -------------------------------------------------------------------------------------

    def single(self, axis: Axis, outcome: int) -> State:
        """One qubit that a measurement along `axis` has just found to be `outcome`."""
        if self.stochastic:
            return Stabilizer.eigenstate(axis, outcome)
        return DensityMatrix.eigenstate(axis, outcome)

    def pair(self, density: NDArray[Any], u: float) -> State:
        """Two qubits in the joint state `density`, shape (4, 4); `u` counts where `stochastic`.

        Raises InputError for what is no density matrix, OperationError for one that is refused.
        """
        blueprint = self._blueprints(density)
        if self.stochastic and isinstance(blueprint, BellDiagonal):
            return Stabilizer.sampled(blueprint, u)
        return blueprint

    def settled(self, state: State) -> State:
        """The state after qubits have left it: four numbers again, if it is a Bell-diagonal pair."""
        if type(state) is DensityMatrix and state.size == 2 and self._four_numbers:
            return BellDiagonal.of(state) or state
        return state

    def require_room(self, qubits: int) -> None:
        """Raises RegisterTooLarge, or OperationError, if one state cannot hold that many qubits."""
        if qubits <= self.limit:
            return
        if self.limit == DensityMatrix.limit:
            raise RegisterTooLarge(qubits=qubits, limit=self.limit)
        other = "auto carries 10, stabilizer" if self.name == "bell_diagonal" else "no formalism"
        most = f" {Stabilizer.limit}" if self.name == "bell_diagonal" else " carries more"
        raise OperationError(
            why=f"{qubits} qubits would be jointly entangled; formalism: {self.name} carries "
            f"{self.limit}, {other}{most}"
        )

    # --- noise --------------------------------------------------------------------------------------

    def noise(
        self,
        state: State,
        superoperator: Superoperator,
        indices: Sequence[int],
        u: float,
        what: str,
        looking: bool = False,
    ) -> State:
        """Noise on the qubits at `indices`; `what` names it for people. Raises OperationError.

        `looking`: the state that follows is not kept, so there is nothing to note.
        """
        if self._watches and not self._takes(state, superoperator, indices):
            if not self._twirls:
                raise OperationError(why=self._problem(what, "Pauli noise"))
            if not looking:
                self._tell(what)
            superoperator = _twirled(superoperator)
        return state.apply_map(superoperator, indices, u)

    def check_noise(self, superoperator: Superoperator, what: str) -> None:
        """Raises InputError if noise such as this would be refused on a pair: to ask before a run."""
        if not self._strict or self._twirls or _is_pauli(superoperator):
            return
        if not (self.stochastic and stabilizer.carries(superoperator)):
            raise InputError(self._problem(what, "Pauli noise"))

    def check_pair(self, density: NDArray[Any], what: str) -> None:
        """Raises InputError if pairs in this state would be refused: to ask before a run."""
        state = _two_qubits(density)
        if self._strict and not self._twirls and BellDiagonal.of(state) is None:
            raise InputError(self._problem(what, "a Bell-diagonal state"))

    def _takes(self, state: State, superoperator: Superoperator, indices: Sequence[int]) -> bool:
        """Whether noise acts on the state as it is."""
        if not isinstance(state, DensityMatrix):
            return state.carries(superoperator, indices)
        # Under bell_diagonal a pair at work must be able to go back to four numbers.
        return state.size < 2 or not self._strict or _is_pauli(superoperator)

    def _blueprint(self, density: NDArray[Any]) -> BellDiagonal | DensityMatrix:
        """What all pairs in the state `density` are made from."""
        state = _two_qubits(density)
        if self.name == "density_matrix":
            return state
        pair = BellDiagonal.of(state)
        if pair is not None:
            return pair
        if self._twirls:
            self._tell("a heralded state")
            return BellDiagonal.twirled(state)
        if self._strict:
            raise OperationError(why=self._problem("a heralded state", "a Bell-diagonal state"))
        return state

    def _problem(self, what: str, kind: str) -> str:
        return (
            f"{what}: not {kind}, so formalism: {self.name} cannot carry it; expected formalism: "
            "auto or density_matrix, or approximate: twirl"
        )

    def _tell(self, what: str) -> None:
        if self._note is not None and what not in self._noted:
            self._noted.add(what)
            self._note(what)

    def __repr__(self) -> str:
        return f"<Formalism {self.name}, approximate: {self.approximate}>"


def _two_qubits(density: NDArray[Any]) -> DensityMatrix:
    state = DensityMatrix.from_density(density)
    if state.size != 2:
        raise InputError(f"a pair has a density matrix of shape (4, 4), not {density.shape}")
    return state


def formalism_of(topology: Topology, note: Callable[[str], None]) -> Formalism:
    """The topology's choice. Raises TopologyError for a memory that the choice cannot carry."""
    chosen = Formalism(topology.formalism, topology.approximate, note)
    if topology.formalism in {"bell_diagonal", "stabilizer"} and topology.approximate == "none":
        for name, node in topology.nodes.items():
            if node.memory.t1_ns is not None:
                raise topology.error(
                    f"memory: t1 is not Pauli noise, which formalism: {topology.formalism} cannot "
                    "carry: expected t2 alone, formalism: auto, or approximate: twirl",
                    *("nodes", name, "memory", "t1"),
                )
    return chosen
