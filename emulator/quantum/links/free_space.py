"""Free-space links of a topology: from what it says to a beam between two places.

Owns the step from sections to optics, weather and background. Does not own what they do
(optics/free_space.py, space/), nor where the ends are (places.py).

Rule: what a topology says and physics forbids is a TopologyError at its place, before anything runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...closed_forms import free_space
from ...errors import InputError
from ...kernel.streams import Streams
from ...optics.dispersion import Pulse
from ...optics.fading import Fading
from ...optics.fibre import Fibre
from ...optics.free_space import Air, FreeSpaceLink, Optics, Weather
from ...places import geometry_of, place_of
from ...space.earth import Station
from ...space.sky import FollowedSky
from ...space.weather import Cover, Record
from ...topology.model.space_sections import (
    AtmosphereSpec,
    BackgroundSpec,
    DivergenceSpec,
)
from ...topology.model.topology import LinkSpec, NodeSpec, Quantum, Topology


def free_space_of(
    topology: Topology,
    link: LinkSpec,
    bare: Fibre,
    pulse: Pulse | None,
    streams: Streams,
    share: float = 1.0,
    under: Sequence[str] | None = None,
) -> FreeSpaceLink:
    """The beam of a link; `bare` has what damages light as in a fibre. Raises TopologyError.

    A `share` below 1 is a part of the way between ends that stand still, `under` the clouds of some nodes.
    """
    quantum = link.quantum
    assert quantum is not None
    path = ("links", link.name, "quantum")
    try:
        optics = optics_of(quantum)
        sky = sky_of(topology, link, optics)
        background_hz = 0.0 if sky is not None else background_of(quantum.background, optics)
    except InputError as error:
        raise topology.error(f"{'.'.join(path)}: {error}", *path, "beam") from error
    nodes = [topology.nodes[end] for end in (link.ends if under is None else under)]
    weather = [weather_of(topology, node, streams) for node in nodes]
    return FreeSpaceLink(
        optics,
        bare,
        link.length_km * share,
        geometry_of(topology, link) if share == 1 else None,
        background_hz,
        [each for each in weather if each is not None],
        pulse,
        sky=sky,
        fading=fading_of(link, streams),
    )


def optics_of(quantum: Quantum) -> Optics:
    """What stands at the ends and between. Raises InputError."""
    beam, telescope = quantum.beam, quantum.telescope
    assert beam is not None and telescope is not None
    transmitter = beam.transmitter
    return Optics(
        wavelength_nm=beam.wavelength_nm,
        half_angle_urad=half_angle_urad(beam.divergence, beam.wavelength_nm),
        aperture_m=telescope.aperture_m,
        waist_m=beam.divergence.waist_m,
        transmitter_m=None if transmitter is None else transmitter.aperture_m,
        transmitter_obscuration=0.0 if transmitter is None else transmitter.obscuration,
        obscuration=telescope.obscuration,
        jitter_urad=quantum.pointing.jitter_urad,
        bias_urad=quantum.pointing.bias_urad,
        air=air_of(quantum.atmosphere),
    )


def half_angle_urad(divergence: DivergenceSpec, wavelength_nm: float) -> float:
    """The 1/e^2 half angle, whatever it was given by."""
    if divergence.half_angle_urad is not None:
        return divergence.half_angle_urad
    if divergence.full_angle_urad is not None:
        return free_space.half_angle_of_full(divergence.full_angle_urad)
    if divergence.fwhm_urad is not None:
        return free_space.half_angle_of_fwhm(divergence.fwhm_urad)
    assert divergence.waist_m is not None
    return free_space.half_angle_of_waist(divergence.waist_m, wavelength_nm)


def air_of(spec: AtmosphereSpec | None) -> Air:
    """The air on the way; none is a vacuum."""
    if spec is None:
        return Air()
    turbulent = spec.turbulence
    return Air(
        spec.zenith_transmittance,
        tuple((row.elevation_deg, row.transmittance) for row in spec.table or ()),
        spec.visibility_km,
        None if turbulent is None else turbulent.wind_m_per_s,
        0.0 if turbulent is None else turbulent.ground,
    )


def background_of(spec: BackgroundSpec | None, optics: Optics) -> float:
    """Photons of the sky in the receiver's aperture, per second."""
    if spec is None:
        return 0.0
    radiance = spec.radiance
    if radiance is None:
        assert spec.sky is not None
        radiance = free_space.sky_radiance(spec.sky.day, optics.wavelength_nm)
    return _rate_hz(radiance, spec, optics)


def _rate_hz(radiance: float, spec: BackgroundSpec, optics: Optics) -> float:
    area_m = optics.aperture_m * math.sqrt(1 - optics.obscuration**2)
    return free_space.background_rate_hz(
        radiance, spec.field_of_view_urad, area_m, spec.filter_width_nm, optics.wavelength_nm
    )


def sky_of(topology: Topology, link: LinkSpec, optics: Optics) -> FollowedSky | None:
    """The sky of the link's station that follows the sun, if it does; of two stations, the second end."""
    spec = None if link.quantum is None else link.quantum.background
    if spec is None or spec.follows is None:
        return None
    stations = [place_of(topology, topology.nodes[end]) for end in link.ends[::-1]]
    station = next(each for each in stations if isinstance(each, Station))
    day_hz, night_hz = (
        _rate_hz(free_space.sky_radiance(sky, optics.wavelength_nm), spec, optics)
        for sky in (spec.follows.day, spec.follows.night)
    )
    return FollowedSky(station, topology.time.epoch_ns * 1e-9, day_hz, night_hz)


def fading_of(link: LinkSpec, streams: Streams) -> Fading | None:
    """The fades of the link's light; None if only the mean counts."""
    spec = None if link.quantum is None else link.quantum.fading
    if spec is None:
        return None

    def generator(reverse: bool, chunk: int) -> np.random.Generator:
        return streams.apart("fading", link.name, int(reverse), chunk)

    return Fading(spec.correlation_ns, generator)


# --- weather --------------------------------------------------------------------------------------


def weather_of(topology: Topology, node: NodeSpec, streams: Streams) -> Weather | None:
    """The clouds over a node: the same for all of its links."""
    spec = node.weather
    if spec is None:
        return None
    if spec.record is not None:
        return Record([(each.at_ns, each.loss_db) for each in spec.record])
    assert spec.cover is not None, "a file has become a record"
    assert spec.passage_ns is not None and spec.loss_db is not None
    return Cover(streams.apart("weather", node.name), spec.cover, spec.passage_ns, spec.loss_db)
