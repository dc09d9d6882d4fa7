"""One end of a link that serves requests: which pairs are awaited, and what both ends say to each other.

Owns, for one link at one of its ends, the requests, the pairs in the order in which both ends make them, and
what happens when one end misses something that the other has. Does not own the words for programs
(link_layer.py), the state of a request (requests.py), whose turn it is (scheduling.py) or how messages get
through (channel.py).

Theory of operation. The end whose node is first by name is the link's master: the other one's requests are
sent to it, it decides whose turn it is, and says so (`Serve`) some pairs ahead. Both ends append what is
served to one list and work on that in its order, as many pairs side by side as the link carries. For each
pair they ask the emulator under the pair's own name as the purpose, `alice.1.7#3`, and only requests of one
purpose match. So nothing that one end leaves out, drops or is late with mixes up two pairs: the worst is that
an end awaits a pair that the other one does not.

That is found out by `Under`: an end that has waited for long says what it waits for. The other answers `Over`
for what it has had or dropped; the first gives those up, and says `Lost`, at which the other drops its half,
if it lies there still. A lost number is replaced by a new one. A half that its memory discards at the cut-off
is said to be `Lost` too.

Rules: messages name requests and pairs, and what names one that is not known here changes nothing. When the
other end has lost its state (channel.py), all requests of both ends fail here, and what they hold is
discarded.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...emulator.errors import OperationError, QubitError
from ...emulator.wire import LinkInfo
from ..protocols.cleanup import DiscardOnError, discard_held
from ..qubits import Pair
from .array_requests import ArrayRequest
from .channel import SILENT, Channel
from .errors import NetworkError, Unreachable, Withdrawn
from .link_messages import (
    Asked,
    Check,
    Checked,
    Finished,
    Gaps,
    Heard,
    Item,
    Lost,
    Over,
    Ready,
    Serve,
    Under,
    Withdraw,
)
from .pace import LONGEST_SILENCE_S, LONGEST_TURN, Pace
from .requests import LinkPair, Request
from .scheduling import Policy, Scheduler

if TYPE_CHECKING:
    from .link_layer import LinkLayer


class LinkEnd:
    """One end of one link."""

    def __init__(
        self,
        service: LinkLayer,
        info: LinkInfo,
        channel: Channel,
        policy: Policy,
        weights: dict[str, float],
    ) -> None:
        assert info.heralding is not None
        self._service, self.info, self._channel = service, info, channel
        self.is_master = service.name < info.peer
        self._scheduler = Scheduler(policy, weights)
        self._width = info.heralding.multiplexing
        self._pace = Pace(info, self._width)
        self.requests: dict[str, Request] = {}
        #: Pairs that are still to be begun, in the order of both ends.
        self._schedule: deque[tuple[Request, int]] = deque()
        #: Pairs that are awaited, and since when.
        self._running: dict[tuple[str, int], tuple[asyncio.Task[None], int]] = {}
        self._watch: asyncio.TimerHandle | None = None
        self._silence_s = 0.0
        self._advances = False
        self._handlers: dict[type, Callable[[Any], None]] = {
            Asked: self._on_asked,
            Serve: self._on_serve,
            Ready: self._on_ready,
            Under: self._on_under,
            Over: self._on_over,
            Heard: self._on_heard,
            Lost: self._on_lost,
            Gaps: self._on_gaps,
            Withdraw: self._on_withdraw,
            Check: self._on_check,
            Checked: self._on_checked,
            Finished: self._on_finished,
        }

    # --- for the service ---

    def ask(self, request: Request) -> None:
        """A request of this end."""
        self._post(request.asked)
        request.ready_here = True
        self._add(request)
        self.advance()

    def advance(self) -> None:
        """Continue, once all that runs now has had its turn: a program that waits takes its pair first."""
        if not self._advances:
            self._advances = True
            loop = asyncio.get_running_loop()
            loop.call_soon(self._advance, context=self._service.own_context)

    def _advance(self) -> None:
        """Say whether this end takes more, decide whose turn it is, and begin what is next."""
        self._advances = False
        for request in list(self.requests.values()):
            self._say_ready(request)
            self._answer_check(request)
        if self.is_master:
            self._plan()
        while self._schedule and len(self._running) < self._width:
            self._begin(*self._schedule.popleft())
        for request in [each for each in self.requests.values() if each.finished]:
            if not self._awaits(request):
                self._forget(request)
        self._keep_watch()

    def fail(self, request: Request, error: NetworkError, *, say: bool = True) -> None:
        """The request is no more: what it holds here is given back; `say`: the other end learns of it."""
        if request.is_over:
            return
        request.failure = error
        self._forget(request)
        if say:
            self._post(Withdraw(self.info.name, request.id, str(error)))
        self.advance()

    def finish(self, request: Request) -> None:
        """A request of this end has all its pairs."""
        if not request.is_over:
            request.finished = True
            unused = [*request.halves, *self._awaited(request)]
            if unused:  # made in the place of others that were lost, and not needed after all
                self._post(Lost(self.info.name, request.id, unused))
            self._post(Finished(self.info.name, request.id))
            self._forget(request)
            self.advance()

    def check(self, request: Request) -> None:
        """Ask whether the other end still awaits any pair of a measured request."""
        if request.check_asked < request.scheduled:
            request.check_asked = request.scheduled
            self._post(Check(self.info.name, request.id, request.scheduled))

    def lost_state(self, why: str) -> None:
        """Nothing of what was agreed with the other end holds any more."""
        peer = self.info.peer
        kind = Unreachable if why == SILENT else Withdrawn
        for request in list(self.requests.values()):
            if request.finished:
                self._forget(request)  # what it still awaits does not come
            error = kind(f"request {request.id} with {peer} is lost: {why}", peer)
            self.fail(request, error, say=False)

    def close(self) -> list[Pair]:
        """The run is over; returns the halves of this end's requests, which are to be discarded."""
        if self._watch is not None:
            self._watch.cancel()
        for task, _ in self._running.values():
            task.cancel()
        own = [request for request in self.requests.values() if request.own]
        return [half for request in own for half in request.halves.values()]

    # --- whose turn it is, at the master ---

    def _plan(self) -> None:
        """Serve requests until enough pairs are scheduled ahead."""
        while True:
            chosen = self._scheduler.next(self._can_be_served)
            if chosen is None:
                return
            request = self.requests[chosen]
            if len(self._schedule) + len(self._running) >= self._pace.ahead(request.asked):
                return
            turn = self._pace.turn(request.asked)
            count = min(turn, request.lacking, max(1, request.limit))
            self._scheduler.charge(chosen, count * request.asked.block)
            self._post(Serve(self.info.name, chosen, request.scheduled + 1, count))
            self._append(request, count)

    def _can_be_served(self, name: str) -> bool:
        request = self.requests[name]
        if not (request.ready_here and request.ready_there):
            return False
        return request.lacking > 0

    def _append(self, request: Request, count: int) -> None:
        for _ in range(count):
            request.scheduled += 1
            self._schedule.append((request, request.scheduled))

    # --- pairs ---

    def _begin(self, request: Request, number: int) -> None:
        dropped = request.finished and request.own
        if dropped or request.failure is not None or number in request.lost:
            return
        task = asyncio.create_task(
            self._make(request, number), name=f"{request.id}#{number} with {self.info.peer}"
        )
        self._running[request.id, number] = task, self._service.now_ns

    async def _make(self, request: Request, number: int) -> None:
        """Await the pair, or the block of outcomes, of this number."""
        try:
            if isinstance(request, ArrayRequest):
                await self._measure_block(request, number)
            else:
                await self._make_pair(request, number)
        except QubitError:  # past its memory's cut-off before it was measured or stored
            self._running.pop((request.id, number), None)
            self._lose(request, [number])
            return
        except OperationError as error:
            self._running.pop((request.id, number), None)
            self.fail(request, NetworkError(f"request {request.id}: {error}", self.info.peer))
            return
        self._running.pop((request.id, number), None)
        request.wake()
        self._silence_s = 0.0
        self._service.came(request)
        self.advance()

    async def _make_pair(self, request: Request, number: int) -> None:
        """Await one pair, and keep or measure its half."""
        pair = await self._service.entangle(
            self.info.peer,
            link=self.info.name,
            purpose=f"{request.id}#{number}",
            alpha=request.asked.alpha,
        )
        async with DiscardOnError(pair):
            if request.measures:
                basis, axis = request.setting(number)
                request.outcomes[number] = basis, await pair.measure(axis)
            elif self._service.stores:
                await self._store(pair)
        if not request.measures:
            self._keep(request, number, pair)

    async def _measure_block(self, request: ArrayRequest, number: int) -> None:
        """Await a block of outcomes."""
        gaps = await request.measure(self._service, self.info, number)
        if gaps:
            self._post(Gaps(self.info.name, request.id, number, gaps))

    async def _store(self, pair: Pair) -> None:
        """To a storage qubit, if one is free; else it stays where the link has left it."""
        try:
            await pair.store()
        except QubitError:
            raise
        except OperationError:
            pass

    def _keep(self, request: Request, number: int, pair: Pair) -> None:
        asked = request.asked
        half = LinkPair(pair, request.id, number, asked.purpose, asked.fidelity)
        request.halves[number] = half
        if asked.confirmed:
            self._post(Heard(self.info.name, request.id, number))

    def _lose(self, request: Request, numbers: list[int]) -> None:
        """This end has nothing of these: replace them, and say so."""
        self._discard(*request.lose(numbers))
        self._post(Lost(self.info.name, request.id, numbers))
        request.wake()
        self.advance()

    def expired(self, request: Request, half: LinkPair) -> None:
        """A half that was kept here is gone."""
        if not request.is_over:
            self._lose(request, [half.number])

    def _discard(self, *halves: Pair) -> None:
        if halves:
            self._service.background(discard_held(*halves))

    # --- requests ---

    def _add(self, request: Request) -> None:
        self.requests[request.id] = request
        asked = request.asked
        if self.is_master:
            self._scheduler.add(asked.id, asked.purpose, asked.priority)

    def _forget(self, request: Request) -> None:
        """Nothing more is made for it. Halves of a finished one of the other end stay for the program."""
        self.requests.pop(request.id, None)
        self._scheduler.remove(request.id)
        for place in [place for place in self._running if place[0] == request.id]:
            task, _ = self._running.pop(place)
            task.cancel()
        if request.failure is not None or request.own:
            self._discard(*request.halves.values())
            request.halves.clear()
        if not request.own:
            self._service.ended(request)
        request.wake()

    def _say_ready(self, request: Request) -> None:
        """Tell the other end when this one begins or ceases to take pairs of the request."""
        ready = self._service.takes(request)
        if ready != request.ready_here and not request.is_over:
            request.ready_here = ready
            self._post(Ready(self.info.name, request.id, ready))

    # --- what the other end says ---

    def on(self, item: Item) -> None:
        """A message of the other end."""
        self._handlers[type(item)](item)

    def _post(self, item: Item) -> None:
        self._channel.post(item)

    def _on_asked(self, asked: Asked) -> None:
        if not asked.is_sound:
            self._post(Withdraw(self.info.name, asked.id, "it makes no sense"))
            return
        request = self._service.accepted(asked, self.info)
        request.ready_there = True
        self._add(request)
        self._service.arrived(request)
        self.advance()

    def _on_serve(self, serve: Serve) -> None:
        request = self.requests.get(serve.id)
        if request is None or self.is_master or serve.count > LONGEST_TURN:
            return
        if serve.first == request.scheduled + 1:
            self._append(request, serve.count)
            self.advance()

    def _on_ready(self, ready: Ready) -> None:
        request = self.requests.get(ready.id)
        if request is not None:
            request.ready_there = ready.ready
            self.advance()

    def _on_under(self, under: Under) -> None:
        over = []
        for name, number in under.pairs:
            request = self.requests.get(name)
            known = request is not None and number > request.scheduled
            if not known and not (request is not None and self._is_awaited(request, number)):
                over.append((name, number))
        if over:
            self._post(Over(self.info.name, over))

    def _awaits(self, request: Request, upto: float = math.inf) -> bool:
        """Whether any of its pairs is awaited, or still to be begun."""
        return any(number <= upto for number in self._awaited(request))

    def _awaited(self, request: Request) -> list[int]:
        """The numbers of its pairs that are awaited, and of those still to be begun."""
        running = [number for name, number in self._running if name == request.id]
        return running + [number for each, number in self._schedule if each is request]

    def _is_awaited(self, request: Request, number: int) -> bool:
        return (request.id, number) in self._running or (request, number) in self._schedule

    def _on_over(self, over: Over) -> None:
        for name, number in over.pairs:
            found, request = self._running.pop((name, number), None), self.requests.get(name)
            if found is None:
                continue
            found[0].cancel()
            if request is not None:
                self._lose(request, [number])
        self.advance()

    def _on_heard(self, heard: Heard) -> None:
        request = self.requests.get(heard.id)
        if request is not None:
            request.heard_there.add(heard.number)
            request.wake()
            self._service.came(request)
            self.advance()

    def _on_lost(self, lost: Lost) -> None:
        request = self.requests.get(lost.id)
        if request is None:
            return
        self._discard(*request.lose(lost.numbers))
        for number in lost.numbers:
            found = self._running.pop((lost.id, number), None)
            if found is not None:
                found[0].cancel()
        request.wake()
        self.advance()

    def _on_gaps(self, gaps: Gaps) -> None:
        request = self.requests.get(gaps.id)
        if isinstance(request, ArrayRequest):
            request.add_gaps(gaps.number, gaps.rows)
            request.wake()
            self.advance()

    def _on_withdraw(self, withdraw: Withdraw) -> None:
        request = self.requests.get(withdraw.id)
        if request is not None:
            peer = self.info.peer
            error = Withdrawn(f"request {request.id}: withdrawn by {peer}: {withdraw.why}", peer)
            self.fail(request, error, say=False)

    def _on_check(self, check: Check) -> None:
        request = self.requests.get(check.id)
        if request is not None:
            request.check_asked = max(request.check_asked, check.upto)
            self._answer_check(request)

    def _answer_check(self, request: Request) -> None:
        upto = request.check_asked
        if request.own or request.checked >= upto or upto > request.scheduled:
            return
        if not self._awaits(request, upto):
            request.checked = upto
            self._post(Checked(self.info.name, request.id, upto))

    def _on_checked(self, checked: Checked) -> None:
        request = self.requests.get(checked.id)
        if request is not None:
            request.checked = max(request.checked, checked.upto)
            request.wake()

    def _on_finished(self, finished: Finished) -> None:
        request = self.requests.get(finished.id)
        if request is not None:
            request.finished = True  # what is still on its way here is awaited
            self._scheduler.remove(request.id)
            self.advance()

    # --- silence ---

    def _keep_watch(self) -> None:
        """As long as there are requests, say now and then what is awaited here."""
        if self.requests and self._watch is None:
            longer_s = min(2 * self._silence_s, LONGEST_SILENCE_S)
            self._silence_s = max(longer_s, self._patience_s())
            loop = asyncio.get_running_loop()
            own = self._service.own_context
            wait_s = self._silence_s + self._pause_s()
            self._watch = loop.call_later(wait_s, self._speak, context=own)

    def _pause_s(self) -> float:
        """How long no pair can come, as the ends do not see each other."""
        contacts, now_ns = self.info.contacts or [], self._service.now_ns
        found = bisect_right(contacts, now_ns)
        between = found % 2 == 0 and found < len(contacts)
        return (contacts[found] - now_ns) * 1e-9 if between else 0.0

    def _patience_s(self) -> float:
        return self._pace.patience_s(request.asked for request in self.requests.values())

    def _speak(self) -> None:
        self._watch = None
        if not self.requests:
            return
        since_ns = self._service.now_ns - round(self._patience_s() * 1e9)
        late = [place for place, (_, begun_ns) in self._running.items() if begun_ns <= since_ns]
        if late or not self._running:
            self._post(Under(self.info.name, late))
        self._keep_watch()
