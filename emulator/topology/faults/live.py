"""A fault that somebody asks for while a run goes on: from its text to single faults.

Owns reading one entry of `faults:` that stands alone. Does not own what is in an entry (fault_entries.py)
nor its targets (fault_targets.py). Rule: errors and choices are those of a file; only that places are
places in the entry, and that choices come from the generator ("target", name).
"""

from __future__ import annotations

from functools import partial

from ...errors import TopologyError
from ...kernel.streams import Streams
from ..model.faults import FaultSpec
from ..model.topology import Topology
from ..written.document import read_document
from ..written.names import shown
from ..written.positions import Mark, Place, Written
from ..written.problems import Problems
from .entries import read_entry
from .fits import misfit, wrong_with
from .plan import single_faults

#: What errors name instead of a file.
ENTRY = "<fault>"


def read_live_faults(text: str, topology: Topology, name: str) -> list[FaultSpec]:
    """The single faults of an entry such as `{cut: alice-bob, for: 1 s}`; at least one.

    `name`: what names the generator of its choices. Raises TopologyError with line and column.
    """
    problems = Problems(ENTRY)
    root = read_document(text, problems) if text.strip() else Written(None)
    if not isinstance(root.value, dict):
        example = "a mapping such as {cut: alice-bob, for: 1 s}"
        raise TopologyError(f"expected {example}, found {shown(root.plain())}", ENTRY, 1, 1)
    names = {"node": list(topology.nodes), "link": list(topology.links)}
    entry = read_entry(root, names, problems, (), live=True)
    problems.raise_first()
    assert entry is not None, "an entry that is not valid has a problem"

    def report(problem: str, place: Place) -> None:
        problems.add(problem, Mark(place.line, place.column))

    streams = Streams(topology.seed)
    fits = partial(misfit, topology)
    nodes, links = topology.nodes, topology.links
    found = single_faults(entry, name, nodes, links, streams, None, report, fits)
    for spec in found:
        wrong = wrong_with(topology, spec)
        if wrong is not None:
            report(*wrong)
    problems.raise_first()
    return found
