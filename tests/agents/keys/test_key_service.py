from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem import Agent
from qnetem.agents.keys.audit import first_broken
from qnetem.agents.keys.denied import NOT_MULTIPLE, Denied
from qnetem.agents.keys.key_service import KeyService
from qnetem.compare.replay import replay
from qnetem.launcher.launcher import RunOptions
from qnetem.runs.recorded import open_run
from tests import harness

from ... import counts
from .sites import APPLICATIONS, User, Waits, content, delivered, ran, recorded, trail, two_sites

ROOT = Path(__file__).parents[3]


def checks(run: qnetem.Run, node: str, name: str) -> dict[str, str]:
    """What a program noted of keys: id -> check."""
    return {each["id"]: each["key"]["check"] for each in recorded(run, node, name)}


def agree(run: qnetem.Run) -> int:
    """No key lost, none delivered twice, the same bits at both ends, equal stores; how many keys."""
    found = 0
    for me, peer in (("alice", "bob"), ("bob", "alice")):
        masters, slaves = delivered(trail(run, me), "master"), delivered(trail(run, peer), "by id")
        assert len(set(masters)) == len(masters) and len(set(slaves)) == len(slaves)
        waiting = {key.id for key in content(run, peer).keys}
        got, fetched = checks(run, me, "got"), checks(run, peer, "fetched")
        assert set(got) <= set(masters) <= set(slaves) | waiting, "a key that was got is not lost"
        assert set(fetched) <= set(slaves) <= set(masters)
        assert all(got[id] == check for id, check in fetched.items() if id in got)
        assert first_broken(trail(run, me)) is None
        found += len(masters)
    assert run.results["alice"]["pool"] == run.results["bob"]["pool"], "the stores reconcile"
    return found


def test_both_sites_have_the_same_keys_each_once_whichever_is_the_master(tmp_path: Path) -> None:
    run = ran(tmp_path, two_sites())
    assert agree(run) == 20
    assert len(checks(run, "alice", "fetched")) == len(checks(run, "bob", "fetched")) == 10
    assert run.results["bob"]["applications"] == {
        "app-b": {"keys as master": 10, "keys by id": 10, "bits": 20 * 256},
        "app-c": {},
    }
    (one, *_) = [each.facts for each in trail(run, "bob") if each.what == "delivered"]
    assert one["path"] == ["bob", "alice"] and one["failure"] == pytest.approx(1e-9, rel=1e-3)
    assert {"key", "age_s", "blocks", "shared_with", "source"} <= set(one)


def test_no_file_of_a_run_but_its_sealed_stores_has_a_key(tmp_path: Path) -> None:
    run = ran(tmp_path, two_sites(use={"keys": 2}))
    held = content(run, "alice")
    assert held.blocks
    needles = [
        block.bits.reveal_bytes()[at : at + 8]
        for block in held.blocks
        for at in range(block.gone.beginning, block.size - 8, 8)
    ]
    forms = {form for needle in needles for form in (needle, needle.hex().encode())}
    for file in run.run_folder.rglob("*"):
        if file.is_file():
            data = harness.content(file)
            assert not any(form in data for form in forms), file


def test_a_run_has_its_digest_again_with_stores_in_memory_and_in_a_replay(tmp_path: Path) -> None:
    faults = [{"at": "2 s", "kill": "alice", "restart": "300 ms"}]
    run = ran(tmp_path, two_sites(use={"keys": 3}, faults=faults))
    done = replay(open_run(run.run_folder), RunOptions(runs_folder=tmp_path), in_process=True)
    assert done.same and done.comparison.b.digest == run.digest


@pytest.mark.campaign
def test_kills_at_random_moments_lose_no_key_and_deliver_none_twice(tmp_path: Path) -> None:
    kills = counts.count(100)
    draw, at_s, faults = random.Random(11), 2.0, []
    for _ in range(kills):
        at_s += draw.uniform(0.4, 0.8)
        restart = f"{draw.uniform(1, 390):.3f} ms"
        node = draw.choice(["alice", "bob"])
        faults.append({"at": f"{at_s:.6f} s", "kill": node, "restart": restart})
    run = ran(
        tmp_path,
        two_sites(
            use={"keys": int(at_s / 0.05), "every": 0.05},
            link={"bits": 16_000},
            faults=faults,
            # an exchange takes longer than the pause between two, so that kills come in the middle
            links=[{"between": ["alice", "bob"], "classical": {"latency": "40 ms"}}],
        ),
    )
    assert agree(run) > 10 * kills


def test_lost_late_and_repeated_messages_cost_time_and_no_key(tmp_path: Path) -> None:
    faults = [
        {"at": "0 s", "loss": "alice-bob", "probability": 0.2},
        {"at": "0 s", "duplicate": "alice-bob", "probability": 0.3},
        {"at": "0 s", "jitter": "alice-bob", "by": "300 ms"},
    ]
    run = ran(tmp_path, two_sites(use={"keys": 20}, faults=faults))
    assert agree(run) > 20


class Asks(Agent):
    """It asks for what it should not get, and notes the answers."""

    async def run(self) -> Any:
        import asyncio

        service = self.service(KeyService)
        await asyncio.sleep(1.5)

        async def ask(
            *arguments: Any, sae: str = "app-a", word: str = "enc_keys", **more: Any
        ) -> Any:
            try:
                return len(await getattr(service, word)(*arguments, sae=sae, **more))
            except Denied as denied:
                return f"{denied.status} {denied.message}"

        (key,) = await service.enc_keys("app-b", sae="app-a")
        answers = {
            "stranger": await ask("app-b", sae="app-x"),
            "elsewhere": await ask("app-a", sae="app-b"),
            "unknown": await ask("app-x"),
            "same site": await ask("app-a"),
            "none": await ask("app-b", 0),
            "many": await ask("app-b", 129),
            "odd": await ask("app-b", 1, 257),
            "small": await ask("app-b", 1, 8),
            "huge": await ask("app-b", 1, 8200),
            "text": await ask("app-b", 1, "256"),
            "twice": await ask("app-b", additional=["app-b"]),
            "own": await ask("app-b", additional=["app-a"]),
            "blank": await ask("app-b", additional=[""]),
            "three": await ask("app-b", additional=["app-c"]),
            "no uuid": await ask("app-b", ["k1"], word="dec_keys"),
            "not there": await ask(
                "app-b", ["0" * 8 + "-0000" * 3 + "-" + "0" * 12], word="dec_keys"
            ),
            "own again": await ask("app-b", [key.id], word="dec_keys"),
            "and again": await ask("app-b", [key.id], word="dec_keys"),
            "same twice": await ask("app-b", [key.id, key.id], word="dec_keys"),
            "all of it": await ask("app-b", 60, 256),
        }
        await self.send("bob", key.id)
        return {"answers": answers, "status": await service.status("app-b", sae="app-a")}


class Third(Agent):
    """Another application of the slave's site tries first."""

    async def run(self) -> Any:
        service, id = self.service(KeyService), (await self.receive()).body
        answers = []
        for sae, other in (
            ("app-c", "app-a"), ("app-b", "app-c"), ("app-b", "app-a"), ("app-b", "app-a"),
        ):  # fmt: skip
            try:
                answers.append(len(await service.dec_keys(other, [id], sae=sae)))
            except Denied as denied:
                answers.append(denied.status)
        return answers


def test_what_an_application_may_not_have_is_denied_by_the_status_of_the_standard(
    tmp_path: Path,
) -> None:
    run = ran(tmp_path, two_sites(Asks, Third, options={"read_back": True}))
    answers = run.results["alice"]["answers"]
    assert {name: str(answer).partition(" ")[0] for name, answer in answers.items()} == {
        "stranger": "401", "elsewhere": "401", "unknown": "400", "same site": "400", "none": "400",
        "many": "400", "odd": "400", "small": "400", "huge": "400", "text": "400", "twice": "400",
        "own": "400", "blank": "400", "three": "1", "no uuid": "400", "not there": "400",
        "own again": "1", "and again": "400", "same twice": "400", "all of it": "503",
    }  # fmt: skip
    assert answers["odd"] == f"400 {NOT_MULTIPLE}"
    assert run.results["bob"] == [401, 400, 1, 400], "a third party, another pair, its own, again"
    status = run.results["alice"]["status"]
    assert status["stored_key_count"] == (8000 - 512) // 256 and status["max_SAE_ID_count"] == 1


def test_a_quota_is_an_applications_own_and_outlives_a_restart(tmp_path: Path) -> None:
    limited = {**APPLICATIONS, "app-a": {"site": "alice", "quota": 1024, "per": "1 h"}}
    faults = [{"at": "2.5 s", "kill": "alice", "restart": "100 ms"}]
    run = ran(
        tmp_path, two_sites(options={"applications": limited}, use={"keys": 8}, faults=faults)
    )
    assert len(checks(run, "alice", "got")) == 4 and len(checks(run, "bob", "got")) > 10
    assert set(recorded(run, "alice", "denied")) == {"quota"}


def test_stock_has_marks_and_what_is_too_old_is_dropped_at_both_sites(tmp_path: Path) -> None:
    options = {"high": 10_000, "low": 3000, "max_age": "20 s", "key_lifetime": "10 s"}
    source = two_sites(Waits, Waits, options=options, use={"lasts": 12.0})
    run = ran(tmp_path, source)
    assert run.metrics["alice.keys.stock_bob"]["max"] == 12_000, (
        "no more than a block above the mark"
    )
    old = ran(
        tmp_path, two_sites(Waits, Waits, options=options, link={"most": 2}, use={"lasts": 30.0})
    )
    for node in ("alice", "bob"):
        assert content(old, node).blocks == []
        whys = [each.facts["why"] for each in trail(old, node) if each.what == "dropped"]
        assert whys == ["age", "age"]
        assert [each.facts["bits"] for each in trail(old, node) if each.what == "low"]


def test_a_site_that_is_never_asked_makes_room_for_blocks_as_the_other_one_does(
    tmp_path: Path,
) -> None:
    source = two_sites(User, Waits, options={"high": 4000, "low": 100}, use={})
    source["nodes"]["alice"]["with"] |= {"keys": 30, "every": 0.25}
    source["nodes"]["bob"]["with"] = {"lasts": 12.0}
    run = ran(tmp_path, source)
    alice, bob = (run.metrics[name] for name in ("alice.keys.stock_bob", "bob.keys.stock_alice"))
    assert alice["count"] == bob["count"] > 4
    assert len(checks(run, "alice", "got")) > 50


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"key_size": 100}, "multiple of 8"),
        ({"key_size": 32}, "between min_key_size and max_key_size"),
        ({"low": 9, "high": 9}, "low below high"),
        ({"applications": {"app-a": {"site": "carol"}}}, "'carol', which is no node"),
        ({"applications": {"a/b": {"site": "alice"}}}, "characters without /"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(
    tmp_path: Path, options: dict[str, Any], problem: str
) -> None:
    run = qnetem.run(
        two_sites(Waits, Waits, options=options), in_process=True, runs_folder=tmp_path
    )
    assert run.problem is not None and problem in run.problem.text


def test_the_topology_of_two_sites_runs_short_in_the_dark_and_agrees_on_every_key(
    tmp_path: Path,
) -> None:
    run = ran(tmp_path, ROOT / "topologies" / "key-service.yaml")
    assert run.ok, run.failed
    assert first_broken(trail(run, "alice")) is None
