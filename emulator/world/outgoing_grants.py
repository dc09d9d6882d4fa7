"""What is due to each node with its next grant.

Owns what the quantum plane has for nodes (results, qubits that have arrived, qubits grown too old) from
when it happens until a grant hands it out, and puts the grants together. Does not own messages, which wait
in the classical plane, nor who is granted and when (world.py).

Rule: what is for an incarnation that takes nothing any more is dropped; all else wakes the node.
"""

from __future__ import annotations

from ..classical.plane import ClassicalPlane
from ..kernel.conductor import Conductor
from ..quantum.plane import QuantumPlane
from ..wire import Arrival, Grant, Result, Skew
from .nodes import Nodes, NodeStatus


class OutgoingGrants:
    """What is due, by node."""

    def __init__(
        self,
        nodes: Nodes,
        conductor: Conductor,
        classical: ClassicalPlane,
        quantum: QuantumPlane,
    ) -> None:
        self._census, self._conductor = nodes, conductor
        self._classical, self._quantum = classical, quantum
        self._results: dict[str, list[Result]] = {}
        self._arrivals: dict[str, list[Arrival]] = {}
        self._expired: dict[str, list[str]] = {}

    def collect(self) -> None:
        """Take what the quantum plane has for the nodes at this instant."""
        plane, receiver, wake = self._quantum, self._census.receiver, self._conductor.wake
        if plane.results:
            for name, incarnation, result in plane.results:
                if receiver(name) == incarnation:
                    self._results.setdefault(name, []).append(result)
                    wake(name)
            plane.results.clear()
        if plane.arrivals:
            for name, arrival in plane.arrivals:
                if receiver(name) is not None:
                    self._arrivals.setdefault(name, []).append(arrival)
                    wake(name)
            plane.arrivals.clear()
        if plane.expired:
            for name, qubit in plane.expired:
                if receiver(name) is not None:
                    self._expired.setdefault(name, []).append(qubit)
                    wake(name)
            plane.expired.clear()

    def grant(self, status: NodeStatus, last: bool, clock: list[Skew] | None) -> Grant:
        """A grant of this instant, with all that is due; see `Grant` for `last` and `clock`."""
        name, conductor, classical = status.name, self._conductor, self._classical
        return Grant(
            conductor.now_ns,
            conductor.m,
            classical.deliveries.pop(name, []),
            self._arrivals.pop(name, []),
            self._results.pop(name, []),
            classical.forgets.pop(name, []),
            last,
            clock,
            self._expired.pop(name, []),
        )

    def forget_node(self, name: str) -> None:
        """The node runs no more in this incarnation: nothing can be handed to it."""
        for due in (self._results, self._arrivals, self._expired):
            due.pop(name, None)
        self._classical.forget_node(name)
