"""What every fault is: something that begins, and may end healed.

Owns the shape only, and how often a fault struck (`hits`). A fault is given the world as `Breakable`: the
few things a fault may do to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from numpy.random import Generator

from ..channels.classical import ClassicalPlane, LinkFault
from ..channels.flights import Flight, Pass, Verdict
from ..quantum.plane import QuantumPlane
from ..topology.fault_specs import FaultSpec, Value


class Breakable(Protocol):
    """The world, as a fault sees it."""

    classical: ClassicalPlane
    quantum: QuantumPlane

    def kill(self, node: str, restart_ns: int | None) -> None:
        """Settle, SIGKILL, and start again `restart_ns` later (None: never)."""

    def restart(self, node: str, after_ns: int) -> None:
        """Start a dead node `after_ns` later; kill a living one first."""

    def pause(self, node: str, signal: bool) -> int:
        """Freeze the node in virtual time, and its process too (`signal`); the incarnation it strikes.

        Pauses nest. Killing the node ends them.
        """

    def resume(self, node: str, incarnation: int) -> None:
        """One pause of that incarnation less; harmless when it is gone."""

    def tap(self, link: str, key: str, node: str) -> None:
        """The node takes what the link's ends send to each other, before anybody who did so already."""

    def untap(self, link: str, key: str) -> None:
        """What `key` names is over."""

    def skew(self, node: str, key: str, offset_ns: int, rate_ppb: int) -> None:
        """The node's clock goes wrong from now on; skews of several keys add up."""

    def unskew(self, node: str, key: str) -> None:
        """That skew is gone: the clock jumps back."""


class Fault(ABC):
    """One fault. `rng` is its own generator; `spec.parameters` are checked already."""

    def __init__(self, spec: FaultSpec, rng: Generator) -> None:
        self.spec = spec
        self.rng = rng
        #: How many messages, photons, pairs ... it has struck so far.
        self.hits = 0

    @property
    def target(self) -> str:
        """The node or link it happens to."""
        return self.spec.target

    def number(self, name: str) -> float:
        """A numeric parameter; 0 if it was not given and has no default."""
        value: Value = self.spec.parameters.get(name)
        return float(value or 0.0)

    def time_ns(self, name: str) -> int:
        """A parameter that is a time, in ns; 0 if it was not given."""
        value = self.spec.parameters.get(name)
        return int(value or 0)

    @abstractmethod
    def begin(self, world: Breakable) -> None:
        """Break it."""

    def heal(self, world: Breakable) -> None:  # noqa: B027 -- optional: a kill has nothing to mend
        """Mend it; called once, at the end of `for` or of the run."""


class MessageFault(Fault, LinkFault):
    """A fault that looks at each message on its link and says what becomes of it.

    Rule: it draws the same numbers for each message whatever comes of it, so that one message's fate
    shifts no other's.
    """

    def begin(self, world: Breakable) -> None:
        world.classical.add_fault(self.target, self)

    def heal(self, world: Breakable) -> None:
        world.classical.remove_fault(self.target, self)

    def on_message(self, flight: Flight) -> Verdict:
        verdict = self.strike(flight)
        if not isinstance(verdict, Pass):
            self.hits += 1
        return verdict

    @abstractmethod
    def strike(self, flight: Flight) -> Verdict:
        """What becomes of this message."""

    def strikes(self) -> bool:
        """Whether this message is one of the share `probability`; one draw."""
        return self.rng.random() < self.number("probability")
