"""What a file may say about places, orbits and free-space links, and what is said to it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from qnetem.emulator.closed_forms import fibre_latency_ns, free_space
from qnetem.emulator.kernel.streams import Streams
from qnetem.emulator.loading import Topology, load_topology, parse_topology
from qnetem.emulator.places import geometry_of, place_of, planned_contacts
from qnetem.emulator.quantum.links.channels import light_channel_of
from qnetem.emulator.quantum.links.free_space import half_angle_urad, optics_of
from qnetem.emulator.topology.model.space_sections import DivergenceSpec

from ..topologies import refusal
from .test_schema import SCHEMA, fits

BEAM = (
    "medium: free_space, beam: {wavelength: 850 nm, divergence: {half_angle: 5 urad}}, "
    "telescope: {aperture: 1 m}"
)
ORBIT = "orbit: {altitude: 500 km, inclination: 97 deg}"
GROUND = "position: {latitude: 40.4 deg, longitude: 117.6 deg, altitude: 900 m}"
CLICKS = "kind: single_click, alpha: 0.1, emitter: {collection: 0.5}, detector: {window: 9 ns}"
SOURCE = "kind: midpoint_source, clock: 1 us, pair_probability: 0.01, latching: {}"
SKY = "background: {sky: %s, field_of_view: 100 urad, filter: 1 nm}"
TLE = """tle: |
        1 25544U 98067A   19343.69339541  .00001764  00000-0  38792-4 0  9991
        2 25544  51.6439 211.2001 0007417  17.6667  85.6398 15.50103472202482"""


def text(sat: str = ORBIT, ogs: str = GROUND, quantum: str = BEAM, more: str = "") -> str:
    return f"""\
name: downlink
nodes:
  sat:
    {sat}
  ogs:
    {ogs}
links:
  - between: [sat, ogs]
    quantum: {{{quantum}}}
{more}
"""


def downlink(**parts: str) -> Topology:
    return parse_topology(text(**parts))


EVERYTHING = f"""
name: everything
time: {{epoch: 2026-03-20T12:00:00Z, until: 1 h}}
nodes:
  sat: {{orbit: {{semi_major_axis: 7000 km, eccentricity: 0.01, inclination: 97.4 deg, ascending_node: 30 deg,
         perigee: 90 deg, anomaly: -10 deg}}}}
  ogs:
    {GROUND}
    weather: {{cover: 40 %, passage: 2 h, loss: 30 dB}}
links:
  - between: [sat, ogs]
    classical: {{bandwidth: 1 Mbit/s}}
    quantum:
      medium: free_space
      beam: {{wavelength: 848.6 nm, divergence: {{waist: 60 mm}},
             transmitter: {{aperture: 300 mm, obscuration: 0.2}}}}
      telescope: {{aperture: 1.2 m, obscuration: 30 %}}
      pointing: {{jitter: 1.2 urad, bias: 0.1 urad}}
      atmosphere:
        table: [{{elevation: 10 deg, transmittance: 0.54}}, {{elevation: 90 deg, transmittance: 0.9}}]
        turbulence: {{wind: 10 m/s, ground: 1.0e-14}}
      background: {{sky: moonless, field_of_view: 100 urad, filter: 1 nm}}
      fading: {{correlation: 5 ms}}
      insertion_loss: 8 dB
      depolarising: 0.01
      pulse: {{wavelength: 848.6 nm, duration: 80 ps}}
      gate: 1 ns
"""


def test_every_key_reaches_the_model_and_stays_the_same_as_data() -> None:
    topology = parse_topology(EVERYTHING)
    data = topology.to_data()
    assert Topology.from_data(data).to_data() == data
    quantum = topology.links["sat-ogs"].quantum
    assert quantum is not None
    optics = optics_of(quantum)
    assert (optics.aperture_m, optics.obscuration, optics.transmitter_m) == (1.2, 0.3, 0.3)
    assert (optics.jitter_urad, optics.bias_urad, optics.waist_m) == (1.2, 0.1, 0.06)
    assert optics.half_angle_urad == pytest.approx(free_space.half_angle_of_waist(0.06, 848.6))
    assert optics.air.table == ((10.0, 0.54), (90.0, 0.9))
    assert (optics.air.wind_m_per_s, optics.air.ground) == (10.0, 1e-14)
    channel = light_channel_of(topology, topology.links["sat-ogs"], Streams(1))
    assert channel is not None and channel.medium.moves
    area = 1.2 * (1 - 0.3**2) ** 0.5
    assert channel.medium.at(0).noise_rate_hz == pytest.approx(
        free_space.background_rate_hz(1.5e-5, 100, area, 1, 848.6)
    )
    document = yaml.safe_load(EVERYTHING.replace("2026-03-20T12:00:00Z", "'2026-03-20T12:00:00Z'"))
    assert fits(document, SCHEMA)


@pytest.mark.parametrize(
    ("sky", "day", "night"),
    [
        ("auto", "normal_sun", "moonless"),
        ("{day: overcast}", "overcast", "moonless"),
        ("{day: bright_sun, night: full_moon}", "bright_sun", "full_moon"),
    ],
)
def test_a_sky_that_follows_the_sun_has_two_names(sky: str, day: str, night: str) -> None:
    written = text(quantum=f"{BEAM}, {SKY % sky}", more="time: {epoch: '2026-03-20T00:00:00Z'}")
    topology = parse_topology(written)
    channel = light_channel_of(topology, topology.links["sat-ogs"], Streams(1))
    assert channel is not None and fits(yaml.safe_load(written), SCHEMA)
    # noon at the station is 4:10 UTC
    rates = [channel.medium.at(hour * 3600 * 10**9).noise_rate_hz for hour in (4, 16)]
    assert rates == pytest.approx(
        [
            free_space.background_rate_hz(free_space.sky_radiance(name, 850), 100, 1.0, 1, 850)
            for name in (day, night)
        ]
    )


@pytest.mark.parametrize(
    ("written", "half_urad"),
    [
        ({"half_angle_urad": 5.0}, 5.0),
        ({"full_angle_urad": 10.0}, 5.0),
        ({"fwhm_urad": 10.0}, 8.493218),
        ({"waist_m": 0.1}, 2.705634),
    ],
)
def test_every_convention_of_a_divergence_is_its_half_angle(
    written: dict[str, float], half_urad: float
) -> None:
    assert half_angle_urad(DivergenceSpec(**written), 850) == pytest.approx(half_urad)


def test_a_link_that_moves_has_its_longest_length_and_its_contacts() -> None:
    topology = downlink(more="time: {until: 20 h}")
    link = topology.links["sat-ogs"]
    assert link.classical is not None and link.classical.moving
    assert 1600 < link.length_km < 1800
    assert link.classical.latency_ns == link.delay_ns == fibre_latency_ns(link.length_km, 1.0)
    contacts = planned_contacts(topology, link)
    assert contacts is not None and len(contacts) >= 4 and contacts == sorted(contacts)
    assert contacts[-1] <= 20 * 3600 * 10**9
    geometry = geometry_of(topology, link)
    assert geometry is not None
    assert max(geometry.range_km(t) for t in contacts) < link.length_km


def test_a_latency_that_is_said_stays() -> None:
    link = parse_topology(EVERYTHING.replace("bandwidth: 1 Mbit/s", "latency: 30 ms")).links[
        "sat-ogs"
    ]
    assert link.classical is not None
    assert (link.classical.latency_ns, link.classical.moving) == (30_000_000, False)


def test_a_link_between_stations_is_as_long_as_they_are_apart_or_as_is_said() -> None:
    palma = "position: {latitude: 28.76 deg, longitude: -17.88 deg, altitude: 2.4 km}"
    tenerife = "position: {latitude: 28.30 deg, longitude: -16.51 deg, altitude: 2.4 km}"
    link = downlink(sat=palma, ogs=tenerife).links["sat-ogs"]
    assert link.length_km == pytest.approx(143.4, abs=0.5)
    assert link.classical is not None and not link.classical.moving
    assert link.classical.latency_ns == fibre_latency_ns(link.length_km, 1.0)
    said = downlink(sat="", ogs="", quantum=f"length: 144 km, {BEAM}").links["sat-ogs"]
    assert said.length_km == 144 and said.delay_ns == fibre_latency_ns(144, 1.0)


def test_two_satellites_are_linked_past_the_earth_without_any_air() -> None:
    other = "orbit: {altitude: 1000 km, inclination: 97 deg, anomaly: 30 deg}"
    topology = downlink(ogs=other)
    link = topology.links["sat-ogs"]
    assert 5000 < link.length_km < 7000  # both over the air's edge
    contacts = planned_contacts(topology, link)
    assert contacts is not None and len(contacts) >= 4
    channel = light_channel_of(topology, link, Streams(1))
    assert channel is not None
    inside, outside = (contacts[0] + contacts[1]) // 2, contacts[1] + 10**9
    range_km = geometry_of(topology, link).range_km(inside)  # type: ignore[union-attr]
    expected = free_space.gaussian_capture(5, range_km, 1)
    assert channel.at(inside, "sat").survival == pytest.approx(expected, rel=0.01)
    assert channel.at(outside, "sat").survival == 0
    air = "atmosphere: {zenith_transmittance: 0.9}"
    said = str(refusal(text(ogs=other, quantum=f"{BEAM}, {air}")))
    assert "there is no air between satellites" in said


def test_two_lines_are_an_orbit_from_the_epoch_on() -> None:
    epoch = "time: {epoch: 2019-12-10T00:00:00Z}"
    topology = downlink(sat=f"orbit:\n      {TLE}", more=epoch)
    place = place_of(topology, topology.nodes["sat"])
    assert place is not None and place.moves
    assert place.position_km(1_575_936_000.0)[2] != 0


def test_defaults_of_another_medium_do_not_reach_a_link() -> None:
    more = "defaults: {quantum: {attenuation: 0.3 dB/km, depolarising: 0.02, preset: standard}}"
    quantum = downlink(more=more).links["sat-ogs"].quantum
    assert quantum is not None and quantum.depolarising == 0.02 and quantum.preset is None
    of_space = "defaults: {quantum: {medium: free_space, telescope: {aperture: 2 m}}}"
    quantum = downlink(more=of_space).links["sat-ogs"].quantum
    assert quantum is not None and quantum.telescope is not None
    assert quantum.telescope.aperture_m == 1.0


def test_pairs_of_kind_simple_are_heralded_between_stations() -> None:
    pairs = "entangle: {success: 1 %, fidelity: 95 %, attempt: 1 ms}"
    link = downlink(sat="", ogs="", quantum=f"length: 144 km, {BEAM}, {pairs}").links["sat-ogs"]
    assert link.quantum is not None and link.quantum.entangle is not None


@pytest.mark.parametrize(
    ("parts", "line", "said"),
    [
        ({"quantum": "medium: free_space"}, 9, "'beam' is missing"),
        (
            {"quantum": BEAM.replace("half_angle: 5 urad", "half_angle: 5 urad, waist: 1 m")},
            9,
            "'half_angle' and 'waist': expected one of the two",
        ),
        ({"quantum": BEAM.replace("half_angle: 5 urad", "half_angle: 5 deg")}, 9, "is a"),
        ({"quantum": BEAM.replace("1 m}", "0 m}")}, 9, "expected a size such as 150 mm"),
        ({"quantum": BEAM.replace("1 m}", "1 km}")}, 9, "is a length: expected a size"),
        (
            {"quantum": f"{BEAM}, attenuation: 0.3 dB/km"},
            9,
            "'attenuation' is no key of medium: free_space, but of fibre",
        ),
        (
            {"quantum": "length: 3 km, telescope: {aperture: 1 m}"},
            9,
            "'telescope' is no key of medium: fibre, but of free_space",
        ),
        ({"quantum": f"{BEAM}, length: 5 km"}, 9, "the length follows from the orbit of sat"),
        (
            {"quantum": f"{BEAM}, entangle: {{{CLICKS}}}"},
            9,
            "entangle: no station floats between sat and ogs, which move: expected 'station: 0'",
        ),
        (
            {"quantum": f"{BEAM}, entangle: {{{SOURCE}, station: 0.5}}"},
            9,
            "entangle: no source floats between sat and ogs",
        ),
        (
            {"quantum": f"{BEAM}, {SKY % 'night'}, entangle: {{{SOURCE}, station: 0}}"},
            9,
            "how long a memory is open to the light of the sky is not known: expected 'window'",
        ),
        (
            {
                "quantum": f"{BEAM}, {SKY % 'night'}, entangle: {{kind: double_click, station: 1, "
                "detection: {first: 0.1, second: 0.2}}"
            },
            9,
            "how much light of the sky the detectors count is not known",
        ),
        (
            {"quantum": f"{BEAM}, depolarising: 0.1, entangle: {{{CLICKS}, station: 1}}"},
            9,
            "single click: the fibre depolarises (0.1), but the qubit is a photon or none",
        ),
        (
            {"quantum": f"{BEAM}, {SKY % 'auto'}"},
            9,
            "background.sky: a sky that follows the sun needs a date: expected 'epoch' under time",
        ),
        (
            {
                "ogs": "orbit: {altitude: 900 km}",
                "quantum": f"{BEAM}, {SKY % '{night: moonless}'}",
                "more": "time: {epoch: 2026-03-20T00:00:00Z}",
            },
            9,
            "background.sky: neither end has a position over which the sun could rise",
        ),
        ({"quantum": f"{BEAM}, {SKY % '{day: sunny}'}"}, 9, "sky.day: 'sunny' is not known here"),
        ({"quantum": f"{BEAM}, {SKY % 'noon'}"}, 9, "expected one of auto, bright_sun, normal_sun"),
        (
            {"quantum": f"{BEAM}, fading: {{correlation: 5 ms}}"},
            9,
            "nothing fades here: expected 'turbulence' in 'atmosphere', or 'jitter' in 'pointing'",
        ),
        ({"quantum": f"{BEAM}, pointing: {{jitter: 1 urad}}, fading: {{}}"}, 9, "'correlation' is missing"),
        (
            {"quantum": f"{BEAM}, pointing: {{jitter: 1 urad}}, fading: {{correlation: 0 s}}"},
            9,
            "expected",
        ),
        ({"quantum": "length: 3 km, fading: {correlation: 5 ms}"}, 9, "'fading' is no key of medium: fibre"),
        ({"sat": ""}, 9, "free space needs a length, or a position or orbit of both ends"),
        ({"sat": "orbit: {inclination: 3 deg}"}, 4, "expected one of altitude, semi_major_axis, tle"),
        ({"sat": "orbit: {altitude: 20 km}"}, 4, "the orbit comes down to 20 km"),
        (
            {"sat": "orbit: {altitude: 500 km, eccentricity: 0.1}"},
            4,
            "'eccentricity' is of an ellipse: expected 'semi_major_axis' with it",
        ),
        ({"sat": f"orbit:\n      {TLE}"}, 4, "mean elements hold near their date: expected 'epoch'"),
        (
            {
                "sat": f"orbit:\n      {TLE}".replace("9991", "9990"),
                "more": "time: {epoch: 2019-12-10T00:00:00Z}",
            },
            4,
            "line 1 has the checksum '0', expected 1",
        ),
        (
            {"sat": f"orbit:\n      {TLE}", "more": "time: {epoch: 2059-12-10T00:00:00Z}"},
            12,
            "SGP4 has no position",
        ),
        (
            {"ogs": "position: {latitude: 91 deg, longitude: 0 deg}"},
            6,
            "expected a direction such as 28.3 deg (from -90 to 90 deg), found '91 deg'",
        ),
        ({"ogs": f"{GROUND}\n    {ORBIT}"}, 7, "'position' and 'orbit': expected one of the two"),
        ({"ogs": f"{GROUND}\n    weather: {{cover: 0.4}}"}, 7, "'passage' is missing"),
        ({"ogs": f"{GROUND}\n    weather: {{file: none-such.csv}}"}, 7, "cannot be read"),
        (
            {"quantum": f"{BEAM}, atmosphere: {{visibility: 5 km, zenith_transmittance: 0.9}}"},
            9,
            "'zenith_transmittance' and 'visibility': expected one of the two",
        ),
        (
            {"quantum": f"{BEAM}, atmosphere: {{visibility: 5 km}}"},
            9,
            "a visibility is of air near the ground: expected zenith_transmittance or table",
        ),
        (
            {
                "sat": "position: {latitude: 40 deg, longitude: 117 deg}",
                "quantum": f"{BEAM}, atmosphere: {{zenith_transmittance: 0.9}}",
            },
            9,
            "ends that stand still have no elevation: expected visibility",
        ),
        (
            {"quantum": f"{BEAM}, background: {{field_of_view: 100 urad, filter: 1 nm}}"},
            9,
            "expected one of radiance, sky",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_at_its_place(
    parts: dict[str, str], line: int, said: str
) -> None:
    error = refusal(text(**parts))
    assert said in str(error)
    assert error.line == line


def test_clouds_over_a_station_are_the_same_for_all_of_its_links_whichever_asks_first() -> None:
    sky = f"{GROUND}\n    weather: {{cover: 0.5, passage: 10 min, loss: 30 dB}}"
    near = "position: {latitude: 40 deg, longitude: 117 deg}"
    second = f"  - {{between: [sat, ogs], name: second, quantum: {{{BEAM}}}}}"
    topology = downlink(sat=near, ogs=sky, more=second)
    times = [t * 97 * 10**9 for t in range(60)]
    paths = []
    for order in (("sat-ogs", "second"), ("second", "sat-ogs")):
        streams = Streams(topology.seed)
        links = [light_channel_of(topology, topology.links[name], streams) for name in order]
        assert links[0] is not None and links[1] is not None
        paths += [[each.at(t, "sat").survival for t in times] for each in links if each is not None]
    assert all(path == paths[0] for path in paths)
    assert len(set(paths[0])) == 2


def test_weather_from_a_file_lies_beside_the_topology(tmp_path: Path) -> None:
    (tmp_path / "clouds.csv").write_text("time_s,loss_db\n0,3\n3600,0\n")
    sky = f"{GROUND}\n    weather: {{file: clouds.csv}}"
    palma = "position: {latitude: 40 deg, longitude: 117 deg}"
    (tmp_path / "net.yaml").write_text(text(sat=palma, ogs=sky))
    topology = load_topology(tmp_path / "net.yaml")
    channel = light_channel_of(topology, topology.links["sat-ogs"], Streams(1))
    assert channel is not None
    cloudy, clear = (channel.at(t, "sat").survival for t in (0, 3600 * 10**9))
    assert cloudy / clear == pytest.approx(10**-0.3)
    # a topology needs no file any more
    (tmp_path / "clouds.csv").unlink()
    assert (
        Topology.from_data(topology.to_data()).nodes["ogs"].weather == topology.nodes["ogs"].weather
    )
    for wrong, said in (
        ("time,loss\n", "no columns"),
        ("time_s,loss_db\n0,x\n", "line 2"),
        ("time_s,loss_db\n5,1\n", "begin at 0 and rise"),
    ):
        (tmp_path / "clouds.csv").write_text(wrong)
        assert said in str(refusal_of(tmp_path / "net.yaml"))


def refusal_of(path: Path) -> Exception:
    from qnetem.emulator.errors import TopologyError

    with pytest.raises(TopologyError) as refused:
        load_topology(path)
    return refused.value
