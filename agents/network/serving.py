"""How a source serves its requests: a path, a circuit along it, another one when that fails.

Owns the order of these steps and what a request fails with. Does not own how paths are worked out
(routes/), what a circuit does (circuits/), nor the words (network_layer.py).

Rules: what is impossible by all that is known is refused at once; at the start of a node only once its
knowledge is complete, or has had time to be. A refused set-up is tried over another path at once, if there is
one, else over the same one after a pause that is drawn, longer each time. A request that has had a circuit
waits for a path to come back, until its deadline or for `outage`.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...emulator.errors import InputError
from ...emulator.units import to_ns
from .circuits.signalling import Opening
from .control import Finished, PathAnswer, PathQuery, Refuse, Setup
from .errors import DeadlinePassed, FidelityImpossible, NetworkError, Unreachable, Withdrawn
from .path_requests import PathRequest
from .routes.routing import NoPath, Route, find_route

if TYPE_CHECKING:
    from .network_layer import Network

#: A track or a pair is asked about after so many mean waits of the slowest link, and round trips.
_PATIENCE_WAITS, _PATIENCE_TRIPS, _PATIENCE_NS = 20, 4, 5_000_000
#: The longest pause between two set-ups, or questions to the controller.
_LONGEST_PAUSE_S = 0.5
#: A question to the controller is asked again after so long, then twice that; and it has so long to answer.
_ASK_AGAIN_S, _ANSWER_S = 0.002, 0.2
#: A set-up is given up after so many times the time that messages take, and this.
_SET_UP_TRIPS, _SET_UP_S = 20, 0.5


@dataclass(frozen=True)
class Want:
    """What a request asks for. `axes`, `weights`, `bases`: how the far end measures, if it does at once."""

    fidelity: float
    priority: int
    purpose: str
    cutoff_s: float | None
    axes: Sequence[tuple[float, float, float]] = ()
    weights: list[float] | None = None
    bases: Sequence[int] = ()


class Serving:
    """The requests of one node, and the paths it works out for others."""

    def __init__(self, service: Network) -> None:
        self._service = service
        self._begun_ns = service.now_ns
        self._count = 0
        self._serves: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._circuits: dict[str, Opening] = {}
        self._measured: set[str] = set()
        self._news: list[asyncio.Future[None]] = []
        self._answers: dict[str, asyncio.Future[PathAnswer]] = {}

    # --- requests ---

    def check_peer(self, peer: str) -> None:
        """Raises Unreachable for what is no node, InputError for this one."""
        if peer == self._service.name:
            raise InputError(f"{peer} is this node itself")
        if not self._service.node.knows(peer):
            raise Unreachable(f"no node is called {peer!r}", peer)

    def begin(self, peer: str, count: int, want: Want, limit_s: float | None) -> PathRequest:
        """Serve a request from now on."""
        self.check_peer(peer)
        if count < 1:
            raise InputError(f"count is {count}, expected at least 1")
        if not 0 <= want.fidelity <= 1:
            raise InputError(f"min_fidelity is {want.fidelity}, expected 0 to 1")
        service = self._service
        request = PathRequest(service.node, self._next_id(), peer, count)
        if limit_s is not None:
            if limit_s <= 0:
                raise DeadlinePassed(peer, 0, count)
            loop = asyncio.get_running_loop()
            self._timers[request.id] = loop.call_later(limit_s, self._too_late, request)
        if want.axes:
            self._measured.add(request.id)
        self._serves[request.id] = service.background(
            self._serve(request, want), f"request {request.id}"
        )
        return request

    def _too_late(self, request: PathRequest) -> None:
        request.fail(DeadlinePassed(request.peer, request.handed, request.count))

    def finish(self, request: PathRequest) -> None:
        """All its pairs have been handed over: the circuit can go."""
        opening = self._circuits.pop(request.id, None)
        if opening is not None:
            self._service.signalling.tear_down(opening.id, "finished")

    async def end(self, request: PathRequest) -> None:
        """The request is over, whatever has come of it: give all back."""
        timer = self._timers.pop(request.id, None)
        if timer is not None:
            timer.cancel()
        done = request.handed == request.count
        if not done:
            why = f"{self._service.name} takes no more pairs of it"
            request.fail(Withdrawn(why, request.peer))
            opening = self._circuits.pop(request.id, None)
            if opening is not None:
                left = self._service.signalling.tear_down(opening.id, why)
                if left:
                    await asyncio.wait(left)
        task = self._serves.pop(request.id, None)
        if task is not None:
            task.cancel()
        if request.id in self._measured:
            self._measured.remove(request.id)
            self._service.post(request.peer, Finished(request.id, done, request.unconfirmed))
        self._service.record_request(request)
        await request.discard()

    # --- serving ---

    async def _serve(self, request: PathRequest, want: Want) -> None:
        try:
            await self._try(request, want)
        except NetworkError as error:
            request.fail(error)

    async def _try(self, request: PathRequest, want: Want) -> None:
        avoid: set[str] = set()
        failures, had = 0, False
        while not request.is_over:
            request.state = "a path"
            route = await self._route(request, want, avoid, had)
            if route is None:  # none is left but those that have refused
                avoid.clear()
                request.state = "a pause before the next set-up"
                await self._pause(failures)
                continue
            refusal = await self._set_up(request, want, route)
            if refusal is not None:
                request.figures.blocked += 1
                failures += 1
                if refusal.node in (self._service.name, request.peer, ""):
                    await self._pause(failures)
                else:
                    avoid.add(refusal.node)
                continue
            failures, had = 0, True
            avoid.clear()
            opening = self._circuits[request.id]
            teardown = await opening.ended
            self._circuits.pop(request.id, None)
            if teardown.link:
                avoid.add(teardown.link)

    async def _pause(self, failures: int) -> None:
        longest_s = min(0.005 * 2**failures, _LONGEST_PAUSE_S)
        await asyncio.sleep(float(self._service.rng.uniform(0.0, longest_s)))

    async def _set_up(self, request: PathRequest, want: Want, route: Route) -> Refuse | None:
        """Set a circuit up; None if all nodes have accepted."""
        service, begun_ns = self._service, self._service.now_ns
        opening = service.signalling.open(self._setup(request, want, route), request)
        self._circuits[request.id] = opening
        over = f"{opening.id} over {', '.join(route.path[1:-1]) or 'the link'}"
        request.state = f"the set-up of circuit {over}"
        limit_s = _SET_UP_TRIPS * (route.latency_ns * 1e-9 + service.processing_s) + _SET_UP_S
        try:
            async with asyncio.timeout(limit_s):
                refusal = await asyncio.shield(opening.answered)
        except TimeoutError:
            service.signalling.tear_down(opening.id, "its set-up was not answered")
            refusal = Refuse(opening.id, "", "no answer")
        if refusal is None:
            request.figures.circuits += 1
            request.figures.set_up_ns.append(service.now_ns - begun_ns)
            request.state = f"circuit {over}"
        else:
            self._circuits.pop(request.id, None)
        return refusal

    def _setup(self, request: PathRequest, want: Want, route: Route) -> Setup:
        service = self._service
        first = service.link(route.links[0])
        assert first.heralding is not None
        cutoff_s = service.cutoff_s if want.cutoff_s is None else want.cutoff_s
        waits_ns = _PATIENCE_WAITS * 1e9 / route.rate_hz
        trips_ns = _PATIENCE_TRIPS * (route.latency_ns + 1e9 * service.processing_s)
        return Setup(
            id=self._next_id(),
            request=request.id,
            path=list(route.path),
            links=list(route.links),
            alphas=list(route.alphas),
            count=request.lacking,
            order=service.order,
            priority=want.priority,
            purpose=want.purpose,
            cutoff_ns=0 if cutoff_s is None else to_ns(cutoff_s),
            patience_ns=round(waits_ns + trips_ns) + _PATIENCE_NS,
            latency_ns=route.latency_ns,
            memory_ns=first.heralding.memories_ns[first.end],
            expires_ns=service.node.welcome.cutoff_ns,
            refresh_ns=service.refresh_ns,
            axes=list(want.axes),
            weights=want.weights,
            bases=list(want.bases),
        )

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._service.name}.{self._service.incarnation}.{self._count}"

    # --- paths ---

    async def _route(
        self, request: PathRequest, want: Want, avoid: Collection[str], had: bool
    ) -> Route | None:
        """A path; None if there is one only over what is to be avoided. Raises what no path means."""
        service, since_ns = self._service, self._service.now_ns
        settled_ns = self._begun_ns + to_ns(service.settle_s)
        again_s = _ASK_AGAIN_S
        while True:
            settled, waits_on = self._is_settled(settled_ns), had
            try:
                if settled or not avoid:
                    return await self._find(request.peer, want.fidelity, avoid)
            except NoPath as problem:
                if avoid:
                    return None
                waits_on = had or not problem.known or self._awaits_contact()
                if settled and problem.best is not None and not had:
                    raise FidelityImpossible(
                        request.peer, want.fidelity, problem.best, f"no path to {request.peer}"
                    ) from problem
            outage_ns = since_ns + to_ns(service.outage_s)
            has_time = request.id in self._timers or service.now_ns < outage_ns
            if settled and not (waits_on and has_time):
                raise Unreachable(
                    f"no path leads from {service.name} to {request.peer}", request.peer
                )
            until_ns = outage_ns if settled else settled_ns
            if service.now_ns >= until_ns:  # it waits for its deadline, and for what changes
                until_ns = service.now_ns + to_ns(_LONGEST_PAUSE_S)
            if service.controller not in ("", service.name):  # news come to the controller only
                until_ns = min(until_ns, service.now_ns + to_ns(again_s))
                again_s = min(2 * again_s, _LONGEST_PAUSE_S)
            await self._change(until_ns)

    def _awaits_contact(self) -> bool:
        """Whether a neighbour is planned to be seen that is not seen now."""
        now_ns = self._service.now_ns
        plans = [link.contacts for link in self._service.knowledge.links.values() if link.contacts]
        return any(bisect_right(plan, now_ns) < len(plan) for plan in plans)

    def _is_settled(self, settled_ns: int) -> bool:
        """Whether all is known that can be: each node that an advert names has sent its own."""
        service = self._service
        if service.now_ns >= settled_ns:
            return True
        return not service.controller and service.knowledge.is_complete

    async def _find(self, peer: str, fidelity: float, avoid: Collection[str]) -> Route:
        service = self._service
        if service.controller in ("", service.name):
            if not service.controller and not self._is_settled(
                self._begun_ns + to_ns(service.settle_s)
            ):
                raise NoPath
            return self._work_out(service.name, peer, fidelity, avoid)
        number = self._next_id()
        future = self._answers[number] = asyncio.get_running_loop().create_future()
        service.post(
            service.controller, PathQuery(number, peer, fidelity, service.metric, sorted(avoid))
        )
        try:
            async with asyncio.timeout(_ANSWER_S):
                answer = await future
        except TimeoutError:
            raise NoPath(known=False) from None
        finally:
            del self._answers[number]
        if answer.error:
            raise NoPath(answer.best or None)
        return Route(
            tuple(answer.path),
            tuple(answer.links),
            tuple(answer.alphas),
            answer.fidelity,
            answer.rate_hz,
            answer.latency_ns,
        )

    def _work_out(self, source: str, target: str, fidelity: float, avoid: Collection[str]) -> Route:
        service = self._service
        adverts = service.knowledge.adverts
        small = {name for name, advert in adverts.items() if advert.slots < 2}
        return find_route(
            service.knowledge.graph(), source, target, fidelity, service.metric, {*avoid, *small}
        )

    def answer(self, source: str, query: PathQuery) -> PathAnswer:
        """As the controller: the path that another node asks for."""
        settled_ns = self._begun_ns + to_ns(self._service.settle_s)
        try:
            route = self._work_out(source, query.target, query.fidelity, query.avoid)
        except NoPath as problem:
            late = self._service.now_ns >= settled_ns
            return PathAnswer(
                query.id, error="no path", best=(problem.best or 0.0) if late else 0.0
            )
        return PathAnswer(
            query.id,
            list(route.path),
            list(route.links),
            list(route.alphas),
            route.fidelity,
            route.rate_hz,
            route.latency_ns,
        )

    def on_answer(self, answer: PathAnswer) -> None:
        """The controller has answered."""
        future = self._answers.get(answer.id)
        if future is not None and not future.done():
            future.set_result(answer)

    def news(self) -> None:
        """Something is known that was not before."""
        waiting, self._news = self._news, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def _change(self, until_ns: int) -> None:
        """Wait for news, or until then."""
        left_s = max(0, until_ns - self._service.now_ns) * 1e-9
        future = asyncio.get_running_loop().create_future()
        self._news.append(future)
        try:
            async with asyncio.timeout(left_s + 1e-9):
                await future
        except TimeoutError:
            pass
