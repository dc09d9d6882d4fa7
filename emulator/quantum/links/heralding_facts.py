"""What a node knows of how its links herald pairs: facts as the link was calibrated.

Owns the step from a link of the topology to `Heralding`. Does not own what a link does in a run (pairs/), nor
what programs make of the facts (agents/network/).

Rule: faults and drifts are not in it. A node that knew them at once would know them faster than light.
"""

from __future__ import annotations

from ...kernel.streams import Streams
from ...topology.model.topology import LinkSpec, NodeSpec, Topology
from ...wire import Heralding
from .beams import beams_of
from .heralding import clicks_of, heralding, multiplexing_of


def heralding_facts(topology: Topology, link: LinkSpec) -> Heralding | None:
    """How the link heralds pairs; None if it does not."""
    beams = beams_of(topology, link, Streams(topology.seed))
    source = heralding(link, beams=beams)
    if source is None:
        return None
    density, timing = source.density(), source.timing
    p00, p01, p10, p11 = density.diagonal().real.tolist()
    alpha, clicks = clicks_of(link, beams)
    first, second = (_decay_times_ns(topology.nodes[end]) for end in link.ends)
    return Heralding(
        attempt_ns=timing.attempt_ns,
        heralds_ns=timing.heralds_ns,
        ages_ns=timing.ages_ns,
        success=source.success,
        pair=(p00, p01, p10, p11, float(density[0, 3].real)),
        memories_ns=(first, second),
        multiplexing=multiplexing_of(link),
        alpha=alpha,
        clicks=clicks,
    )


def _decay_times_ns(node: NodeSpec) -> tuple[int, int]:
    return node.memory.t1_ns or 0, node.memory.t2_ns or 0
