"""Double downlinks: a satellite sends pairs to two stations, while it sees both of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import qnetem
from qnetem.agents.contacts import at_once
from qnetem.emulator.loading import Topology, parse_topology
from qnetem.emulator.places import planned_contacts
from qnetem.passes.common import common_passes
from qnetem.passes.passes import moving_links

from ..counts import rounds_of

QKD = "qnetem.agents.protocols.qkd"
#: Some coincidences a second; most pairs lose both photons.
NETWORK = """
name: double
seed: 5
time: {{epoch: 2017-01-12T18:00:00Z, until: {until}}}
defaults:
  quantum:
    medium: free_space
    beam: {{wavelength: 810 nm, divergence: {{full_angle: 10 urad}}}}
    telescope: {{aperture: 1 m}}
    background: {{sky: moonless, field_of_view: 100 urad, filter: 1 nm}}
    atmosphere: {{zenith_transmittance: 0.8}}
    insertion_loss: 6 dB
    depolarising: 0.01
nodes:
  sat:
    kind: satellite
    service: false
    source: {source}
    orbit: {{altitude: 500 km, inclination: 97.4 deg, ascending_node: 299.025 deg, anomaly: 131.405 deg}}
    {sat}
  north:
    kind: ground_station
    detector: {{efficiency: 0.8, dark_count_rate: 50 Hz, jitter: 300 ps}}
    position: {{latitude: 37.373 deg, longitude: 97.730 deg, altitude: 3.15 km}}
    {north}
  south:
    kind: ground_station
    detector: {{efficiency: 0.8, dark_count_rate: 50 Hz, jitter: 300 ps}}
    position: {{latitude: {latitude} deg, longitude: 100.030 deg, altitude: 3.2 km}}
    {south}
links:
  - {{between: [sat, north], quantum: {{}}}}
  - {{between: [sat, south], quantum: {{}}}}
  - {{between: [north, south], classical: {{latency: 8 ms}}}}
faults: {faults}
"""
TAGS = "{kind: spdc_cw, pair_rate: 400 kHz, fidelity: 0.96}"
SLOTS = "{kind: spdc, rate: 5 MHz, mean_pairs: 0.05, fidelity: 0.96}"


def program(name: str, **options: Any) -> str:
    entries = ", ".join(f"{key}: {value}" for key, value in options.items())
    return f'program: "{QKD}.{name}", with: {{{entries}}}'.replace(", with:", "\n    with:")


def keys(name: str, **options: Any) -> str:
    entries = ", ".join(f"{key}: {value}" for key, value in options.items())
    return f'services: {{keys: {{program: "{QKD}.{name}", with: {{{entries}}}}}}}'


def text_of(
    sends: dict[str, Any],
    wants: dict[str, Any],
    both: dict[str, Any],
    source: str = TAGS,
    **more: Any,
) -> str:
    """BBM92 between the stations."""
    parts = {
        "sat": program("bbm92:Source", alice="north", bob="south", **sends, **both),
        "north": program("bbm92:Alice", peer="south", source="sat", sample=1, **wants, **both),
        "south": program("bbm92:Bob", peer="north", source="sat", **both),
    }
    return NETWORK.format(
        **{"source": source, "until": "15 min", "latitude": 26.709, "faults": "[]", **parts, **more}
    )


def common(topology: Topology) -> list[tuple[int, int]]:
    """When the satellite sees both."""
    plans = [
        planned_contacts(topology, link) for name, link in topology.links.items() if "sat" in name
    ]
    one, other = ([(*each,) for each in zip(p[::2], p[1::2], strict=True)] for p in plans if p)
    return at_once(one, other)


def play(text: str, folder: Path, **how: Any) -> qnetem.Run:
    (folder / "net.yaml").write_text(text)
    return qnetem.run(
        folder / "net.yaml", runs_folder=folder / "runs", **{"in_process": True, **how}
    )


@pytest.mark.parametrize(
    ("source", "lasts_s"), [(TAGS, 600), (SLOTS, 1)], ids=["time tags", "slots"]
)
def test_a_train_lies_in_the_first_common_contact_and_has_what_passes_expects(
    source: str, lasts_s: int, tmp_path: Path
) -> None:
    """Longer than the contact it ends with it; the ends subtract ranges that change by 10 us a second."""
    wants = {"window": "2 ns"} if source == TAGS else {}
    text = text_of({"duration": f"{lasts_s} s"}, wants, {}, source)
    topology = parse_topology(text)
    ((begin_ns, end_ns),) = common(topology)
    run = play(text, tmp_path)
    assert run.problem is None
    told = run.results["north"]
    assert {**told, "status": ""} == {**run.results["south"], "status": ""}
    period_ns = 1e-3 if source == TAGS else 200
    light_s = told["slots"] * period_ns * 1e-9
    assert light_s == pytest.approx(min(lasts_s, (end_ns - begin_ns) * 1e-9 - 1), abs=0.1)
    if source == SLOTS:
        assert told["gain"] > 1e-7 and told["qber"] < 0.12
        return
    (passes,) = common_passes(topology, moving_links(topology))
    (row,) = passes.rows(900 * 10**9)
    assert (row.start_ns, row.end_ns) == (begin_ns, end_ns)
    assert row.pairs is not None and row.key_bits is not None
    assert abs(told["coincidences"] - row.pairs) < 3 * row.pairs**0.5 and row.pairs > 1000
    # visibilities multiply: 0.947 of the source, 0.99 of each link
    assert told["qber"] == pytest.approx((1 - 0.947 * 0.99**2) / 2, abs=0.02)
    assert 0.3 * row.pairs < row.key_bits < row.pairs


def test_stations_that_never_see_the_satellite_at_once_have_an_error(tmp_path: Path) -> None:
    text = text_of({"slots": 1000}, {"window": "2 ns"}, {}, latitude=-60, until="2 h")
    assert len(common(parse_topology(text))) == 0
    run = play(text, tmp_path)
    assert run.problem is not None
    assert (
        "no common pass of north and south: at no time that is planned does sat" in run.problem.text
    )


@pytest.mark.parametrize("victim", ["sat", "south", "north"])
def test_what_is_killed_in_mid_pass_begins_anew(victim: str, tmp_path: Path) -> None:
    """The rest of the pass serves, or the next one; both ends have one result."""
    both = {"timeout": "50 ms"}
    fault = f"[{{at: 150 s, kill: {victim}, restart: 2 s}}]"
    text = text_of({"duration": "60 s"}, {"window": "2 ns"}, both, faults=fault)
    run = play(text.replace("400 kHz", "40 kHz"), tmp_path)
    assert run.problem is None
    told = run.results["north"]
    assert told["status"] == run.results["south"]["status"] == "confirmed"
    assert told["coincidences"] == run.results["south"]["coincidences"] > 20
    assert told["slots"] == 60 * 10**12
    assert run.metrics["links.sat-north.trains"]["count"] == 2
    ((_, end_ns),) = common(parse_topology(text))
    assert 0 < run.virtual_time_s * 1e9 < end_ns


def test_a_pass_that_is_lost_to_a_kill_leaves_ends_without_a_result(tmp_path: Path) -> None:
    """The train takes the whole of the only pass: that the other end is gone is found after it."""
    text = text_of({"duration": "10 min"}, {"window": "2 ns"}, {"timeout": "50 ms"},
                   faults="[{at: 200 s, kill: south, restart: 2 s}]")  # fmt: skip
    run = play(text.replace("400 kHz", "40 kHz"), tmp_path)
    assert run.problem is None
    assert run.results["sat"] == 0
    assert run.results["north"] == run.results["south"] == {"status": "incomplete", "session": None}


KEYS = {
    "sat": keys("pair_source:PairSource", alice="north", bob="south"),
    "north": keys("key_link:KeyLink", peer="south", source="sat", window="2 ns", interval="60 s",
                  z=0.6, block_bits=8_000),
    "south": keys("key_link:KeyLink", peer="north", source="sat"),
}  # fmt: skip
#: Clouds over the south for the first hour: the whole first common pass.
CLOUDS = "weather: {record: [{at: 0 s, loss: 40 dB}, {at: 1 h, loss: 0 dB}]}"


def key_text(clouds: str = "", **more: Any) -> str:
    user = 'program: "./user.py:User"'
    parts = {end: f"{KEYS[end]}\n    {user}" for end in ("north", "south")}
    parts["south"] += f"\n    {clouds}"
    given = {
        "source": TAGS.replace("400 kHz", "4 MHz"),
        "until": "50 h",
        "latitude": 26.709,
        "faults": "[]",
        "sat": KEYS["sat"],
    }
    return NETWORK.format(**{**given, **parts, **more}).replace("6 dB", "2 dB")


USER = """
from qnetem import Agent
from qnetem.agents.protocols.qkd.key_link import KeyLink


class User(Agent):
    async def run(self):
        keys = self.service(KeyLink)
        block = await keys.next_block()
        return {"made_s": block.made_s, "left": block.left, "id": block.id, **keys.summary()}
"""


def test_clouds_over_one_station_cost_a_pass_and_the_next_one_makes_the_block(
    tmp_path: Path,
) -> None:
    (tmp_path / "user.py").write_text(USER)
    first = common(parse_topology(key_text()))[:2]
    made = {}
    for clouds in ("", CLOUDS):
        run = play(key_text(clouds), tmp_path)
        assert run.problem is None
        made[clouds] = run.results["north"]
        assert made[clouds]["id"] == run.results["south"]["id"]
    assert first[0][0] * 1e-9 < made[""]["made_s"] < first[0][1] * 1e-9
    assert first[1][0] * 1e-9 < made[CLOUDS]["made_s"]
    assert made[CLOUDS]["left"] > 1000
    # nothing but chance passes clouds
    assert made[CLOUDS]["light_s"] > made[""]["light_s"] + 150


BELL = """
import asyncio

from qnetem import Agent
from qnetem.agents.protocols.qkd.e91 import ALICE_DEG, BOB_DEG, axes_of


class Sends(Agent):
    async def run(self):
        end_ns = await self.contact("delingha", "lijiang")
        await self.counted_pairs("delingha", "lijiang", (end_ns - self.now_ns) * 1000)


class Says(Agent):
    async def run(self):
        arm = await self.count_arm("micius", axes=axes_of(BOB_DEG[::2]))
        await self.send("delingha", arm.name)


class Counts(Agent):
    async def run(self):
        arm = await self.count_arm("micius", axes=axes_of(ALICE_DEG[::2]))
        other = (await self.receive("lijiang")).body
        found = await self.count_coincidences(arm, other, width=2500)
        seconds = arm.slots * 1e-12
        return {"s": seconds, "all": found.coincidences.tolist(), "wrong": found.errors.tolist()}
"""


@pytest.mark.papers
def test_yin_2017_by_counts(tmp_path: Path) -> None:
    """1.1 coincidences a second, S = 2.37 +- 0.09: for as many seconds as were published, or more."""
    file = Path(__file__).parents[2] / "topologies" / "space" / "double-downlink.yaml"
    (tmp_path / "bell.py").write_text(BELL)
    topology = yaml.safe_load(file.read_text())
    del topology["expect"]
    for node, name in (("micius", "Sends"), ("delingha", "Counts"), ("lijiang", "Says")):
        topology["nodes"][node] |= {"program": f"./bell.py:{name}", "with": {}}
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(topology))
    found, wrong, seconds = np.zeros((2, 2)), np.zeros((2, 2)), 0.0
    rounds = rounds_of(4, 60)
    for seed in range(rounds):
        told = play((tmp_path / "net.yaml").read_text(), tmp_path, seed=seed).results["delingha"]
        found, wrong = found + told["all"], wrong + told["wrong"]
        seconds += told["s"]
    assert seconds == pytest.approx(277 * rounds, rel=0.01)
    assert 1.1 / 1.5 < found.sum() / seconds < 1.1 * 1.5
    e = 1 - 2 * wrong / found
    s = e[0, 0] - e[0, 1] + e[1, 0] + e[1, 1]
    spread = np.sqrt(((1 - e**2) / found).sum())
    assert s == pytest.approx(2.37, abs=max(0.09, 3 * spread))


@pytest.mark.processes
def test_a_double_downlink_is_the_same_in_processes(tmp_path: Path, mosquitto: str) -> None:
    (tmp_path / "user.py").write_text(USER)
    runs = [play(key_text(), tmp_path, in_process=alone) for alone in (True, False)]
    assert runs[0].problem is None
    assert (runs[0].digest, runs[0].results) == (runs[1].digest, runs[1].results)
