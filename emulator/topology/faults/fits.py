"""Whom a fault can happen to at all: dark counts need a detector, a false herald needs heralds.

Owns those conditions, for nodes and links as the topology has them. Does not own names and selectors
(fault_targets.py), a parameter's limits (faults/kinds.py), nor what happens (faults/, quantum/).

Rules. No physics is imported: what stands here agrees with what quantum/links/heralding.py refuses, and
tests hold them together. Whoever is chosen (`all`, `one`, a share, a campaign) is one of those who fit;
whoever is named and does not fit is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from ...faults.kinds import FAULT_KINDS
from ..model.entangle import EntangleSpec
from ..model.faults import FaultSpec, Value
from ..model.pulse_sections import MOST_COUNTS
from ..written.positions import Place

if TYPE_CHECKING:
    from ..model.topology import LinkSpec, NodeSpec, Topology

#: (verb, target, parameters): why it cannot happen to that one; None if it can.
Fits = Callable[[str, str, Mapping[str, Value]], str | None]
#: A fault that comes and goes more often is a mistake in a unit.
MOST_CHANGES = 10_000
_NONE: Mapping[str, Value] = MappingProxyType({})


def misfit(
    topology: Topology, verb: str, target: str, parameters: Mapping[str, Value] = _NONE
) -> str | None:
    """Why the fault cannot happen to the node or link of that name, or None."""
    kind = FAULT_KINDS[verb]
    if target in topology.nodes and kind.target != "link":
        return _of_node(verb, topology.nodes[target]) if kind.plane == "quantum" else None
    link = topology.links[target]
    if verb == "eavesdrop":
        return _eavesdropped(link, parameters)
    plane = parameters.get("only") if verb == "cut" else kind.plane
    if plane == "classical" and link.classical is None:
        return f"{target} has no classical side"
    if plane == "quantum" and link.quantum is None:
        return f"{target} has no quantum side"
    if verb == "misalignment":
        return _turned(topology, link)
    if verb in ("dark_counts", "blind", "source_off", "lost_herald", "false_herald"):
        return _of_heralds(verb, link) or _of_end(link, parameters)
    return None


def wrong_with(topology: Topology, spec: FaultSpec) -> tuple[str, Place] | None:
    """Why a single fault cannot happen as it stands, and what is to blame; None if it can."""
    if FAULT_KINDS[spec.verb].target == "groups":
        return None
    target = f"{spec.verb}:{spec.target}", spec.verb
    problem = misfit(topology, spec.verb, spec.target, spec.parameters)
    if problem is not None:
        link = topology.links.get(spec.target)
        is_end = link is not None and problem == _of_end(link, spec.parameters)
        return f"{spec.verb}: {problem}", spec.place_of(*(("end",) if is_end else target))
    if spec.verb == "clouds":
        return _too_cloudy(topology, spec)
    if spec.verb == "dark_counts" and spec.target in topology.nodes:
        return _too_noisy(topology, spec)
    return None


def _too_cloudy(topology: Topology, spec: FaultSpec) -> tuple[str, Place] | None:
    """Clouds that never end, or pass so fast that the run would do nothing else."""
    until_ns = topology.time.until_ns
    ends = [
        each for each in (spec.for_ns, None if until_ns is None else until_ns - spec.at_ns) if each
    ]
    if not ends:
        problem = "clouds come and go for ever: expected 'for', or 'until' under time"
        return problem, spec.place_of(f"clouds:{spec.target}", "clouds")
    cover, passage_ns = (float(spec.parameters[name] or 0) for name in ("cover", "passage"))
    changes = 2 * min(ends) * cover / passage_ns if cover < 1 else 0
    if changes <= MOST_CHANGES:
        return None
    problem = f"clouds: {changes:.3g} changes are to be expected, at most {MOST_CHANGES}"
    return problem, spec.place_of("passage", "clouds")


def _too_noisy(topology: Topology, spec: FaultSpec) -> tuple[str, Place] | None:
    """More dark counts than a slot can hold, of the longest that there is."""
    detector = topology.nodes[spec.target].detector
    periods = [node.source.period_ps for node in topology.nodes.values() if node.source is not None]
    if detector is None or not periods:
        return None
    counts = float(spec.parameters["rate"] or 0) * detector.open_ps(max(periods)) * 1e-12
    if counts <= MOST_COUNTS:
        return None
    problem = f"dark_counts: {counts:.3g} counts in each slot, expected at most {MOST_COUNTS}"
    return problem, spec.place_of("rate", "dark_counts")


def _eavesdropped(link: LinkSpec, parameters: Mapping[str, Value]) -> str | None:
    """Messages alone may be listened to; of heralded pairs an eavesdropper gets nothing."""
    name, ask = link.name, "expected 'classical: tap' or 'intercept'"
    if parameters.get("by") in link.ends:
        return f"{parameters['by']} is an end of {name}"
    if parameters.get("classical") is not None:
        return None if link.classical is not None else f"{name} has no classical side"
    if link.quantum is None:
        return f"{name} has no quantum side: {ask} for its messages"
    if link.quantum.entangle is not None:
        return (
            f"{name} heralds pairs, of which an eavesdropper gets nothing: {ask} for its messages, or a "
            "link without 'entangle'"
        )
    return None


def _of_end(link: LinkSpec, parameters: Mapping[str, Value]) -> str | None:
    end = parameters.get("end")
    if end is None or end in link.ends:
        return None
    return f"{end} is no end of {link.name}, expected {' or '.join(link.ends)}"


def _of_node(verb: str, node: NodeSpec) -> str | None:
    if verb in ("dark_counts", "blind") and node.detector is None:
        return f"{node.name} has no detectors: expected a 'detector' there, or a link with heralds"
    if verb == "source_off" and node.source is None:
        return f"{node.name} has no source: expected a 'source' there, or a link with heralds"
    return None


def _of_heralds(verb: str, link: LinkSpec) -> str | None:
    entangle = None if link.quantum is None else link.quantum.entangle
    if entangle is None:
        return f"nothing heralds pairs on {link.name}: expected 'entangle' there"
    if verb == "dark_counts" and not _counts(entangle):
        what = "'window' in 'latching'" if entangle.kind == "midpoint_source" else "a 'detector'"
        return f"{link.name}, of kind {entangle.kind}, counts nothing" + (
            "" if entangle.kind == "simple" else f": expected {what} in 'entangle'"
        )
    return None


def _counts(entangle: EntangleSpec) -> bool:
    """Whether something is said of what could count in the dark."""
    if entangle.kind == "midpoint_source":
        return entangle.latching is not None and entangle.latching.window_ps is not None
    return entangle.kind != "simple" and entangle.detector is not None


def _turned(topology: Topology, link: LinkSpec) -> str | None:
    """Light that is turned suffers no Pauli noise. Only interference just loses visibility by it."""
    entangle = None if link.quantum is None else link.quantum.entangle
    if entangle is not None and entangle.kind in ("single_click", "double_click"):
        return None
    if topology.formalism in ("bell_diagonal", "stabilizer") and topology.approximate == "none":
        return (
            f"light on {link.name} would be turned, which formalism: {topology.formalism} cannot carry: "
            "expected formalism: auto or density_matrix, or approximate: twirl"
        )
    return None
