"""What one run is made of: the parts that the files of this folder share, and its state.

Owns their making, in the order in which each needs the one before. Does not own what is done with them: a
transition between states stands in world.py, or in end.py for the last.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path

import msgspec

from ..classical.plane import ClassicalPlane
from ..kernel.conductor import Barrier, Conductor
from ..kernel.ports import Surroundings
from ..kernel.streams import Streams
from ..kernel.wall_clock import WallClock
from ..quantum.plane import QuantumPlane
from ..record.journal import Journal
from ..record.metrics import Metrics
from ..topology.model.topology import Topology
from .nodes import Nodes


class State(Enum):
    """Where a run stands; world.py has the table of transitions."""

    BETWEEN = "between two instants"
    INSTANT = "in the phases of an instant"
    GRANTED = "nodes run, reports are awaited"
    OVER = "the outcome is out"


class Run:
    """The parts of one run. `outbox`: `(node, frame)`, and `("", frame)` for the launcher.

    `wall` gives real seconds.
    """

    def __init__(
        self, topology: Topology, journal_path: Path | None, wall: Callable[[], float]
    ) -> None:
        self.topology = topology
        self.state = State.BETWEEN
        self.outbox: list[tuple[str, msgspec.Struct]] = []
        self.conductor = Conductor()
        self.barrier = Barrier()
        self.journal = Journal(self.conductor, journal_path)
        self.metrics = Metrics()
        self.streams = Streams(topology.seed)
        around = Surroundings(self.conductor, self.journal, self.metrics, self.streams)
        self.nodes = Nodes(topology, self.outbox)
        self.classical = ClassicalPlane(topology, self.conductor, around, self.nodes)
        self.quantum = QuantumPlane(topology, around)
        self.wall_clock = WallClock(wall, topology.time.speed)
        #: Instants in a row in which nothing but services' background happened.
        self.quiet_instants = 0

    @property
    def over(self) -> bool:
        """Whether the outcome is out."""
        return self.state is State.OVER

    @property
    def now_ns(self) -> int:
        """The present instant's time, in ns."""
        return self.conductor.now_ns

    def wall_instant_ns(self) -> int:
        """Real time mode: the virtual time that the wall clock has come to; else now."""
        if self.topology.time.mode != "real":
            return self.conductor.now_ns
        return self.wall_clock.wall_ns
