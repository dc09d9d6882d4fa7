"""A network on a bench: a topology as text, real programs, in this process; and what came of it.

Statistics are judged by the spread that theory gives, never by the sample's own: a run that never errs
has no spread, and would excuse everything.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

from qnetem.agents.agent import Agent
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.wire.control import Outcome
from qnetem.inprocess.network import InProcessNetwork

SIGMAS = 3.0


def program(kind: type[Agent]) -> str:
    """How a topology names a program of a test module."""
    return f"{kind.__module__}:{kind.__qualname__}"


class Ran:
    """A run that ended well."""

    def __init__(self, network: InProcessNetwork, outcome: Outcome) -> None:
        self.network, self.outcome = network, outcome
        self.results: Mapping[str, Any] = outcome.results
        self.digest = outcome.digest

    def series(self, name: str) -> Mapping[str, float]:
        """A metric; names the known ones if there is none."""
        assert name in self.outcome.metrics, f"{name} not in {list(self.outcome.metrics)}"
        return self.outcome.metrics[name]

    def count(self, name: str) -> int:
        return int(self.series(name)["count"])

    def exact(self, name: str) -> float:
        """The value of a metric that is the same every time it is observed."""
        series = self.series(name)
        assert series["max"] - series["min"] < 1e-9, series
        return series["mean"]

    def left_in_slots(self) -> dict[str, list[str]]:
        return self.network.world.quantum.at_end()


def attempt(text: str, seed: int = 1) -> tuple[InProcessNetwork, Outcome]:
    """Run a topology; whatever comes of it."""
    topology = parse_topology(f"name: bench\nseed: {seed}\n{text}")
    network = InProcessNetwork(topology, log_stream=lambda node, incarnation: io.StringIO())
    return network, network.run()


def play(text: str, seed: int = 1) -> Ran:
    """Run a topology to its good end."""
    network, outcome = attempt(text, seed)
    assert outcome.problem is None, outcome.problem
    return Ran(network, outcome)


def assert_frequency(hits: int, trials: int, probability: float) -> None:
    """`hits` of `trials` independent ones is within three standard deviations of its expectation."""
    sigma = math.sqrt(trials * probability * (1 - probability))
    assert abs(hits - trials * probability) <= SIGMAS * sigma, (hits, trials, probability)


def assert_mean(mean: float, count: float, expected: float, std: float) -> None:
    """A mean of `count` values, whose spread is `std` by theory (or observed)."""
    assert abs(mean - expected) <= SIGMAS * std / math.sqrt(count), (mean, expected, std, count)
