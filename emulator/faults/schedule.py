"""The schedule: which fault begins and heals at which instant.

Owns the table from a fault's name to its class, and putting each on the agenda. Rule: faults of one
instant happen in the order of the file; a fault's numbers come from its own generator, named after its
place in the file, so that adding one at the end shifts nobody else's draws.
"""

from __future__ import annotations

from ..conductor import FAULT, Conductor
from ..record.journal import Journal
from ..streams import Streams
from ..topology.model import FaultSpec
from .base import Breakable, Fault
from .cut import Cut
from .delay import Delay
from .kill import Kill
from .loss import Loss

FAULTS: dict[str, type[Fault]] = {"kill": Kill, "cut": Cut, "loss": Loss, "delay": Delay}


def schedule(
    specs: list[FaultSpec],
    world: Breakable,
    conductor: Conductor,
    journal: Journal,
    streams: Streams,
) -> None:
    """Put every fault's beginning and healing on the agenda."""
    for index, spec in enumerate(specs):
        name = f"{index}:{spec.verb}:{spec.target}"
        fault = FAULTS[spec.verb](spec, streams.of("fault", name))
        _plan(fault, index, world, conductor, journal)


def _plan(
    fault: Fault, index: int, world: Breakable, conductor: Conductor, journal: Journal
) -> None:
    spec = fault.spec

    def begin() -> None:
        journal.event("faults", "begin", index, spec.verb, spec.target)
        fault.begin(world)

    def heal() -> None:
        journal.event("faults", "heal", index, spec.verb, spec.target)
        fault.heal(world)

    if spec.at_ns:
        conductor.at(spec.at_ns, (index, 0), begin, FAULT)
    else:
        conductor.at_start((index, 0), begin, FAULT)
    if spec.for_ns is not None:
        conductor.at(spec.at_ns + spec.for_ns, (index, 1), heal, FAULT)
