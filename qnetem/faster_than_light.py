"""Messages that are faster than light, as a topology has them.

Owns the comparison of the classical plane's latencies with light's time between the ends of a link. Such a
latency is the user's explicit word, and `auto` is never one: `qnetem validate` warns, and a run obeys.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from .emulator.classical.routes import Routes
from .emulator.closed_forms import fibre_latency_ns
from .emulator.units import format_ns

if TYPE_CHECKING:
    from .emulator.loading import Topology
    from .emulator.topology.model.topology import LinkSpec


def faster_than_light(topology: Topology) -> list[str]:
    """Ends of links between which messages take less time than light.

    Light goes the shortest way over links whose length is known, messages the way of least latency; a link
    that says neither a length nor a quantum plane may be as short as it likes, so light is not sent along it.
    """
    routes, found = Routes(topology.links), []
    lit = {name: ns for name, link in topology.links.items() if (ns := _light_ns(link)) is not None}
    for name, link_ns in lit.items():
        first, second = ends = topology.links[name].ends
        message_ns = routes.latency_ns(first, second)
        if message_ns is None or message_ns >= link_ns:
            continue
        light_ns = _shortest_ns(topology, lit, *ends)
        if message_ns < light_ns:
            found.append(
                f"messages between {first} and {second} take {format_ns(message_ns)}, and light "
                f"{format_ns(light_ns)}: they are faster than light"
            )
    return list(dict.fromkeys(found))


def _light_ns(link: LinkSpec) -> int | None:
    """Light's time over the link; None where its length is not known."""
    if link.quantum is not None:
        return link.delay_ns
    return fibre_latency_ns(link.length_km) if link.length_km else None


def _shortest_ns(topology: Topology, lit: dict[str, int], source: str, destination: str) -> int:
    """Light's time from one node to another over the links of `lit`, which join them (Dijkstra)."""
    settled: dict[str, int] = {}
    heap = [(0, source)]
    while destination not in settled:
        far_ns, node = heappop(heap)
        if node in settled:
            continue
        settled[node] = far_ns
        for name, ns in lit.items():
            link = topology.links[name]
            if node in link.ends:
                heappush(heap, (far_ns + ns, link.other_end(node)))
    return settled[destination]
