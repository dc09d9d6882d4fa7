"""Heralded pairs as they come into being: their halves, who hears of them, and halves that nobody gets.

Owns what a link's success does to the registry, the heralds that nodes are given, and the journal of both.
Does not own when attempts succeed (requests.py), what faults say of it (herald_faults.py), or slots.

Rule: a half exists since its emission. What its memory has met since then it has met, though nobody knew of
it: a memory that was reset in between holds |0>.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...kernel.ports import Clock, Journal, Metrics
from ...wire import Herald
from ..links.fault_history import FaultHistory
from ..links.link_changes import Changes
from ..node.registry import Registry
from .requests import Attempt, HeraldedLink, Request


class HeraldedPairs:
    """Pairs of all links. `give(request, value)` hands a request its result; `disturbed`: by link."""

    def __init__(
        self,
        registry: Registry,
        clock: Clock,
        journal: Journal,
        metrics: Metrics,
        give: Callable[[Request, Herald], None],
        disturbed: Mapping[str, FaultHistory[Changes]],
    ) -> None:
        self._disturbed = disturbed
        self._registry, self._clock, self._journal = registry, clock, journal
        self._metrics, self._give = metrics, give

    def create(self, link: HeraldedLink, attempt: Attempt) -> None:
        """Attempts have succeeded: each half exists since its emission, and an end hears of it now."""
        assert attempt.success is not None
        link.pairs += 1
        pair = attempt.pair = f"{link.name}#{link.pairs}"
        first, second = link.ends
        half, other = f"{pair}@{first}", f"{pair}@{second}"
        attempt.first.half, attempt.second.half = half, other
        bell, start_ns = attempt.bell, attempt.start_ns
        emissions_ns = [start_ns + each for each in attempt.success.emissions_ns]
        emitted_ns, other_ns = emissions_ns
        density = link.density(attempt)
        self._registry.create_pair(half, first, other, second, density, emitted_ns, other_ns)
        self._disturbed[link.name].at(min(emissions_ns)).strike(_any)
        self._metrics.count(link.metric)
        fields = [pair, attempt.first.number, attempt.second.number, start_ns, emitted_ns]
        if other_ns != emitted_ns or bell:
            fields += [other_ns, bell]
        self._journal.event(link.name, "herald", *fields)
        if attempt.fate.false:
            self._journal.event(link.name, "false_herald", pair)
            self._metrics.count(f"links.{link.name}.false_heralds")
        for request, since_ns in zip(attempt.requests, emissions_ns, strict=True):
            if since_ns < request.station.memory_reset_ns:
                reset_ns = request.station.memory_reset_ns
                self._registry.reset(request.half, reset_ns, silently=True)

    def herald(self, link: HeraldedLink, attempt: Attempt, request: Request) -> None:
        """One end hears of the pair, and has its half."""
        assert attempt.success is not None
        node = request.station.name
        del request.station.pending[request.number]
        emitted_ns = attempt.start_ns + attempt.success.emissions_ns[link.ends.index(node)]
        peer, goodness = link.other_end(node), attempt.source.fidelity
        herald = Herald(
            attempt.pair, request.half, peer, link.name, emitted_ns, goodness, attempt.bell
        )
        request.half = ""
        self._give(request, herald)

    def lose(self, link: HeraldedLink, attempt: Attempt, request: Request | None) -> None:
        """The herald for `request` is lost, and its half; None: both are, so that there is no pair."""
        numbers = [attempt.first.number, attempt.second.number]
        if request is None:
            self._journal.event(link.name, "herald_lost", "", *numbers, attempt.start_ns)
        else:
            node = request.station.name
            self._journal.event(link.name, "herald_lost", attempt.pair, *numbers, node)
            self._drop(request, "herald lost")
        self._metrics.count(f"links.{link.name}.heralds_lost")

    def give_up(self, request: Request) -> None:
        """Nobody waits any more for the half that lies in the request's slot, if one does."""
        if request.half:
            why = "withdrawn before its herald"
            half = request.half
            self._drop(request, why)
            self._journal.event(request.link.name, "lost", half, why)

    def _drop(self, request: Request, why: str) -> None:
        self._registry.discard([request.half], why, self._clock.now_ns)
        request.half = ""


def _any(_: Changes) -> bool:
    return True
