"""A topology file to a `Topology`.

Owns reading the file and the order of the checks: the YAML, the shape as written, the layers, the
complete model, the faults, the trial of links. Each of them is elsewhere.

Rule: whatever the file contains, the answer is a `Topology` or a `TopologyError` with a place in it.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import TopologyError
from .document import read_document
from .fault_entries import read_faults
from .layers import resolve
from .model import Topology
from .places import Mark, Place, Written
from .problems import Problems
from .shape import File
from .trials import try_links


def load_topology(path: str | Path) -> Topology:
    """The topology in a YAML file. Raises TopologyError, naming file, line and column."""
    return parse_topology(_read(path), path)


def parse_topology(text: str, path: str | Path | None = None) -> Topology:
    """The topology in a YAML text. Raises TopologyError.

    `path`: the file that errors name and next to which `./file.py` programs are looked for; without
    one, errors name "<text>" and programs are looked for in the current folder.
    """
    problems = Problems("<text>" if path is None else str(path))
    root = read_document(text, problems)
    if not isinstance(root.value, dict):
        problems.add("expected a mapping with the keys name, nodes and links", root.mark)
        problems.raise_first()
    problems.check(File, root, partial=True)
    source = None if path is None else Path(path)
    resolved = resolve(root, source.parent if source else Path(), problems)
    topology = _topology(resolved, problems)
    problems.raise_first()
    assert topology is not None, "a topology that is not valid has a problem"
    topology = topology.remember(source, resolved)
    try_links(topology)
    return topology


def _topology(resolved: Written, problems: Problems) -> Topology | None:
    names = {
        "node": list(resolved.entries["nodes"].entries),
        "link": list(resolved.entries["links"].entries),
    }
    found = read_faults(resolved, names, problems)
    entries = {key: entry for key, entry in resolved.entries.items() if key != "faults"}
    topology = problems.check(Topology, Written(entries, resolved.mark))
    if topology is None:
        return None
    written = {"fault_entries": found.entries, "campaign": found.campaign}

    def report(problem: str, place: Place) -> None:
        problems.add(problem, Mark(place.line, place.column), ("faults",))

    return topology.model_copy(update=written).planned(report)


def _read(path: str | Path) -> str:
    name = str(path)
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise TopologyError("there is no such file", name) from error
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise TopologyError(f"the file cannot be read: {reason}", name) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, start = before.count(b"\n") + 1, before.rfind(b"\n") + 1
        column = len(before[start:].decode("utf-8", "replace")) + 1
        raise TopologyError("not UTF-8 text: expected a YAML file", name, line, column) from error
