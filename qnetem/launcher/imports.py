"""Which of our own modules programs import, so that the zygote imports them once for all nodes.

Owns how they are found: by the names that stand at the top of a program's file. What is not found there costs
each node its own import, and nothing else. No module of others is among them: what it does when it is
imported, it shall do in a node.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..emulator.loading import Topology

OURS = "qnetem.agents."


def modules_of_programs(topology: Topology) -> list[str]:
    """Their names, sorted."""
    nodes = topology.nodes.values()
    specs = {node.program for node in nodes}
    specs |= {service.program for node in nodes for service in node.services.values()}
    base = topology.source.parent if topology.source else Path()
    found: set[str] = set()
    for place in {spec.rpartition(":")[0] for spec in specs}:
        found.update(_imported_by(base / place) if place.endswith(".py") else [place])
    return sorted(name for name in found if name.startswith(OURS))


def _imported_by(path: Path) -> Iterator[str]:
    """What a file imports at its top. Of one that cannot be read, nothing: the checks tell why."""
    with contextlib.suppress(OSError, SyntaxError, ValueError, RecursionError):
        for statement in ast.parse(path.read_bytes()).body:
            if isinstance(statement, ast.Import):
                yield from (alias.name for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                yield statement.module
