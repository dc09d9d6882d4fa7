"""The node: grants in, reports and publishes out.

Owns the life of one incarnation: its virtual loop, its open operations, the payloads it holds and those it
has sent, and its steps. Does not own whose they are: the program and the services on it are its tenants
(tenants/). No sockets: shells call `receive` (frames of the emulator) and `payload` (MQTT), and commit
`storages`, then carry out `outbox` (frames to the emulator), `publishes` (destination, payload) and the
orders of `outsides` after each call.

Rules. Nothing but a grant wakes a tenant. A grant that names payloads that are not here waits for them;
`lacking()` says which. A sent payload is kept until the emulator says `Forget`. One grant, one step, one
report, however many tenants there are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import IO, Any

import msgspec

from ...emulator.errors import MessageError, Spinning, operation_error
from ...emulator.program_modules import ProgramModules
from ...emulator.wire import (
    Ask,
    Clicked,
    Coincidences,
    CountClicks,
    CountCoincidences,
    Counted,
    CountedPairs,
    CountedPulses,
    Detect,
    Entangle,
    Failed,
    Grant,
    Have,
    Herald,
    Intercept,
    Join,
    Joined,
    Kept,
    MeasuredPairs,
    MeasurePairs,
    PairPulses,
    Pulses,
    Release,
    Resend,
    Result,
    Sent,
    Settle,
    Split,
    Stop,
    ToEmulator,
    ToNode,
    Waits,
    Welcome,
)
from ..frames import Frames
from ..loop.hosted_loop import HostedLoop
from ..loop.virtual_loop import VirtualLoop
from ..messages import unseal
from ..tracebacks import headline, program_traceback
from . import waiting
from .held_qubits import ACCOUNTS, HeldQubits
from .limits import MetricNames
from .local_clock import LocalClock
from .outgoing import Outgoing
from .outsides import Outsides
from .payloads import Payloads
from .storages import Storages
from .tenants.tenants import NOTHING, Tenants

_RESULT_TYPES: dict[type, Any] = {
    Entangle: Herald,
    Join: Joined,
    Pulses: Sent,
    PairPulses: Sent,
    CountedPulses: Sent,
    CountedPairs: Sent,
    Detect: Clicked,
    CountClicks: Counted,
    CountCoincidences: Coincidences,
    Intercept: Clicked,
    Split: Kept,
    MeasurePairs: MeasuredPairs,
}


class Node:
    """One incarnation of a node, from its Welcome on.

    `log_stream` takes the tenants' log lines and, where nodes share a process, their prints; `modules` are
    those of the run (None: it has its own), `names` all nodes of the network (None: those of the Welcome).
    """

    def __init__(
        self,
        welcome: Welcome,
        log_stream: IO[str] | None = None,
        modules: ProgramModules | None = None,
        names: Collection[str] | None = None,
    ) -> None:
        self.welcome = welcome
        self.outbox: list[ToEmulator] = []
        self.publishes: list[tuple[str, bytes]] = []
        self.stopped = False
        self.dead = False
        self.clock = LocalClock(welcome.clock)
        self.true_ns = welcome.t_ns
        self.loop = HostedLoop(welcome.name) if welcome.services else VirtualLoop(welcome.name)
        self.loop.now_ns = self.clock.local_ns(welcome.t_ns)
        self.loop.output = log_stream
        self.loop.epoch_ns, self.loop.hash_key = welcome.epoch_ns, welcome.hash_key
        self.operations: dict[int, waiting.OperationFuture] = {}
        self.metric_names = MetricNames()
        self.payloads = Payloads(welcome.name, welcome.incarnation)
        self.out = Outgoing()
        self.frames = Frames(self.loop)
        self.held = HeldQubits(self.loop, self.frames)
        self.outsides = Outsides(
            welcome, lambda: waiting.NamedFuture(self.loop, "a request from outside", None)
        )
        self.storages = Storages(welcome)
        self.names = dict.fromkeys([welcome.name, *welcome.nodes]) if names is None else names
        self.tenants = Tenants(self, log_stream)
        self._waiting_grant: Grant | None = None
        self._settles: list[Settle] = []
        #: Nothing on it runs any more.
        self._over = False
        unbuilt = self.tenants.load(modules)
        if unbuilt is not None:
            self._over = True
            self.outbox.append(unbuilt)

    # --- from the shell ---

    @property
    def now_ns(self) -> int:
        """Virtual time in ns, as this node's clock shows it."""
        return self.loop.now_ns

    def receive(self, message: ToNode) -> None:
        """A frame of the emulator."""
        if self.dead:
            return
        if type(message) is Grant:
            if self._over:
                return  # it is over: the grant crossed its report
            if message.deliveries:
                self._waiting_grant = message
                self._try_grant()
            else:
                self._step(message)
        elif isinstance(message, Release):
            for forget in message.forget:
                self.payloads.forget(forget)
        elif isinstance(message, Settle):
            self._settles.append(message)
            self._try_settles()
        elif isinstance(message, Resend):
            self.publishes.extend(self.payloads.again(message.dst, message.seqs))
        elif isinstance(message, Ask):
            waits = waiting.describe(self.loop, self.clock) + self.tenants.waits()
            self.outbox.append(Waits(waits, self.tenants.is_foreground))
        elif isinstance(message, Stop):
            self.stopped = True

    @property
    def awaiting(self) -> bool:
        """Whether a grant or a settle waits for payloads."""
        return self._waiting_grant is not None or bool(self._settles)

    def payload(self, src: str, data: bytes) -> None:
        """An MQTT payload that came on `.../inbox/{src}`; anything that is no envelope is ignored."""
        self.arrive([(src, data)])

    def arrive(self, payloads: Sequence[tuple[str, bytes]]) -> None:
        """Payloads that came together, `(source, data)` each, in order; as `payload`."""
        for src, data in payloads:
            try:
                envelope = unseal(data)
            except MessageError:
                continue
            self.payloads.arrived(src, envelope)
        if self._waiting_grant is not None:
            self._try_grant()
        if self._settles:
            self._try_settles()

    def lacking(self) -> list[Resend]:
        """What the waiting grant or settle needs and has not got, as requests to send it again."""
        needed: list[tuple[str, int, int]] = []
        if self._waiting_grant is not None:
            needed += self.payloads.lacking(self._waiting_grant.deliveries)
        for settle in self._settles:
            needed += self.payloads.lacking_of(settle.src, settle.inc, settle.seqs)
        return self.payloads.requests(needed)

    def stacks(self) -> str:
        """Where every task of the tenants stands, for people."""
        return waiting.stacks(self.loop)

    def kill(self) -> None:
        """In-process kill: coroutines are closed, every later call is inert."""
        self.dead = True
        self.loop.abandon()
        self.storages.close()
        self.outbox.clear()
        self.publishes.clear()

    # --- a step ---

    def _try_settles(self) -> None:
        for settle in list(self._settles):
            if not self.payloads.lacking_of(settle.src, settle.inc, settle.seqs):
                self._settles.remove(settle)
                self.outbox.append(Have(settle.src, settle.inc))

    def _try_grant(self) -> None:
        grant = self._waiting_grant
        if grant is None or self.payloads.lacking(grant.deliveries):
            return
        self._waiting_grant = None
        self._step(grant)

    def _step(self, grant: Grant) -> None:
        self.true_ns = grant.t_ns
        if grant.clock is not None:
            self.clock = LocalClock(grant.clock)
            self.loop.now_ns = self.clock.local_ns(grant.t_ns)  # a clock that is put wrong jumps
        local_ns = self.clock.local_ns(grant.t_ns) if self.clock.skews else grant.t_ns
        try:
            next_timer_ns = self.loop.step(local_ns, self._inputs, grant)
            verdict = self.tenants.judge(local_ns)
        except Spinning as error:
            self._fail("spinning", f"node {self.welcome.name}: {error}", self.stacks())
            return
        except (SystemExit, KeyboardInterrupt) as error:
            self._fail("raised", headline(error), program_traceback(error))
            return
        for forget in grant.forget:
            self.payloads.forget(forget)
        if verdict is not NOTHING:
            next_timer_ns = self.loop.next_timer_ns()
            if self.tenants.program.over and not self.tenants.services:
                self._over = True
                self.payloads.end()
                self.outsides.close_all()
        if self.clock.skews and next_timer_ns is not None:
            next_timer_ns = max(self.clock.true_ns(next_timer_ns), grant.t_ns + 1)
        report = self.out.report(grant, next_timer_ns)
        if verdict is not NOTHING:
            report.finished, report.failed = verdict.finished, verdict.failed
            report.broken = verdict.broken
        if self.frames.changed:
            report.frames = self.frames.changes()
        if self.tenants.services:
            report.background = self.tenants.take_background()
        if self.outsides.changed:
            report.outside = self.outsides.report()
        self.outbox.append(report)

    def _inputs(self, grant: Grant) -> None:
        """What is due, in the order of the clock rule; runs inside the step."""
        tenants = self.tenants
        for delivery in grant.deliveries:
            # Who overhears has it in its own mailbox, whatever the port: it was meant for another node.
            port = "" if delivery.dst else delivery.port
            taker = tenants.taker_of(port)
            if not taker.over:
                message = self.payloads.message(delivery, self.clock)
                box = taker.mail.get(port)
                (taker.mailbox(port) if box is None else box).offer(message)
        for arrival in grant.arrivals:
            if arrival.qubit not in grant.expired:  # both at once: the node was held up in between
                arrival.t_ns = self.clock.local_ns(arrival.t_ns)
                tenants.land(arrival)
        for result in grant.results:
            self._resolve(result)
        if grant.expired:
            tenants.expire(set(grant.expired))
        if grant.inputs:
            self.outsides.take(grant.inputs, self.loop.now_ns)
        if tenants.program.main is None:
            tenants.start()
        elif grant.last:
            tenants.dismiss()

    def _resolve(self, result: Result) -> None:
        future = self.operations.pop(result.number, None)
        if future is None:
            return  # no await: it discards a result that no await took
        operation = future.operation
        if result.error is not None:
            if not future.done():
                future.set_exception(operation_error(*result.error))
            return
        kind, value = _RESULT_TYPES.get(type(operation)), result.value
        if kind is not None and type(value) is not kind:
            value = msgspec.convert(value, kind)
        if self.clock.skews:
            self._by_own_clock(value)
        account = ACCOUNTS.get(type(operation))
        if account is not None:
            account(self.held, operation, value, future.owner_name)
        if future.done():
            future.discard(value)
        else:
            future.set_result(value)

    def _by_own_clock(self, value: Any) -> None:
        """Times in a result are true ones: the program sees them as its own clock shows them."""
        for name in ("emitted_ns", "start_ns"):
            if hasattr(value, name):
                setattr(value, name, self.clock.local_ns(getattr(value, name)))

    def _fail(self, kind: str, problem: str, details: str) -> None:
        self._over = True
        self.outsides.close_all()
        self.outbox.append(Failed(kind, problem, details, self.true_ns))
