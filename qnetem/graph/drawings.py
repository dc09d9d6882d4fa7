"""Drawings of a topology: `qnetem graph`.

Owns five forms of the same facts: text for a terminal, Graphviz dot, Mermaid, JSON, and SVG (svg.py). The
text is plain ASCII without colour, so that it can go into a log or a mail. Rule: every link appears exactly
once in the drawing, and the order depends on the file only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..emulator.topology.model.kinds import KINDS
from ..emulator.units import format_ns
from ..text.columns import in_columns
from ..text.quantities import count

if TYPE_CHECKING:
    from ..emulator.loading import Topology
    from ..emulator.topology.model.topology import LinkSpec, NodeSpec

_WIDTH = 80
#: How a link is drawn: both planes, quantum only, classical only.
_STROKES = {(True, True): "===", (True, False): "~~~", (False, True): "---"}
_DOT_STYLE = {(True, True): "bold", (True, False): "dashed", (False, True): "solid"}
_MERMAID_EDGE = {(True, True): "===", (True, False): "-.-", (False, True): "---"}
_LEGEND = {"===": "quantum and classical", "~~~": "quantum", "---": "classical"}


def draw(topology: Topology, form: str) -> str:
    """The topology as `text`, `dot`, `mermaid`, `json` or `svg`, ending in a newline."""
    return FORMS[form](topology)


def text(topology: Topology) -> str:
    """The links as lines through the network, then nodes by kind, then links with their parameters."""
    sections = [_title(topology)]
    if topology.links:
        sections.append(_drawing(topology))
    sections.append(_table(["kind", "node", "memory", "program"], _node_rows(topology)))
    if topology.links:
        named = any(link.name != "-".join(link.ends) for link in topology.links.values())
        rows = [_link_row(link, named) for link in topology.links.values()]
        sections.append(_table(["link", "between", "length", "latency", "quantum"], rows))
    return "\n\n".join(sections) + "\n"


def dot(topology: Topology) -> str:
    """Graphviz: `qnetem graph FILE --format dot | dot -Tsvg`."""
    lines = [f"graph {_quoted(topology.name)} {{", "  node [shape=box];"]
    for name, node in topology.nodes.items():
        lines.append(f"  {_quoted(name)} [label={_quoted(name, node.kind)}];")
    for link in topology.links.values():
        first, second = (_quoted(end) for end in link.ends)
        label = _quoted(link.name, *parameters(link))
        lines.append(f"  {first} -- {second} [label={label}, style={_DOT_STYLE[planes(link)]}];")
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(topology: Topology) -> str:
    """Mermaid, as Markdown pages render it."""
    numbers = {name: f"n{number}" for number, name in enumerate(topology.nodes)}
    lines = ["graph LR"]
    for name, node in topology.nodes.items():
        lines.append(f'  {numbers[name]}["{name}<br/>{node.kind}"]')
    for link in topology.links.values():
        first, second = (numbers[end] for end in link.ends)
        label = "<br/>".join(parameters(link)) or link.name
        lines.append(f'  {first} {_MERMAID_EDGE[planes(link)]}|"{label}"| {second}')
    return "\n".join(lines) + "\n"


def as_json(topology: Topology) -> str:
    """Nodes and links as one JSON object; times in nanoseconds, lengths in kilometres."""
    nodes = [
        {
            "name": name,
            "kind": node.kind,
            "program": node.program,
            "service": node.service,
            "services": {each: spec.program for each, spec in sorted(node.services.items())},
        }
        for name, node in topology.nodes.items()
    ]
    links = [_link_data(link) for link in topology.links.values()]
    data = {"name": topology.name, "seed": topology.seed, "nodes": nodes, "links": links}
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def svg(topology: Topology) -> str:
    """A picture, for a file: with colours for a light and a dark page."""
    from .svg import svg_file

    return svg_file(topology)


FORMS: dict[str, Callable[[Topology], str]] = {
    "text": text,
    "dot": dot,
    "mermaid": mermaid,
    "json": as_json,
    "svg": svg,
}


def trails(links: list[LinkSpec]) -> list[list[str | LinkSpec]]:
    """The links as few walks `[node, link, node, ...]` that use every link exactly once.

    A walk starts where an odd number of unused links meet (else it could not be long), and continues over
    the first unused link in file order until it is stuck.
    """
    unused = list(links)
    walks: list[list[str | LinkSpec]] = []
    while unused:
        here = _start(unused)
        walk: list[str | LinkSpec] = [here]
        while (link := _next(unused, here)) is not None:
            unused.remove(link)
            here = link.ends[1] if link.ends[0] == here else link.ends[0]
            walk += [link, here]
        walks.append(walk)
    return walks


def _start(unused: list[LinkSpec]) -> str:
    degrees: dict[str, int] = {}
    for link in unused:
        for end in link.ends:
            degrees[end] = degrees.get(end, 0) + 1
    ends = [end for end, degree in degrees.items() if degree == 1]
    odd = [end for end, degree in degrees.items() if degree % 2]
    return next(iter([*ends, *odd, *degrees]))


def _next(unused: list[LinkSpec], here: str) -> LinkSpec | None:
    return next((link for link in unused if here in link.ends), None)


def _title(topology: Topology) -> str:
    parts = [count(len(topology.nodes), "node"), count(len(topology.links), "link")]
    if topology.faults:
        parts.append(count(len(topology.faults), "fault"))
    return f"{topology.name}: {', '.join(parts)}, seed {topology.seed}"


def _drawing(topology: Topology) -> str:
    links = list(topology.links.values())
    lines = []
    for walk in trails(links):
        lines += _wrapped([_step(item) for item in walk])
    alone = [name for name in topology.nodes if not any(name in link.ends for link in links)]
    lines += [f"  {name}" for name in alone]
    used = [stroke for stroke in _LEGEND if any(stroke == _stroke(link) for link in links)]
    legend = "   ".join(f"{stroke} {_LEGEND[stroke]}" for stroke in used)
    return "\n".join([*lines, "", f"  {legend}"])


def _step(item: str | LinkSpec) -> str:
    return item if isinstance(item, str) else _stroke(item)


def _wrapped(steps: list[str]) -> list[str]:
    """A walk over several lines where it must be; a line that continues ends with its link."""
    lines, line = [], "  " + steps[0]
    for stroke, node in zip(steps[1::2], steps[2::2], strict=True):
        if len(line) + len(stroke) + len(node) + 6 > _WIDTH:
            lines.append(f"{line} {stroke}")
            line = f"    {node}"
        else:
            line += f" {stroke} {node}"
    return [*lines, line]


def _node_rows(topology: Topology) -> list[list[str]]:
    rows = []
    for kind in dict.fromkeys(node.kind for node in topology.nodes.values()):
        named = [(name, node) for name, node in topology.nodes.items() if node.kind == kind]
        for index, (name, node) in enumerate(named):
            texts = [memory(node), _program(node, topology.source)]
            rows.append([kind if index == 0 else "", name, *texts])
    return rows


def memory(node: NodeSpec) -> str:
    parts = [count(node.memory.slots, "slot")]
    for label, time_ns in (("T1", node.memory.t1_ns), ("T2", node.memory.t2_ns)):
        if time_ns is not None:
            parts.append(f"{label} {format_ns(time_ns)}")
    if node.memory.noise is not None:
        parts.append(f"noise {node.memory.noise.rpartition(':')[2]}")
    if node.memory.cutoff_ns is not None:
        parts.append(f"cut-off {format_ns(node.memory.cutoff_ns)}")
    return ", ".join(parts)


def _program(node: NodeSpec, source: Path | None) -> str:
    """The program unless it is the kind's own; a file's path is relative to the topology's folder."""
    if node.program == KINDS[node.kind].program:
        return "-"
    path, _, name = node.program.rpartition(":")
    if source is None or not path.endswith(".py"):
        return node.program
    return f"{os.path.relpath(path, source.parent)}:{name}"


def _link_row(link: LinkSpec, named: bool) -> list[str]:
    """Its ends are left out where each link is named after them."""
    ends = " ".join([link.ends[0], _stroke(link), link.ends[1]]) if named else ""
    return [link.name, ends, *(cell or "-" for cell in _cells(link))]


def parameters(link: LinkSpec) -> list[str]:
    """What a drawing writes at a link, where no heading names the values."""
    length, latency, quantum = _cells(link)
    return [text for text in (length, latency and f"latency {latency}", quantum) if text]


def _cells(link: LinkSpec) -> tuple[str, str, str]:
    """Length, classical latency and what the quantum channel does; empty where there is nothing."""
    length = f"{link.length_km:g} km" if link.length_km else ""
    latency = format_ns(link.classical.latency_ns) if link.classical else ""
    return length, latency, _quantum_text(link)


def _quantum_text(link: LinkSpec) -> str:
    quantum = link.quantum
    if quantum is None:
        return ""
    pairs = _pairs(link)
    if pairs is not None:
        success, fidelity, attempt_ns = pairs
        if success is None or fidelity is None or attempt_ns is None:
            return "free space, heralds pairs"
        return f"pairs F={fidelity:g} p={success:g} per {format_ns(attempt_ns)}"
    way = f"{quantum.attenuation_db_per_km:g} dB/km" if quantum.medium == "fibre" else "free space"
    noise = [way]
    noise += [f"depolarising {quantum.depolarising:g}"] if quantum.depolarising else []
    noise += [f"dephasing {quantum.dephasing:g}"] if quantum.dephasing else []
    return ", ".join(noise)


def _quoted(*lines: str) -> str:
    return json.dumps("\n".join(lines), ensure_ascii=False)


def _link_data(link: LinkSpec) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": link.name,
        "between": list(link.ends),
        "length_km": link.length_km,
        "delay_ns": link.delay_ns,
        "latency_ns": link.classical.latency_ns if link.classical else None,
        "quantum": link.quantum is not None,
        "entangle": None,
    }
    pairs = _pairs(link)
    if pairs is not None:
        data["entangle"] = dict(zip(("success", "fidelity", "attempt_ns"), pairs, strict=True))
    return data


def _pairs(link: LinkSpec) -> tuple[float | None, float | None, int | None] | None:
    """Success probability of an attempt, fidelity at emission, and an attempt's time; None without pairs.

    Each of them is None through free space: what comes through is drawn nowhere here.
    """
    entangle = link.quantum.entangle if link.quantum is not None else None
    if entangle is None or link.quantum is None:
        return None
    if link.quantum.medium == "free_space":
        return None, None, None
    given = (entangle.success, entangle.fidelity, entangle.attempt_ns)
    if given[0] is not None and given[1] is not None and given[2] is not None:
        return given[0], given[1], given[2]
    from ..emulator.quantum.links.heralding import heralding  # physics, for links that need it

    source = heralding(link)
    return None if source is None else (source.success, source.fidelity, source.attempt_ns)


def planes(link: LinkSpec) -> tuple[bool, bool]:
    return link.quantum is not None, link.classical is not None


def _stroke(link: LinkSpec) -> str:
    return _STROKES[planes(link)]


def _table(heading: list[str], rows: list[list[str]]) -> str:
    """Rows under their headings; a column in which nothing stands is left out."""
    used = [i for i in range(len(heading)) if any(row[i] not in ("", "-") for row in rows)]
    return "\n".join(in_columns([[row[i] for i in used] for row in [heading, *rows]]))
