"""A topology file, or the same as text or data, to a `Topology`.

Owns reading the file and the order of the checks: the YAML, overrides, the shape as written, the layers, the
complete model, the faults, the trial of links. Each of them is elsewhere.

Rule: whatever the file contains, the answer is a `Topology` or a `TopologyError` with a place in it; for
data, which have no lines, the place is the path of the value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import TopologyError
from ..topology.faults.entries import read_faults
from ..topology.faults.plan import planned
from ..topology.model.topology import Topology
from ..topology.reading.layers import resolve
from ..topology.reading.topology_file import File
from ..topology.written.document import read_document
from ..topology.written.names import names_as_written
from ..topology.written.overrides import Overrides, laid_over, overrides_of
from ..topology.written.positions import Position, Written, within, written
from ..topology.written.problems import Problems
from .places import with_places
from .preflight import try_links, try_memories

#: Entries as under `faults:` in a file, e.g. `{"at": "2 s", "for": "500 ms", "cut": "alice-r1"}`.
MoreFaults = Sequence[Mapping[str, Any]]

#: More than the values that a file may hold take; a device has no end.
_MOST_BYTES = 8 << 20


def load_topology(path: str | Path, faults: MoreFaults = (), overrides: Overrides = ()) -> Topology:
    """The topology in a YAML file, with `overrides` of its values, and more `faults` than it has.

    Raises TopologyError, naming file, line and column, or the override.
    """
    return parse_topology(_read(path), path, faults=faults, overrides=overrides)


def parse_topology(
    text: str,
    path: str | Path | None = None,
    *,
    folder: Path | None = None,
    faults: MoreFaults = (),
    overrides: Overrides = (),
) -> Topology:
    """The topology in a YAML text, with `overrides` and more `faults` than it has. Raises TopologyError.

    `path`: the file that errors name and next to which `./file.py` programs are looked for; without
    one, errors name "<text>" and programs are looked for in `folder` (None: the current one).
    """
    problems = Problems("<text>" if path is None else str(path))
    root = read_document(text, problems)
    source = None if path is None else Path(path)
    folder = source.parent if source else folder or Path()
    return _build(root, source, folder, faults, overrides, problems)


def build_topology(
    data: Mapping[str, Any],
    *,
    folder: Path | None = None,
    faults: MoreFaults = (),
    overrides: Overrides = (),
) -> Topology:
    """The topology that `data` describe as a YAML file would. Raises TopologyError.

    `data`: dicts, lists and scalars only. Errors name "<data>" and the path of the value;
    `./file.py` programs are looked for in `folder` (None: the current one).
    """
    root, problems = written(data, Position()), Problems("<data>")
    return _build(root, None, folder or Path(), faults, overrides, problems)


def _build(
    root: Written,
    source: Path | None,
    folder: Path,
    faults: MoreFaults,
    overrides: Overrides,
    problems: Problems,
) -> Topology:
    if not isinstance(root.value, dict):
        problems.add("expected a mapping with the keys name, nodes and links", root.mark)
        problems.raise_first()
    laid = overrides_of(overrides)
    root = laid_over(root, laid, problems)
    _add_faults(root, faults)
    root = names_as_written(root)
    problems.check(File, root, partial=True)
    resolved = resolve(root, folder, problems)
    topology = _topology(resolved, problems)
    problems.raise_first()
    assert topology is not None, "a topology that is not valid has a problem"
    topology = topology.remember(source, resolved, [str(each) for each in laid])
    topology = with_places(topology)
    try_links(topology)
    try_memories(topology)
    return topology


def _add_faults(root: Written, faults: MoreFaults) -> None:
    """Put them behind the file's own; an entry that is in no file has no line."""
    if not faults:
        return
    around, key = root, "faults"
    if within(root, "faults", "random") or within(root, "faults", "schedule"):
        around, key = root.entries["faults"], "schedule"
    own = around.entries.get(key, Written([]))
    if isinstance(own.value, (list, type(None))):  # anything else is refused as it stands
        more = [written(dict(fault), Position()) for fault in faults]
        around.entries[key] = Written([*own.items, *more], own.mark, own.key_mark)


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
    faults = {"fault_entries": found.entries, "campaign": found.campaign}

    def report(problem: str, place: Position) -> None:
        problems.add(problem, place, ("faults",))

    return planned(topology.model_copy(update=faults), report)


def _read(path: str | Path) -> str:
    name = str(path)
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise TopologyError("there is no such file", name) from error
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise TopologyError(f"the file cannot be read: {reason}", name) from error
    if len(content) > _MOST_BYTES:
        raise TopologyError(f"the file is too large: expected at most {_MOST_BYTES >> 20} MB", name)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, start = before.count(b"\n") + 1, before.rfind(b"\n") + 1
        column = len(before[start:].decode("utf-8", "replace")) + 1
        raise TopologyError("not UTF-8 text: expected a YAML file", name, line, column) from error
