from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem.keys.listing import keys_of_run
from qnetem.keys.reach import Reach, reach_of
from qnetem.runs.recorded import open_run
from tests import harness

from .... import counts
from ..sites import User, content, delivered, ran, recorded, trail
from .networks import LINE, network


def same_at_both_ends(run: qnetem.Run) -> list[dict[str, Any]]:
    """The blocks of alice and bob, which are the same with the same bits."""
    alice, bob = (run.results[end]["pool"] for end in ("alice", "bob"))
    ready = [block for block in alice if block["ready"]]
    assert ready == [block for block in bob if block["ready"]]
    return ready


def agree(run: qnetem.Run) -> int:
    """Of keys of applications: none lost or delivered twice, the same bits at both ends; how many."""
    found = 0
    for me, peer in (("alice", "bob"), ("bob", "alice")):
        entries = {
            site: [each for each in trail(run, site) if each.facts.get("to", "").startswith("app-")]
            for site in (me, peer)
        }
        masters, slaves = delivered(entries[me], "master"), delivered(entries[peer], "by id")
        assert len(set(masters)) == len(masters) and len(set(slaves)) == len(slaves)
        waiting = {key.id for key in content(run, peer).keys}
        got, fetched = (
            {each["id"]: each["key"]["check"] for each in recorded(run, node, name)}
            for node, name in ((me, "got"), (peer, "fetched"))
        )
        assert set(got) <= set(masters) <= set(slaves) | waiting, "a key that was got is not lost"
        assert set(fetched) <= set(slaves) <= set(masters)
        assert all(got[id] == check for id, check in fetched.items() if id in got)
        found += len(masters)
    same_at_both_ends(run)
    return found


def reach(run: qnetem.Run) -> Reach:
    """What its compromises give away."""
    recorded_run = open_run(run.run_folder)
    return reach_of(recorded_run, keys_of_run(recorded_run))


@pytest.mark.parametrize("paths", [1, 2])
def test_a_block_is_the_same_at_both_ends_over_one_path_or_several(
    tmp_path: Path, paths: int
) -> None:
    run = ran(tmp_path, network(use={"paths": paths}))
    assert len(same_at_both_ends(run)) == 5
    assert run.results["alice"]["made"] == {"bob": {"blocks": 5, "bits": 20_480, "given_up": 0}}
    noted = recorded(run, "alice", "block")
    assert all(len(each["paths"]) == paths for each in noted)
    for end in ("alice", "bob"):
        blocks = [block for block in content(run, end).blocks if "~" in block.id]
        assert [block.id.partition("/")[2] for block in blocks] == [each["block"] for each in noted]
        assert all(block.origin["path"] == ["alice", "r1", "bob"] for block in blocks)
        # the keys of each hop: one of up to 8192 bits, which lies in one block or in two
        assert all(1.9e-9 * paths < block.origin["failure"] < 4.1e-9 * paths for block in blocks)


def test_nothing_of_a_relay_holds_a_byte_of_a_key_that_it_passed(tmp_path: Path) -> None:
    run = ran(tmp_path, network(edges=LINE))
    blocks = [block for block in content(run, "alice").blocks if "~" in block.id]
    assert len(blocks) == 5
    needles = [
        block.bits.reveal_bytes()[at : at + 8] for block in blocks for at in range(0, 512, 8)
    ]
    forms = {form for needle in needles for form in (needle, needle.hex().encode())}
    for file in run.run_folder.rglob("*"):
        if file.is_file():
            data = harness.content(file)
            assert not any(form in data for form in forms), file
    for node in ("r1", "r2"):  # nor what lies sealed in its store
        held = content(run, node)
        stored = b"".join(each.bits.reveal_bytes() for each in [*held.blocks, *held.keys])
        assert stored
        assert not any(needle in stored for needle in needles)


def test_a_relay_that_is_killed_is_gone_around_and_used_again(tmp_path: Path) -> None:
    faults = [{"at": "2.75 s", "kill": "r1", "restart": "2.5 s"}]
    run = ran(tmp_path, network(use={"blocks": 30}, lasts=12.0, faults=faults))
    assert len(same_at_both_ends(run)) == 30
    paths = [each["paths"][0][1] for each in recorded(run, "alice", "block")]
    assert paths[:6] == ["r1"] * 3 + ["r2"] * 3
    assert run.results["alice"]["route"] == [["alice", "r1", "bob"], ["alice", "r2", "bob"]]
    times = [e.t_ns / 1e9 for e in run.events("alice", "note") if e.fields[0] == "block"]
    # the key service of the hop asks 8 times, or the relay 4 times, before the next path is taken
    assert times[3] - times[2] < 0.1 + 8 * 0.25 + 0.05


def test_paths_go_where_stock_is_and_a_shortage_is_said(tmp_path: Path) -> None:
    data = network(use={"blocks": 12}, faults=[{"at": "2.75 s", "kill": "r2"}], lasts=12.0)
    for node in ("alice", "r1"):  # one block of 40 kbit, where the other way has ten
        data["nodes"][node]["services"]["alice-r1"]["with"]["most"] = 1
    run = ran(tmp_path, data)
    paths = [each["paths"][0][1] for each in recorded(run, "alice", "block")]
    assert paths == ["r2"] * 3 + ["r1"] * 8, "40000 bits are 8 blocks of 4096 + 384 + 384"
    assert len(same_at_both_ends(run)) == 11
    assert recorded(run, "alice", "denied") == ["alice-r1: shortage"]


def test_lost_late_doubled_and_damaged_messages_cost_time_and_no_key(tmp_path: Path) -> None:
    faults = [
        {"at": "0 s", "loss": "bob-r2", "probability": 0.2},
        {"at": "0 s", "duplicate": "alice-r1", "probability": 0.3},
        {"at": "0 s", "jitter": "r1-r2", "by": "200 ms"},
        {"at": "0 s", "corrupt": "r1-r2", "probability": 0.1},
    ]
    run = ran(
        tmp_path,
        network(
            edges=LINE,
            use={"blocks": 10},
            lasts=30.0,
            links=[
                {"name": "-".join(edge), "between": [*edge], "length": "10 km"} for edge in LINE
            ],
            faults=faults,
        ),
    )
    made = run.results["alice"]["made"]["bob"]
    assert made["blocks"] + len(recorded(run, "alice", "denied")) == 10
    assert len(same_at_both_ends(run)) == made["blocks"] >= 8


@pytest.mark.campaign
def test_kills_of_ends_and_relays_lose_no_key_and_deliver_none_twice(tmp_path: Path) -> None:
    kills = counts.count(100)
    draw, at_s, faults = random.Random(5), 3.0, []
    for _ in range(kills):
        at_s += draw.uniform(0.4, 0.8)
        restart = f"{draw.uniform(1, 390):.3f} ms"
        node = draw.choice(["alice", "bob", "r1", "r2"])
        faults.append({"at": f"{at_s:.6f} s", "kill": node, "restart": restart})
    links = [
        {"between": ["alice", "r1"], "classical": {"latency": "20 ms"}},
        {"between": ["alice", "r2"], "classical": {"latency": "20 ms"}},
        {"between": ["bob", "r1"], "classical": {"latency": "20 ms"}},
        {"between": ["bob", "r2"], "classical": {"latency": "20 ms"}},
    ]
    run = ran(
        tmp_path,
        network(
            User,
            User,
            use={"keys": int(at_s / 0.1), "every": 0.1, "begins": 2.5},
            targets={"bob": {"stock": 20_000, "block": 4096}},
            links=links,
            faults=faults,
        ),
    )
    assert agree(run) > 3 * kills


def test_a_compromised_relay_knows_what_passes_it_from_then_on(tmp_path: Path) -> None:
    run = ran(
        tmp_path,
        network(use={"blocks": 4}, faults=[{"at": "2.65 s", "compromise": "r1"}]),
    )
    found = reach(run)
    assert found.compromised == {"r1": 2_650_000_000}
    assert found.known == {"alice~bob/1.3", "alice~bob/1.4"}


def test_over_two_paths_all_of_them_must_be_compromised(tmp_path: Path) -> None:
    faults = [{"at": "2.55 s", "compromise": "r1"}, {"at": "2.75 s", "compromise": "r2"}]
    run = ran(tmp_path, network(use={"blocks": 4, "paths": 2}, faults=faults))
    found = reach(run)
    assert found.known == {"alice~bob/1.4"}
    assert found.passed == {
        "alice~bob/1.2": ["r1"],
        "alice~bob/1.3": ["r1"],
        "alice~bob/1.4": ["r1", "r2"],
    }


def test_applications_at_far_sites_get_keys_and_reach_says_which_are_known(tmp_path: Path) -> None:
    run = ran(
        tmp_path,
        network(
            User,
            User,
            edges=LINE,
            use={"keys": 12, "begins": 3.0},
            targets={"bob": {"stock": 3000, "block": 1024}},
            faults=[{"at": "3.4 s", "compromise": "r2"}],
        ),
    )
    assert agree(run) > 10
    far = [key for key in reach(run).keys if key.to.startswith("app-")]
    known = [key for key in far if key.known_by]
    assert 0 < len(known) < len(far)
    assert {key.key for key in known if key.site == "alice"} >= {
        key.key for key in known if key.site == "bob"
    }


@pytest.mark.parametrize(
    ("node", "options", "problem"),
    [
        ("alice", {"targets": {"eve": {"stock": 1}}}, "a key relay with 'eve'"),
        ("alice", {"targets": {"bob": {"stock": 1, "block": 12}}}, "a block of whole bytes"),
        ("alice", {"targets": {"bob": {"stock": 1, "block": 2_000_000}}}, "1000000 bits at most"),
        ("r1", {"application": "relay"}, "expected a name with {site} once"),
        ("r1", {"hops": ["r7"]}, "a key relay with 'r7'"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(
    tmp_path: Path, node: str, options: dict[str, Any], problem: str
) -> None:
    data = network()
    data["nodes"][node]["services"]["relay"]["with"] |= options
    run = qnetem.run(data, in_process=True, runs_folder=tmp_path)
    assert run.problem is not None
    assert problem in run.problem.text
    assert (run.problem.node, run.problem.service) == (node, "relay")
