"""The tenants of a node: which there are, how they start, and how each ends.

Owns the order of their start and end, whose port is whose, which pool of slots a tenant takes from, and the
verdict on each after a step. Does not own what a tenant does (tenant.py) or the report (node.py).

Rules. Services are built and begin to run in the order of `needs:`, then of their names, and the program
after them, all in the first step. An exception ends its owner and no other tenant: the program's end leaves
services running, a service's leaves the program its result. In the run's last step the tenants are cancelled
in the opposite order, so that a service still finds those it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from ....emulator.errors import ProgramError
from ....emulator.program_modules import ProgramModules
from ....emulator.wire import (
    Allocate,
    Arrival,
    Entangle,
    Failed,
    Finished,
    MeasurePairs,
    Wait,
)
from ...loop.hosted_loop import HostedLoop
from ...options.fitting import fit_options
from ...service import Service
from ..program import load_program, load_service, program_logger
from ..program_end import ProgramRaised, cause_of, failure_of_step, finish, raised_by
from .handles import Services
from .tenant import Tenant, generator_of

if TYPE_CHECKING:
    from ...agent import Agent
    from ..node import Node


@dataclass
class Verdict:
    """What has ended in a step: the program, with its result or by an exception, and services."""

    finished: Finished | None = None
    failed: Failed | None = None
    broken: list[Failed] = field(default_factory=list)


NOTHING = Verdict()


class Tenants:
    """Of one incarnation of a node."""

    def __init__(self, node: Node, log_stream: IO[str] | None) -> None:
        welcome = node.welcome
        self._node, self._loop = node, node.loop
        self._infos = {info.name: info for info in welcome.services}
        self._classes: dict[str, tuple[type[Agent], dict[str, Any]]] = {}

        def tenant(name: str, slots: int) -> Tenant:
            logger = f"{welcome.name}.{name}" if name else welcome.name
            log = program_logger(logger, node.loop, log_stream)
            return Tenant(node, name, generator_of(welcome.entropy, name), log, slots)

        self.program = tenant("", welcome.slots)
        self.services = {
            name: tenant(name, welcome.slots if info.slots is None else info.slots)
            for name, info in self._infos.items()
        }
        self._all = *self.services.values(), self.program
        #: The program was cancelled, because the run is over.
        self._dismissed = False

    def __iter__(self) -> Iterator[Tenant]:
        return iter(self._all)

    def named(self, name: str) -> Tenant | None:
        """The tenant of that name, "" for the program; None if there is none."""
        return self.services.get(name) if name else self.program

    def handles(self, caller: Tenant) -> Services:
        """The services, as this tenant may call them."""
        return Services(self.services, caller)

    def owner_of(self, port: str) -> str:
        """Whose port it is: a service's name, or "" for the program."""
        head = port.partition(".")[0]
        return head if head in self.services else ""

    def taker_of(self, port: str) -> Tenant:
        """The tenant that what comes on a port is for."""
        return self.services.get(port.partition(".")[0], self.program) if port else self.program

    # --- slots ---

    def _pool(self, owner: str) -> str:
        info = self._infos.get(owner)
        return owner if info is not None and info.slots is not None else ""

    def share_slots(self, first: str, second: str) -> bool:
        """Whether two tenants take from one pool."""
        return self._pool(first) == self._pool(second)

    def slots_in_use(self, owner: str) -> int:
        """Qubits held, and slots promised to open requests, in the pool that an owner takes from."""
        pool, pool_of = self._pool(owner), self._pool
        open_requests = sum(
            isinstance(future.operation, (Allocate, Entangle, MeasurePairs))
            and pool_of(future.owner_name) == pool
            for future in self._node.operations.values()
        )
        return open_requests + sum(
            pool_of(holder) == pool for holder in self._node.held.names.values()
        )

    # --- the start ---

    def load(self, modules: ProgramModules | None) -> Failed | None:
        """Find the classes of all of them; or why one cannot be built."""
        welcome = self._node.welcome
        for name, info in self._infos.items():
            try:
                service = load_service(info.program, modules=modules, epoch_ns=welcome.epoch_ns)
                self._classes[name] = service, fit_options(service, info.options, welcome.folder)
            except ProgramError as error:
                return self._unbuilt(error, name)
        try:
            program = load_program(welcome.program, modules=modules, epoch_ns=welcome.epoch_ns)
            self._classes[""] = program, fit_options(program, welcome.options, welcome.folder)
        except ProgramError as error:
            return self._unbuilt(error, "")
        return None

    def _unbuilt(self, error: ProgramError, name: str) -> Failed:
        return Failed("program", str(error), cause_of(error), self._node.true_ns, name)

    def start(self) -> None:
        """Let them run; called inside the first step."""
        for tenant in self.services.values():
            tenant.main = tenant.context.run(
                self._loop.create_task, self._run(tenant), name=tenant.name
            )
        program = self.program
        program.main = self._loop.create_task(self._run(program), name=self._node.welcome.name)
        program.main.add_done_callback(lambda _: self._loop.cancel_all(""))

    async def _run(self, tenant: Tenant) -> Any:
        # Built here, inside a step: what a program may not do, its __init__ may not do either.
        kind, options = self._classes[tenant.name]
        tenant.agent = kind(tenant)
        return await tenant.agent.run(**options)

    # --- what comes ---

    def land(self, arrival: Arrival) -> None:
        """A qubit has arrived over a link."""
        taker = self.services.get(arrival.owner, self.program)
        self._node.held.names[arrival.qubit] = taker.name
        if not taker.over:
            taker.landed.offer(arrival)

    def expire(self, qubits: set[str]) -> None:
        """The memory has discarded these: they fill no slot, and no receiver gets them any more."""
        for qubit in sorted(qubits):
            self._node.held.release(qubit, expired=True)
        for tenant in self:
            tenant.landed.drop(lambda arrival: arrival.qubit in qubits)
        for tenant in self.services.values():
            if isinstance(tenant.agent, Service) and not tenant.over:
                gone = frozenset(qubits)
                self._loop.call_soon(tenant.agent.expired, gone, context=tenant.context)

    # --- the end ---

    def dismiss(self) -> None:
        """The run is over: cancel them, the last started first; called inside the last step."""
        self._dismissed = True
        if not self.program.over:
            self._loop.cancel_all("")
        for tenant in reversed(self.services.values()):
            if not tenant.over:
                tenant.context.run(self._loop.cancel_all, tenant.name)

    def judge(self, local_ns: int) -> Verdict:
        """What has ended in the step that is over, at this time of the node's clock."""
        loop, main = self._loop, self.program.main
        # The path of nearly all steps: each tenant that has not ended continues.
        if not (loop.failures or loop.had_unhandled) or loop.is_sound:
            for tenant in self._all:
                if not tenant.over and (tenant.main is None or tenant.main.done()):
                    break
            else:
                return NOTHING
        verdict = Verdict()
        # Services first: a call of one that has failed raises in the program, in the same step.
        while self.services and (failed := self._first_broken(local_ns)) is not None:
            verdict.broken.append(failed)
        program, failure = self.program, None
        if main is None or program.over:
            return verdict
        if not main.done():
            failure = failure_of_step(loop, "")
            if failure is not None:
                # Its tasks may clean up, as ever.
                loop.step(local_ns, partial(loop.cancel_all, ""))
        else:
            try:
                verdict.finished = finish(main, loop, program.mail, self._dismissed)
            except ProgramRaised as raised:
                failure = raised
        if failure is not None:
            verdict.failed = self._failed(failure, program)
        if failure is not None or verdict.finished is not None:
            self._end(program)
        return verdict

    def _first_broken(self, local_ns: int) -> Failed | None:
        for tenant in self.services.values():
            if tenant.over or tenant.main is None:
                continue
            failure = raised_by(tenant.main, self._dismissed)
            failure = failure or failure_of_step(self._loop, tenant.name)
            if failure is not None:
                tenant.failed = True
                self._loop.step(local_ns, partial(self._break_off, tenant))
                self._end(tenant)
                return self._failed(failure, tenant)
        return None

    def _break_off(self, tenant: Tenant) -> None:
        for call in list(tenant.calls):
            call.break_off()
        tenant.context.run(self._loop.cancel_all, tenant.name)

    def _failed(self, failure: ProgramRaised, tenant: Tenant) -> Failed:
        true_ns = self._node.true_ns
        return Failed("raised", failure.problem, failure.traceback, true_ns, tenant.name)

    def _end(self, tenant: Tenant) -> None:
        tenant.over = True
        tenant.mail.clear()
        if isinstance(self._loop, HostedLoop):
            self._loop.end_owner(tenant.name)

    # --- for the report ---

    def take_background(self) -> bool:
        """Whether the step has run nothing of a program; the next one is looked at anew."""
        loop = self._loop
        if not self.services or not isinstance(loop, HostedLoop):
            return False
        background, loop.foreground_ran = not loop.foreground_ran, False
        return background

    def waits(self) -> list[Wait]:
        """What services wait for beside their tasks, in their own words."""
        clock = self._node.clock
        return [
            Wait(name, what, clock.true_ns(since_ns), peer, tenant.name)
            for tenant in self.services.values()
            if isinstance(tenant.agent, Service) and not tenant.over
            for name, what, since_ns, peer in tenant.agent.waits()
        ]

    @property
    def is_foreground(self) -> bool:
        """Whether a timer is set that may lead a program on, or a service says that it works for one."""
        loop = self._loop
        if not isinstance(loop, HostedLoop):
            return loop.next_timer_ns() is not None
        at_work = any(tenant.at_work for tenant in self.services.values() if not tenant.over)
        return at_work or loop.has_foreground_timer
