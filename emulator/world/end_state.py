"""What is left when a run is over: slots in use, messages that nobody received, operations under way.

Owns the gathering. Does not own the verdict on it: what is worth a word is told by the front door. Nothing
of it is in the digest.
"""

from __future__ import annotations

from ..kernel.wall_clock import WallClock
from ..quantum.plane import QuantumPlane
from ..wire import Wait
from ..wire.control import Left
from .nodes import Nodes


def leftovers(
    nodes: Nodes, quantum: QuantumPlane, pace: WallClock, waits: dict[str, list[Wait]]
) -> dict[str, Left]:
    """Node -> what it still had, in the order of names; `waits`: of programs that `until` has ended."""
    held = quantum.at_end()
    return {
        name: Left(
            slots_used=quantum.slots_used(name),
            slots=status.spec.memory.slots,
            held=held.get(name, []),
            unread=status.unread,
            open=[what for _, what in quantum.pending(name)],
            grants=pace.grants.get(name, 0),
            worked_s=pace.worked_s.get(name, 0.0),
            waits=[(wait.task, wait.what, wait.since_ns) for wait in waits.get(name, [])],
        )
        for name, status in nodes.statuses.items()
    }
