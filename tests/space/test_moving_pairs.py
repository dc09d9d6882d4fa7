"""Programs that want pairs over links that move: they wait for contacts, through faults, by every layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.places import planned_contacts

PROGRAMS = """
from qnetem import Agent
from qnetem.agents.network.errors import NetworkError
from qnetem.agents.network.link_layer import LinkLayer
from qnetem.emulator.errors import LinkError


class Pairs(Agent):
    async def run(self, peer: str, count: int = 5, probes: bool = False):
        times = []
        try:
            for _ in range(count):
                pair = await self.entangle(peer)
                times.append(self.now_ns)
                if probes:
                    await self.probe("pair", pair)
                await pair.measure("Z")
        except LinkError as error:
            return {"times": times, "error": f"{type(error).__name__}: {error}"}
        return {"times": times, "error": ""}


class Asks(Agent):
    async def run(self, peer: str, count: int = 5, layer: str = "network", deadline: str = "20 h"):
        service, times = self.service(LinkLayer) if layer == "link" else self.network, []
        try:
            if layer == "blocks":
                found = await service.outcomes(peer, count=count, axes=["Z"], deadline=deadline)
                return {"times": [self.now_ns], "bits": found.bits.tolist()}
            async for pair in service.pairs(peer, count, deadline=deadline):
                times.append(self.now_ns)
                await pair.measure("Z")
        except NetworkError as error:
            return {"times": times, "error": type(error).__name__, "at": self.now_ns}
        return {"times": times}


class Answers(Agent):
    async def run(self, peer: str, count: int = 5, layer: str = "network"):
        service, times = self.service(LinkLayer) if layer == "link" else self.network, []
        if layer == "blocks":
            found = await service.outcomes_with(peer)
            return {"bits": found.bits.tolist()}
        async for pair in service.arriving(peer, count=count):
            times.append(self.now_ns)
            await pair.measure("Z")
        return {"times": times}
"""
NETWORK = """
name: pairs
seed: 4
time: {{until: {until}, epoch: 2026-03-20T00:00:00Z}}
{defaults}
nodes:
  sat:
    kind: satellite
    service: {service}
    orbit: {{altitude: 500 km, inclination: 97.4 deg, anomaly: 20 deg}}
    program: "./p.py:{sat}"
    with: {{peer: ogs, {options}}}
  ogs:
    position: {{latitude: 40.4 deg, longitude: 180 deg}}
    program: "./p.py:{ogs}"
    with: {{peer: sat, {answers}}}
    {clouds}
links:
  - between: [sat, ogs]
    quantum:
      medium: free_space
      beam: {{wavelength: 850 nm, divergence: {{half_angle: 5 urad}}}}
      telescope: {{aperture: 1 m}}
      entangle:
        kind: double_click
        station: 1
        emitter: {{collection: 0.5}}
        detector: {{efficiency: 0.8, dark_count_rate: 100 Hz, window: 10 ns}}
{more}
"""
S = 10**9


class Bench:
    """A folder with programs, and a network in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "p.py").write_text(PROGRAMS)

    def run(self, **parts: Any) -> qnetem.RunResult:
        modes = {name: parts.pop(name) for name in ("in_process",) if name in parts}
        path = self.folder / "net.yaml"
        path.write_text(text(**parts))
        return qnetem.run(
            path, **{"in_process": True, **modes}, runs_folder=str(self.folder / "runs")
        )


def text(
    sat: str = "Pairs",
    ogs: str = "Pairs",
    options: str = "",
    answers: str | None = None,
    until: str = "13 h",
    defaults: str = "",
    more: str = "",
    service: str = "false",
    clouds: str = "",
) -> str:
    answers = options if answers is None else answers
    return NETWORK.format(
        sat=sat,
        ogs=ogs,
        options=options,
        answers=answers,
        until=until,
        defaults=defaults,
        more=more,
        service=service,
        clouds=clouds,
    )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def contacts() -> list[int]:
    topology = parse_topology(text().replace("./p.py:Pairs", "x:Y"))
    found = planned_contacts(topology, topology.links["sat-ogs"])
    assert found is not None
    return found


CONTACTS = contacts()
CONTACT_TIMES = [*zip(CONTACTS[::2], CONTACTS[1::2], strict=True)]
LAYERS = "defaults: {services: {link: {}, network: {with: {hello: 2 s}}}, memory: {slots: 8}}"


def times(run: qnetem.RunResult, node: str) -> list[int]:
    run.assert_ok()
    found: list[int] = run.results[node]["times"]
    return found


def inside(found: list[int]) -> list[bool]:
    return [any(a <= t <= b for a, b in CONTACT_TIMES) for t in found]


# --- entangle -------------------------------------------------------------------------------------


def test_a_request_before_a_contact_waits_for_it(bench: Bench) -> None:
    run = bench.run(options="count: 12")
    far, near = times(run, "sat"), times(run, "ogs")
    assert len(far) == len(near) == 12 and all(inside(far)) and near[0] > CONTACTS[0]
    for late, early in zip(far, near, strict=True):
        assert 1.6e6 < late - early < 5.8e6, "the satellite hears when light has come back to it"


def test_requests_go_on_in_the_next_contact_and_end_with_the_last(bench: Bench) -> None:
    run = bench.run(options="count: 100000", more="      insertion_loss: 13 dB\n")
    found = times(run, "sat")
    assert all(inside(found)) and found[-1] > CONTACTS[2] > found[0]
    assert run.results["sat"]["error"] == (
        "LinkError: sat -> ogs: no more contacts are planned between them"
    )
    assert run.virtual_time_s == pytest.approx(CONTACTS[-1] * 1e-9, abs=1e-3)


def test_a_fault_in_the_middle_of_a_contact_keeps_pairs_away_while_it_lasts(bench: Bench) -> None:
    faults = "faults: [{at: 200 s, for: 100 s, loss_db: sat-ogs, by: 200 dB}]\n"
    found = times(bench.run(options="count: 60", more=faults), "ogs")
    assert not [t for t in found if 200.02 * S < t < 300 * S]
    assert any(t < 200 * S for t in found) and any(300 * S < t < CONTACTS[1] for t in found)


def test_clouds_over_the_station_shift_pairs_to_the_next_contact(bench: Bench) -> None:
    cloudy = "weather: {record: [{at: 0 s, loss: 60 dB}, {at: 2 h, loss: 0 dB}]}"
    run = bench.run(options="count: 3", clouds=cloudy)
    assert all(CONTACTS[2] < t < CONTACTS[3] for t in times(run, "sat"))


def test_a_station_killed_in_a_contact_has_pairs_again_when_it_is_back(bench: Bench) -> None:
    faults = (
        "faults: [{at: 200 s, kill: ogs, restart: 20 s}, {at: 260 s, for: 5 s, cut: sat-ogs}]\n"
    )
    run = bench.run(
        options="count: 1000", answers="count: 30", until="10 min", more=faults, service="true"
    )
    found = times(run, "ogs")  # of its second life
    assert len(found) == 30 and 220 * S < found[0] < CONTACTS[1]
    assert not [t for t in found if 260.02 * S < t < 265 * S]


def test_the_pair_is_as_good_as_the_light_of_its_moment(bench: Bench) -> None:
    run = bench.run(
        options="count: 4, probes: true",
        more="      background: {radiance: 0.02, field_of_view: 100 urad, filter: 1 nm}\n",
    )
    run.assert_ok()
    values = run.metrics["ogs.pair.fidelity"]
    assert 0.3 < values["min"] < values["max"] < 0.9


# --- layers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["link", "network"])
def test_the_layers_serve_requests_that_are_older_than_the_contact(
    bench: Bench, layer: str
) -> None:
    run = bench.run(
        sat="Asks",
        ogs="Answers",
        options=f"count: 6, layer: {layer}",
        until="10 min",
        defaults=LAYERS if layer == "network" else "defaults: {services: {link: {}}}",
        more="    classical: {latency: 6 ms}\n" if layer == "link" else "",
    )
    found = times(run, "sat")
    assert len(found) == 6 and CONTACTS[0] < found[0] and found[-1] < CONTACTS[1]
    assert len(run.results["ogs"]["times"]) == 6


def test_a_deadline_before_the_contact_is_an_error_with_a_name(bench: Bench) -> None:
    run = bench.run(
        sat="Asks",
        ogs="Pairs",
        options="deadline: 50 s",
        answers="count: 0",
        until="2 min",
        defaults=LAYERS,
    )
    run.assert_ok()
    assert run.results["sat"] == {"times": [], "error": "DeadlinePassed", "at": 50 * S}


def test_blocks_of_outcomes_are_made_in_contacts_and_agree(bench: Bench) -> None:
    run = bench.run(
        sat="Asks",
        ogs="Answers",
        options="count: 30, layer: blocks",
        until="10 min",
        defaults=LAYERS,
        more="    classical: {latency: 6 ms}\n",
    )
    run.assert_ok()
    mine, yours = run.results["sat"]["bits"], run.results["ogs"]["bits"]
    assert len(mine) == 30 and CONTACTS[0] < run.results["sat"]["times"][0] < CONTACTS[1] + S
    assert sum(a != b for a, b in zip(mine, yours, strict=True)) <= 3


# --- both modes -----------------------------------------------------------------------------------


def test_processes_have_the_same_digest(bench: Bench) -> None:
    options = {"options": "count: 5, probes: true", "until": "10 min"}
    here, there = bench.run(**options), bench.run(**options, in_process=False)
    assert here.digest == there.digest and here.results == there.results
    assert here.results["sat"]["error"] == ""
