"""The key services of a topology: at which nodes they are, and for which applications.

Owns how they are found. Does not own what a key service does (agents/keys/).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..emulator.errors import InputError
from ..emulator.topology.model.topology import Topology

PROGRAM = "qnetem.agents.keys.key_service:KeyService"


@dataclass(frozen=True)
class KeySite:
    """A node with a key service, by the service's name; `applications` are those of this site."""

    node: str
    service: str
    applications: tuple[str, ...]


def key_sites(topology: Topology) -> list[KeySite]:
    """Those of a topology, by name. Raises InputError where there is none."""
    found = []
    for name, node in sorted(topology.nodes.items()):
        for service, spec in sorted(node.services.items()):
            if spec.program == PROGRAM:
                here = [
                    application
                    for application, options in spec.options.get("applications", {}).items()
                    if isinstance(options, dict) and options.get("site") == name
                ]
                found.append(KeySite(name, service, tuple(sorted(here))))
    if not found:
        raise InputError(f"{topology.name} has no key service ({PROGRAM})")
    return found
