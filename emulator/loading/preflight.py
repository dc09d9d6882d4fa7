"""Links and memories tried out before anything runs: what only physics, or both ends of a link, can judge.

Owns which of them are tried, that a detector's gate fits into the slots of the source at the other end, and
that its dark counts are few in each. Does not own what else is wrong with one: links/channels.py,
links/heralding.py and node/memories.py of quantum/ refuse it, as they build the same thing for the run (a
pulse shorter than its linewidth allows, a filter without a Raman coefficient, a user's noise that is no
channel, a cut-off that no pair survives).

Rule: physics is imported here, and only for a file that needs it. A user's noise function is run.
"""

from __future__ import annotations

from ..topology.model.pulse_sections import MOST_COUNTS
from ..topology.model.topology import LinkSpec, Topology


def try_memories(topology: Topology) -> None:
    """Raises TopologyError for the first memory that cannot be built, or whose cut-off no pair survives."""
    noisy = [node for node in topology.nodes.values() if node.memory.noise is not None]
    limited = any(node.memory.cutoff_ns is not None for node in topology.nodes.values())
    if not noisy and not limited:
        return
    from ..quantum.node.memories import check_cutoffs, decay_of

    for node in noisy:
        decay_of(topology, node)
    check_cutoffs(topology)


def try_links(topology: Topology) -> None:
    """Raises TopologyError for the first link that cannot be built."""
    check_gates(topology)
    try_sources(topology)
    links = [link for link in topology.links.values() if _needs_trial(link)]
    if not links:
        return
    from ..kernel.streams import Streams
    from ..quantum.links.channels import light_channel_of

    streams = Streams(topology.seed)
    for link in links:
        light_channel_of(topology, link, streams)


def try_sources(topology: Topology) -> None:
    """Raises TopologyError for the first link whose pairs cannot be heralded. Those of a simple fibre can."""
    for link in topology.links.values():
        entangle = link.quantum.entangle if link.quantum is not None else None
        if entangle is None or link.quantum is None:
            continue
        if entangle.kind == "simple" and link.quantum.medium == "fibre":
            continue
        from ..quantum.links.heralding import source_of

        source_of(topology, link)


def check_gates(topology: Topology) -> None:
    """Raises TopologyError for a detector whose gate is longer than the slots that a neighbour sends."""
    for link in topology.links.values():
        if link.quantum is None:
            continue
        for sender, receiver in (link.ends, link.ends[::-1]):
            source, detector = topology.nodes[sender].source, topology.nodes[receiver].detector
            if source is not None and detector is not None:
                _check_counts(topology, sender, receiver)
            gate_ps = None if detector is None else detector.gate_ps
            if source is None or gate_ps is None or gate_ps <= source.period_ps:
                continue
            expected = (
                f"at most the {source.period_ps} ps of a slot of {sender}"
                if source.clocked
                else f"none: pairs of {sender} come at any time"
            )
            raise topology.error(
                f"nodes.{receiver}.detector.gate: a gate of {gate_ps:g} ps, expected {expected}",
                *("nodes", receiver, "detector", "gate"),
            )


def _check_counts(topology: Topology, sender: str, receiver: str) -> None:
    source, detector = topology.nodes[sender].source, topology.nodes[receiver].detector
    assert source is not None and detector is not None
    counts = detector.dark_count_rate_hz * detector.open_ps(source.period_ps) * 1e-12
    if counts > MOST_COUNTS:
        raise topology.error(
            f"nodes.{receiver}.detector.dark_count_rate: {counts:.3g} dark counts in each slot of "
            f"{sender}, expected at most {MOST_COUNTS}",
            *("nodes", receiver, "detector", "dark_count_rate"),
        )


def _needs_trial(link: LinkSpec) -> bool:
    quantum = link.quantum
    if quantum is None:
        return False
    if quantum.medium == "free_space":
        return True
    sections = (quantum.pulse, quantum.environment, quantum.coexistence, quantum.noise)
    return bool(quantum.misalignment_rad or quantum.gate_ps) or any(
        section is not None for section in sections
    )
