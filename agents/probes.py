"""Probes: what the recorder is asked to note about the state of qubits, without the node learning anything.

Owns the reading of a probe's arguments into its operation. Does not own the look itself (the emulator's
quantum/operations/measurements.py, and joint_probes.py for several nodes), nor the names of states
(named_states.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..emulator.errors import OperationError
from ..emulator.units import unsigned_zero
from ..emulator.wire import Probe
from .messages import plain_name
from .named_states import amplitudes, bell_index
from .qubits import Pair, Qubit, names_of

if TYPE_CHECKING:
    from .interface import NodeInterface

Held = Qubit | Pair | Sequence[Qubit | Pair]
Target = Sequence[complex] | str | None
Amplitudes = list[tuple[float, float]]


async def probe(
    node: NodeInterface,
    name: str,
    held: Held,
    target: Target,
    parties: Sequence[str] | None,
    label: str,
) -> None:
    """See `Agent.probe`."""
    name, label = plain_name(name, "a probe's name"), plain_name(label, "a probe's label")
    name = node.name_probe(name)
    items = [held] if isinstance(held, (Qubit, Pair)) else list(held)
    names = [name for item in items for name in names_of(item)]
    bell, together = 0, []
    if parties is None:
        bell, vector = _alone(names, target)
    else:
        together = _checked(node, parties, names)
        vector = _vector("phi+" if target is None else target, len(together))
        if not label and isinstance(held, Pair) and len(together) == 2:
            label = held.id
    async with node.frames.turn(names):
        await node.operate(lambda number: Probe(number, name, names, vector, bell, together, label))


def _alone(names: list[str], target: Target) -> tuple[int, Amplitudes | None]:
    """(Bell state, amplitudes) for the qubits held here; without amplitudes it is the pair's state."""
    if target is None:
        return 0, None
    if isinstance(target, str):
        bell = bell_index(target)
        if bell is not None and len(names) <= 2:
            return bell, None
    return 0, _vector(target, len(names))


def _vector(target: Sequence[complex] | str, qubits: int) -> Amplitudes:
    """The amplitudes of a target on so many qubits. Raises OperationError."""
    if isinstance(target, str):
        vector = amplitudes(target, qubits)
    else:
        vector = [complex(amplitude) for amplitude in target]
    if len(vector) != 2**qubits:
        raise OperationError(
            f"a state of {qubits} qubits has {2**qubits} amplitudes, not {len(vector)}"
        )
    if not np.isfinite(vector).all():
        raise OperationError("probe: the target's amplitudes must be finite")
    return [(unsigned_zero(one.real), unsigned_zero(one.imag)) for one in vector]


def _checked(node: NodeInterface, parties: Sequence[str], names: list[str]) -> list[str]:
    """The parties by name: this node and others, each once, with one qubit each."""
    found = [plain_name(party, "a party") for party in parties]
    here = node.welcome.name
    unknown = [party for party in found if not node.knows(party)]
    if isinstance(parties, str) or unknown or here not in found:
        what = f"no node is called {unknown[0]!r}" if unknown else f"{here} is not among them"
        raise OperationError(why=f"probe: the parties are names of nodes, this one too: {what}")
    if len(found) < 2 or len(set(found)) < len(found):
        raise OperationError(why="probe: the parties are two nodes or more, each once")
    if len(names) != 1:
        raise OperationError(
            why=f"probe: each party names one qubit or half of a pair, not {len(names)}"
        )
    return found
