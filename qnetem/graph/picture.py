"""A picture of a network for a notebook or a file: `qnetem.picture("metro.yaml")`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..sources import Source, read_source
from ..text.quantities import count
from .svg import svg, svg_file

if TYPE_CHECKING:
    from ..emulator.loading import Topology


class Picture:
    """What a notebook shows as the network: each node and link, with its parameters as tooltips."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology

    def __repr__(self) -> str:
        return f"<Picture of {self.topology.name!r}, {count(len(self.topology.nodes), 'node')}>"

    def _repr_html_(self) -> str:
        # As HTML, not as SVG: an image would not know the colour of the page's text.
        return f'<div style="overflow-x:auto">{svg(self.topology)}</div>'

    def save(self, path: str | Path) -> Path:
        """Write it as an SVG file, for a light and a dark page."""
        place = Path(path)
        place.write_text(svg_file(self.topology), encoding="utf-8")
        return place


def picture(source: Source) -> Picture:
    """The network of a topology, given as to `qnetem.run`. Raises InputError for a mistake in it."""
    return Picture(read_source(source))
