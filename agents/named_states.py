"""States by name: what a probe may be asked to compare with.

Owns the names and their amplitudes. The order of the factors matters to none of them, but for a sign.
"""

from __future__ import annotations

import math

from ..emulator.errors import OperationError
from ..emulator.suggestions import did_you_mean

#: Bell states by the Bell index, whose bits are Z and X on one half.
BELL_STATES = {"phi+": 0, "psi+": 1, "phi-": 2, "psi-": 3}
_HALF = math.sqrt(0.5)
_BELL_AMPLITUDES = {
    "phi+": (_HALF, 0.0, 0.0, _HALF),
    "psi+": (0.0, _HALF, _HALF, 0.0),
    "phi-": (_HALF, 0.0, 0.0, -_HALF),
    "psi-": (0.0, _HALF, -_HALF, 0.0),
}
_SINGLE: dict[str, tuple[complex, complex]] = {
    "0": (1, 0),
    "1": (0, 1),
    "+": (_HALF, _HALF),
    "-": (_HALF, -_HALF),
    "+i": (_HALF, _HALF * 1j),
    "-i": (_HALF, -_HALF * 1j),
}
_ANY_NUMBER = ("ghz", "w")
#: A vector of amplitudes doubles with each qubit.
MOST_QUBITS = 10


def bell_index(word: str) -> int | None:
    """The index of a Bell state by its name; None for another name."""
    return BELL_STATES.get(word.lower())


def amplitudes(word: str, qubits: int) -> list[complex]:
    """The state of that name on so many qubits. Raises OperationError."""
    name = word.lower()
    if qubits > MOST_QUBITS:
        raise OperationError(why=f"a probe looks at {MOST_QUBITS} qubits at most, not {qubits}")
    if name in _SINGLE:
        return _fit(word, 1, qubits, list(_SINGLE[name]))
    if name in _BELL_AMPLITUDES:
        return _fit(word, 2, qubits, [complex(one) for one in _BELL_AMPLITUDES[name]])
    if name not in _ANY_NUMBER:
        known = [*_SINGLE, *BELL_STATES, *_ANY_NUMBER]
        hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
        raise OperationError(why=f"probe: unknown state {word!r}{hint}")
    if qubits < 2:
        raise OperationError(why=f"probe: {word!r} is a state of two qubits or more")
    vector = [0j] * 2**qubits
    ones = [0, len(vector) - 1] if name == "ghz" else [1 << at for at in range(qubits)]
    for at in ones:
        vector[at] = complex(1 / math.sqrt(len(ones)))
    return vector


def _fit(word: str, wanted: int, qubits: int, vector: list[complex]) -> list[complex]:
    if qubits != wanted:
        noun = "qubit" if wanted == 1 else "qubits"
        raise OperationError(why=f"probe: {word!r} is a state of {wanted} {noun}, not {qubits}")
    return vector
