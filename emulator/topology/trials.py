"""Links tried out before anything runs: what only physics can judge.

Owns which links are tried; what is wrong with one is said by quantum/links.py, which builds the same
thing for the run: a pulse shorter than its linewidth allows, a filter without a Raman coefficient, a
user's noise that is no channel, an environment that would never be done, a formalism that cannot carry it.

Rule: physics is imported here, and only for a file that needs it. A user's noise function is run.
"""

from __future__ import annotations

from .model import LinkSpec, Topology


def try_links(topology: Topology) -> None:
    """Raises TopologyError for the first link that cannot be built."""
    links = [link for link in topology.links.values() if _needs_trial(link)]
    if not links:
        return
    from ..quantum.links import way_of
    from ..streams import Streams

    streams = Streams(topology.seed)
    for link in links:
        way_of(topology, link, streams)


def _needs_trial(link: LinkSpec) -> bool:
    quantum = link.quantum
    if quantum is None:
        return False
    sections = (quantum.pulse, quantum.environment, quantum.coexistence, quantum.noise)
    return bool(quantum.misalignment_rad or quantum.gate_ps) or any(
        section is not None for section in sections
    )
