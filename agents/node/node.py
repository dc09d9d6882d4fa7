"""The node: grants in, reports and publishes out.

Owns one program's life: its virtual loop, its inbox, its open operations, the payloads it holds and
those it has sent. No sockets: shells call `receive` (frames of the emulator) and `payload` (MQTT), and
carry out `outbox` (frames to the emulator), `publishes` (destination, payload) and the orders of `outsides`
after each call.

Rules. Nothing but a grant wakes the program. A grant that names payloads that are not here waits for
them; `lacking()` says which. A sent payload is kept until the emulator says `Forget`. Whatever a
cancelled await can no longer take is given back: an operation is withdrawn, a qubit discarded, a
message put back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import IO, Any

import msgspec
import numpy as np

from ...emulator.errors import (
    LinkError,
    MessageError,
    ProgramError,
    Spinning,
    operation_error,
)
from ...emulator.program_modules import ProgramModules
from ...emulator.wire import (
    Allocate,
    AnyOperation,
    Arrival,
    Ask,
    Clicked,
    Detect,
    Discard,
    Entangle,
    Failed,
    Finished,
    Grant,
    Have,
    Herald,
    Intercept,
    Join,
    Joined,
    Kept,
    Note,
    PairPulses,
    Pulses,
    Release,
    Report,
    Resend,
    Result,
    Send,
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
from ..loop.virtual_loop import VirtualLoop
from ..messages import Mailbox, Message, body_hash, encode_body, plain_name, unseal
from ..options.fitting import fit_options
from ..tracebacks import headline, program_traceback
from . import waiting
from .held_qubits import HeldQubits, qubits_of
from .limits import Allowance, MetricNames
from .local_clock import LocalClock
from .outsides import Outsides
from .payloads import Payloads
from .program import load_program, program_logger
from .program_end import ProgramRaised, cause_of, failure_of_step, finish

_RESULT_TYPES: dict[type, Any] = {
    Entangle: Herald,
    Join: Joined,
    Pulses: Sent,
    PairPulses: Sent,
    Detect: Clicked,
    Intercept: Clicked,
    Split: Kept,
}


class Node:
    """One incarnation of a node, from its Welcome on.

    `log_stream` takes the program's log lines and, where nodes share a process, its prints; `modules` are
    those of the run (None: it has its own).
    """

    def __init__(
        self,
        welcome: Welcome,
        log_stream: IO[str] | None = None,
        modules: ProgramModules | None = None,
    ) -> None:
        self.welcome = welcome
        self._modules = modules
        self.outbox: list[ToEmulator] = []
        self.publishes: list[tuple[str, bytes]] = []
        self.stopped = False
        self.dead = False
        self.clock = LocalClock(welcome.clock)
        self.true_ns = welcome.t_ns
        self.loop = VirtualLoop(welcome.name)
        self.loop.now_ns = self.clock.local_ns(welcome.t_ns)
        self.loop.output = log_stream
        self.loop.epoch_ns, self.loop.hash_key = welcome.epoch_ns, welcome.hash_key
        seed = np.random.SeedSequence(welcome.entropy)
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.log = program_logger(welcome.name, self.loop, log_stream)
        self.inbox: Mailbox[Message] = Mailbox()
        self.landed: Mailbox[Arrival] = Mailbox()
        self.operations: dict[int, waiting.OperationFuture] = {}
        self._metric_names = MetricNames()
        self._payloads = Payloads(welcome.name, welcome.incarnation)
        self._allowance = Allowance()
        self._number = 0
        self.frames = Frames(self.loop)
        self.held = HeldQubits(self.loop, self.frames)
        self.outsides = Outsides(
            welcome, lambda: waiting.NamedFuture(self.loop, "a request from outside", None)
        )
        self._waiting_grant: Grant | None = None
        self._settles: list[Settle] = []
        self._main: asyncio.Task[Any] | None = None
        self._over = False
        #: Its program was cancelled, because the run is over.
        self._dismissed = False
        self._sends: list[Send] = []
        self._issued: list[AnyOperation] = []
        self._cancels: list[int] = []
        self._notes: list[Note] = []
        self._peers = dict.fromkeys([welcome.name, *welcome.peers])
        self._build()

    def _build(self) -> None:
        try:
            welcome = self.welcome
            self._program = load_program(
                welcome.program, modules=self._modules, epoch_ns=welcome.epoch_ns
            )
            self._options = fit_options(self._program, welcome.options, welcome.folder)
        except ProgramError as error:
            self._fail("program", str(error), cause_of(error))

    # --- from the shell ---

    @property
    def now_ns(self) -> int:
        """Virtual time in ns, as this node's clock shows it."""
        return self.loop.now_ns

    def receive(self, message: ToNode) -> None:
        """A frame of the emulator."""
        if self.dead:
            return
        if isinstance(message, Grant):
            if self._over:
                return  # it has failed: the grant crossed its report
            if message.deliveries:
                self._waiting_grant = message
                self._try_grant()
            else:
                self._step(message)
        elif isinstance(message, Release):
            for forget in message.forget:
                self._payloads.forget(forget)
        elif isinstance(message, Settle):
            self._settles.append(message)
            self._try_settles()
        elif isinstance(message, Resend):
            self.publishes.extend(self._payloads.again(message.dst, message.seqs))
        elif isinstance(message, Ask):
            self.outbox.append(Waits(waiting.describe(self.loop, self.clock)))
        elif isinstance(message, Stop):
            self.stopped = True

    def payload(self, src: str, data: bytes) -> None:
        """An MQTT payload that came on `.../inbox/{src}`; anything that is no envelope is ignored."""
        try:
            envelope = unseal(data)
        except MessageError:
            return
        self._payloads.arrived(src, envelope)
        if self._waiting_grant is not None:
            self._try_grant()
        if self._settles:
            self._try_settles()

    def lacking(self) -> list[Resend]:
        """What the waiting grant or settle needs and has not got, as requests to send it again."""
        needed: list[tuple[str, int, int]] = []
        if self._waiting_grant is not None:
            needed += self._payloads.lacking(self._waiting_grant.deliveries)
        for settle in self._settles:
            needed += self._payloads.lacking_of(settle.src, settle.inc, settle.seqs)
        return self._payloads.requests(needed)

    def stacks(self) -> str:
        """Where every task of the program stands, for people."""
        return waiting.stacks(self.loop)

    def kill(self) -> None:
        """In-process kill: coroutines are closed, every later call is inert."""
        self.dead = True
        self.loop.abandon()
        self.outbox.clear()
        self.publishes.clear()

    # --- a step ---

    def _try_settles(self) -> None:
        for settle in list(self._settles):
            if not self._payloads.lacking_of(settle.src, settle.inc, settle.seqs):
                self._settles.remove(settle)
                self.outbox.append(Have(settle.src, settle.inc))

    def _try_grant(self) -> None:
        grant = self._waiting_grant
        if grant is None or self._payloads.lacking(grant.deliveries):
            return
        self._waiting_grant = None
        self._step(grant)

    def _step(self, grant: Grant) -> None:
        self.true_ns = grant.t_ns
        if grant.clock is not None:
            self.clock = LocalClock(grant.clock)
            self.loop.now_ns = self.clock.local_ns(grant.t_ns)  # a clock that is put wrong jumps
        try:
            local_ns = self.clock.local_ns(grant.t_ns)
            next_timer_ns = self.loop.step(local_ns, partial(self._inputs, grant))
            failure = None
            if self._main is not None and not self._main.done():
                failure = failure_of_step(self.loop)
            if failure is not None:
                self.loop.step(local_ns, self.loop.cancel_all)  # its tasks may clean up, as ever
        except Spinning as error:
            self._fail("spinning", f"node {self.welcome.name}: {error}", self.stacks())
            return
        except (SystemExit, KeyboardInterrupt) as error:
            self._fail("raised", headline(error), program_traceback(error))
            return
        for forget in grant.forget:
            self._payloads.forget(forget)
        finished = None
        if self._main is not None and self._main.done() and failure is None:
            try:
                finished = finish(self._main, self.loop, self.inbox, self._dismissed)
            except ProgramRaised as raised:
                failure = raised
        failed = None
        if failure is not None:
            failed = Failed("raised", failure.problem, failure.traceback, self.true_ns)
        if finished is not None or failed is not None:
            self._over = True
            self._payloads.end()
            self.outsides.close_all()
        self.outbox.append(self._report(grant, next_timer_ns, finished, failed))
        self._allowance.renew()

    def _report(
        self,
        grant: Grant,
        next_timer_ns: int | None,
        finished: Finished | None,
        failed: Failed | None,
    ) -> Report:
        if next_timer_ns is not None and self.clock.skews:
            next_timer_ns = max(self.clock.true_ns(next_timer_ns), grant.t_ns + 1)
        report = Report(
            grant.t_ns,
            grant.m,
            next_timer_ns,
            self._sends,
            self._issued,
            self._cancels,
            self._notes,
            finished,
            failed,
            self.frames.changes(),
            self.outsides.report(),
        )
        if self._sends:
            self._sends = []
        if self._issued:
            self._issued = []
        if self._cancels:
            self._cancels = []
        if self._notes:
            self._notes = []
        return report

    def _inputs(self, grant: Grant) -> None:
        """What is due, in the order of the clock rule; runs inside the step."""
        for delivery in grant.deliveries:
            self.inbox.offer(self._payloads.message(delivery, self.clock))
        for arrival in grant.arrivals:
            if arrival.qubit not in grant.expired:  # both at once: the node was held up in between
                self.held.names[arrival.qubit] = None
                arrival.t_ns = self.clock.local_ns(arrival.t_ns)
                self.landed.offer(arrival)
        for result in grant.results:
            self._resolve(result)
        if grant.expired:
            self._expire(set(grant.expired))
        if grant.inputs:
            self.outsides.take(grant.inputs, self.loop.now_ns)
        if self._main is None:
            self._main = self.loop.create_task(self._run(), name=self.welcome.name)
            self._main.add_done_callback(lambda _: self.loop.cancel_all())
        elif grant.last:
            self._dismissed = True
            self.loop.cancel_all()

    def _expire(self, qubits: set[str]) -> None:
        """The memory has discarded these: they fill no slot, and no receiver gets them any more."""
        for qubit in sorted(qubits):
            self.held.release(qubit, expired=True)
        self.landed.drop(lambda arrival: arrival.qubit in qubits)

    async def _run(self) -> Any:
        # Built here, inside a step: what a program may not do, its __init__ may not do either.
        return await self._program(self).run(**self._options)

    def _resolve(self, result: Result) -> None:
        future = self.operations.pop(result.number, None)
        if future is None:
            return  # no await: it discards a result that no await took
        operation = future.operation
        if result.error is not None:
            if not future.done():
                future.set_exception(operation_error(*result.error))
            return
        kind = _RESULT_TYPES.get(type(operation))
        value = result.value if kind is None else msgspec.convert(result.value, kind)
        if self.clock.skews:
            self._by_own_clock(value)
        self.held.account(operation, value)
        if future.done():
            self._discard_result(operation, value)
        else:
            future.set_result(value)

    def _by_own_clock(self, value: Any) -> None:
        """Times in a result are true ones: the program sees them as its own clock shows them."""
        for name in ("emitted_ns", "start_ns"):
            if hasattr(value, name):
                setattr(value, name, self.clock.local_ns(getattr(value, name)))

    # --- what programs ask for (agent.py, qubits.py) ---

    def operate(self, make: Callable[[int], AnyOperation]) -> waiting.OperationFuture:
        """Issue an operation; await its end. Cancelled: it is withdrawn.

        The await raises what the emulator answers (OperationError and its kin).
        """
        self._number += 1
        operation = make(self._number)
        self._allowance.operation(operation)
        for qubit in qubits_of(operation):
            if qubit not in self.held.names:  # a handle that the program has made or changed
                plain_name(qubit, "a qubit")
        future = waiting.OperationFuture(self.loop, self, operation)
        if not self.dead:
            self.operations[self._number] = future
            self._issued.append(operation)
        return future

    async def obtain(self, make: Callable[[int], AnyOperation]) -> Any:
        """As `operate`, for operations that yield a qubit: a result that no await takes is discarded."""
        future = self.operate(make)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._discard_result(future.operation, future.result())
            raise

    def withdraw(self, operation: AnyOperation) -> None:
        """The await of this operation was cancelled: no result will come.

        One that uses a qubit up runs to its end all the same, so the qubit counts as gone.
        """
        if self.operations.pop(operation.number, None) is None:
            return
        self._cancels.append(operation.number)
        if not isinstance(operation, (Allocate, Entangle)):
            self.held.account(operation, None)

    def _discard_result(self, operation: AnyOperation, value: Any) -> None:
        """No await took this result: its qubit is discarded."""
        if isinstance(operation, (Allocate, Entangle)):
            qubit = value.qubit if isinstance(value, Herald) else str(value)
            self.held.release(qubit)
            self._number += 1
            self._issued.append(Discard(self._number, [qubit]))

    def has_expired(self, qubit: str) -> bool:
        """Whether the memory has discarded the qubit at its cut-off."""
        return self.held.has_expired(qubit)

    async def departure(self, qubit: str) -> bool:
        """Wait until the qubit has left its slot; whether the memory has discarded it."""
        return await self.held.departure(qubit)

    @property
    def slots_in_use(self) -> int:
        """Qubits held, and slots promised to open requests."""
        open_requests = sum(
            isinstance(future.operation, (Allocate, Entangle))
            for future in self.operations.values()
        )
        return len(self.held.names) + open_requests

    def send(self, destination: str, body: Any, kind: str, claims: str = "") -> None:
        """Publish a message and report it. Raises MessageError, LinkError.

        `claims`: a forgery, which shall pass as that node's.
        """
        destination, kind = plain_name(destination, "a node"), plain_name(kind, "a kind")
        if destination not in self._peers:
            why = f"no node is called {destination!r}"
            raise LinkError(node=self.welcome.name, peer=destination, why=why)
        claims = plain_name(claims, "a node")
        encoded = encode_body(body)
        self._allowance.message(len(destination) + len(kind))
        if self.dead:
            return
        seq, payload = self._payloads.sent(kind, encoded)
        digest = body_hash(encoded)
        self._sends.append(Send(destination, seq, kind, len(encoded), digest, claims))
        if destination == self.welcome.name:
            self._payloads.arrived(destination, unseal(payload))
        else:
            self.publishes.append((destination, payload))

    def receive_message(
        self,
        source: str | None,
        kind: str | None,
        damaged: bool,
        where: Callable[[Message], bool] | None = None,
    ) -> Awaitable[Message]:
        """The next message that fits."""

        def fits(message: Message) -> bool:
            return (
                (source is None or message.source == source)
                and (kind is None or message.kind == kind)
                and (damaged or not message.damaged)
                and (where is None or where(message))
            )

        return self.inbox.take(
            fits, lambda: waiting.NamedFuture(self.loop, "a message", source, kind)
        )

    def receive_arrival(self, source: str | None) -> Awaitable[Arrival]:
        """The next qubit that has landed."""
        return self.landed.take(
            lambda arrival: source is None or arrival.source == source,
            lambda: waiting.NamedFuture(self.loop, "a qubit", source),
        )

    async def sleep_ns(self, duration_ns: int) -> None:
        """Wait for exactly this many virtual ns."""
        future = self.loop.create_future()
        handle = self.loop.call_later_ns(duration_ns, _wake, future)
        try:
            await future
        finally:
            handle.cancel()

    def note(self, name: str, value: Any) -> None:
        """Report a value for the record.

        Raises MessageError when it is not JSON or too much, InputError when its metric is another's.
        """
        name = plain_name(name, "a record's name")
        encoded = encode_body(value, self.welcome.hash_key)
        self._allowance.record(name, len(encoded))
        note = Note(name, msgspec.json.decode(encoded))
        if isinstance(note.value, (int, float)):
            self._metric_names.record(note.name)
        self._notes.append(note)

    def name_probe(self, name: str) -> None:
        """Reserve the metrics of a probe. Raises InputError when another metric has one of their names."""
        self._metric_names.probe(name)

    def _fail(self, kind: str, problem: str, details: str) -> None:
        self._over = True
        self.outsides.close_all()
        self.outbox.append(Failed(kind, problem, details, self.true_ns))


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
