"""Layers of a file to one complete description of every node.

Owns the order of the layers (`defaults < kind < hardware preset < node`), a node's default program, and
that presets exist; links are in link_layers.py. Single values are checked by the model, not here.

Rule: works on anything that is YAML. What has the wrong shape is passed over: the shape's own check has
noted it already.
"""

from __future__ import annotations

import os
from pathlib import Path as FilePath

from ..model.kinds import KINDS, NAMED_SERVICES, program_of
from ..model.pulse_sections import SOURCE_KEYS
from ..written.names import absolute, name_problem, nearest, reserved_problem, shown
from ..written.positions import Written, merged, within, written
from ..written.problems import Problems
from .link_layers import read_links
from .presets import PRESETS, RENAMED

_DEVICES = (
    "memory",
    "gates",
    "measurement",
    "bell_measurement",
    "source",
    "detector",
    "hardware",
    "services",
)
#: The parts of a file that no layer changes.
_AS_WRITTEN = ("name", "seed", "time", "formalism", "approximate", "record", "on_error", "expect")


def resolve(root: Written, folder: FilePath, problems: Problems) -> Written:
    """The file with every node and link complete: nodes and links as mappings by name.

    `folder`: where "./file.py:Class" and "./file.py:function" are looked for. What is wrong is noted in
    `problems`.
    """
    entries = {key: root.entries[key] for key in _AS_WRITTEN if key in root.entries}
    if entries.get("expect", root).value is None:
        del entries["expect"]
    for key, resolved in (
        ("nodes", _nodes(root, folder, problems)),
        ("links", read_links(root, folder, problems)),
    ):
        section = root.entries.get(key)
        mark, key_mark = (section.mark, section.key_mark) if section else (root.mark, None)
        entries[key] = Written(resolved, mark, key_mark)
    entries["folder"] = Written(os.path.abspath(folder), root.mark)
    if "faults" in root.entries:
        entries["faults"] = root.entries["faults"]
    return Written(entries, root.mark)


def _picked(section: Written | None, keys: tuple[str, ...]) -> Written | None:
    if section is None:
        return None
    entries = {key: section.entries[key] for key in keys if key in section.entries}
    return Written(entries, section.mark, section.key_mark)


def _nodes(root: Written, folder: FilePath, problems: Problems) -> dict[str, Written]:
    section = root.entries.get("nodes")
    nodes: dict[str, Written] = {}
    by_folded: dict[str, str] = {}
    for name, entry in (section.entries if section else {}).items():
        problem = reserved_problem(name)
        other = by_folded.setdefault(name.casefold(), name)
        if other != name:
            problem = f"{shown(name)} and {shown(other)} differ in case only: files are called after nodes"
        if problem is not None:
            problems.add(problem, entry.key_mark or entry.mark, ("nodes",))
        if name_problem(name) is None and isinstance(entry.value, (dict, type(None))):
            node = _node(root, name, entry, problems)
            if node is not None:
                nodes[name] = _with_absolute_files(node, folder)
    return nodes


def _node(root: Written, name: str, entry: Written, problems: Problems) -> Written | None:
    own = Written(entry.entries, entry.mark, entry.key_mark)
    kind = own.entries.get("kind", Written("endpoint")).value
    if not isinstance(kind, str) or kind not in KINDS:
        return None
    layers = (within(root, "defaults"), within(root, "kinds", kind), own)
    services = _services([within(layer, "services") for layer in layers])
    named = services.entries if services is not None else {}
    built_in = {"program": program_of(kind, named), "service": KINDS[kind].service}
    below = merged(written(built_in, own.best_mark), _picked(within(root, "defaults"), _DEVICES))
    below = _laid_over(below, within(root, "kinds", kind))
    choice = _laid_over(below, own)
    for preset in _presets(root, within(choice or own, "hardware"), ("nodes", name), problems):
        below = _laid_over(below, preset)
    node = _laid_over(below, own) or own
    entries = {key: value for key, value in node.entries.items() if key != "hardware"}
    if services is not None:
        entries["services"] = services
    entries["name"] = Written(name, own.key_mark or own.mark)
    return Written(entries, own.mark, own.key_mark)


def _laid_over(below: Written | None, above: Written | None) -> Written | None:
    """`above` over `below`; a source of another kind takes nothing from the one below.

    Keys of one kind mean nothing to another. A layer that names no kind is taken as far as it fits.
    """
    kind, source = within(above, "source", "kind"), within(below, "source")
    if below is None or source is None or kind is None or not isinstance(kind.value, str):
        return merged(below, above)
    other = within(source, "kind")
    if other is not None and other.value == kind.value:
        return merged(below, above)
    fitting = SOURCE_KEYS.get(kind.value, ()) if other is None else ()
    entries = {key: entry for key, entry in source.entries.items() if key in fitting}
    left = {**below.entries, "source": Written(entries, source.mark, source.key_mark)}
    return merged(Written(left, below.mark, below.key_mark), above)


def _services(layers: list[Written | None]) -> Written | None:
    """The services of all layers by name, the upper ones over the lower; nothing takes one away."""
    found: dict[str, Written] = {}
    mark = None
    for layer in layers:
        if layer is None or not isinstance(layer.value, dict):
            continue
        mark = layer
        for name, entry in layer.entries.items():
            if entry.value is None:
                found.pop(name, None)
            else:
                found[name] = merged(found.get(name), entry) or entry
    known = {name: _named(name, entry) for name, entry in found.items()}
    return None if mark is None else Written(known, mark.mark, mark.key_mark)


def _named(name: str, entry: Written) -> Written:
    """A service that is known by its name has a program, and what it needs, without a word."""
    known = NAMED_SERVICES.get(name)
    if (
        known is None
        or "program" in entry.entries
        or not isinstance(entry.value, (dict, type(None)))
    ):
        return entry
    below: dict[str, object] = {"program": known.program}
    if known.needs:
        below["needs"] = list(known.needs)
    return merged(written(below, entry.best_mark), entry) or entry


def _presets(
    root: Written, chosen: Written | None, path: tuple[str, ...], problems: Problems
) -> list[Written]:
    """The presets a node names, in its order: the later ones are laid over the earlier ones."""
    if chosen is None:
        return []
    own = within(root, "hardware") or Written({})
    known = [*own.entries, *(name for name in PRESETS if name not in own.entries)]
    presets = []
    for item in chosen.items if isinstance(chosen.value, list) else [chosen]:
        name = item.value
        if not isinstance(name, str):
            continue
        if name in own.entries:
            presets.append(own.entries[name])
        elif name in PRESETS:
            presets.append(written(PRESETS[name].sections, item.best_mark))
        elif name in RENAMED:
            problem = f"the hardware preset {shown(name)} is called {shown(RENAMED[name])} now"
            problems.add(problem, item.best_mark, (*path, "hardware"))
        else:
            problem = f"unknown hardware preset {shown(name)}{nearest(name, known)}"
            problems.add(problem, item.best_mark, (*path, "hardware"))
    return presets


def _with_absolute_files(node: Written, folder: FilePath) -> Written:
    """The node with its `./file.py:Class` and `./file.py:function` independent of where the topology lies."""
    node = _with_absolute(node, "program", folder)
    services = node.entries.get("services")
    if services is not None:
        absolutes = {
            name: _with_absolute(each, "program", folder) for name, each in services.entries.items()
        }
        own = Written(absolutes, services.mark, services.key_mark)
        node = Written({**node.entries, "services": own}, node.mark, node.key_mark)
    weather = node.entries.get("weather")
    if weather is not None and isinstance(weather.value, dict):
        entries = {**node.entries, "weather": _with_absolute_path(weather, folder)}
        node = Written(entries, node.mark, node.key_mark)
    memory = node.entries.get("memory")
    if memory is None or not isinstance(memory.value, dict):
        return node
    entries = {**node.entries, "memory": _with_absolute(memory, "noise", folder)}
    return Written(entries, node.mark, node.key_mark)


def _with_absolute_path(section: Written, folder: FilePath) -> Written:
    """The section with its `file` independent of where the topology lies."""
    entry = section.entries.get("file")
    if entry is None or not isinstance(entry.value, str):
        return section
    found = Written(os.path.abspath(folder / entry.value), entry.mark, entry.key_mark)
    return Written({**section.entries, "file": found}, section.mark, section.key_mark)


def _with_absolute(section: Written, key: str, folder: FilePath) -> Written:
    entry = section.entries.get(key)
    if entry is None or not isinstance(entry.value, str):
        return section
    found = Written(absolute(entry.value, folder), entry.mark, entry.key_mark)
    return Written({**section.entries, key: found}, section.mark, section.key_mark)
