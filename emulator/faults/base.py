"""What every fault is: something that begins, and may end healed.

Owns the shape only, and how often a fault struck (`hits`). A fault is given the world as `Breakable`: the
few things a fault may do to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from numpy.random import Generator

from ..classical.flights import Flight, Pass, Verdict
from ..classical.plane import ClassicalPlane, LinkFault
from ..kernel.conductor import Entry
from ..quantum.links.link_changes import Changes
from ..quantum.node.node_changes import NodeChanges
from ..quantum.pairs.heralded_pair import HeraldOutcome
from ..quantum.plane import QuantumPlane
from ..topology.model.faults import FaultSpec, Value


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

    def after(self, delay_ns: int, key: str, action: Callable[[], None]) -> Entry:
        """Have a fault's next step done so much later, after the faults that begin or heal then.

        Steps of one instant happen in the order of their keys: one fault, one key.
        """

    def note(self, entity: str, kind: str, *fields: object) -> None:
        """Journal a step of a fault; its begin and its end are journalled already."""


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

    def strikes(self) -> bool:
        """Whether this one is of the share `probability`; one draw."""
        return self.rng.random() < self.number("probability")

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


class LinkChange(Fault):
    """A fault that changes what light meets on a link, or what heralds pairs there. It draws nothing.

    Photons and pulses meet it that leave while it lasts, and pairs that are emitted.
    """

    @abstractmethod
    def changes(self) -> Changes:
        """What is different while it lasts."""

    def begin(self, world: Breakable) -> None:
        world.quantum.fault_histories.links[self.target].begin(self, self.changes())

    def heal(self, world: Breakable) -> None:
        world.quantum.fault_histories.links[self.target].end(self)


class DeviceChange(Fault):
    """A fault of the devices of a node, or of a link's heralding. It draws nothing."""

    @abstractmethod
    def link_changes(self) -> Changes:
        """What is different about the link while it lasts."""

    @abstractmethod
    def node_changes(self) -> NodeChanges:
        """What is different about the node while it lasts."""

    def begin(self, world: Breakable) -> None:
        disturbances = world.quantum.fault_histories
        if self.target in disturbances.nodes:
            disturbances.nodes[self.target].begin(self, self.node_changes())
        else:
            disturbances.links[self.target].begin(self, self.link_changes())

    def heal(self, world: Breakable) -> None:
        disturbances = world.quantum.fault_histories
        if self.target in disturbances.nodes:
            disturbances.nodes[self.target].end(self)
        else:
            disturbances.links[self.target].end(self)


class HeraldStrike(Fault):
    """A fault that looks at each success of a heralded link that is emitted while it lasts.

    Rule: as for messages, it draws the same numbers for each whatever comes of it.
    """

    def begin(self, world: Breakable) -> None:
        world.quantum.begin_herald_fault(self.target, self)

    def heal(self, world: Breakable) -> None:
        world.quantum.end_herald_fault(self.target, self)

    def strikes(self) -> bool:
        struck = super().strikes()
        self.hits += struck
        return struck

    @abstractmethod
    def on_success(self, ends: tuple[str, str]) -> HeraldOutcome:
        """What becomes of this one; `ends` are the link's."""
