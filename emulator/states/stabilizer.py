"""The engine of many qubits: stabilizer states, by stim.

Owns the translation between our interface and a stim.TableauSimulator: compiled maps to Clifford
tableaux or to Pauli noise, outcomes to postselection, reduced states to stabilizer subgroups. Clifford
gates, Pauli measurements and Pauli noise on hundreds of qubits (Gottesman, quant-ph/9807006; Gidney,
Quantum 5, 497 (2021)).

Rules: a state is pure, and one trajectory: noise is one Pauli string, picked by the caller's `u`, and a
qubit that vanishes is measured along Z by `u`. stim never draws: an outcome is decided by expectation and
`u`, and then postselected. Averages over trajectories are what the other formalisms compute.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import stim
from numpy.typing import ArrayLike, NDArray

from ..errors import OperationError, RegisterTooLarge
from . import noise
from .bell_diagonal import BellDiagonal
from .density_matrix import DensityMatrix
from .engine import PROBABILITY_DIGITS, Axis, PerMap, State, decide
from .pauli import Superoperator, qubits_of

#: How far an axis may be from x, y or z: directions are normalised in floats.
_ALONG = 1e-9


class _Clifford(NamedTuple):
    """A unitary that takes Pauli strings to Pauli strings."""

    tableau: Any


class _PauliNoise(NamedTuple):
    """Pauli strings (0 to 3 per qubit) by cumulated probability; only those that occur."""

    cumulated: list[float]
    strings: list[tuple[int, ...]]


def _clifford_of(superoperator: Superoperator, qubits: int) -> _Clifford | None:
    rounded = np.rint(superoperator)
    if np.abs(superoperator - rounded).max() > noise.TOLERANCE:
        return None
    if not np.array_equal(rounded @ rounded.T, np.eye(4**qubits)):
        return None
    images = []
    for letter, place in itertools.product((1, 3), range(qubits)):
        column = rounded[:, letter * 4 ** (qubits - 1 - place)]
        (index,) = np.flatnonzero(column)
        images.append(int(column[index]) * stim.PauliString(_digits(int(index), qubits)))
    tableau = stim.Tableau.from_conjugated_generators(xs=images[:qubits], zs=images[qubits:])
    return _Clifford(tableau)


def _noise_of(superoperator: Superoperator, qubits: int) -> _PauliNoise | None:
    weights = noise.pauli_weights(superoperator)
    if weights is None:
        return None
    cumulated, strings, total = [], [], 0.0
    for index, weight in enumerate(weights.tolist()):
        if weight > noise.EXACT:
            total += weight
            cumulated.append(round(total, PROBABILITY_DIGITS))
            strings.append(_digits(index, qubits))
    return _PauliNoise(cumulated, strings)


def _digits(index: int, qubits: int) -> tuple[int, ...]:
    """Place of a Pauli string in the Pauli basis -> 0 to 3 (I, X, Y, Z) per qubit."""
    return tuple(index // 4 ** (qubits - 1 - place) % 4 for place in range(qubits))


def _compile(superoperator: Superoperator) -> _Clifford | _PauliNoise | None:
    qubits = qubits_of(superoperator.shape[0]) // 2
    return _clifford_of(superoperator, qubits) or _noise_of(superoperator, qubits)


_compiled = PerMap(_compile)


class Stabilizer(State):
    """One trajectory of `size` qubits. Immutable; see `State` for the methods.

    `fidelity`, `reduced`, `promoted` and `to_qobj` speak of this trajectory, and of at most ten qubits.
    """

    __slots__ = ("_places", "_simulator")
    formalism = "stabilizer"
    limit = 1024
    stochastic = True

    def __init__(self, simulator: Any, places: tuple[int, ...]) -> None:
        #: Never changed once it is here; copies are.
        self._simulator = simulator
        #: Position of a qubit -> its place in the simulator.
        self._places = places

    @property
    def size(self) -> int:
        return len(self._places)

    @classmethod
    def eigenstate(cls, axis: Axis, outcome: int) -> Stabilizer:
        """One qubit that a measurement along `axis` (+-x, +-y or +-z) has just found to be `outcome`.

        Raises OperationError for another axis.
        """
        letter, sign = _along(axis)
        simulator = stim.TableauSimulator(seed=0)
        simulator.set_num_qubits(1)
        if sign * (1 - 2 * outcome) < 0:
            simulator.x(0)
        _from_z(simulator, letter, 0)
        return cls(simulator, (0,))

    @classmethod
    def bell(cls, index: int) -> Stabilizer:
        """A pair in the Bell state of that index (see states.py)."""
        simulator = stim.TableauSimulator(seed=0)
        simulator.h(0)
        simulator.cx(0, 1)
        if index & 1:
            simulator.x(1)
        if index & 2:
            simulator.z(1)
        return cls(simulator, (0, 1))

    @classmethod
    def from_density(cls, density: NDArray[Any], u: float) -> Stabilizer:
        """A Bell state, picked from a Bell-diagonal `density` by `u`."""
        return cls.sampled(BellDiagonal.from_density(density), u)

    @classmethod
    def sampled(cls, pair: BellDiagonal, u: float) -> Stabilizer:
        """One of the Bell states of which `pair` is a mixture, picked by `u`."""
        total, last = 0.0, 0
        for index, weight in enumerate(pair.weights):
            if weight > noise.EXACT:
                total, last = total + weight, index
                if u < round(total, PROBABILITY_DIGITS):
                    break
        return cls.bell(last)

    def promoted(self) -> DensityMatrix:
        return self.reduced(range(self.size))

    def merge(self, other: State) -> State:
        if not isinstance(other, Stabilizer):
            return self.promoted().merge(other)
        simulator = stim.TableauSimulator(seed=0)
        mine, its = self._simulator, other._simulator
        simulator.set_inverse_tableau(
            mine.current_inverse_tableau() + its.current_inverse_tableau()
        )
        places = tuple(len(self._places) + place for place in other._places)
        return Stabilizer(simulator, self._places + places)

    def carries(self, superoperator: Superoperator, indices: Sequence[int]) -> bool:
        return carries(superoperator)

    def apply_map(
        self, superoperator: Superoperator, indices: Sequence[int], u: float
    ) -> Stabilizer:
        compiled = _compiled(superoperator)
        places = [self._places[index] for index in indices]
        if compiled is None:
            raise OperationError(
                why="stabilizer states take Clifford gates (x y z h s sdg cx cz swap, rotations by "
                "multiples of pi/2) and Pauli noise only; formalism: density_matrix takes all"
            )
        if isinstance(compiled, _Clifford):
            simulator = self._copy()
            simulator.do_tableau(compiled.tableau, places)
            return Stabilizer(simulator, self._places)
        choice = bisect_right(compiled.cumulated, u)
        string = compiled.strings[min(choice, len(compiled.strings) - 1)]
        if not any(string):
            return self
        simulator = self._copy()
        acts = (None, simulator.x, simulator.y, simulator.z)
        for letter, place in zip(string, places, strict=True):
            act = acts[letter]
            if act is not None:
                act(place)
        return Stabilizer(simulator, self._places)

    def measure(self, index: int, axis: Axis, u: float) -> tuple[int, Stabilizer]:
        letter, sign = _along(axis)
        simulator, place = self._copy(), self._places[index]
        _to_z(simulator, letter, place)
        if sign < 0:
            simulator.x(place)
        outcome = _collapse(simulator, place, u)
        return outcome, self._without(simulator, (index,))

    def bell_measure(
        self, first: int, second: int, u1: float, u2: float
    ) -> tuple[int, int, Stabilizer]:
        simulator = self._copy()
        one, two = self._places[first], self._places[second]
        simulator.cx(one, two)
        simulator.h(one)
        z, x = _collapse(simulator, one, u1), _collapse(simulator, two, u2)
        return z, x, self._without(simulator, (first, second))

    def remove(self, index: int, u: float) -> Stabilizer:
        simulator = self._copy()
        _collapse(simulator, self._places[index], u)
        return self._without(simulator, (index,))

    def reduced(self, indices: Sequence[int]) -> DensityMatrix:
        """2^-k times the sum of the stabilizers that act on these k qubits alone."""
        size = len(indices)
        if size > DensityMatrix.limit:
            raise RegisterTooLarge(qubits=size, limit=DensityMatrix.limit)
        places = [self._places[index] for index in indices]
        elements = [stim.PauliString(len(self._places))]
        for generator in self._subgroup(set(places)):
            elements += [element * generator for element in elements]
        vector = np.zeros(4**size)
        for element in elements:
            where = 0
            for place in places:
                where = 4 * where + element[place]
            vector[where] = element.sign.real
        return DensityMatrix(vector, size)

    def fidelity(self, target: ArrayLike) -> float:
        """|<target|psi>|^2 of this one trajectory, for at most ten qubits."""
        return self.promoted().fidelity(target)

    def to_qobj(self) -> Any:
        return self.promoted().to_qobj()

    def expectation(self, letters: str) -> int:
        """<P> of a Pauli string such as "XXI_Z", one letter a qubit: -1, 0 or 1; any size.

        Raises OperationError if it has another length or other letters.
        """
        if len(letters) != self.size or set(letters) - set("IXYZ_"):
            raise OperationError(why=f"{letters!r} is no Pauli string of {self.size} qubits")
        string = stim.PauliString(len(self._places))
        for place, letter in zip(self._places, letters, strict=True):
            string[place] = letter.replace("I", "_")
        return int(self._simulator.peek_observable_expectation(string))

    def _copy(self) -> Any:
        # With its generator, which is never asked: a fresh one would be seeded by the system.
        return self._simulator.copy(copy_rng=True)

    def _without(self, simulator: Any, indices: Sequence[int]) -> Stabilizer:
        """The others, once the qubits at `indices` are in |0>: `simulator` is ours to change."""
        places = list(self._places)
        for index in sorted(indices, reverse=True):
            place, last = places.pop(index), len(places)
            if place != last:
                simulator.swap(place, last)
                places[places.index(last)] = place
            simulator.set_num_qubits(last)
        return Stabilizer(simulator, tuple(places))

    def _subgroup(self, places: set[int]) -> list[Any]:
        """Generators of the stabilizers that act on `places` alone: elimination of all other places."""
        rows = self._simulator.canonical_stabilizers()
        for place in self._places:
            if place in places:
                continue
            for letters in ((1, 2), (2, 3)):
                hit = [index for index, row in enumerate(rows) if row[place] in letters]
                if hit:
                    pivot = rows[hit[0]]
                    for index in hit[1:]:
                        rows[index] *= pivot
                    del rows[hit[0]]
        return list(rows)

    def __repr__(self) -> str:
        return f"<Stabilizer of {self.size} qubits>"


def carries(superoperator: Superoperator) -> bool:
    """Whether stabilizer states take the map: a Clifford gate or Pauli noise."""
    return _compiled(superoperator) is not None


def _along(axis: Axis) -> tuple[int, int]:
    """1, 2, 3 for x, y, z, and the sign. Raises OperationError for anything between."""
    for letter, part in enumerate(axis, 1):
        if abs(abs(part) - 1.0) < _ALONG:
            return letter, 1 if part > 0 else -1
    raise OperationError(
        why=f"stabilizer states are measured along x, y or z, not {axis}; formalism: "
        "density_matrix measures along any axis"
    )


def _to_z(simulator: Any, letter: int, place: int) -> None:
    """Turn the Pauli `letter` of a qubit into Z."""
    if letter == 1:
        simulator.h(place)
    elif letter == 2:
        simulator.h_yz(place)


#: Both turns are their own inverses.
_from_z = _to_z


def _collapse(simulator: Any, place: int, u: float) -> int:
    """Measure Z by `u`, and leave the qubit in |0>."""
    expectation = simulator.peek_z(place)
    outcome = decide((1 + expectation) / 2, u)
    if expectation == 0:
        simulator.postselect_z(place, desired_value=bool(outcome))
    if outcome:
        simulator.x(place)
    return outcome
