"""When a message arrives, or why it does not; and who may forget it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from qnetem import Agent
from qnetem.emulator.classical.flights import Flight
from qnetem.emulator.classical.plane import ClassicalPlane
from qnetem.emulator.faults.verdicts import Damage, Drop, Later, Listener, Pass, Twice, Verdict
from qnetem.emulator.kernel.conductor import FAULT, GRANT, Conductor
from qnetem.emulator.kernel.ports import Surroundings
from qnetem.emulator.kernel.streams import Streams
from qnetem.emulator.record.journal import Journal
from qnetem.emulator.record.metrics import Metrics
from qnetem.emulator.topology.model.topology import LinkSpec
from qnetem.emulator.wire import Send

from ... import harness
from ...harness import idle, link


class Bench:
    """A classical plane without nodes: `send`, `run`, then `seen` and `lost`."""

    def __init__(self, *links: LinkSpec) -> None:
        names = sorted({end for each in links for end in each.ends})
        topology = harness.network(dict.fromkeys(names, idle), links)
        self.clock = Conductor()
        self.metrics = Metrics()
        self.alive: dict[str, int | None] = dict.fromkeys(names, 1)
        around = Surroundings(self.clock, Journal(self.clock), self.metrics, Streams(1))
        self.plane = ClassicalPlane(topology, self.clock, around, self)
        self.lost: list[tuple[int, str]] = []
        self.seen: list[tuple[int, int, str, str, int]] = []
        self.plane._journal.event = self._event  # type: ignore[method-assign]
        self._seqs: dict[tuple[str, int], int] = {}

    def receiver(self, name: str, port: str | None = None) -> int | None:
        return self.alive.get(name)

    def is_background(self, name: str, port: str) -> bool:
        return port == "ticker"

    def listens(self, name: str) -> bool:
        return self.alive.get(name) is not None

    def publish(self, src: str, inc: int, seq: int, to: str) -> None:
        """No payloads here."""

    def _event(self, entity: str, kind: str, *fields: object) -> None:
        if kind == "undelivered":
            self.lost.append((self.clock.now_ns, str(fields[-1])))

    def send(self, src: str, dst: str, size: int = 10, inc: int = 1) -> int:
        seq = self._seqs[src, inc] = self._seqs.get((src, inc), 0) + 1
        self.plane.send(src, inc, Send(dst, seq, "", size, b"12345678"))
        return seq

    def at(self, t_ns: int, action: Callable[[], object], phase: int = FAULT) -> None:
        self.clock.at(t_ns, (0,), lambda: action() and None, phase)

    def reports(self) -> None:
        """What nodes do once an instant is over."""

    def run(self) -> Bench:
        while (instant := self.clock.next_instant()) is not None:
            self.clock.enter(*instant)
            while self.clock.run_phases():
                pass
            for name in self.clock.take_due():
                for copy in self.plane.deliveries.pop(name, []):
                    self.seen.append((*instant, copy.src, name, copy.seq))
            self.reports()
            self.plane.taken()
        return self

    @property
    def times(self) -> list[int]:
        return [entry[0] for entry in self.seen]


class Watcher:
    """A fault that says the same of every message, and keeps who came by."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict, self.flights = verdict, list[Flight]()

    def on_message(self, flight: Flight) -> Verdict:
        self.flights.append(flight)
        return self.verdict


def test_a_message_takes_the_latency_of_its_link() -> None:
    bench = Bench(link("a", "b", 1000))
    bench.send("a", "b")
    assert bench.run().seen == [(1000, 0, "a", "b", 1)]
    assert bench.metrics.summary()["b.message_latency_s"]["mean"] == 1e-6


def test_latencies_of_a_path_add_up_and_each_hop_in_no_time_takes_a_microstep() -> None:
    bench = Bench(link("a", "b", 30), link("b", "c", 12))
    bench.send("a", "c")
    assert bench.run().seen == [(42, 0, "a", "c", 1)]
    bench = Bench(link("a", "b", 0), link("b", "c", 0), link("c", "d", 0))
    bench.send("a", "d")
    assert bench.run().seen == [(0, 3, "a", "d", 1)]


def test_a_message_to_oneself_arrives_at_the_next_microstep() -> None:
    bench = Bench(link("a", "b", 1000))
    bench.send("a", "a")
    assert bench.run().seen == [(0, 1, "a", "a", 1)]


def test_messages_of_one_instant_are_handed_over_by_source_then_incarnation_then_number() -> None:
    bench = Bench(link("a", "z", 5), link("b", "z", 5))
    bench.alive["b"] = 2
    for src, inc in (("b", 2), ("b", 1), ("a", 1), ("b", 1), ("a", 1)):
        bench.send(src, "z", inc=inc)
    bench.clock.enter(5, 0)
    while bench.clock.run_phases():
        pass
    order = [(d.src, d.inc, d.seq) for d in bench.plane.deliveries["z"]]
    assert order == [("a", 1, 1), ("a", 1, 2), ("b", 1, 1), ("b", 1, 2), ("b", 2, 1)]


def test_bandwidth_takes_size_times_eight_over_the_rate_before_the_latency() -> None:
    bench = Bench(link("a", "b", 100, bandwidth_bps=1e9))
    bench.send("a", "b", size=125)
    assert bench.run().times == [1000 + 100]


def test_a_part_of_a_nanosecond_counts_as_one() -> None:
    bench = Bench(link("a", "b", 0, bandwidth_bps=1e11))
    bench.send("a", "b", size=1)
    assert bench.run().times == [1]


def test_a_transmitter_sends_first_in_first_out_and_one_message_at_a_time() -> None:
    bench = Bench(link("a", "b", 100, bandwidth_bps=8e9))
    for size in (50, 10, 30):
        bench.send("a", "b", size=size)
    bench.at(60, lambda: bench.send("a", "b", size=5), GRANT)
    bench.at(500, lambda: bench.send("a", "b", size=7), GRANT)
    bench.run()
    assert [(entry[0], entry[4]) for entry in bench.seen] == [
        (150, 1), (160, 2), (190, 3), (195, 4), (607, 5)]  # fmt: skip


def test_the_two_directions_of_a_link_do_not_share_a_transmitter() -> None:
    bench = Bench(link("a", "b", 100, bandwidth_bps=8e9))
    bench.send("a", "b", size=50)
    bench.send("b", "a", size=50)
    assert bench.run().times == [150, 150]


def test_a_switch_on_the_way_transmits_what_comes_from_several_nodes_in_turn() -> None:
    bench = Bench(link("a", "m", 10), link("b", "m", 10), link("m", "z", 10, bandwidth_bps=8e9))
    bench.send("b", "z", size=20)
    bench.send("a", "z", size=20)
    assert bench.run().seen == [(40, 0, "a", "z", 1), (60, 0, "b", "z", 1)]


def test_a_message_on_a_link_that_is_cut_is_lost_even_if_it_is_healed_in_time() -> None:
    bench = Bench(link("a", "b", 1000))
    bench.send("a", "b")
    bench.at(400, lambda: bench.plane.cut("a-b"))
    bench.at(500, lambda: bench.plane.heal("a-b"))
    bench.at(600, lambda: bench.send("a", "b"), GRANT)
    bench.run()
    assert bench.lost == [(1000, "a-b was cut")]
    assert bench.times == [1600]


def test_a_cut_at_the_instant_of_arrival_comes_first() -> None:
    bench = Bench(link("a", "b", 1000))
    bench.send("a", "b")
    bench.at(1000, lambda: bench.plane.cut("a-b"))
    assert bench.run().seen == [] and len(bench.lost) == 1


def test_after_a_cut_messages_take_the_next_best_way_and_come_back_when_it_is_healed() -> None:
    bench = Bench(link("a", "b", 10), link("a", "m", 50), link("m", "b", 50))
    bench.at(100, lambda: bench.plane.cut("a-b"))
    bench.at(300, lambda: bench.plane.heal("a-b"))
    for t_ns in (50, 200, 400):
        bench.at(t_ns, lambda: bench.send("a", "b"), GRANT)
    assert bench.run().times == [60, 300, 410]


def test_a_message_on_its_way_is_rerouted_at_the_next_switch() -> None:
    bench = Bench(link("a", "m", 100), link("m", "b", 100), link("m", "n", 70), link("n", "b", 70))
    bench.send("a", "b")
    bench.at(50, lambda: bench.plane.cut("m-b"))
    assert bench.run().times == [240]


def test_cuts_nest() -> None:
    bench = Bench(link("a", "b", 10))
    bench.plane.cut("a-b")
    bench.plane.cut("a-b")
    bench.plane.heal("a-b")
    bench.send("a", "b")
    bench.at(5, lambda: bench.plane.heal("a-b"))
    bench.at(6, lambda: bench.send("a", "b"), GRANT)
    bench.run()
    assert bench.lost == [(0, "no path from a to b")]
    assert bench.times == [16]


def test_without_a_path_a_message_is_lost_where_it_stands() -> None:
    bench = Bench(link("a", "b", 10), link("c", "d", 10))
    bench.send("a", "d")
    bench.send("a", "stranger")
    bench.run()
    assert bench.lost == [(0, "no path from a to d"), (0, "no path from a to stranger")]
    assert bench.metrics.summary()["messages.lost"] == {"count": 2}


def test_a_message_is_bound_to_the_incarnation_that_was_alive_when_it_was_sent() -> None:
    bench = Bench(link("a", "b", 1000))
    for t_ns, incarnation in ((100, None), (300, 2)):
        bench.at(t_ns, lambda inc=incarnation: bench.alive.update(b=inc))  # type: ignore[misc]
    for t_ns in (50, 200, 400):
        bench.at(t_ns, lambda: bench.send("a", "b"), GRANT)
    bench.run()
    assert bench.seen == [(1400, 0, "a", "b", 3)]
    assert bench.lost == [(t, "b does not take it any more") for t in (1050, 1200)]


def test_a_fault_on_a_link_sees_each_message_that_enters_it_once() -> None:
    bench = Bench(link("a", "m", 10), link("m", "b", 10))
    watchers = {name: Watcher(Pass()) for name in ("a-m", "m-b")}
    for name, watcher in watchers.items():
        bench.plane.add_fault(name, watcher)
    bench.send("a", "b")
    bench.send("m", "b")
    bench.run()
    assert [len(watcher.flights) for watcher in watchers.values()] == [1, 2]
    assert bench.times == [10, 20]


def test_delays_on_a_link_add_up_and_a_drop_is_final() -> None:
    bench = Bench(link("a", "b", 10))
    drop, after = Watcher(Drop("fog")), Watcher(Pass())
    for fault in (Watcher(Later(5)), Watcher(Later(7))):
        bench.plane.add_fault("a-b", fault)
    bench.send("a", "b")
    bench.at(100, lambda: bench.plane.add_fault("a-b", drop))
    bench.at(100, lambda: bench.plane.add_fault("a-b", after))
    bench.at(100, lambda: bench.send("a", "b"), GRANT)
    bench.at(200, lambda: bench.plane.remove_fault("a-b", drop))
    bench.at(200, lambda: bench.send("a", "b"), GRANT)
    bench.run()
    assert bench.times == [22, 222]
    assert bench.lost == [(100, "fog on a-b")]
    assert len(after.flights) == 1


def test_what_was_dropped_did_not_keep_the_transmitter_busy() -> None:
    bench = Bench(link("a", "b", 0, bandwidth_bps=8e9))
    drop = Watcher(Drop("fog"))
    bench.plane.add_fault("a-b", drop)
    bench.send("a", "b", size=1000)
    bench.plane.remove_fault("a-b", drop)
    bench.send("a", "b", size=10)
    assert bench.run().times == [10]


def test_what_is_undelivered_is_told_by_destination_without_what_is_bound_to_the_dead() -> None:
    bench = Bench(link("a", "b", 10), link("a", "c", 10), link("a", "d", 10))
    bench.alive["d"] = None
    for dst in ("c", "b", "d", "b"):
        bench.send("a", dst)
    bench.send("b", "a")
    bench.alive["c"] = 2
    assert bench.plane.undelivered("a", 1) == {"b": [2, 4]}
    assert bench.plane.undelivered("a", 2) == {}
    assert bench.plane.in_flight() == 5
    assert bench.run().plane.in_flight() == 0


def forgets(bench: Bench, name: str) -> list[tuple[str, int]]:
    return [(forget.src, forget.seq) for forget in bench.plane.forgets.get(name, [])]


def test_a_sender_keeps_its_payload_until_the_receiver_has_reported() -> None:
    """Else a sender granted at the same instant frees what the receiver may still have to ask for."""
    bench = Bench(link("a", "b", 10))
    bench.send("a", "b")
    bench.clock.enter(10, 0)
    while bench.clock.run_phases():
        pass
    assert forgets(bench, "b") == [("a", 1)]
    assert forgets(bench, "a") == []
    bench.plane.deliveries.pop("b")  # granted, and reported
    bench.plane.taken()
    assert forgets(bench, "a") == [("a", 1)]


def test_what_was_lost_is_forgotten_at_both_ends() -> None:
    bench = Bench(link("a", "b", 10), link("c", "d", 10))
    bench.send("a", "d")
    bench.plane.taken()
    assert forgets(bench, "d") == forgets(bench, "a") == [("a", 1)]


@pytest.mark.parametrize("gone", ["a", "b"])
def test_nothing_is_kept_for_a_node_that_will_never_be_granted_again(gone: str) -> None:
    bench = Bench(link("a", "b", 10))
    bench.send("a", "b")
    bench.alive[gone] = None
    bench.plane.forget_node(gone)
    bench.run()
    assert forgets(bench, gone) == []
    assert gone not in bench.plane.deliveries


def test_a_receiver_that_is_never_granted_is_told_what_to_forget() -> None:
    """Behind a cut link it waits for ever, and its buffer would hold every body that was lost."""

    async def alice(me: Agent) -> None:
        for number in range(1000):
            await me.send("bob", number)
            if number % 100 == 99:
                await me.compute("1 us")

    async def bob(me: Agent) -> None:
        async with asyncio.timeout(1):
            await me.receive()

    links = [link("alice", "bob", 1000)]
    faults = [harness.fault("cut", "alice-bob", 0)]
    run = harness.run(harness.network({"alice": alice, "bob": bob}, links, faults))
    assert run.problem.kind == "ProgramFailed" and len(run.of("bob", "undelivered")) == 1000
    assert len(run.nodes["bob"].payloads._here) < 300
    assert len(run.world.classical.forgets.get("bob", [])) < 300


def test_who_is_being_restarted_is_told_what_to_forget_when_it_is_back() -> None:
    """While the node is dead, nothing can be told."""

    async def alice(me: Agent) -> None:
        for number in range(1000):
            await me.send("bob", number)
            if number % 100 == 99:
                await me.compute("1 ms")
        await me.compute("20 ms")
        await me.send("bob", "well?")

    async def bob(me: Agent) -> object:
        return (await me.receive()).body

    faults = [harness.fault("kill", "bob", 0, restart=20_000_000)]
    run = harness.run(
        harness.network({"alice": alice, "bob": bob}, [link("alice", "bob", 5)], faults)
    )
    assert run.outcome.problem is None and run.outcome.results["bob"] == "well?"
    assert not run.nodes["bob"].payloads._here
    assert len(run.world.classical.forgets.get("bob", [])) == 0


def test_what_waits_for_a_paused_node_is_kept_by_its_sender_and_settled_with_it() -> None:
    bench = Bench(link("a", "b", 5))
    bench.send("a", "b")
    bench.clock.enter(5, 0)
    while bench.clock.run_phases():
        pass
    for _ in range(2):  # it is not taken: b is paused
        bench.plane.taken()
        assert bench.plane.forgets.get("a") is None
        assert bench.plane.undelivered("a", 1) == {"b": [1]}
    bench.plane.deliveries.pop("b")
    bench.plane.taken()
    assert [forget.seq for forget in bench.plane.forgets["a"]] == [1]
    assert bench.plane.undelivered("a", 1) == {}


class Script:
    """A fault that says one verdict after the other, then nothing."""

    def __init__(self, *verdicts: Verdict) -> None:
        self._verdicts = list(verdicts)

    def on_message(self, flight: Flight) -> Verdict:
        return self._verdicts.pop(0) if self._verdicts else Pass()


def test_a_doubled_message_comes_twice_and_is_forgotten_once_at_its_end() -> None:
    bench = Bench(link("a", "b", 10))
    bench.plane.add_fault("a-b", Script(Twice(7)))
    bench.send("a", "b")
    bench.run()
    assert bench.times == [10, 17]
    assert [forget.seq for forget in bench.plane.forgets["b"]] == [1]
    assert [forget.seq for forget in bench.plane.forgets["a"]] == [1]
    assert bench.plane.in_flight() == 0


def test_damage_is_of_that_copy_only() -> None:
    bench = Bench(link("a", "b", 10), link("b", "c", 10))
    bench.plane.add_fault("a-b", Script(Twice(1)))
    bench.plane.add_fault("b-c", Script(Damage((3, 5))))
    bench.send("a", "c")
    bench.clock.enter(0, 0)
    found = []
    while (instant := bench.clock.next_instant()) is not None:
        bench.clock.enter(*instant)
        while bench.clock.run_phases():
            pass
        found += [(copy.copy, copy.damage) for copy in bench.plane.deliveries.pop("c", [])]
    assert found == [(0, [3, 5]), (1, [])]


def test_a_limit_acts_while_it_lasts_and_the_lowest_counts() -> None:
    bench = Bench(link("a", "b", 0, bandwidth_bps=8e9))
    bench.plane.limit("a-b", 8e6)
    bench.plane.limit("a-b", 8e8)
    bench.send("a", "b", size=1)
    bench.at(2000, lambda: bench.plane.unlimit("a-b", 8e6))
    bench.at(3000, lambda: bench.send("a", "b", size=1), GRANT)
    assert bench.run().times == [1000, 3010]


@pytest.mark.parametrize(("takes", "seen"), [(False, ["eve", "b"]), (True, ["eve"])])
def test_who_listens_gets_a_copy_as_it_enters_and_may_take_the_message(
    takes: bool, seen: list[str]
) -> None:
    bench = Bench(link("a", "b", 10), link("eve", "z", 1))
    asked: list[tuple[str, int, int, str]] = []
    bench.plane._publish = lambda *what: asked.append(what)
    listener = Listener("eve", takes)
    bench.plane.listen("a-b", listener)
    bench.send("a", "b")
    bench.run()
    assert [(entry[0], entry[3]) for entry in bench.seen] == [(0, "eve"), (10, "b")][: len(seen)]
    assert asked == [("a", 1, 1, "eve")]
    assert [forget.seq for forget in bench.plane.forgets["a"]] == [1]
    bench.plane.unlisten("a-b", listener)
    bench.send("a", "b")
    assert bench.run().seen[-1][3] == "b" and len(asked) == 1


def test_a_forgery_takes_the_whole_link_and_names_whom_it_claims() -> None:
    """Else what its sender learnt at one end, at once, would be at the other sooner than light."""
    bench = Bench(link("a", "b", 10), link("b", "c", 10), link("eve", "z", 1))
    forged = Send("c", 1, "", 1, b"12345678", "a")
    bench.plane.send("eve", 1, forged)
    assert bench.run().lost[-1][1] == "eve listens on no link that leads to c"
    bench.plane.listen("a-b", Listener("eve", False))
    bench.plane.send("eve", 1, forged)
    bench.run()
    assert bench.seen == [(20, 0, "eve", "c", 1)]
