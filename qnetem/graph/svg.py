"""A network as an SVG picture: nodes with their names, links with what they are.

Owns shapes, colours and sizes; layout.py says where nodes stand, drawings.py what is written at a link.
Rules: text is escaped, whatever a name holds. A picture is readable on a light and on a dark page: text and
frames have the colour of the text around it, the other colours stand out from both. It has no script and no
id, so several of them can be in one page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from .drawings import memory, parameters, planes
from .layout import Place, places

if TYPE_CHECKING:
    from ..emulator.loading import Topology
    from ..emulator.topology.model.topology import LinkSpec, NodeSpec

#: A picture of more nodes shows nothing.
MOST_NODES = 250
#: With more links than this only the tooltips say what each is.
_MOST_LABELS = 16
_RADIUS, _MARGIN = 13.0, 46.0
_FONT = "font-family:system-ui,sans-serif"
#: Pixels between linked nodes, by how wide the longest text there is.
_LEAST_APART, _MOST_APART, _CHARACTER = 96.0, 190.0, 6.2
_QUANTUM, _CLASSICAL, _BAD = "#8b5cf6", "#8a8f98", "#e5484d"
_FILL = {
    "endpoint": "#3b82f6",
    "repeater": "#d98a1f",
    "eavesdropper": _BAD,
    "trusted_relay": "#2f9e72",
}
_OTHER_FILL = "#2f9e72"
_GOOD_STATES = ("running", "finished")


class _Spot(NamedTuple):
    """A node's place in pixels."""

    x: float
    y: float


def svg_file(topology: Topology) -> str:
    """The picture as a file of its own, for a light and a dark page."""
    style = (
        "<style>svg{color:#1f2328}@media (prefers-color-scheme:dark){svg{color:#e6edf3}}</style>"
    )
    return svg(topology, inside=style) + "\n"


def svg(topology: Topology, states: Mapping[str, str] | None = None, *, inside: str = "") -> str:
    """The picture as one `<svg>` element; `states` of nodes, to mark those that ended badly.

    A network of more than `MOST_NODES` nodes is one line of text.
    """
    if len(topology.nodes) > MOST_NODES:
        return _text_only(f"{len(topology.nodes):,} nodes: too many for a picture")
    labels = _labels(topology)
    spots = _spots(topology, labels)
    width = max(spot.x for spot in spots.values()) + _MARGIN
    height = max(spot.y for spot in spots.values()) + _MARGIN
    title = escape(f"{topology.name}: the network")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{title}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'style="{_FONT};font-size:12px" fill="none" stroke-linecap="round">{inside}'
    )
    parts = [head]
    for link in topology.links.values():
        parts.append(_link(link, spots, labels.get(link.name, "")))
    for name, node in topology.nodes.items():
        parts.append(_node(name, node, spots[name], (states or {}).get(name, "")))
    return "".join([*parts, "</svg>"])


def _text_only(text: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="320" height="30" style="{_FONT};font-size:13px">'
        f'<text x="4" y="20" fill="currentColor">{escape(text)}</text></svg>'
    )


def _labels(topology: Topology) -> dict[str, str]:
    """What stands at each link, if that is not too much for all of them."""
    if len(topology.links) > _MOST_LABELS:
        return {}
    return {
        link.name: f"{link.length_km:g} km" for link in topology.links.values() if link.length_km
    }


def _spots(topology: Topology, labels: Mapping[str, str]) -> dict[str, _Spot]:
    found = places(list(topology.nodes), [link.ends for link in topology.links.values()])
    longest = max(len(text) for text in [*topology.nodes, *labels.values()])
    apart = min(_MOST_APART, max(_LEAST_APART, _CHARACTER * longest + 34))
    side = max(_MARGIN, _CHARACTER * longest / 2 + 10)
    apart *= _stretch(list(found.values()))
    return {
        name: _Spot(side + x * apart, _MARGIN * 0.7 + y * apart) for name, (x, y) in found.items()
    }


def _stretch(found: list[Place]) -> float:
    """So that the nearest two of many nodes are not on top of each other."""
    if len(found) < 2:
        return 1.0
    nearest = min(
        math.dist(one, other) for index, one in enumerate(found) for other in found[:index]
    )
    return min(2.0, max(0.75, 0.85 / max(nearest, 0.1)))


def _link(link: LinkSpec, spots: Mapping[str, _Spot], label: str) -> str:
    (x1, y1), (x2, y2) = spots[link.ends[0]], spots[link.ends[1]]
    quantum, classical = planes(link)
    about = "\n".join([link.name, *parameters(link)])
    parts = [f"<g><title>{escape(about)}</title>"]
    line = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    if classical:
        thick = 5 if quantum else 1.5
        colour = _CLASSICAL if not quantum else f"{_CLASSICAL}66"
        parts.append(f'<line {line} stroke="{colour}" stroke-width="{thick}"/>')
    if quantum:
        dashes = "" if classical else ' stroke-dasharray="6 5"'
        parts.append(f'<line {line} stroke="{_QUANTUM}" stroke-width="2"{dashes}/>')
    if label:
        parts.append(_beside(label, _Spot(x1, y1), _Spot(x2, y2)))
    return "".join([*parts, "</g>"])


def _beside(label: str, one: _Spot, other: _Spot) -> str:
    """A label at the middle of a link, on its upper side."""
    length = math.dist(one, other) or 1.0
    across, along = (other.y - one.y) / length, (other.x - one.x) / length
    if along < 0:
        across, along = -across, -along
    x, y = (one.x + other.x) / 2 + 9 * across, (one.y + other.y) / 2 - 9 * along
    # Beside a steep link the text begins at it, above a flat one it is centred.
    anchor = "middle" if abs(across) < 0.5 else ("start" if across > 0 else "end")
    return (
        f'<text x="{x:.1f}" y="{y + 4 * abs(across):.1f}" text-anchor="{anchor}" '
        f'fill="currentColor" fill-opacity="0.75" font-size="11px">{escape(label)}</text>'
    )


def _node(name: str, node: NodeSpec, spot: _Spot, state: str) -> str:
    bad = bool(state) and state not in _GOOD_STATES
    about = "\n".join([name, node.kind, memory(node), *([state] if state else [])])
    frame = f'stroke="{_BAD}" stroke-width="3"' if bad else 'stroke="currentColor" stroke-width="1"'
    fill = _FILL.get(node.kind, _OTHER_FILL)
    x, y = spot
    if node.kind == "repeater":
        side = 2 * _RADIUS - 3
        shape = f'<rect x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side}" height="{side}" rx="4"'
    elif node.kind == "eavesdropper":
        points = f"{x:.1f},{y - 15:.1f} {x + 14:.1f},{y + 11:.1f} {x - 14:.1f},{y + 11:.1f}"
        shape = f'<polygon points="{points}" stroke-linejoin="round"'
    else:
        shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}"'
    words = f"{name} ({state})" if bad else name
    return (
        f'<g><title>{escape(about)}</title>{shape} fill="{fill}" {frame}/>'
        f'<text x="{x:.1f}" y="{y + _RADIUS + 16:.1f}" text-anchor="middle" '
        f'fill="currentColor">{escape(words)}</text></g>'
    )
