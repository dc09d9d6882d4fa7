"""Free-space links between places: how long they are, and what only their ends together can tell.

Owns that such a link has a length, given or by where its ends are, that mean elements come with an epoch, and
the longest length and latency of a link that moves. Does not own positions and orbits (space/).

Rule: physics is imported here, and only for a file that needs it.
"""

from __future__ import annotations

from ..closed_forms import fibre_latency_ns
from ..errors import InputError
from ..topology.model.topology import LinkSpec, Topology


def with_places(topology: Topology) -> Topology:
    """The topology with the lengths that follow from where nodes are. Raises TopologyError."""
    for node in topology.nodes.values():
        elements = node.orbit is not None and (node.orbit.tle or node.orbit.omm)
        if elements and "epoch_ns" not in topology.time.model_fields_set:
            raise topology.error(
                f"nodes.{node.name}.orbit: mean elements hold near their date: expected 'epoch' under time, "
                "such as time: {epoch: 2026-03-20T12:00:00Z}",
                *("nodes", node.name, "orbit"),
            )
    changed = {
        name: _with_length(topology, link)
        for name, link in topology.links.items()
        if link.quantum is not None and link.quantum.medium == "free_space"
    }
    if not changed:
        return topology
    found = topology.model_copy(update={"links": {**topology.links, **changed}})
    return found.remember(topology.source, topology.written, topology.overrides)


def _with_length(topology: Topology, link: LinkSpec) -> LinkSpec:
    from ..places import geometry_of

    quantum, classical = link.quantum, link.classical
    assert quantum is not None
    path = ("links", link.name, "quantum")
    orbiting = [end for end in link.ends if topology.nodes[end].orbit is not None]
    if quantum.length_km and orbiting:
        raise topology.error(
            f"{'.'.join(path)}: the length follows from the orbit of {orbiting[0]}: expected none",
            *("links", link.name, "length"),
        )
    if quantum.entangle is not None and orbiting:
        raise topology.error(
            f"{'.'.join(path)}: pairs are heralded between ends that stand still, and {orbiting[0]} is in "
            "orbit: expected no 'entangle'",
            *path,
            "entangle",
        )
    if quantum.length_km:
        return link
    geometry = geometry_of(topology, link)
    if geometry is None:
        raise topology.error(
            f"{'.'.join(path)}: free space needs a length, or a position or orbit of both ends: found "
            "neither",
            *path,
        )
    try:
        geometry.margin(0)  # an orbit of mean elements that has decayed by then
        length_km = geometry.longest_km()
    except InputError as error:
        raise topology.error(f"{'.'.join(path)}: {error}", *path) from error
    if classical is not None and classical.moving:
        latency_ns = fibre_latency_ns(length_km, 1.0)
        update = {"latency_ns": latency_ns, "moving": geometry.moves}
        classical = classical.model_copy(update=update)
    changed = quantum.model_copy(update={"length_km": length_km})
    return link.model_copy(
        update={"quantum": changed, "classical": classical, "length_km": length_km}
    )
