"""Places, weather and free-space links: what only the whole topology can tell, and files that it names.

Owns that such a link has a length, given or by where its ends are, and air that fits it; that mean elements
come with an epoch and live as long as the run; the longest length and latency of a link that moves; and
weather in files. Does not own positions and orbits (space/, places.py).

Rule: physics is imported here, and only for a file that needs it.
"""

from __future__ import annotations

import csv
import math
from typing import Any

from pydantic import ValidationError

from ..closed_forms import fibre_latency_ns
from ..errors import InputError
from ..topology.model.space_sections import CloudsSpec, WeatherSpec
from ..topology.model.topology import LinkSpec, Topology
from ..topology.written.problems import error_text

#: Virtual time ends then.
_LONGEST_S = 9e9


def with_places(topology: Topology) -> Topology:
    """The topology with the lengths that follow from where nodes are. Raises TopologyError."""
    for node in topology.nodes.values():
        elements = node.orbit is not None and (node.orbit.tle or node.orbit.omm)
        if elements and "epoch_ns" not in topology.time.model_fields_set:
            raise topology.error(
                f"nodes.{node.name}.orbit: mean elements hold near their date: expected 'epoch' under time, "
                "such as time: {epoch: 2026-03-20T12:00:00Z}",
                *("nodes", node.name, "orbit"),
            )
    topology = _with_records(topology)
    changed = {
        name: _with_length(topology, link)
        for name, link in topology.links.items()
        if link.quantum is not None and link.quantum.medium == "free_space"
    }
    if not changed:
        return topology
    return _with(topology, "links", {**topology.links, **changed})


def _with(topology: Topology, section: str, entries: dict[str, Any]) -> Topology:
    """A copy with another section, which knows where its values stand."""
    found = topology.model_copy(update={section: entries})
    return found.remember(topology.source, topology.written, topology.overrides)


def _with_records(topology: Topology) -> Topology:
    """The topology with the weather that stands in files."""
    changed = {}
    for name, node in topology.nodes.items():
        if node.weather is None or node.weather.file is None:
            continue
        try:
            weather = WeatherSpec(record=_record(node.weather.file))
        except (InputError, ValidationError) as error:
            path = ("nodes", name, "weather", "file")
            said = error_text(error) if isinstance(error, ValidationError) else str(error)
            raise topology.error(f"{'.'.join(path)}: {said}", *path) from error
        changed[name] = node.model_copy(update={"weather": weather})
    return _with(topology, "nodes", {**topology.nodes, **changed}) if changed else topology


def _record(path: str) -> list[CloudsSpec]:
    """Of a file with the columns time_s and loss_db."""
    rows: list[CloudsSpec] = []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if not {"time_s", "loss_db"} <= set(reader.fieldnames or ()):
                raise InputError(f"{path} has no columns time_s and loss_db")
            for row in reader:
                time_s, loss_db = float(row["time_s"]), float(row["loss_db"])
                if not (
                    math.isfinite(time_s) and 0 <= time_s <= _LONGEST_S and 0 <= loss_db < math.inf
                ):
                    raise ValueError
                rows.append(CloudsSpec(at_ns=round(time_s * 1e9), loss_db=loss_db))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path}: line {len(rows) + 2}: expected a time from 0 s and a loss of 0 dB or more"
        ) from error
    return rows


def _check_air(topology: Topology, link: LinkSpec) -> None:
    """Raises TopologyError for air that says nothing about where this light goes."""
    quantum = link.quantum
    air = None if quantum is None else quantum.atmosphere
    if air is None:
        return
    orbiting = sum(topology.nodes[end].orbit is not None for end in link.ends)
    slant = air.zenith_transmittance is not None or air.table is not None
    if orbiting == 2:
        wrong = "there is no air between satellites: expected no 'atmosphere'"
    elif orbiting and air.visibility_km is not None:
        wrong = "a visibility is of air near the ground: expected zenith_transmittance or table"
    elif not orbiting and slant:
        wrong = "ends that stand still have no elevation: expected visibility"
    else:
        return
    path = ("links", link.name, "quantum", "atmosphere")
    raise topology.error(f"{'.'.join(path)}: {wrong}", *path)


def _check_sky(topology: Topology, link: LinkSpec) -> None:
    """Raises TopologyError for a sky that follows the sun without a date, or without a station."""
    background = None if link.quantum is None else link.quantum.background
    if background is None or background.follows is None:
        return
    if "epoch_ns" not in topology.time.model_fields_set:
        wrong = (
            "a sky that follows the sun needs a date: expected 'epoch' under time, such as time: {epoch: "
            "2026-03-20T12:00:00Z}"
        )
    elif all(topology.nodes[end].position is None for end in link.ends):
        wrong = (
            "neither end has a position over which the sun could rise: expected a sky by its name"
        )
    else:
        return
    path = ("links", link.name, "quantum", "background", "sky")
    raise topology.error(f"{'.'.join(path)}: {wrong}", *path)


def _check_station(topology: Topology, link: LinkSpec, orbiting: list[str]) -> None:
    """Raises TopologyError for a station, or a source of pairs, between ends that move."""
    spec = None if link.quantum is None else link.quantum.entangle
    if spec is None or not orbiting or spec.kind == "simple" or spec.station in (0.0, 1.0):
        return
    first, second = link.ends
    what = "source" if spec.kind == "midpoint_source" else "station"
    path = ("links", link.name, "quantum", "entangle")
    raise topology.error(
        f"{'.'.join(path)}: no {what} floats between {first} and {second}, which move: expected 'station: 0' "
        f"for one at {first}, or 'station: 1' at {second}",
        *(path if spec.station is None else (*path, "station")),
    )


def _with_length(topology: Topology, link: LinkSpec) -> LinkSpec:
    from ..places import geometry_of

    quantum, classical = link.quantum, link.classical
    assert quantum is not None
    path = ("links", link.name, "quantum")
    orbiting = [end for end in link.ends if topology.nodes[end].orbit is not None]
    if quantum.length_km and orbiting:
        raise topology.error(
            f"{'.'.join(path)}: the length follows from the orbit of {orbiting[0]}: expected none",
            *("links", link.name, "length"),
        )
    _check_station(topology, link, orbiting)
    _check_air(topology, link)
    _check_sky(topology, link)
    if quantum.length_km:
        return link
    geometry = geometry_of(topology, link)
    if geometry is None:
        raise topology.error(
            f"{'.'.join(path)}: free space needs a length, or a position or orbit of both ends: found "
            "neither",
            *path,
        )
    try:
        for t_ns in (0, topology.time.until_ns or 0):  # mean elements may have decayed by then
            geometry.margin(t_ns)
        length_km = geometry.longest_km()
    except InputError as error:
        raise topology.error(f"{'.'.join(path)}: {error}", *path) from error
    if classical is not None and classical.moving:
        latency_ns = fibre_latency_ns(length_km, 1.0)
        update = {"latency_ns": latency_ns, "moving": geometry.moves}
        classical = classical.model_copy(update=update)
    changed = quantum.model_copy(update={"length_km": length_km})
    return link.model_copy(
        update={"quantum": changed, "classical": classical, "length_km": length_km}
    )
