"""A world on a stage: no nodes, the test says what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from qnetem.emulator.topology.model.topology import Topology
from qnetem.emulator.wire import Grant, Hello, Report, Send, ToEmulator
from qnetem.emulator.world.world import World

from ... import harness
from ...harness import idle, link, network

TWO = {"alice": idle, "bob": idle}
LINKED = [link("alice", "bob", 1000)]


class Stage:
    """A world without nodes: the test says what they say, and sees what they are told."""

    def __init__(
        self,
        topology: Topology | None = None,
        *,
        secret: str = "",
        hello: bool = True,
        wall: Callable[[], float] = lambda: 0.0,
    ) -> None:
        topology = topology or network(TWO, LINKED)
        self.world = World(topology, secret=secret, wall=wall)
        self.events = harness.recorded(self.world)
        self.world.start()
        if hello:
            for name in topology.nodes:
                self.say(name, Hello(name, 1, "", 1))

    def say(self, name: str, message: ToEmulator, incarnation: int = 1) -> None:
        self.world.receive(name, incarnation, message)

    def told(self) -> list[tuple[str, msgspec.Struct]]:
        """Everything said since the last call."""
        found = self.world.outbox[:]
        self.world.outbox.clear()
        return found

    def told_kinds(self) -> list[tuple[str, type]]:
        return [(name, type(message)) for name, message in self.told()]

    def grants(self) -> dict[str, Grant]:
        return {name: grant for name, grant in self.told() if isinstance(grant, Grant)}

    def report(self, name: str, **fields: Any) -> None:
        """A report for the present instant."""
        clock = self.world.conductor
        self.say(name, Report(clock.now_ns, clock.m, **fields))

    def reports(self, *names: str, **fields: Any) -> None:
        for name in names:
            self.report(name, **fields)

    @property
    def problem(self) -> Any:
        assert self.world.outcome is not None
        return self.world.outcome.problem


def sends(dst: str, *seqs: int) -> list[Send]:
    return [Send(dst, seq, "", 1, b"12345678") for seq in seqs]
