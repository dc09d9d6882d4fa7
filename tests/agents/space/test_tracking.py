"""Both ends of a beam find each other, follow each other, lose each other and find each other again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem import Agent, Seconds
from qnetem.agents.space.tracking import Tracking
from qnetem.emulator.loading import build_topology
from qnetem.emulator.places import geometry_of, planned_contacts

QUICK = {"slew": "3 s", "acquisition": {"least": "2 s", "mean": "2 s"}, "coast": "10 s"}
BEAM = {
    "medium": "free_space",
    "beam": {"wavelength": "850 nm", "divergence": {"half_angle": "5 urad"}},
    "telescope": {"aperture": "1 m"},
}
GRAZ = {"latitude": "47.067 deg", "longitude": "15.493 deg"}


class Looks(Agent):
    """Returns what came of the tracking."""

    async def run(self, lasts: Seconds = 60.0) -> Any:
        await asyncio.sleep(lasts)
        return self.service(Tracking).summary()


class Asks(Agent):
    """Says when it is locked and when it is lost."""

    async def run(self, peer: str, times: int = 2) -> Any:
        tracking, found = self.service(Tracking), []
        for _ in range(times):
            await tracking.locked(peer)
            begins = self.now_ns
            assert tracking.lock(peer) is not None
            await tracking.lost(peer)
            assert tracking.lock(peer) is None
            found.append((begins / 1e9, self.now_ns / 1e9))
        return found


def roofs(program: Any = Looks, use: Any = (), faults: Any = (), **tracking: Any) -> dict[str, Any]:
    """Two stations that stay, in sight of each other."""

    def station(peer: str, longitude: str) -> dict[str, Any]:
        options = {**QUICK, "peers": [peer], **tracking}
        given = {"peer": peer} if program is Asks else {}
        return {
            "program": program,
            "with": {**given, **dict(use)},
            "position": {"latitude": "47.0 deg", "longitude": longitude, "altitude": "400 m"},
            "services": {"tracking": {"with": options}},
        }

    return {
        "name": "roofs",
        "time": {"until": "5 min"},
        "nodes": {"a": station("b", "15.00 deg"), "b": station("a", "15.04 deg")},
        "links": [{"between": ["a", "b"], "quantum": BEAM}],
        "faults": list(faults),
    }


def under(stations: dict[str, Any], until: str = "12 h", **tracking: Any) -> dict[str, Any]:
    """Stations under one satellite; nodes do what their kinds do."""
    options = {**QUICK, **tracking}
    nodes: dict[str, Any] = {
        name: {"kind": "ground_station", "position": position}
        for name, position in stations.items()
    }
    nodes["sat"] = {
        "kind": "satellite",
        "orbit": {"altitude": "500 km", "inclination": "97.4 deg", "anomaly": "20 deg"},
    }
    return {
        "name": "under",
        "time": {"until": until, "epoch": "2026-03-20T00:00:00Z"},
        "defaults": {"services": {"tracking": {"with": options}}},
        "nodes": nodes,
        "links": [{"between": ["sat", name], "quantum": BEAM} for name in stations],
    }


def ran(folder: Path, data: dict[str, Any]) -> qnetem.Run:
    run = qnetem.run(data, in_process=True, runs_folder=folder)
    assert run.problem is None, run.problem
    return run


def states(run: qnetem.Run, node: str, peer: str) -> list[tuple[float, str]]:
    """When the terminal came into which state."""
    return [
        (event.t_ns / 1e9, event.fields[1])
        for event in run.events(node, "note")
        if event.fields[0] == f"tracking.state_{peer}"
    ]


def test_a_terminal_points_acquires_and_tracks(tmp_path: Path) -> None:
    run = ran(tmp_path, roofs())
    assert [state for _, state in states(run, "a", "b")][:3] == [
        "pointing",
        "acquiring",
        "tracking",
    ]
    times = [t for t, _ in states(run, "a", "b")][:3]
    assert times == pytest.approx([0, 3, 5], abs=1e-4)
    # both track once each has seen the other one do so
    assert run.metrics["a.tracking.time_to_lock_s"]["mean"] == pytest.approx(2, abs=1e-4)


@pytest.mark.parametrize(
    ("fault", "at", "back"),
    [
        ({"loss_db": "a-b", "by": "11 dB", "for": "4 s"}, 20, 25),
        ({"loss_db": "a-b", "by": "11 dB", "for": "20 s"}, 20, 42),
        ({"pointing_loss": "a-b", "by": "501 urad", "for": "4 s"}, 20, 25),
        ({"cut": "a-b", "only": "quantum", "for": "4 s"}, 20, 25),
        ({"clouds": "a-b", "loss": "30 dB", "cover": 1, "passage": "1 s", "for": "4 s"}, 20, 25),
        ({"kill": "b", "restart": "10 s"}, 20, 35),
    ],
    ids=["loss", "long loss", "pointing", "cut", "clouds", "kill"],
)
def test_what_breaks_the_lock_and_when_it_is_back(
    tmp_path: Path, fault: dict[str, Any], at: float, back: float
) -> None:
    """After a short loss in 1 s, after a longer one in 2; a killed terminal has to turn first."""
    run = ran(tmp_path, roofs(faults=[{"at": f"{at} s", **fault}]))
    found = run.results["a"]["b"]
    assert (found["state"], found["losses"], found["locks"]) == ("tracking", 1, 1)
    assert found["lost_s"] == pytest.approx(back - at, abs=1e-3)
    assert run.metrics["a.tracking.lost_s"]["mean"] == pytest.approx(back - at, abs=1e-3)


def test_a_loss_in_the_middle_of_a_reacquisition_is_a_longer_loss(tmp_path: Path) -> None:
    """Re-acquisition would be over at 25 s; from 44.5 s on the acquisition is a new one."""
    faults = [
        {"at": "20 s", "for": "4 s", "loss_db": "a-b", "by": "30 dB"},
        {"at": "24.5 s", "for": "20 s", "loss_db": "a-b", "by": "30 dB"},
    ]
    found = ran(tmp_path, roofs(faults=faults)).results["a"]["b"]
    assert found["lost_s"] == pytest.approx(26.5, abs=1e-3)


def test_a_paused_end_is_lost_and_found_again(tmp_path: Path) -> None:
    run = ran(tmp_path, roofs(faults=[{"at": "20 s", "pause": "b", "for": "4 s"}]))
    found = run.results["a"]["b"]
    assert (found["state"], found["losses"]) == ("tracking", 1)
    assert found["lost_s"] == pytest.approx(5, abs=1e-3)


@pytest.mark.parametrize(
    "fault",
    [
        {"loss_db": "a-b", "by": "10 dB"},
        {"pointing_loss": "a-b", "by": "500 urad"},
        {"misalignment": "a-b", "by": "10 deg"},
        {"loss": "a-b", "probability": 1},
    ],
    ids=["loss", "pointing", "misalignment", "messages"],
)
def test_what_does_not_break_it(tmp_path: Path, fault: dict[str, Any]) -> None:
    run = ran(tmp_path, roofs(faults=[{"at": "20 s", "for": "10 s", **fault}]))
    assert run.results["a"]["b"]["losses"] == 0


def test_a_program_waits_for_the_lock_and_for_its_loss(tmp_path: Path) -> None:
    faults = [{"at": f"{t} s", "for": "4 s", "loss_db": "a-b", "by": "30 dB"} for t in (20, 40)]
    run = ran(tmp_path, roofs(Asks, faults=faults))
    for end in ("a", "b"):
        flat = [t for pair in run.results[end] for t in pair]
        assert flat == pytest.approx([5, 20, 25, 40], abs=1e-3)


def test_acquisition_takes_at_least_its_least_and_on_average_its_mean(tmp_path: Path) -> None:
    faults = [
        {"at": f"{10 + 30 * i} s", "for": "15 s", "loss_db": "a-b", "by": "30 dB"}
        for i in range(60)
    ]
    drawn = {"acquisition": {"least": "1 s", "mean": "3 s"}, "coast": "1 s"}
    data = roofs(use={"lasts": "31 min"}, faults=faults, **drawn)
    data["time"]["until"] = "32 min"
    run = ran(tmp_path, data)
    found = run.metrics["a.tracking.lost_s"]
    # the later of two: 1 s, and the larger one of two exponential times of 2 s, which is 3 s on average
    assert found["min"] > 16.0
    assert found["mean"] == pytest.approx(15 + 1 + 3, abs=3 * 2.24 / found["count"] ** 0.5)


def test_a_satellite_is_followed_from_rise_to_set(tmp_path: Path) -> None:
    data = under({"graz": GRAZ})
    topology = build_topology(data)
    contacts = planned_contacts(topology, topology.links["sat-graz"])
    assert contacts is not None and len(contacts) >= 4
    run = ran(tmp_path, data)
    rise, sets = contacts[0] / 1e9, contacts[1] / 1e9
    seen = states(run, "graz", "sat")[:4]
    assert [state for _, state in seen] == ["pointing", "acquiring", "tracking", "idle"]
    assert [t for t, _ in seen] == pytest.approx([rise - 3, rise, rise + 2, sets], abs=0.02)
    found = run.results["graz"]["tracking"]["sat"]
    assert found["contacts"] == found["locks"] == len(contacts) // 2
    assert found["losses"] == 0


def test_a_margin_is_over_the_minimum_elevation(tmp_path: Path) -> None:
    data = under({"graz": GRAZ}, until="24 h", margin=15)
    run = ran(tmp_path, data)
    topology = build_topology(data)
    geometry = geometry_of(topology, topology.links["sat-graz"])
    assert geometry is not None
    found = [t for t, state in states(run, "graz", "sat") if state == "acquiring"]
    assert found
    for t in found:
        assert geometry.elevation_deg(round(t * 1e9)) == pytest.approx(25, abs=0.05)


@pytest.mark.parametrize("light", ["night", "eclipse"])
def test_a_beacon_that_needs_darkness_is_seen_in_it_only(tmp_path: Path, light: Any) -> None:
    until = "48 h" if light == "night" else "24 h"
    anyhow = ran(tmp_path, under({"graz": GRAZ}, until=until))
    dark = ran(tmp_path, under({"graz": GRAZ}, until=until, light=light))
    counts = [run.results["graz"]["tracking"]["sat"] for run in (anyhow, dark)]
    assert counts[0]["contacts"] == counts[1]["contacts"]
    assert 0 < counts[1]["locks"] < counts[0]["locks"]


def test_one_telescope_follows_one_station_at_a_time(tmp_path: Path) -> None:
    near = {"graz": GRAZ, "wien": {"latitude": "48.2 deg", "longitude": "16.3 deg"}}
    many = ran(tmp_path, under(near, until="3 h"))
    one = ran(tmp_path, under(near, until="3 h", telescopes=1))

    def follows(run: qnetem.Run) -> list[int]:
        """How many stations the satellite follows, at each change."""
        changes = [
            (event.fields[0], event.fields[1] == "tracking")
            for event in run.events("sat", "note")
            if event.fields[0].startswith("tracking.state_")
        ]
        now: dict[str, bool] = {}
        return [sum((now := {**now, name: tracks}).values()) for name, tracks in changes]

    assert max(follows(many)) == 2
    assert max(follows(one)) == 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"telescopes": 0}, "telescopes is 0"),
        ({"acquisition": {"least": "3 s", "mean": "2 s"}}, "a mean of 2.0 s below the least"),
        ({"margin": 90}, "margin is 90"),
        ({"fade": -1}, "fade is -1"),
        ({"field": -1}, "field is -1"),
        ({"peers": ["c"]}, "no link"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(
    tmp_path: Path, options: dict[str, Any], problem: str
) -> None:
    run = qnetem.run(roofs(**options), in_process=True, runs_folder=tmp_path)
    assert run.problem is not None and problem in run.problem.text
    assert run.problem.service == "tracking"


def test_a_beacon_along_a_fibre_is_refused_by_name(tmp_path: Path) -> None:
    data = roofs()
    data["links"] = [{"between": ["a", "b"], "quantum": {"length": "3 km"}}]
    run = qnetem.run(data, in_process=True, runs_folder=tmp_path)
    assert run.problem is not None and "no free-space link" in run.problem.text
