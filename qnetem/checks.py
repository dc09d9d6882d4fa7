"""Checks of a topology without a run: whether its programs are there, whether its nodes reach each other.

Owns the checks that need more than the file itself. Does not own the file's validation (emulator/topology)
nor the fitting of `with` to `run()` (agents/options/fitting.py), to whose errors it adds the place in the
file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .agents.node.program import load_program, load_service
from .agents.options.fitting import fit_options
from .emulator.errors import ProgramError
from .emulator.loading.idle_keys import idle_keys
from .emulator.program_modules import ProgramModules
from .emulator.topology.model.kinds import KINDS
from .faster_than_light import faster_than_light

if TYPE_CHECKING:
    from .emulator.loading import Topology

EAVESDROPPER = "eavesdropper"


def check_programs(topology: Topology) -> None:
    """Import every program and service and fit its `with`. Raises TopologyError at the node's place."""
    base = topology.source.parent if topology.source else None
    with ProgramModules() as modules:
        for name, node in topology.nodes.items():
            key: tuple[str, ...] = ("program",)
            try:
                program = load_program(node.program, base, modules)
                key = ("with",)
                fit_options(program, node.options, topology.folder)
                for service, spec in node.services.items():
                    key = ("services", service, "program")
                    found = load_service(spec.program, base, modules)
                    key = ("services", service, "with")
                    fit_options(found, spec.options, topology.folder)
                    _check_other_end(topology, name, service, getattr(found, "other_end", ""))
            except ProgramError as error:
                path = ("nodes", name, *key, *error.path)
                problem = f"node {name}: {error}"
                raise topology.error(problem, *path, at_key=error.at_key) from error


def _check_other_end(topology: Topology, node: str, service: str, option: str) -> None:
    """Raises ProgramError where a service speaks to one of its name that the other node has not."""
    other = topology.nodes[node].services[service].options.get(option)
    if not option or not isinstance(other, str) or other not in topology.nodes:
        return
    there = list(topology.nodes[other].services)
    if service not in there:
        has = f"it has {', '.join(there)}" if there else "it has no services"
        problem = f"{other} has no service {service!r}, and both ends need the same name: {has}"
        raise ProgramError(problem, (option,))


def islands(topology: Topology) -> list[list[str]]:
    """Nodes in groups within which classical links lead from each to each, in file order."""
    home = {name: name for name in topology.nodes}
    for link in topology.links.values():
        if link.classical is not None:
            first, second = home[link.ends[0]], home[link.ends[1]]
            home = {name: first if at == second else at for name, at in home.items()}
    groups: dict[str, list[str]] = {}
    for name, at in home.items():
        groups.setdefault(at, []).append(name)
    return list(groups.values())


def warnings(topology: Topology) -> list[str]:
    """What is allowed but probably not meant."""
    found = idle_keys(topology)
    # An eavesdropper without links is put on one by a fault, and sends no messages.
    groups = [
        group for group in islands(topology) if not _is_unlinked_eavesdropper(topology, group)
    ]
    if len(groups) > 1:
        named = "; ".join(_some(group) for group in groups)
        found.append(
            f"no classical path between these nodes, messages between them are lost: {named}"
        )
    idle = [
        name
        for name, node in topology.nodes.items()
        if node.kind == EAVESDROPPER and node.program == KINDS[EAVESDROPPER].program
    ]
    if idle:
        found.append(f"an eavesdropper without a `program` takes nothing: {_some(idle)}")
    return found + faster_than_light(topology)


def _is_unlinked_eavesdropper(topology: Topology, group: list[str]) -> bool:
    linked = {end for link in topology.links.values() for end in link.ends}
    return all(topology.nodes[name].kind == EAVESDROPPER and name not in linked for name in group)


def _some(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
