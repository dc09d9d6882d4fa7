"""The network layer: what programs at the ends get, whatever happens on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.network.errors import (
    DeadlinePassed,
    FidelityImpossible,
    NetworkError,
    Unreachable,
)
from qnetem.agents.network.network_layer import Network
from qnetem.emulator.errors import ServiceError
from qnetem.emulator.topology.model.topology import Gates, Measurement, Memory

from ... import harness
from .links import BRIGHT_NV
from .networks import (
    DUMBBELL,
    ENDPOINT,
    RING,
    agree,
    agree_but_for,
    asking,
    chain,
    ends,
    figure,
    network,
    nothing_left,
    run,
    taking,
)

# --- pairs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hops", [1, 2, 5])
def test_both_ends_get_the_same_pairs_and_all_is_given_back(hops: int) -> None:
    over = run(chain(hops), ends(40))
    agree(over, "alice", "bob", 40)
    nothing_left(over)


@pytest.mark.parametrize("order", ["sequential", "nested"])
def test_repeaters_join_in_an_order(order: str) -> None:
    over = run(chain(5), ends(20), order=order)
    agree(over, "alice", "bob", 20)
    nothing_left(over)


def test_two_slots_are_enough_for_a_repeater() -> None:
    over = run(chain(3), ends(20), slots=2)
    agree(over, "alice", "bob", 20)
    nothing_left(over)


@pytest.mark.parametrize("hops", [2, 4])
def test_nodes_with_one_communication_qubit_store_what_they_hold(hops: int) -> None:
    memory = {"memory": Memory(slots=3, communication=1)}
    over = run(chain(hops), ends(15), devices=memory)
    agree(over, "alice", "bob", 15)
    nothing_left(over)


def test_pairs_leave_a_pool_of_the_networks_own_for_the_programs() -> None:
    async def alice(me: Agent) -> list[Any]:
        rows, free = [], []
        async for pair in me.network.pairs("bob", 12):
            free.append(me.memory.free)
            rows.append([pair.id, await pair.measure("X"), me.now_ns])
        assert free == [5] * 12  # of six, one is this pair's
        return rows

    topology = network(chain(2), {"alice": alice, "bob": taking("alice", 12)}, slots=10)
    for name, spec in topology.nodes.items():
        pool = spec.services["network"].model_copy(update={"slots": 4})
        services = {**spec.services, "network": pool}
        topology.nodes[name] = spec.model_copy(update={"services": services})
    over = harness.run(topology)
    agree(over, "alice", "bob", 12)
    nothing_left(over)


def test_a_request_of_the_far_end_runs_the_other_way_at_the_same_time() -> None:
    async def both(me: Agent, peer: str) -> list[Any]:
        return list(await asyncio.gather(asking(peer, 15)(me), taking(peer, 15)(me)))

    results = run(
        chain(3), {"alice": lambda me: both(me, "bob"), "bob": lambda me: both(me, "alice")}
    )
    asked, taken = results.results["alice"]
    assert [row[:2] for row in asked] == [row[:2] for row in results.results["bob"][1]]
    assert [row[:2] for row in taken] == [row[:2] for row in results.results["bob"][0]]
    nothing_left(results)


def test_two_circuits_over_one_repeater_never_cross_and_share_it_alike() -> None:
    programs = {
        "a1": asking("b1", 60),
        "a2": asking("b2", 60),
        "b1": taking("a1", 60),
        "b2": taking("a2", 60),
    }
    over = run(DUMBBELL, programs)
    for number in "12":
        agree(over, f"a{number}", f"b{number}", 60)
    last = [over.results[f"a{number}"][-1][2] for number in "12"]
    assert max(last) < 1.1 * min(last)
    nothing_left(over)


def test_a_request_of_a_higher_priority_is_served_first() -> None:
    programs = {
        "a1": asking("b1", 40),
        "a2": asking("b2", 40, priority=1),
        "b1": taking("a1", 40),
        "b2": taking("a2", 40),
    }
    over = run(DUMBBELL, programs, success=0.2)
    assert over.results["a2"][-1][2] < 0.7 * over.results["a1"][-1][2]


def test_purposes_are_kept_apart() -> None:
    async def alice(me: Agent) -> list[Any]:
        return list(await asyncio.gather(*(asking("bob", 10, purpose=p)(me) for p in "xy")))

    async def bob(me: Agent) -> list[Any]:
        return list(await asyncio.gather(*(taking("alice", 10, purpose=p)(me) for p in "xy")))

    results = run(chain(2), {"alice": alice, "bob": bob}).results
    for first, second in zip(results["alice"], results["bob"], strict=True):
        assert [row[:2] for row in first] == [row[:2] for row in second]


# --- what pairs are expected to be ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("hops", "devices"),
    [
        (1, {}),
        (2, {}),
        (4, {}),
        (3, {"memory": Memory(slots=16, t2_ns=5_000_000)}),
        (2, {"gates": Gates(two_error=0.05), "measurement": Measurement(error=0.02)}),
    ],
)
def test_pairs_have_the_fidelity_that_they_claim(hops: int, devices: dict[str, Any]) -> None:
    pairs = 80

    async def probed(me: Agent, taken: Any) -> float:
        claimed = 0.0
        async for pair in taken:
            if me.name == "bob":  # alice hears a latency later: the claim is for then
                await asyncio.sleep(hops * 1e-4)
            await me.probe("pair", pair, parties=pair.ends)
            claimed += pair.fidelity
            await pair.discard()
        return claimed / pairs

    programs = {
        "alice": lambda me: probed(me, me.network.pairs("bob", pairs)),
        "bob": lambda me: probed(me, me.network.arriving("alice", count=pairs)),
    }
    over = run(chain(hops), programs, fidelity=0.95, devices=devices)
    assert over.results["alice"] == pytest.approx(over.results["bob"])
    assert figure(over, "alice.pair.fidelity") == pytest.approx(over.results["alice"], abs=0.012)


@pytest.mark.parametrize(("hops", "asked"), [(1, 0.7), (2, 0.6)])
def test_links_are_set_to_what_the_whole_path_must_reach(hops: int, asked: float) -> None:
    async def probed(me: Agent, taken: Any) -> float:
        claimed = []
        async for pair in taken:
            await me.probe("pair", pair, parties=pair.ends)
            claimed.append(pair.fidelity)
            await pair.discard()
        return sum(claimed) / len(claimed)

    programs = {
        "alice": lambda me: probed(me, me.network.pairs("bob", 30, min_fidelity=asked)),
        "bob": lambda me: probed(me, me.network.arriving("alice", count=30)),
    }
    over = run(chain(hops), programs, entangle=dict.fromkeys(chain(hops), BRIGHT_NV))
    # As bright as the fidelity allows: that is the fastest.
    assert over.results["alice"] == pytest.approx(asked, abs=0.005)
    assert over.results["alice"] >= asked
    assert figure(over, "alice.pair.fidelity") == pytest.approx(over.results["alice"], abs=0.002)


def test_a_cutoff_bounds_the_age_of_what_is_joined() -> None:
    async def alice(me: Agent) -> float:
        kept = [pair.fidelity async for pair in me.network.pairs("bob", 40, cutoff="1 ms")]
        return min(kept)

    async def bob(me: Agent) -> None:
        async for pair in me.network.arriving("alice", count=40):
            await pair.discard()

    async def late(me: Agent) -> float:
        found = []
        async for pair in me.network.pairs("bob", 40):
            found.append(pair.fidelity)
            await pair.discard()
        return min(found)

    memory = {"memory": Memory(slots=60, t2_ns=5_000_000)}
    with_cutoff = run(chain(2), {"alice": alice, "bob": bob}, success=0.05, devices=memory)
    without = run(chain(2), {"alice": late, "bob": bob}, success=0.05, devices=memory)
    # Two halves of 1 ms at the repeater, and the ends' until then and for the way of the news.
    assert with_cutoff.results["alice"] > 0.68 > without.results["alice"]


# --- outcomes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("hops", [1, 3])
def test_outcomes_are_the_same_rows_at_both_ends(hops: int) -> None:
    async def alice(me: Agent) -> list[Any]:
        table = await me.network.outcomes("bob", 60, axes=["X", "Z"])
        return [table.names, table.bases.tolist(), table.bits.tolist()]

    async def bob(me: Agent) -> list[Any]:
        table = await me.network.outcomes_with("alice")
        return [table.names, table.bases.tolist(), table.bits.tolist()]

    over = run(chain(hops), {"alice": alice, "bob": bob})
    names, bases, bits = over.results["alice"]
    other_names, other_bases, other_bits = over.results["bob"]
    assert names == other_names
    assert len(names) == 60
    alike = [i for i in range(60) if bases[i] == other_bases[i]]
    assert 15 < len(alike) < 45
    assert all(bits[i] == other_bits[i] for i in alike)


def test_bases_may_be_given() -> None:
    async def alice(me: Agent) -> list[int]:
        given, theirs = [0, 1] * 5, [1, 1] * 5
        table = await me.network.outcomes(
            "bob", 10, axes=["X", "Z"], bases=given, peer_bases=theirs
        )
        return [int(basis) for basis in table.bases]

    async def bob(me: Agent) -> list[int]:
        return [int(basis) for basis in (await me.network.outcomes_with("alice")).bases]

    results = run(chain(2), {"alice": alice, "bob": bob}).results
    assert (results["alice"], results["bob"]) == ([0, 1] * 5, [1] * 10)


# --- what cannot be -------------------------------------------------------------------------------


async def outcome(me: Agent, peer: str, pairs: int = 5, **how: Any) -> list[Any]:
    """What a request fails with, and when; and what is free then."""
    try:
        async for pair in me.network.pairs(peer, pairs, **how):
            await pair.discard()
    except NetworkError as error:
        return [type(error).__name__, me.now_ns, me.memory.free]
    return ["served", me.now_ns, me.memory.free]


@pytest.mark.parametrize(
    ("how", "name", "latest_ns"),
    [
        ({"min_fidelity": 0.9}, FidelityImpossible, 1_000_000),
        ({"deadline": "20 ms", "pairs": 10_000}, DeadlinePassed, 20_000_000),
        ({"deadline": 0.0}, DeadlinePassed, 0),
        ({"peer": "nemo"}, Unreachable, 0),
        ({"peer": "far"}, Unreachable, 1_000_000),
    ],
)
def test_what_cannot_be_is_a_named_error_in_time(
    how: dict[str, Any], name: type[NetworkError], latest_ns: int
) -> None:
    """`far` has the service, and no link."""

    async def alice(me: Agent) -> list[Any]:
        return await outcome(me, **{"peer": "bob", **how})

    async def bob(me: Agent) -> None:
        async for pair in me.network.arriving("alice"):
            await pair.discard()

    links = [*chain(2), ("far", "farther")]
    programs = {"alice": alice, "bob": bob}
    topology_run = run(
        links, programs, fidelity=0.9, settings={"until_ns": 2_000_000_000}, slots=16
    )
    kind, when_ns, free = topology_run.outcome.results["alice"]
    assert kind == name.__name__
    assert when_ns <= latest_ns
    assert free == 16
    for each in topology_run.nodes.values():
        layer = each.tenants.services["network"].agent
        assert isinstance(layer, Network)
        assert layer.signalling.used == 0


def test_a_node_without_the_service_says_what_is_missing() -> None:
    async def alone(me: Agent) -> str:
        try:
            me.network.pairs("bob")
        except ServiceError as error:
            return str(error)
        return "there is one"

    text = harness.run_results({"alice": alone, "bob": harness.idle})["alice"]
    assert "network" in text
    assert "alice" in text


# --- blocking, modes, time ------------------------------------------------------------------------


def test_a_set_up_that_finds_no_slot_leaves_nothing_reserved_and_is_tried_again() -> None:
    programs = {
        "a1": asking("b1", 30),
        "a2": asking("b2", 30),
        "b1": taking("a1", 30),
        "b2": taking("a2", 30),
    }
    over = run(DUMBBELL, programs, slots=2)
    for number in "12":
        agree(over, f"a{number}", f"b{number}", 30)
    blocked = [figure(over, f"a{n}.network.b{n}.blocked") for n in "12"]
    assert sum(blocked) > 0
    nothing_left(over)


def test_a_controller_finds_the_same_paths() -> None:
    programs = {"n0": asking("n2", 20), "n2": taking("n0", 20)}
    alone = run(RING, programs)
    led = run(RING, programs, mode="controller", controller="n4")
    for over in (alone, led):
        agree(over, "n0", "n2", 20)
        assert figure(over, "n1.network.joins") >= 20
        nothing_left(over)


def test_a_controller_hears_of_a_cut() -> None:
    cut = harness.fault("cut", "n1-n2", 10_000_000)
    programs = {"n0": asking("n3", 100), "n3": taking("n0", 100)}
    over = run(RING, programs, faults=[cut], mode="controller", controller="n5")
    agree_but_for(over, "n0", "n3", 100)
    nothing_left(over)


def test_a_controller_that_was_killed_is_told_all_again() -> None:
    """The repeater goes with it, and a request that has lost its path waits for both."""
    programs = {"alice": asking("bob", 80), "bob": taking("alice", 80)}
    kill = harness.fault("kill", "r1", 10_000_000, None, restart=50_000_000)
    over = run(chain(3), programs, faults=[kill], mode="controller", controller="r1")
    agree_but_for(over, "alice", "bob", 80)
    assert over.results["alice"][-1][2] > 60_000_000
    nothing_left(over)


def test_processing_takes_its_time() -> None:
    def last(processing: str) -> int:
        over = run(chain(3), ends(20), processing=processing)
        agree(over, "alice", "bob", 20)
        return int(over.results["alice"][0][2])

    # Adverts, a set-up and its answer, a track and its answer: many messages, one after the other.
    assert last("1 ms") > last("0 s") + 10_000_000


def test_figures_have_their_names() -> None:
    over = run(chain(2), ends(30), fidelity=0.95)
    path = "alice.network.bob"
    assert figure(over, f"{path}.request_success_probability") == 1
    assert figure(over, f"{path}.pairs") == 30
    assert figure(over, f"{path}.fidelity_mean") == pytest.approx(0.9033, abs=1e-4)
    assert figure(over, f"{path}.attempts_per_success") >= 1
    waits = [figure(over, f"{path}.latency_{word}_s") for word in ("mean", "median", "p95")]
    assert 0 < waits[0] < waits[2]
    rate = figure(over, f"{path}.throughput_success_per_s")
    lasted_s = over.results["alice"][-1][2] * 1e-9
    assert rate == pytest.approx(30 / lasted_s, rel=0.1)
    assert figure(over, f"{path}.blocked") == 0


def test_circuits_say_what_they_wait_for() -> None:
    shown: list[Any] = []

    async def r2(me: Agent) -> None:
        await asyncio.sleep(0.02)
        tenants = me._node.node.tenants  # type: ignore[attr-defined]
        shown.extend([wait.task, wait.what, wait.owner] for wait in tenants.waits())

    run(
        chain(3),
        {**ends(10), "r2": r2},
        faults=[harness.fault("cut", "r2-bob", 1_000_000, 30_000_000)],
    )
    assert len(shown) == 1
    assert shown[0][0].startswith("circuit alice.1.")
    assert "alice - r1 - r2 - bob" in shown[0][1]
    assert shown[0][2] == "network"


def test_a_request_whose_far_end_takes_nothing_is_stuck_and_said_to_be() -> None:
    """Hellos, refreshes and questions of the network never end, and are no reason to wait for ever."""

    async def bob(me: Agent) -> None:
        await asyncio.Event().wait()

    problem = run(chain(2), {"alice": asking("bob", 40), "bob": bob}).problem
    assert problem.kind == "StuckError"
    assert "with bob: circuit alice.1.2 over r1" in problem.text


def test_a_repeater_without_a_program_of_its_own_is_an_endpoint() -> None:
    over = run(chain(2), ends(1))
    assert over.world.topology.nodes["r1"].program == ENDPOINT
