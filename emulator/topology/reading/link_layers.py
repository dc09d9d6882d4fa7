"""Links: their names, the layers below them, and what follows from their length.

Owns that a link joins two nodes that exist, has a name of its own, and has one length on both planes;
the presets that lie below the section naming them (`defaults`' preset < `defaults` < link's preset <
link); and the latency of `auto`, which is light's time through that length. Single values are checked by the
model, not here.

Rule: works on anything that is YAML. What has the wrong shape is passed over: the shape's own check has
noted it already.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath

from ...closed_forms import GROUP_INDEX, fibre_latency_ns
from ...errors import UnitError
from ..model.quantities import INDEX, LENGTH, Quantity
from ..model.space_sections import OF_FIBRES, OF_FREE_SPACE
from ..written.names import (
    absolute,
    default_link_name,
    name_problem,
    nearest,
    reserved_problem,
    shown,
)
from ..written.positions import Position, Written, merged, within, written
from ..written.problems import Problems
from .presets import FIBRES, HERALDING, FibreKind, HeraldingPreset

AUTO = "auto"
FREE_SPACE = "free_space"
NONE = "none"


def read_links(root: Written, folder: FilePath, problems: Problems) -> dict[str, Written]:
    """Every link of the file, complete, by its name. What is wrong is noted in `problems`.

    `folder`: where a noise "./file.py:function" is looked for.
    """
    nodes, section = within(root, "nodes"), within(root, "links")
    reader = _Links(root, list(nodes.entries) if nodes else [], folder, problems)
    for index, entry in enumerate(section.items if section else []):
        reader.read(index, entry)
    return reader.links


class _Links:
    """The links read so far."""

    def __init__(
        self, root: Written, nodes: list[str], folder: FilePath, problems: Problems
    ) -> None:
        self._root = root
        self._nodes = nodes
        self._folder = folder
        self._problems = problems
        self._pairs: dict[tuple[str, str], Position] = {}
        self.links: dict[str, Written] = {}

    def read(self, index: int, entry: Written) -> None:
        ends = self._ends(index, entry)
        name = self._name(index, entry, ends) if ends is not None else None
        if name is not None:
            self.links[name] = self._complete(index, name, entry)

    def _ends(self, index: int, entry: Written) -> tuple[str, str] | None:
        between = within(entry, "between")
        items = between.items if between else []
        names = [item.value for item in items if isinstance(item.value, str)]
        if len(names) != 2 or len(items) != 2:
            return None
        for item in items:
            name = str(item.value)
            if name not in self._nodes:
                problem = f"unknown node {shown(name)}{nearest(name, self._nodes)}"
                self._problems.add(problem, item.mark, ("links", index, "between"))
        return names[0], names[1]

    def _name(self, index: int, entry: Written, ends: tuple[str, str]) -> str | None:
        """The link's name, unless it is malformed or taken."""
        first, second = sorted(ends)
        before = self._pairs.setdefault((first, second), entry.mark)
        given = entry.entries.get("name")
        path = ("links", index)
        if given is None or given.value is None:
            name = default_link_name(*ends)
            if before != entry.mark:
                self._problems.add(
                    f"a second link between {ends[0]} and {ends[1]} needs a 'name:' of its own; the "
                    f"first is in {before.within}",
                    entry.mark,
                    path,
                )
                return None
        elif isinstance(given.value, str) and name_problem(given.value) is None:
            name = given.value
        else:
            return None
        problem = reserved_problem(name)
        if name in self._nodes:
            problem = f"there is a node {shown(name)}: expected another 'name:' for the link"
        if problem is not None:
            self._problems.add(problem, given.mark if given else entry.mark, path)
            return None
        if name in self.links:
            place = self.links[name].mark.within
            problem = f"{place} has a link {shown(name)} already: expected another 'name:'"
            self._problems.add(problem, given.mark if given else entry.mark, path)
            return None
        return name

    def _complete(self, index: int, name: str, entry: Written) -> Written:
        entries = {**entry.entries, "name": Written(name, entry.mark)}
        quantum = entries.get("quantum", Written(NONE, entry.mark))
        classical = entries.get("classical", Written({}, entry.mark))
        if isinstance(quantum.value, dict):
            quantum = self._with_length(index, quantum, entries.get("length"))
            quantum = self._with_layers(quantum)
            entries.update(_picked(quantum, "length"))
        if isinstance(classical.value, dict):
            classical = merged(within(self._root, "defaults", "classical"), classical) or classical
            classical = _with_latency(classical, entries.get("length"), quantum)
        entries["quantum"], entries["classical"] = quantum, classical
        return Written(entries, entry.mark, entry.key_mark)

    def _with_layers(self, quantum: Written) -> Written:
        """The quantum plane over the defaults, each over the preset that it names."""
        defaults = within(self._root, "defaults", "quantum")
        below = _with_presets(defaults) if defaults is not None else None
        own = _with_presets(quantum)
        complete = merged(_same_medium(_same_heralding(below, own), own), own) or quantum
        noise = complete.entries.get("noise")
        if noise is None or not isinstance(noise.value, str):
            return complete
        found = Written(absolute(noise.value, self._folder), noise.mark, noise.key_mark)
        return Written({**complete.entries, "noise": found}, complete.mark, complete.key_mark)

    def _with_length(self, index: int, quantum: Written, length: Written | None) -> Written:
        """The quantum plane with the link's length; two lengths that differ are a problem."""
        own = quantum.entries.get("length")
        if length is None:
            return quantum
        if own is not None and _number(own, LENGTH, 0.0) != _number(length, LENGTH, 0.0):
            self._problems.add(
                f"the link's length is {shown(length.plain())} in {length.mark.within}, but "
                f"{shown(own.plain())} here: expected one length",
                own.mark,
                ("links", index, "quantum", "length"),
            )
        entries = {**quantum.entries, "length": length}
        return Written(entries, quantum.mark, quantum.key_mark)


def _with_presets(section: Written) -> Written:
    """A section over the fibre preset it names, what heralds pairs in it over the preset that names.

    A name that is none is noted by the check of the file as written.
    """
    entangle = within(section, "entangle")
    if entangle is not None and isinstance(entangle.value, dict):
        complete = _over(HERALDING, entangle)
        entries = {**section.entries, "entangle": complete}
        section = Written(entries, section.mark, section.key_mark)
    return _over(FIBRES, section)


def _over(presets: Mapping[str, FibreKind | HeraldingPreset], section: Written) -> Written:
    name = within(section, "preset")
    if name is None or not isinstance(name.value, str) or name.value not in presets:
        return section
    return merged(written(presets[name.value].values, name.best_mark), section) or section


def _same_heralding(below: Written | None, own: Written) -> Written | None:
    """The layer below, without an `entangle` of another kind than the section's.

    Keys of one kind mean nothing to another.
    """
    kinds = [within(layer, "entangle", "kind") for layer in (below, own) if layer is not None]
    if below is None or kinds[-1] is None:
        return below
    if kinds[-1].value == (kinds[0].value if kinds[0] is not None else "simple"):
        return below
    entries = {key: entry for key, entry in below.entries.items() if key != "entangle"}
    return Written(entries, below.mark, below.key_mark)


def _same_medium(below: Written | None, own: Written) -> Written | None:
    """The layer below, without the keys that only another medium than the section's has."""
    layers = [within(layer, "medium") for layer in (own, below) if layer is not None]
    named = [layer.value for layer in layers if layer is not None]
    if below is None or not named:
        return below
    foreign = OF_FIBRES if named[0] == FREE_SPACE else OF_FREE_SPACE
    entries = {key: entry for key, entry in below.entries.items() if key not in foreign}
    return Written(entries, below.mark, below.key_mark)


def _picked(section: Written, key: str) -> dict[str, Written]:
    return {key: section.entries[key]} if key in section.entries else {}


def _with_latency(classical: Written, length: Written | None, quantum: Written) -> Written:
    """The classical plane with `auto` replaced by light's time through the link."""
    latency = classical.entries.get("latency")
    if latency is not None and latency.value not in (AUTO, None):
        return classical
    length_km = _number(length, LENGTH, 0.0)
    in_space = _is_free_space(quantum)
    index = 1.0 if in_space else _number(within(quantum, "group_index"), INDEX, GROUP_INDEX)
    # A length that cannot be read has been noted, so that no topology comes of it: any time will do.
    latency_ns = 0 if length_km is None or index is None else fibre_latency_ns(length_km, index)
    place = latency or length or classical
    resolved = Written(f"{latency_ns} ns", place.mark, place.key_mark)
    entries = {**classical.entries, "latency": resolved}
    if in_space and length is None:  # it follows from where the ends are: loading/places.py
        entries["moving"] = Written(True, place.mark)
    return Written(entries, classical.mark, classical.key_mark)


def _is_free_space(quantum: Written) -> bool:
    medium = within(quantum, "medium") if isinstance(quantum.value, dict) else None
    return medium is not None and medium.value == FREE_SPACE


def _number(entry: Written | None, quantity: Quantity, default: float) -> float | None:
    """A quantity in its base unit; None if it cannot be read, which the model's check says."""
    if entry is None:
        return default
    try:
        return quantity.read(entry.plain())
    except UnitError:
        return None
