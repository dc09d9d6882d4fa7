"""A network as an SVG picture: nodes with their names, links with what they are.

Owns shapes, colours and sizes; layout.py says where nodes stand, drawings.py what is written at a link.
Rules: text is escaped, whatever a name holds. A picture is readable on a light and on a dark page: text and
frames have the colour of the text around it, the other colours stand out from both. It has no script and no
id, so several of them can be in one page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
_RADIUS, _MARGIN = 13.0, 8.0
_FONT = "font-family:system-ui,sans-serif"
#: Pixels between linked nodes, by how wide the longest text there is.
_LEAST_APART, _MOST_APART, _CHARACTER = 112.0, 190.0, 6.6
_QUANTUM, _CLASSICAL, _BAD = "#8b5cf6", "#8a8f98", "#e5484d"
_FILL = {
    "endpoint": "#3b82f6",
    "repeater": "#d98a1f",
    "eavesdropper": _BAD,
    "trusted_relay": "#2f9e72",
}
_OTHER_FILL = "#2f9e72"
_GOOD_STATES = ("running", "finished")
#: Where a name can stand at its node, by the direction (y is down): offset and anchor.
_BELOW = math.pi / 2
_SIDES = {
    _BELOW: (0.0, _RADIUS + 16, "middle"),
    -math.pi / 2: (0.0, -_RADIUS - 7, "middle"),
    0.0: (_RADIUS + 6, 4.0, "start"),
    math.pi: (-_RADIUS - 6, 4.0, "end"),
    math.pi / 4: (_RADIUS, _RADIUS + 9, "start"),
    -math.pi / 4: (_RADIUS, -_RADIUS - 1, "start"),
    3 * math.pi / 4: (-_RADIUS, _RADIUS + 9, "end"),
    -3 * math.pi / 4: (-_RADIUS, -_RADIUS - 1, "end"),
}
#: A link at this angle to a name's direction (rad) leaves it enough room.
_ENOUGH = 0.9
_Box = tuple[float, float, float, float]


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
    lengths = _lengths(topology)
    spots = _spots(topology, lengths)
    labels = _Labels(spots)
    parts = [_link(link, spots) for link in topology.links.values()]
    for name, node in topology.nodes.items():
        parts.append(_node(name, node, spots[name], (states or {}).get(name, "")))
    parts += _texts(topology, spots, lengths, states or {}, labels)
    left, top, width, height = labels.frame()
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'aria-label="{escape(f"{topology.name}: the network")}" '
        f'viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" '
        f'style="{_FONT};font-size:12px" fill="none" stroke-linecap="round">'
    )
    return "".join([head, inside, *parts, "</svg>"])


def _text_only(text: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="320" height="30" style="{_FONT};font-size:13px">'
        f'<text x="4" y="20" fill="currentColor">{escape(text)}</text></svg>'
    )


def _texts(
    topology: Topology,
    spots: Mapping[str, _Spot],
    lengths: Mapping[str, str],
    states: Mapping[str, str],
    labels: _Labels,
) -> list[str]:
    """Names of nodes, with the state of one that ended badly; then lengths, as far as there is room."""
    links = topology.links.values()
    parts = []
    for name, spot in spots.items():
        others = [spots[end] for link in links if name in link.ends for end in link.ends]
        state = states.get(name, "")
        words = f"{name} ({state})" if _is_bad(state) else name
        parts.append(_name(labels, words, spot, [other for other in others if other != spot]))
    for link in links:
        if link.name in lengths:
            first, second = (spots[end] for end in link.ends)
            parts.append(_length(labels, lengths[link.name], first, second))
    return parts


def _is_bad(state: str) -> bool:
    return bool(state) and state not in _GOOD_STATES


def _lengths(topology: Topology) -> dict[str, str]:
    """What stands at each link, if that is not too much for all of them."""
    if len(topology.links) > _MOST_LABELS:
        return {}
    return {
        link.name: f"{link.length_km:g} km" for link in topology.links.values() if link.length_km
    }


def _spots(topology: Topology, lengths: Mapping[str, str]) -> dict[str, _Spot]:
    found = places(list(topology.nodes), [link.ends for link in topology.links.values()])
    longest = max(len(text) for text in [*topology.nodes, *lengths.values()])
    apart = min(_MOST_APART, max(_LEAST_APART, _CHARACTER * longest + 34))
    apart *= _stretch(list(found.values()))
    return {name: _Spot(x * apart, y * apart) for name, (x, y) in found.items()}


def _stretch(found: list[Place]) -> float:
    """So that the nearest two of many nodes are not on top of each other."""
    if len(found) < 2:
        return 1.0
    nearest = min(
        math.dist(one, other) for index, one in enumerate(found) for other in found[:index]
    )
    return min(2.0, max(0.75, 0.85 / max(nearest, 0.1)))


def _link(link: LinkSpec, spots: Mapping[str, _Spot]) -> str:
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
    return "".join([*parts, "</g>"])


class _Labels:
    """The texts of one picture: each stands where there is room for it, or nowhere."""

    def __init__(self, spots: Mapping[str, _Spot]) -> None:
        self._taken = [(x - 16, y - 16, x + 16, y + 16) for x, y in spots.values()]

    def frame(self) -> _Box:
        """Left, top, width and height of all of it, with a margin."""
        left, top = (min(box[i] for box in self._taken) - _MARGIN for i in (0, 1))
        right, bottom = (max(box[i] for box in self._taken) + _MARGIN for i in (2, 3))
        return left, top, right - left, bottom - top

    def at(self, x: float, y: float, text: str, anchor: str, style: str, must: bool) -> str:
        """The text with its baseline at (x, y). `must`: even where another one is."""
        width = _CHARACTER * len(text)
        left = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * width
        box = left, y - 11, left + width, y + 3
        if not must and any(_overlap(box, other) for other in self._taken):
            return ""
        self._taken.append(box)
        return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {style}>{escape(text)}</text>'


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _length(labels: _Labels, text: str, one: _Spot, other: _Spot) -> str:
    """A link's length beside its middle: on the upper side, or on the other where that is taken."""
    length = math.dist(one, other) or 1.0
    across, along = (other.y - one.y) / length, (other.x - one.x) / length
    if along < 0:
        across, along = -across, -along
    style = 'fill="currentColor" fill-opacity="0.75" font-size="11px"'
    for side in (8.0, -8.0):
        x, y = (one.x + other.x) / 2 + side * across, (one.y + other.y) / 2 - side * along
        # Beside a steep link the text begins or ends at it; above or below a flat one it is centred.
        anchor = "middle" if abs(across) < 0.35 else ("start" if side * across > 0 else "end")
        lower = 4 * abs(across) if side > 0 else 4 + 5 * along
        found = labels.at(x, y + lower, text, anchor, style, must=False)
        if found:
            return found
    return ""


def _name(labels: _Labels, words: str, spot: _Spot, others: Sequence[_Spot]) -> str:
    """A node's name, below it if there is room, or on the side on which its links leave most."""
    angles = [math.atan2(other.y - spot.y, other.x - spot.x) for other in others]

    def room(side: float) -> float:
        turns = [abs(math.remainder(angle - side, math.tau)) for angle in angles]
        return round(min(turns, default=math.pi), 2)

    best = max(_SIDES, key=room)
    side = _BELOW if room(_BELOW) > _ENOUGH else best
    dx, dy, anchor = _SIDES[side]
    return labels.at(spot.x + dx, spot.y + dy, words, anchor, 'fill="currentColor"', must=True)


def _node(name: str, node: NodeSpec, spot: _Spot, state: str) -> str:
    about = "\n".join([name, node.kind, memory(node), *([state] if state else [])])
    frame = (
        f'stroke="{_BAD}" stroke-width="3"'
        if _is_bad(state)
        else 'stroke="currentColor" stroke-width="1"'
    )
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
    return f'<g><title>{escape(about)}</title>{shape} fill="{fill}" {frame}/></g>'
