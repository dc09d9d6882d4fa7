"""The memories of a topology's nodes: their decay, made from what the topology says.

Owns the way from a node's section `memory:` to a `MemoryDecay` of devices/, and whether the formalism
carries it and its links leave it a chance. Does not own what decays a qubit (devices/memory.py), how old
one may grow (cutoffs.py), or the finding of a user's function (user_noise.py).

Rule: what a topology says and physics forbids is a TopologyError at its place, before anything runs.
"""

from __future__ import annotations

from ...devices.memory import MemoryDecay
from ...errors import InputError
from ...states.user_noise import load_generator
from ...topology.model.topology import NodeSpec, Topology
from ...units import format_ns
from ..formalism import Formalism
from ..links.heralding import source_of


def decay_of(topology: Topology, node: NodeSpec) -> MemoryDecay | None:
    """How the node's qubits decay; None where they keep. A noise of the user's is run.

    Raises TopologyError for a noise that is none, and for one that the formalism cannot carry.
    """
    memory = node.memory
    if memory.noise is None:
        keeps = memory.t1_ns is None and memory.t2_ns is None
        return None if keeps else MemoryDecay(memory.t1_ns, memory.t2_ns)
    path = ("nodes", node.name, "memory", "noise")
    try:
        decay = MemoryDecay(memory.t1_ns, memory.t2_ns, load_generator(memory.noise))
        chosen = Formalism(topology.formalism, topology.approximate)
        chosen.check_noise(decay.sample(), f"memory of {node.name}")
    except InputError as error:
        raise topology.error(f"{'.'.join(path)}: {error}", *path) from error
    return decay


def check_cutoffs(topology: Topology) -> None:
    """Raises TopologyError for a cut-off that every half of a link's pairs would pass before its herald."""
    for link in topology.links.values():
        cutoffs_ns = [topology.nodes[end].memory.cutoff_ns for end in link.ends]
        if cutoffs_ns == [None, None]:
            continue
        source = source_of(topology, link)
        ages_ns = (0, 0) if source is None else source.timing.ages_ns
        for end, cutoff_ns, age_ns in zip(link.ends, cutoffs_ns, ages_ns, strict=True):
            if cutoff_ns is not None and cutoff_ns <= age_ns:
                raise topology.error(
                    f"nodes.{end}.memory.cutoff: a cut-off of {format_ns(cutoff_ns)}, but a half of "
                    f"{link.name} is {format_ns(age_ns)} old when {end} hears of it: expected more",
                    *("nodes", end, "memory", "cutoff"),
                )
