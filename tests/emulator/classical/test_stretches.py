"""Quiet hops are crossed at once, and what becomes of a message is what would become of it hop by hop."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qnetem.emulator.classical.flights import Flight
from qnetem.emulator.classical.hops import Hop
from qnetem.emulator.faults.verdicts import Damage, Drop, Later, Listener, Pass, Twice, Verdict
from qnetem.emulator.kernel.conductor import FAULT
from qnetem.emulator.topology.model.topology import LinkSpec, Topology

from ... import harness, puppets
from ...counts import count
from ...harness import link
from .test_plane import Bench

SETTINGS = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
#: Few different latencies and times, so that messages and changes often meet at one instant.
LATENCIES = st.sampled_from([0, 1, 1, 2, 2, 3, 5])
TIMES = st.integers(1, 24)
CHANGES = ("cut", "fault", "limit", "listen")


@contextmanager
def hop_by_hop() -> Any:
    """No hop is quiet: each is an entry of its own."""
    with patch.object(Hop, "_has_latency_alone", lambda self: False):
        yield


def chain(nodes: int, latency_ns: int = 10) -> list[LinkSpec]:
    names = [f"n{at:03}" for at in range(nodes)]
    return [link(first, second, latency_ns) for first, second in itertools.pairwise(names)]


# --- what is saved --------------------------------------------------------------------------------


def entries_made(bench: Bench, act: Callable[[], object]) -> int:
    """How many entries the agenda gets until nothing is left to happen."""
    before = bench.clock._serial
    act()
    bench.run()
    return bench.clock._serial - before


@pytest.mark.parametrize("nodes", [3, 40])
def test_a_message_over_a_quiet_path_is_one_entry_and_one_instant(nodes: int) -> None:
    bench = Bench(*chain(nodes))
    assert entries_made(bench, lambda: bench.send("n000", f"n{nodes - 1:03}")) == 1
    assert (bench.times, bench.clock.instants) == ([10 * (nodes - 1)], 1)


def test_a_stretch_ends_before_a_hop_that_is_not_quiet_and_another_begins_behind_it() -> None:
    links = chain(21)
    links[10] = link("n010", "n011", 10, bandwidth_bps=8e9)
    bench = Bench(*links)
    assert entries_made(bench, lambda: bench.send("n000", "n020", size=7)) == 3
    assert bench.times == [207]


def test_a_change_costs_a_message_that_is_under_way_one_hop_and_no_more() -> None:
    bench = Bench(*chain(101), link("x", "y", 10))
    bench.send("n000", "n100")
    for t_ns in (105, 505):
        bench.at(t_ns, partial(bench.plane.cut, "x-y"))
    assert entries_made(bench, lambda: None) == 2 * 2  # to the next switch, and on from there
    assert bench.times == [1000]


def test_messages_of_neighbours_are_no_stretch_and_a_change_looks_at_none_of_them() -> None:
    bench = Bench(*chain(3))
    bench.send("n000", "n001")
    assert not bench.plane._stretches._under_way


# --- what is under way when something changes -----------------------------------------------------


def test_a_cut_takes_what_is_on_the_link_and_turns_round_what_has_yet_to_come_to_it() -> None:
    links = [link("a", "b", 10), link("b", "c", 10), link("c", "d", 10), link("b", "d", 90)]
    for t_ns, times, lost in (
        (5, [30], []),  # healed before it comes to the switch
        (10, [100], []),  # at the very instant at which it comes there: faults come first
        (15, [], [(20, "b-c was cut")]),
        (20, [], [(20, "b-c was cut")]),
        (21, [30], []),  # has passed
    ):
        bench = Bench(*links)
        bench.send("a", "d")
        bench.at(t_ns, partial(bench.plane.cut, "b-c"))
        bench.at(t_ns + 1, partial(bench.plane.heal, "b-c"))
        bench.run()
        assert (bench.times, bench.lost) == (times, lost), t_ns


def test_a_fault_that_begins_on_the_way_looks_at_what_has_yet_to_enter_its_link() -> None:
    for t_ns, arrives in ((9, 37), (10, 37), (11, 30)):
        bench = Bench(*chain(4))
        bench.send("n000", "n003")
        fault = Watcher(Random(1), [Later(7)])
        bench.at(t_ns, partial(bench.plane.add_fault, "n001-n002", fault))
        assert bench.run().times == [arrives], t_ns


def test_a_limit_and_a_listener_that_come_on_the_way_meet_what_has_yet_to_enter_their_link() -> (
    None
):
    for t_ns, arrives, heard in ((10, 130, 1), (20, 30, 1), (21, 30, 0)):
        bench = Bench(*chain(4), link("eve", "n000", 10))
        bench.send("n000", "n003", size=100)
        bench.at(t_ns, partial(bench.plane.limit, "n001-n002", 8e9))
        bench.at(t_ns, partial(bench.plane.listen, "n002-n003", Listener("eve", False)))
        bench.run()
        overheard = [entry for entry in bench.seen if entry[3] == "eve"]
        assert (bench.times[-1], len(overheard)) == (arrives, heard), t_ns


# --- the same as hop by hop -----------------------------------------------------------------------


class Watcher:
    """A fault that says by chance one of these verdicts, and draws for each message."""

    def __init__(self, rng: Random, verdicts: list[Verdict]) -> None:
        self.rng, self.verdicts = rng, verdicts

    def on_message(self, flight: Flight) -> Verdict:
        return self.rng.choice(self.verdicts)


VERDICTS: list[Verdict] = [Pass(), Pass(), Drop("dropped"), Later(2), Twice(3), Damage((5,))]
Message = tuple[int, str, str, int]
Plan = tuple[list[LinkSpec], list[Message], list[tuple[int, int, str, int]]]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A connected network, messages (when, from, to, bytes), changes (begin, end, which, on which link)."""
    names = [f"n{at}" for at in range(draw(st.integers(3, 9)))]
    pairs = [
        (names[draw(st.integers(max(0, at - 2), at - 1))], names[at]) for at in range(1, len(names))
    ]
    extra = st.tuples(st.sampled_from(names), st.sampled_from(names)).filter(
        lambda two: two[0] < two[1]
    )
    pairs += draw(st.lists(extra, max_size=3))
    links = [
        link(
            first,
            second,
            draw(LATENCIES),
            name=f"l{at}",
            bandwidth_bps=draw(st.sampled_from([None, None, None, 8e9])),
        )
        for at, (first, second) in enumerate(pairs)
    ]
    node = st.sampled_from(names)
    sends = draw(st.lists(st.tuples(TIMES, node, node, st.integers(1, 4)), min_size=1, max_size=12))
    which = st.integers(0, len(links) - 1)
    change = st.tuples(TIMES, st.integers(1, 9), st.sampled_from(CHANGES), which)
    return links, sends, draw(st.lists(change, max_size=6))


class Busy(Bench):
    """A bench on which nodes send at planned instants, and all that is journalled is kept."""

    def __init__(self, links: list[LinkSpec], sends: list[Message]) -> None:
        super().__init__(*links)
        self.events: list[tuple[Any, ...]] = []
        self._sends = sends
        for t_ns, *_ in sends:
            self.at(t_ns, lambda: None)  # an instant

    def _event(self, entity: str, kind: str, *fields: object) -> None:
        self.events.append((self.clock.now_ns, self.clock.m, entity, kind, *fields))

    def reports(self) -> None:
        due = [each for each in self._sends if (each[0], 0) == (self.clock.now_ns, self.clock.m)]
        for _, src, dst, size in sorted(due):
            self.send(src, dst, size)


def carried(plan: Plan) -> dict[str, Any]:
    """All that is journalled and counted when this plan is carried out."""
    links, sends, changes = plan
    bench = Busy(links, sends)
    plane = bench.plane
    for number, (t_ns, lasts_ns, kind, at) in enumerate(changes):
        begin, heal = CHANGE[kind](plane, links[at].name, number)
        bench.clock.at(t_ns, (1, number), begin, FAULT)
        bench.clock.at(t_ns + lasts_ns, (2, number), heal, FAULT)
    bench.run()
    return {
        "events": bench.events,
        "seen": bench.seen,
        "now": bench.clock.now_ns,
        "metrics": bench.metrics.summary(),
        "left": plane.in_flight(),
    }


Change = tuple[Callable[[], None], Callable[[], None]]


def _cut(plane: Any, name: str, number: int) -> Change:
    return lambda: plane.cut(name), lambda: plane.heal(name)


def _fault(plane: Any, name: str, number: int) -> Change:
    fault = Watcher(Random(number), VERDICTS)
    return lambda: plane.add_fault(name, fault), lambda: plane.remove_fault(name, fault)


def _limit(plane: Any, name: str, number: int) -> Change:
    return lambda: plane.limit(name, 4e9 + number), lambda: plane.unlimit(name, 4e9 + number)


def _listen(plane: Any, name: str, number: int) -> Change:
    listener = Listener("n0", number % 2 == 0)
    return lambda: plane.listen(name, listener), lambda: plane.unlisten(name, listener)


CHANGE = {"cut": _cut, "fault": _fault, "limit": _limit, "listen": _listen}


@pytest.mark.campaign
@given(plans())
@settings(SETTINGS, max_examples=count(5000, 50))
def test_whatever_changes_on_the_way_all_comes_as_it_would_hop_by_hop(plan: Plan) -> None:
    at_once = carried(plan)
    with hop_by_hop():
        assert carried(plan) == at_once


@pytest.mark.campaign
@given(puppets.networks())
@settings(SETTINGS, max_examples=count(600, 40))
def test_a_whole_run_with_faults_has_the_digest_of_one_hop_by_hop(topology: Topology) -> None:
    at_once = harness.run(topology).observable()
    with hop_by_hop():
        wanted = harness.run(topology).observable()
    assert at_once.pop("instants") <= wanted.pop("instants")
    assert at_once == wanted
