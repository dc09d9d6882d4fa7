"""What the zygote does once for all nodes: import those of our modules that programs import, compile files.

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


def files_of_programs(topology: Topology) -> list[Path]:
    """The files that hold programs and services, sorted; as nodes call them."""
    base = topology.source.parent if topology.source else Path()
    return sorted((base / place).resolve() for place in _places(topology) if place.endswith(".py"))


def modules_of_programs(topology: Topology) -> list[str]:
    """The names of our modules that they are or import, sorted."""
    found = {place for place in _places(topology) if not place.endswith(".py")}
    for path in files_of_programs(topology):
        found.update(_imported_by(path))
    return sorted(name for name in found if name.startswith(OURS))


def _places(topology: Topology) -> set[str]:
    """What stands before the class in the names of programs."""
    nodes = topology.nodes.values()
    specs = {node.program for node in nodes}
    specs |= {service.program for node in nodes for service in node.services.values()}
    return {spec.rpartition(":")[0] for spec in specs}


def _imported_by(path: Path) -> Iterator[str]:
    """What a file imports at its top. Of one that cannot be read, nothing: the checks tell why."""
    with contextlib.suppress(OSError, SyntaxError, ValueError, RecursionError):
        for statement in ast.parse(path.read_bytes()).body:
            if isinstance(statement, ast.Import):
                yield from (alias.name for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                yield statement.module
