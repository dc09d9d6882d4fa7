"""Coasts of the world, for maps without a network: Natural Earth 1:110m, which is in the public domain.

Owns reading them. The file has one coast a line, thinned to a third of a degree.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

Line = tuple[tuple[float, ...], tuple[float, ...]]


@cache
def coastlines() -> tuple[Line, ...]:
    """Longitudes and latitudes of each coast, in degrees."""
    text = (resources.files(__package__) / "coastlines.txt").read_text(encoding="ascii")
    found = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        points = [tuple(float(x) for x in point.split(",")) for point in line.split()]
        found.append((tuple(p[0] for p in points), tuple(p[1] for p in points)))
    return tuple(found)
