"""A heralded pair: the requests it serves, the attempts that lead to it, its halves and their heralds.

Owns what attempts know (`Attempt`), what a success does to the registry, the heralds that nodes are given,
the journal of both, and which heralds faults lose or fake. Does not own when attempts run (heralded_link.py),
the chances of faults (faults), or slots (node/node_devices.py).

Rules. A half exists since its emission. What its memory has met since then it has met, though its end had not
heard of it: a memory that was reset in between holds |0>. A fault looks at what was emitted while it lasts,
once, when the first end would hear of it: what was on its way before the fault began keeps its outcome, and
so does what is on its way when it heals. Faults are asked in the order in which they began, each about every
such success, whatever the others say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...faults.changes import Changes
from ...faults.verdicts import HEARD, HeraldFault, HeraldOutcome
from ...heralding.attempts import HeraldedSource
from ...heralding.timing import Success
from ...kernel.ports import Clock, Entry
from ...wire import Entangle, Herald, MeasurePairs
from ..node.node_devices import NodeDevices, Pending

if TYPE_CHECKING:
    from .heralded_link import HeraldedLink
    from .outcome_block import OutcomeBlock


class Request(Pending):
    """An `Entangle` or a `MeasurePairs` under way. `opened` is its age on the link, 0 until it has a slot.

    `half`: the qubit that lies in its slot already, of a pair of which this end has not yet heard. `block`:
    the block of outcomes that is made for it.
    """

    __slots__ = ("attempt", "block", "half", "link", "matches", "opened", "raw")

    def __init__(
        self, devices: NodeDevices, operation: Entangle | MeasurePairs, link: HeraldedLink
    ) -> None:
        super().__init__(devices, operation)
        self.raw = type(operation) is Entangle and operation.raw
        #: Only requests that are equal in this are matched.
        self.matches = operation.purpose, operation.alpha, type(operation)
        self.block: OutcomeBlock | None = None
        self.link = link
        self.opened = 0
        self.attempt: Attempt | None = None
        self.half = ""

    @property
    def has_slot(self) -> bool:
        """Whether a slot is taken for the qubit that this will bring, and by no qubit yet."""
        return not self.half and super().has_slot


class Attempt:
    """Attempts running for two matched requests, in the order of the link's ends.

    `raw`: an end wants the pair as it was heralded, without the herald's correction.
    `success` is what was drawn from `source`, offsets from `start_ns`; None if they never succeed. `pair`
    is what they have come to, None until an end hears of it, and `outcome` what faults made of the success.
    `unheard` are the requests whose end has yet to hear, and when, as offsets. `given_up`: requests that were
    withdrawn after their end had emitted, and when. `rng`: its own numbers, once attempts have resumed after
    a lost success.
    """

    __slots__ = (
        "alpha",
        "entry",
        "first",
        "given_up",
        "number",
        "outcome",
        "pair",
        "raw",
        "requests",
        "rng",
        "second",
        "source",
        "start_ns",
        "success",
        "unheard",
    )

    def __init__(
        self, number: int, first: Request, second: Request, source: HeraldedSource, start_ns: int
    ) -> None:
        self.number, self.first, self.second = number, first, second
        self.requests = first, second
        self.raw = first.raw or second.raw
        self.start_ns = start_ns
        #: The bright population that both ask for, and the link at that.
        self.alpha = first.matches[1]
        self.source = source.at(self.alpha)
        self.success: Success | None = None
        self.pair: HeraldedPair | None = None
        self.outcome = HEARD
        self.unheard: dict[Request, int] = {}
        self.given_up: dict[Request, int] = {}
        self.rng: np.random.Generator | None = None
        self.entry: Entry | None = None

    @property
    def numbers(self) -> tuple[int, int]:
        """The numbers of the two requests."""
        return self.first.number, self.second.number

    @property
    def bell(self) -> int:
        """The Bell state in which the pair is handed over: as heralded if `raw`, else Phi+."""
        return self.success.bell if self.success is not None and self.raw else 0

    def emitted_before(self, now_ns: int) -> bool:
        """Whether the pair that was drawn has come into being before `now_ns`, or been heard of."""
        if self.success is None:
            return False
        return self.pair is not None or self.start_ns + self.success.emission_ns < now_ns

    def has_left(self, request: Request, now_ns: int) -> bool:
        """Whether this request's end has emitted its light of the success that was drawn, before `now_ns`."""
        if self.success is None:
            return False
        emission_ns = self.success.emissions_ns[self.requests.index(request)]
        return self.start_ns + emission_ns < now_ns

    def resumes_ns(self, now_ns: int) -> int:
        """When the first of the attempts begins that emits nothing before `now_ns`."""
        return self.source.rhythm.resumes_ns(self.start_ns, now_ns)

    @property
    def made(self) -> HeraldedSource:
        """What has the state and the goodness of the success."""
        assert self.success is not None
        return self.source.pair_of(self.start_ns, self.success)


class HeraldedPair:
    """What attempts have come to: two halves, and a herald for each end. Both halves exist from the start."""

    __slots__ = ("attempt", "bell", "goodness", "link", "name")

    def __init__(self, link: HeraldedLink, attempt: Attempt, name: str) -> None:
        assert attempt.success is not None
        self.link, self.attempt, self.name, self.bell = link, attempt, name, attempt.bell
        self.goodness = attempt.made.fidelity
        first, second = link.ends
        half, other = f"{name}@{first}", f"{name}@{second}"
        attempt.first.half, attempt.second.half = half, other
        emitted_ns, other_ns = attempt.success.emissions_ns
        emitted_ns, other_ns = attempt.start_ns + emitted_ns, attempt.start_ns + other_ns
        density = link.density(attempt)
        link.registry.create_pair(half, first, other, second, density, emitted_ns, other_ns)
        met = link.history.at(min(emitted_ns, other_ns))
        if met.by:
            met.count_hits(_any)
        self._record_creation(emitted_ns, other_ns)
        for request, since_ns in ((attempt.first, emitted_ns), (attempt.second, other_ns)):
            devices = request.devices
            if devices.places is not None:
                devices.bring(request.number, request.half)
            if request.owner:
                devices.hold(request.half, request.owner)
            reset_ns = devices.memory_reset_ns
            if since_ns < reset_ns:
                link.registry.reset(request.half, reset_ns, silently=True)

    def herald(self, request: Request) -> None:
        """This request's end hears of the pair, and has its half."""
        link, attempt = self.link, self.attempt
        assert attempt.success is not None
        del request.devices.pending[request.number]
        end = 0 if request is attempt.first else 1
        emitted_ns = attempt.start_ns + attempt.success.emissions_ns[end]
        herald = Herald(
            self.name, request.half, link.ends[1 - end], link.name, emitted_ns, self.goodness, self.bell
        )  # fmt: skip
        request.half = ""
        link.give(request, herald)

    def lose(self, request: Request) -> None:
        """This request's end never hears of the pair: its half is lost."""
        link, numbers = self.link, self.attempt.numbers
        link.around.journal.event(
            link.name, "herald_lost", self.name, *numbers, request.devices.name
        )
        self._drop(request, "herald lost")
        link.around.metrics.count(f"links.{link.name}.heralds_lost")

    def give_up(self, request: Request) -> None:
        """No operation waits any more for the half that lies in the request's slot, if one does."""
        if request.half:
            why, half = "withdrawn before its herald", request.half
            self._drop(request, why)
            self.link.around.journal.event(self.link.name, "lost", half, why)

    def _record_creation(self, emitted_ns: int, other_ns: int) -> None:
        link, attempt, around = self.link, self.attempt, self.link.around
        around.metrics.count(link.metric)
        fields = [self.name, *attempt.numbers, attempt.start_ns, emitted_ns]
        if other_ns != emitted_ns or self.bell:
            fields += [other_ns, self.bell]
        around.journal.event(link.name, "herald", *fields)
        if attempt.outcome.false:
            around.journal.event(link.name, "false_herald", self.name)
            around.metrics.count(f"links.{link.name}.false_heralds")

    def _drop(self, request: Request, why: str) -> None:
        self.link.registry.discard([request.half], why, self.link.around.clock.now_ns)
        request.devices.hold(request.half, "")  # slot and place stay the request's
        request.devices.take_back(request.number, request.half)
        request.half = ""


def _any(_: Changes) -> bool:
    return True


# --- what faults do to heralds --------------------------------------------------------------------


class _Watch:
    """A fault, and from when until when it looks (None: it still lasts)."""

    __slots__ = ("fault", "from_ns", "until_ns")

    def __init__(self, fault: HeraldFault, from_ns: int) -> None:
        self.fault, self.from_ns = fault, from_ns
        self.until_ns: int | None = None


class HeraldFaults:
    """The faults that look at one link's successes."""

    def __init__(self, ends: tuple[str, str], clock: Clock) -> None:
        self._ends, self._clock = ends, clock
        self._watches: list[_Watch] = []

    @property
    def are_watching(self) -> bool:
        """Whether any may look at a success."""
        return bool(self._watches)

    def begin(self, fault: HeraldFault) -> None:
        """`fault` looks at what is emitted from now on."""
        self._watches.append(_Watch(fault, self._clock.now_ns))

    def end(self, fault: HeraldFault) -> None:
        """It looks at nothing any more that is emitted from now on."""
        for watch in self._watches:
            if watch.fault is fault and watch.until_ns is None:
                watch.until_ns = self._clock.now_ns

    def outcome(self, emitted_ns: int) -> HeraldOutcome:
        """What becomes of a success whose light left at `emitted_ns`; the link asks in the order of these."""
        watches = self._watches
        if not watches:
            return HEARD
        # One link's heralds take the same time each: what is asked about ascends.
        self._watches = [w for w in watches if w.until_ns is None or w.until_ns > emitted_ns]
        outcomes = [
            w.fault.on_success(self._ends) for w in self._watches if w.from_ns <= emitted_ns
        ]
        lost = dict.fromkeys(end for outcome in outcomes for end in outcome.lost)
        return HeraldOutcome(tuple(lost), any(outcome.false for outcome in outcomes))
