"""A picture of passes: the loss of each over its time, and ground tracks on a map of the world.

Owns what is drawn. Does not own the passes (passes.py) nor how a picture becomes a file (plots/figure.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..emulator.space.contacts import Place
from ..emulator.space.earth import Station, ground_point
from ..plots.figure import COLOURS, GREY, picture
from .coastlines import coastlines
from .common import CommonPasses
from .passes import LinkPasses, PassRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Passes with a line of their own; a month has hundreds.
_MOST_PASSES = 40
#: Of the losses of two arms together.
_DASHES = ("--", ":")
#: Points of a ground track, and the least step between two of them.
_TRACK, _LEAST_STEP_NS = 2000, 10 * 10**9


def draw_passes(
    path: Path,
    links: Sequence[LinkPasses],
    rows: Sequence[PassRow],
    until_ns: int,
    arms: Sequence[CommonPasses] = (),
) -> None:
    """Write the picture; `arms` have their common passes drawn too.

    Raises InputError and InfrastructureError.
    """
    with picture(path, (7.2, 6.4)) as figure:
        losses, world = figure.subplots(2, 1, height_ratios=[1, 1.4])
        _losses(losses, links, rows)
        _common_losses(losses, arms, until_ns)
        losses.invert_yaxis()
        if rows:
            losses.legend()
        _world(world, links, until_ns)


def _losses(axes: Axes, links: Sequence[LinkPasses], rows: Sequence[PassRow]) -> None:
    for index, link in enumerate(links):
        colour, label = COLOURS[index % len(COLOURS)], link.link.name
        own = [row for row in rows if row.link == link.link.name]
        for row in own[:_MOST_PASSES]:
            moments = link.moments(row.start_ns, row.end_ns)
            since = [(each.t_ns - row.highest_ns) * 1e-9 for each in moments]
            axes.plot(since, [each.loss_db for each in moments], color=colour, lw=0.9, label=label)
            label = "_"
    axes.set_xlabel("time since the highest point (s)")
    axes.set_ylabel("loss (dB)")


def _common_losses(axes: Axes, arms: Sequence[CommonPasses], until_ns: int) -> None:
    """Both arms together, since the moment of the least loss."""
    if arms:
        axes.set_xlabel("time since the highest point, together since the least loss (s)")
    for index, each in enumerate(arms):
        label = f"{' and '.join(each.ends)}, together"
        for row in each.rows(until_ns)[:_MOST_PASSES]:
            moments = each.losses(row.start_ns, row.end_ns)
            since = [(t_ns - row.best_ns) * 1e-9 for t_ns, _, _ in moments]
            both = [one + other for _, one, other in moments]
            axes.plot(since, both, color="black", ls=_DASHES[index % 2], lw=0.9, label=label)
            label = "_"


def _world(axes: Axes, links: Sequence[LinkPasses], until_ns: int) -> None:
    for longitudes, latitudes in coastlines():
        axes.plot(longitudes, latitudes, color=GREY, lw=0.4)
    drawn: list[Place] = []
    for link in links:
        for place, name in zip(link.geometry.places, link.link.ends, strict=True):
            if place in drawn:
                continue
            drawn.append(place)
            colour = COLOURS[(len(drawn) - 1) % len(COLOURS)]
            if isinstance(place, Station):
                at = (_east(place.longitude_deg), place.latitude_deg)
                axes.plot(*at, "^", color="black", ms=4)
                axes.annotate(name, at, textcoords="offset points", xytext=(4, 3))
            else:
                _track(axes, link, place, name, colour, until_ns)
    axes.set_xlim(-180, 180)
    axes.set_ylim(-90, 90)
    axes.set_aspect("equal")
    axes.set_xlabel("longitude (degrees)")
    axes.set_ylabel("latitude (degrees)")


def _track(
    axes: Axes, link: LinkPasses, place: Place, name: str, colour: str, until_ns: int
) -> None:
    """Up to a day of a ground track, cut where it leaves the map."""
    step_ns = max(_LEAST_STEP_NS, until_ns // _TRACK)
    longitudes: list[float] = []
    latitudes: list[float] = []
    for t_ns in range(0, until_ns + 1, step_ns):
        unix_s = link.geometry.unix_s(t_ns)
        below = ground_point(place.position_km(unix_s), unix_s)
        east = _east(below.longitude_deg)
        if longitudes and abs(east - longitudes[-1]) > 180:
            longitudes.append(float("nan"))
            latitudes.append(float("nan"))
        longitudes.append(east)
        latitudes.append(below.latitude_deg)
    axes.plot(longitudes, latitudes, color=colour, lw=0.7)
    axes.plot(longitudes[0], latitudes[0], "o", color=colour, ms=4)
    axes.annotate(name, (longitudes[0], latitudes[0]), textcoords="offset points", xytext=(4, 3))


def _east(longitude_deg: float) -> float:
    """From -180 to 180 degrees."""
    return (longitude_deg + 180) % 360 - 180
