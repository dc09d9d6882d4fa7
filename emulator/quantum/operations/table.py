"""The operations of the wire: one row each, from its name in the journal to what it does.

Owns the table. A row has an operation's verb, the type of its result, what it checks and how long it takes,
its effect with the node's device errors, what a withdrawal means, what it waits for, and how the journal
shows it. Does not own when an effect happens (plane.py) or the states (node/registry.py); of operations on
pairs and pulse trains a row only names the part that carries them out (pairs/, pulses/).

Rules: an operation occupies its qubits from its start to its end, and until its end they decay as idle
ones do. At its end the ideal operation and the node's own error act, both at once: so a qubit that is
consumed has paid for the time that this took, and one that is initialised (Allocate, Reset) is then as it
should be. Each operation draws a fixed number of uniforms from its node's generator, whatever comes out:
those that measurements.py names, all others none.
"""

from __future__ import annotations

from ...units import format_ns
from ...wire import Operation
from ..node.node_devices import Pending
from . import entanglement, gates, light, measurements, slots
from .row import Row

ROWS: dict[type[Operation], Row] = {
    **gates.ROWS,
    **measurements.ROWS,
    **slots.ROWS,
    **entanglement.ROWS,
    **light.ROWS,
}


def verb(operation: Operation) -> str:
    """The operation's name for people and for the journal."""
    return ROWS[type(operation)].verb


def waits_for(pending: Pending) -> str:
    """What an operation under way waits for, for people."""
    if pending.opener is not None:
        pool, places = pending.pool or "", pending.devices.places
        if places is not None and pending.place and pending.devices.slots.free_of(pool):
            return f"a free communication qubit ({places.communication} in use)"
        whose = f" of {pool}" if pool else ""
        return f"a free slot{whose} ({pending.devices.slots.count_of(pool)} in use)"
    row = ROWS[type(pending.operation)]
    if pending.refusal is not None or row.waits is None:
        return f"{row.verb} until {format_ns(pending.end_ns)}"
    return row.waits(pending)
