"""Live control: faults by hand happen between two instants, and in a replay too; views leave no trace."""

from __future__ import annotations

import asyncio
import io
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qnetem import Agent
from qnetem.emulator.service.live_socket import PolledLiveSocket
from qnetem.emulator.topology.model.topology import Time, Topology
from qnetem.emulator.wire import Ask, Hello, Report, Wait, Waits, control
from qnetem.emulator.wire.control import AddFault, HealFaults, Inspect, ListFaults, LiveAnswer
from qnetem.emulator.world.world import World
from qnetem.inprocess.network import InProcessNetwork
from qnetem.runs.recorded_faults import from_journal, from_outcome, recorded_faults

from ... import harness
from ...harness import Carrier, fault, heralding, idle, link, network
from .stage import Stage

ROUNDS = 60


async def pings(me: Agent) -> Any:
    got = 0
    for number in range(ROUNDS):
        await me.send("bob", number)
        try:
            async with asyncio.timeout(0.001):
                await me.receive("bob")
                got += 1
        except TimeoutError:
            pass
        await asyncio.sleep(0.001)
    return got


async def pongs(me: Agent) -> None:
    while True:
        await me.send("alice", (await me.receive("alice")).body)


async def pairs(me: Agent) -> Any:
    peer = {"carol": "dave", "dave": "carol"}[me.name]
    return [await (await me.entangle(peer)).measure() for _ in range(ROUNDS)]


def busy(**settings: Any) -> Topology:
    """Two that talk and two that share pairs; bob is a service."""
    nodes = {
        "alice": pings,
        "bob": harness.node("bob", pongs, service=True),
        "carol": pairs,
        "dave": pairs,
    }
    links = [
        link("alice", "bob", 100_000),
        link("carol", "dave", 100_000, entangle=heralding(0.3, 500_000)),
    ]
    return network(nodes, links, **settings)


class Visitor(PolledLiveSocket):
    """Asks at chosen polls of the run: `visits` maps a poll's number to requests."""

    next_poll_s = 0.0  # polled after every batch

    def __init__(self, world: World, visits: dict[int, list[Any]]) -> None:
        self._world, self._visits = world, visits
        self.polls = 0
        self.answers: list[LiveAnswer] = []

    def poll(self, seconds: float = 0.0) -> bool:
        self.polls += 1
        requests = self._visits.pop(self.polls, [])
        for request in requests:
            self._world.live.ask(request, self.answers.append)
        return bool(requests)

    def close(self) -> None:
        self._world.live.close()


def visited(
    topology: Topology, visits: dict[int, list[Any]], journal: Path | None = None
) -> tuple[control.Outcome, list[LiveAnswer]]:
    """A run in one process, and what the visitor was told."""
    carried = InProcessNetwork(topology, journal_path=journal, log_stream=lambda *_: io.StringIO())
    visitor = Visitor(carried.world, dict(visits))
    carried.live_socket = visitor
    outcome = carried.run()
    visitor.close()
    return outcome, visitor.answers


def asked(entry: str) -> list[Any]:
    return [AddFault(1, entry)]


def refusal(answers: list[LiveAnswer]) -> str:
    [answer] = answers
    assert isinstance(answer, control.Refused), answer
    return answer.problem


# --- live faults ----------------------------------------------------------------------------------

VISITS: dict[str, dict[int, list[Any]]] = {
    "one cut": {40: asked("{cut: alice-bob, for: 5 ms}")},
    "healed by hand": {40: asked("{cut: all}"), 90: [HealFaults(2, ["all"])]},
    "a third loses": {30: asked("{loss: alice-bob, probability: 0.3333333333333333}")},
    "a kill": {50: asked("{kill: bob, restart: 3 ms}")},
    "a clock": {50: asked("{clock_skew: alice, ppm: 1000, for: 20 ms}")},
    "a partition": {20: asked("{partition: [[alice], [bob]], for: 4 ms}")},
    "several at once": {
        25: [AddFault(1, "{delay: one, by: 50 us}"), AddFault(2, "{pause: 50 %, for: 2 ms}")],
        70: [HealFaults(3, ["live.1"]), AddFault(4, "{cut: carol-dave, for: 3 ms}")],
    },
    "one of the plan": {45: [HealFaults(1, ["0"])]},
    "over before it is healed": {100: asked("{jitter: alice-bob, by: 20 us}")},
}


@pytest.mark.parametrize("name", VISITS)
def test_a_run_that_was_interfered_with_is_replayed_to_the_same_digest(
    name: str, tmp_path: Path
) -> None:
    planned = [fault("delay", "alice-bob", 1_000_000, 80_000_000, by=10_000)]
    topology = busy(faults=planned, seed=3)
    first, answers = visited(topology, VISITS[name], tmp_path / "journal")
    assert first.problem is None
    assert answers and all(isinstance(answer, control.FaultList) for answer in answers)
    assert first.digest != visited(topology, {})[0].digest
    told = recorded_faults(topology, from_journal(tmp_path / "journal"))
    assert harness.run(told).outcome.digest == first.digest
    assert Carrier(told, seed=5).run().outcome.digest == first.digest
    again, _ = visited(told, {}, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "journal").read_bytes()
    assert recorded_faults(told, from_journal(tmp_path / "again")) == told
    records = {"faults": msgspec.to_builtins(first.faults)}
    assert recorded_faults(topology, from_outcome(records)) == told
    assert [record.state for record in again.faults] == [record.state for record in first.faults]


def test_a_live_fault_begins_a_nanosecond_after_the_last_instant_under_a_name_of_its_own(
    tmp_path: Path,
) -> None:
    outcome, [answer] = visited(busy(), {40: asked("{cut: alice-bob, for: 2 ms}")})
    assert isinstance(answer, control.FaultList)
    [record] = answer.faults
    assert (record.id, record.verb, record.target) == ("live.1", "cut", "alice-bob")
    assert record.state == "active" and record.began_ns == record.at_ns
    [ended] = outcome.faults
    assert ended.healed_ns == record.at_ns + 2_000_000 and ended.state == "healed"
    events = harness.run(
        recorded_faults(busy(), from_outcome({"faults": [msgspec.to_builtins(ended)]}))
    ).events
    before = [event[0] for event in events if event[0] < record.at_ns]
    assert before[-1] < record.at_ns
    begin = next(event for event in events if event[2:4] == ("faults", "begin"))
    expected = (record.at_ns, 0, "faults", "begin", "live.1", "cut", "alice-bob", {}, 2_000_000)
    assert begin == expected


def test_choices_of_a_live_fault_come_from_the_seed() -> None:
    def struck(seed: int) -> list[str]:
        outcome, _ = visited(busy(seed=seed), {10: asked("{pause: 50 %, for: 1 ms}")})
        return [record.target for record in outcome.faults]

    assert struck(1) == struck(1) and len(struck(1)) == 2
    assert len({tuple(struck(seed)) for seed in range(8)}) > 1


REFUSED = {
    "{cut: alice-bo}": "<fault>:1:7: cut: unknown link 'alice-bo'; did you mean 'alice-bob'?",
    "{cutt: alice-bob}": "<fault>:1:2: unknown fault 'cutt'; did you mean 'cut'?",
    "{cut: alice-bob, at: 1 s}": "<fault>:1:18: a live fault happens when it comes, so it takes no 'at'",
    "{cut: alice-bob, for: 1 km}": "<fault>:1:23: for: ",
    "{pause: {kind: satellite}}": "pause: no node fits kind satellite",
    "hm": "<fault>:1:1: expected a mapping such as {cut: alice-bob, for: 1 s}, found 'hm'",
    "{cut: [": "<fault>:1:",
    "": "<fault>",
    "[" * 4000: "nested too deeply",
    "#" * 5000: "an entry of 5000 characters; at most 4096",
}


@pytest.mark.parametrize("entry", REFUSED, ids=lambda entry: entry[:20])
def test_a_mistake_in_an_entry_is_told_with_its_place_and_changes_nothing(entry: str) -> None:
    outcome, answers = visited(busy(), {40: asked(entry)})
    assert REFUSED[entry] in refusal(answers)
    assert outcome.faults == []
    assert outcome.digest == visited(busy(), {})[0].digest


@pytest.mark.parametrize("verb", ["kill", "pause"])
def test_who_is_dead_can_be_neither_killed_nor_paused(verb: str) -> None:
    topology = busy(faults=[fault("kill", "bob", 1_000_000)])
    outcome, answers = visited(topology, {60: asked(f"{{{verb}: bob}}")})
    assert refusal(answers) == f"{verb}: bob is dead; expected a node that runs"
    assert outcome.digest == visited(topology, {})[0].digest


@pytest.mark.parametrize("verb", ["kill", "pause", "restart"])
def test_who_is_being_restarted_is_left_alone(verb: str) -> None:
    topology = busy(faults=[fault("kill", "bob", 1_000_000, restart=900_000_000)])
    _, answers = visited(topology, {60: asked(f"{{{verb}: bob}}")})
    assert refusal(answers) == f"{verb}: bob is being restarted"


def test_the_dead_can_be_started_again() -> None:
    topology = busy(faults=[fault("kill", "bob", 1_000_000)])
    outcome, _ = visited(topology, {60: asked("{restart: bob}")})
    assert outcome.nodes["bob"].incarnation == 2
    assert outcome.problem is None and outcome.results["alice"] > 0


def test_what_is_not_active_cannot_be_healed_and_then_nothing_is() -> None:
    visits: dict[int, list[Any]] = {
        10: asked("{cut: alice-bob}"),
        20: [HealFaults(2, ["live.1", "live.7"])],
    }
    outcome, answers = visited(busy(), visits)
    assert refusal(answers[1:]) == "no fault 'live.7' is active; active: live.1"
    assert outcome.faults[0].healed_ns == outcome.t_ns and not outcome.faults[0].asked
    _, answers = visited(busy(), {10: [HealFaults(1, ["all"])]})
    assert refusal(answers) == "no fault is active"


def test_what_cannot_happen_any_more_is_refused() -> None:
    topology = network({"alice": idle, "bob": idle}, [link("alice", "bob")], until_ns=1)
    clock = [0.0]
    real = topology.model_copy(update={"time": Time(mode="real", until_ns=1)})
    stage = Stage(real, wall=lambda: clock[0])
    answers: list[LiveAnswer] = []
    clock[0] = 7.0
    stage.world.live.ask(AddFault(4, "{cut: alice-bob}"), answers.append)
    stage.reports("alice", "bob")
    assert refusal(answers) == "the run ends at 1 ns, before this could happen"


def test_in_real_time_a_fault_happens_when_the_wall_clock_says_so() -> None:
    clock = [100.0]
    topology = network({"alice": idle, "bob": idle}, [link("alice", "bob")])
    real = topology.model_copy(update={"time": Time(mode="real", speed=2.0)})
    world = World(real, wall=lambda: clock[0])
    world.start()
    for name in topology.nodes:
        world.receive(name, 1, Hello(name, 1, "", 1))
    for name in topology.nodes:
        world.receive(name, 1, Report(0, 0, 10_000_000_000))
    assert world.resume_in_s == 5.0
    clock[0] = 101.5
    answers: list[LiveAnswer] = []
    world.live.ask(AddFault(1, "{cut: alice-bob}"), answers.append)
    [answer] = answers
    assert isinstance(answer, control.FaultList)
    assert answer.faults[0].began_ns == 3_000_000_000
    assert world.resume_in_s == 3.5


def test_before_the_first_instant_there_is_no_wall_instant() -> None:
    topology = network({"alice": idle, "bob": idle}, [link("alice", "bob")])
    real = topology.model_copy(update={"time": Time(mode="real")})
    clock = [1e6]
    world = World(real, wall=lambda: clock[0])
    world.start()
    answers: list[LiveAnswer] = []
    world.live.ask(AddFault(1, "{cut: alice-bob}"), answers.append)
    for name in topology.nodes:
        world.receive(name, 1, Hello(name, 1, "", 1))
    assert not answers
    for name in topology.nodes:
        world.receive(name, 1, Report(0, 0, 1_000))
    clock[0] += 1
    world.resume()
    [answer] = answers
    assert isinstance(answer, control.FaultList) and answer.faults[0].began_ns == 1


# --- looking --------------------------------------------------------------------------------------


def test_a_run_that_is_looked_at_fifty_times_comes_to_the_same_digest() -> None:
    plain = harness.run(busy()).outcome
    looks = random.Random(4).sample(range(1, 200), 50)
    outcome, answers = visited(busy(), {look: [Inspect(look), ListFaults(0)] for look in looks})
    assert outcome.digest == plain.digest and outcome.instants == plain.instants
    views = [answer for answer in answers if isinstance(answer, control.RunView)]
    assert len(views) == 50 and {view.number for view in views} == set(looks)


@pytest.mark.parametrize("seed", range(4))
def test_looking_is_invisible_however_frames_are_carried(seed: int) -> None:
    class Watched(Carrier):
        views = 0

        def _drain_world(self) -> None:
            if self._rng.random() < 0.05:
                self.world.live.ask(Inspect(1), self._seen)
            super()._drain_world()

        def _seen(self, answer: LiveAnswer) -> None:
            self.views += isinstance(answer, control.RunView)

    topology = busy(faults=[fault("kill", "bob", 9_000_000, restart=1_000_000)])
    watched = Watched(topology, seed)
    assert watched.run().observable() == harness.run(topology).observable()
    assert watched.views > 20


def test_a_view_says_who_waits_for_what_since_when_and_what_is_used() -> None:
    async def holds(me: Agent) -> None:
        qubits = [await me.qubit() for _ in range(3)]
        await me.compute(1e-3)
        await me.send("bob", 1)
        await me.receive("bob", kind="never")
        del qubits

    async def listens(me: Agent) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(hears(me), name="ear")
            await me.compute(1)

    async def hears(me: Agent) -> None:
        await me.receive("stranger", kind="x")

    topology = network(
        {"alice": holds, "bob": listens}, [link("alice", "bob", 500_000_000)], seed=9
    )
    _, answers = visited(topology, {5: [Inspect(3)]})
    [view] = answers
    assert isinstance(view, control.RunView)
    assert (view.name, view.seed, view.t_ns) == ("bench", 9, 1_000_000)
    alice, bob = view.nodes
    assert (alice.state, alice.activity, alice.incarnation) == ("running", "parked", 1)
    assert (alice.slots_used, alice.granted_ns, bob.granted_ns) == (3, 1_000_000, 0)
    assert (alice.in_flight, bob.in_flight) == (0, 1)
    [(task, what, since_ns)] = alice.waits
    assert (task, since_ns) == ("alice", 1_000_000)
    assert what.startswith("a message of kind 'never' from bob (test_live.py:")
    assert sorted(wait[0] for wait in bob.waits) == ["bob", "ear"]


def test_a_node_at_work_is_said_to_be_and_not_asked() -> None:
    stage = Stage()
    answers: list[LiveAnswer] = []
    ticket = stage.world.live.ask(Inspect(1), answers.append)
    stage.report("alice")
    stage.told()
    stage.world.live.hurry(ticket)
    assert stage.told_kinds() == [("alice", Ask)] or answers
    [view] = answers
    assert isinstance(view, control.RunView)
    assert [node.activity for node in view.nodes] == ["parked", "at work"]


def test_what_comes_late_is_no_longer_waited_for() -> None:
    stage = Stage()
    answers: list[LiveAnswer] = []
    ticket = stage.world.live.ask(Inspect(1), answers.append)
    stage.report("alice", next_timer_ns=5)
    stage.report("bob", next_timer_ns=5)
    assert [kind for kind in stage.told_kinds() if kind[1] is Ask] == [
        ("alice", Ask),
        ("bob", Ask),
    ]
    stage.say("bob", Waits([Wait("bob", "rain", 0)]))
    assert not answers
    stage.world.live.hurry(ticket)
    stage.say("alice", Waits([Wait("alice", "sun", 0)]))
    [view] = answers
    assert isinstance(view, control.RunView)
    assert [node.waits for node in view.nodes] == [[], [("bob", "rain", 0)]]


def test_a_paused_node_is_said_to_be() -> None:
    topology = busy(faults=[fault("pause", "alice", 2_000_000, 10_000_000)])
    _, answers = visited(topology, {12: [Inspect(1)]})
    [view] = answers
    assert isinstance(view, control.RunView)
    assert view.t_ns < 12_000_000
    assert view.nodes[0].activity == "paused"
    assert [record.state for record in view.faults] == ["active"]


def test_when_the_run_is_over_everybody_is_told_so() -> None:
    stage = Stage()
    answers: list[LiveAnswer] = []
    stage.world.live.ask(AddFault(1, "{cut: alice-bob}"), answers.append)
    stage.world.interrupt("enough", 130)
    stage.world.live.close()
    stage.world.live.ask(Inspect(2), answers.append)
    stage.world.live.close()
    assert answers == [
        control.Refused(1, "the run is over", over=True),
        control.Refused(2, "the run is over", over=True),
    ]


# --- what is left ---------------------------------------------------------------------------------


def test_a_run_that_is_stuck_names_the_fault_that_is_active() -> None:
    async def waits(me: Agent) -> None:
        await me.send("bob", 1)
        await me.receive("bob")

    async def answers(me: Agent) -> None:
        await me.receive("alice")

    faults = [fault("cut", "alice-bob", 0), fault("cut", "alice-bob", 1, 1)]
    topology = network({"alice": waits, "bob": answers}, [link("alice", "bob")], faults)
    problem = harness.run(topology).problem
    assert problem.kind == "StuckError"
    assert problem.text.splitlines()[-1] == "  fault 0 is active: cut alice-bob since 0 ns"
    assert problem.text.count("fault") == 1


def test_the_outcome_tells_what_every_node_still_had() -> None:
    async def leaves(me: Agent) -> None:
        await me.qubit()
        await me.qubit()
        await asyncio.sleep(1)

    async def writes(me: Agent) -> None:
        for kind in ("a", "b", "a"):
            await me.send("alice", 0, kind=kind)

    topology = network({"alice": leaves, "bob": writes}, [link("alice", "bob")])
    left = harness.run(topology).outcome.left
    assert (left["alice"].slots_used, len(left["alice"].held)) == (2, 2)
    assert left["alice"].unread == {"a": 2, "b": 1}
    assert (left["bob"].slots_used, left["bob"].held, left["bob"].unread) == (0, [], {})
    assert left["bob"].grants == 1 and left["alice"].grants > 1
