"""A link as pulses see it: its drifts slot by slot, and its cuts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from qnetem.emulator.kernel.conductor import Conductor
from qnetem.emulator.kernel.ports import Surroundings
from qnetem.emulator.kernel.streams import Streams
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.optics.pulses import PulseChannel
from qnetem.emulator.quantum.fault_history import FaultHistories
from qnetem.emulator.quantum.links.channels import FaultedChannel, light_channel_of
from qnetem.emulator.quantum.pulses.trains import PulseLink, Train
from qnetem.emulator.record.journal import Journal
from qnetem.emulator.record.metrics import Metrics

PERIOD_PS = 700


class Bench:
    """One link of 1 km, and trains on it."""

    def __init__(self, quantum: str = "") -> None:
        topology = parse_topology(
            "name: x\nnodes: {alice: , bob: }\n"
            f"links: [{{between: [alice, bob], quantum: {{length: 1 km{quantum}}}}}]"
        )
        self.clock = Conductor()
        streams = Streams(1)
        channel = light_channel_of(topology, topology.links["alice-bob"], streams)
        assert channel is not None
        self.channel = channel
        self.began: list[Train] = []
        around = Surroundings(self.clock, Journal(self.clock), Metrics(), streams)
        self.fault_histories = FaultHistories(["alice-bob"], ["alice", "bob"], self.clock)
        fibre = FaultedChannel(channel, self.fault_histories.links["alice-bob"])
        parts = fibre, self.fault_histories.nodes, around, self.began.append
        self.link = PulseLink("alice-bob", ("alice", "bob"), *parts)

    def train(self, source: str = "alice", start_ns: int = 0) -> Train:
        return self.link.open(source, source, start_ns, PERIOD_PS)

    def at(self, t_ns: int, cut: bool) -> None:
        self.clock.now_ns = t_ns
        (self.link.cut if cut else self.link.heal)()


def met(channel: PulseChannel, slots: NDArray[np.int64]) -> tuple[np.ndarray, np.ndarray]:
    steps = channel.steps_of(slots)
    return channel.etas[steps] * np.ones(len(slots)), channel.maps[steps]


@pytest.mark.parametrize("source", ["alice", "bob"])
def test_each_slot_meets_the_fibre_of_the_time_at_which_it_leaves(source: str) -> None:
    drift = ", environment: {grid: 1 us, polarisation_drift: 1000 rad2/s}"
    bench = Bench(drift)
    train = bench.train(source, start_ns=300)
    first, end = 2_000, 12_000
    channel = bench.link.channel(train, first, end)
    slots = np.arange(first, end, 37)
    etas, maps = met(channel, slots)
    for slot, eta, noise in zip(slots.tolist(), etas, maps, strict=True):
        transit = bench.channel.at(300 + slot * PERIOD_PS // 1000, source)
        assert eta == transit.survival
        assert np.array_equal(noise, np.eye(4) if transit.noise is None else transit.noise)
    assert len(channel.starts) == 8  # 7 us in cells of one


@pytest.mark.parametrize("drift", ["", ", environment: {grid: 1 us, phase_drift: 1 rad2/s}"])
def test_slots_are_dark_from_the_flight_before_a_cut_to_its_end(drift: str) -> None:
    bench = Bench(drift)
    train = bench.train()
    bench.at(8_000, True)
    bench.at(8_100, True)
    bench.at(8_200, False)
    bench.at(9_000, False)
    bench.at(12_000, True)
    bench.at(30_000, True)  # nested, and after what is asked for
    slots = np.arange(20_000)
    etas, _ = met(bench.link.channel(train, 0, 20_000), slots)
    leaves_ps = slots * PERIOD_PS
    arrives_ps = leaves_ps + (train.arrives_ns - train.start_ns) * 1000
    dark = (leaves_ps < 9_000_000) & (arrives_ps >= 8_000_000)
    dark |= arrives_ps >= 12_000_000
    assert np.array_equal(etas == 0, dark)
    assert np.all(etas[~dark] == etas[0])


def test_a_links_gate_is_met_by_what_crosses_the_link_and_by_nothing_else() -> None:
    bench = Bench(", pulse: {duration: 20 ps}, gate: 60 ps")
    spread_ps = bench.channel.medium.at(0).spread_ps
    for source in ("alice", "bob"):
        met = bench.link.channel(bench.train(source), 0, 10)
        assert (met.gates, met.spread_ps) == (((spread_ps, 60.0),), 0.0)
    bench.link.eavesdropper = "eve"
    assert bench.link.channel(bench.train(), 0, 10).gates == ()
    assert Bench(", pulse: {duration: 20 ps}").link.channel(bench.train(), 0, 10).gates == ()


def test_a_block_ends_later_than_the_one_before_it() -> None:
    train = Bench().train(start_ns=5)
    assert train.ends_ns(1) == 6  # 0.7 ns, rounded up
    train.send(1, 6, False, lambda _: [])
    assert train.ends_ns(0) == 7
    assert train.ends_ns(9_999) == 7_005


def test_what_had_left_when_a_train_was_stopped_is_still_sent() -> None:
    train = Bench().train()
    train.send(10_000, 7_000, True, lambda _: [])
    train.stop(70)
    assert train._latest is not None
    assert (train._latest.slots, train._latest.last) == (100, True)
