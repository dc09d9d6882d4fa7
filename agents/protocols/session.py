"""Sessions: an exchange of messages between two ends that survives lost messages and ends that are killed.

Owns sessions, the repetition of lost messages, and which end may call a result confirmed. Does not own what
the messages mean: that is the protocol's.

One end requests (`initiate`, `Initiator`), the other replies (`respond`, `Responder`), a message at a time:

    async def run(session: Initiator) -> ...:                  async def run(session: Responder) -> ...:
        ready = await session.request(Announcement(...), Ready)    plan = await session.receive(Announcement)
        ...                                                        await session.reply(Ready())

Rules. The initiator draws the name of a session; of two of its sessions the later one has the greater name,
also after a restart, and whatever clocks show. Every message carries that name, and requests are numbered
from 1. The initiator repeats a request after each `timeout` without a reply, at most `tries` times; the
responder replies to a request that comes again as before, and never takes it twice. The initiator begins a
new session when it has been restarted or the old one is broken. The responder serves the newest session it
is offered: it cancels the old one, no longer knows its messages, and says so (by the message's number,
negative). A restarted responder knows no session.

No end can be sure that its last message arrived (two generals). Before the last request the initiator must
have its result, and then it begins no other session, unless the responder has forgotten this one: so a
responder that *receives* the last request knows that the initiator has the same result, and may call its
own `confirmed`; the initiator may when the last request is replied to. What is not confirmed is
`unconfirmed`; an end without a result is `incomplete`. The other end may still be killed afterwards:
confirmed says what it had, or was about to have.

Without a timeout each message is sent once and awaited for ever, which suits a network without faults.

Sessions with `seals` are authenticated: each message travels in a `Sealed` with a tag that binds its session,
its sender, its number and its bytes. A message whose tag is wrong is not received: it changes nothing but
`refused`, and the genuine one is still awaited. An end that does not know a sealed session is silent, since
nothing it could say would be proved; only an opening is answered, in clear, with "unknown": that tells the
initiator to take other pads, and a forged one costs nothing but pads.

Messages travel on a port that is called after the subject (of a service, `<service>.<subject>`), so no bare
`receive()` takes one. There replies lie under the names of their sessions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ...emulator.errors import MessageError, ProgramError
from ...emulator.units import parse_ns
from ..agent import Agent
from ..messages import Message
from ..ports import Port
from .sealing import Line, Seal, Sealed, Seals
from .session_messages import SessionBroken, SessionMessage

CONFIRMED, UNCONFIRMED, INCOMPLETE = "confirmed", "unconfirmed", "incomplete"
#: How often a request is sent before the responder is given up.
TRIES = 20

R = TypeVar("R")


M = TypeVar("M", bound=SessionMessage)


class End(SessionMessage, tag="end"):
    """The initiator sends no more requests, so the responder may leave. Sent once, without a reply."""


@dataclass(frozen=True)
class RetryPolicy:
    """How long an end waits for the other, in virtual time, and how often it asks; None: for ever."""

    timeout_s: float | None = None
    tries: int = TRIES

    @classmethod
    def of(cls, timeout: str | float | None, tries: int = TRIES) -> RetryPolicy:
        """From a protocol's options: "20 ms" or seconds. Raises UnitError, ProgramError."""
        if tries < 1:
            raise ProgramError(f"tries must be at least 1, not {tries}")
        return cls(seconds(timeout), tries)

    def limit_s(self, more_s: float = 0.0) -> float | None:
        """After how long without a message the other end is given up; `more_s`: its work takes that long."""
        return None if self.timeout_s is None else self.tries * self.timeout_s + more_s


async def within(limit_s: float | None, awaitable: Awaitable[R], what: str) -> R:
    """Await it for `limit_s` at most. Raises SessionBroken."""
    try:
        async with asyncio.timeout(limit_s):
            return await awaitable
    except TimeoutError:
        raise SessionBroken(f"no {what} within {limit_s} s") from None


def seconds(duration: str | float | None) -> float | None:
    """A duration given as "20 ms" or in seconds, in seconds. Raises UnitError."""
    return parse_ns(duration) / 1e9 if isinstance(duration, str) else duration


def no_result() -> dict[str, Any]:
    """What an end without a result returns."""
    return {"status": INCOMPLETE, "session": None}


# --- the initiator --------------------------------------------------------------------------------


class Initiator:
    """One session, at the end that sends requests. `seals`: as the responder's, or none."""

    def __init__(
        self,
        agent: Agent,
        peer: str,
        subject: str,
        retry: RetryPolicy,
        seals: Seals | None = None,
    ) -> None:
        self._port, self._peer, self._subject = session_port(agent, subject), peer, subject
        self.retry = retry
        self.name = _session_name(agent)
        self._number = 0
        self._seals = seals
        pads, seal = ("", None) if seals is None else seals.opened(self.name)
        self._line = Line(agent.name, peer, seal, pads)

    @property
    def refused(self) -> int:
        """How many messages were not genuine."""
        return self._line.refused

    @property
    def tags(self) -> int:
        """How many of its requests have had a tag."""
        return self._line.sent

    async def request(self, message: SessionMessage, reply: type[M]) -> M:
        """Send a request, and again after each timeout, until its reply comes. Raises SessionBroken."""
        self._number += 1
        message.session, message.number = self.name, self._number
        written = self._line.written(message)
        for _ in range(self.retry.tries):
            await self._port.send(self._peer, written, kind=self._subject)
            try:
                async with asyncio.timeout(self.retry.timeout_s):
                    received = await self._reply()
            except TimeoutError:
                continue
            if received.body.number < 0:
                raise SessionBroken(f"{self._peer} does not know this session", unknown=True)
            body: M = self._line.read(received, reply)
            return body
        raise SessionBroken(f"{self._peer} does not reply", unanswered=self._number == 1)

    async def conclude(self, message: SessionMessage, reply: type[SessionMessage]) -> str:
        """Send the last request, once this end has its result; returns whether that is confirmed.

        Raises SessionBroken if the responder was restarted and has lost its result: another session is safe.
        """
        try:
            await self.request(message, reply)
        except SessionBroken as broken:
            if broken.unknown:
                raise
            return UNCONFIRMED
        if self.retry.timeout_s is not None:
            end = End(session=self.name, number=self._number + 1)
            await self._port.send(self._peer, self._line.written(end), kind=self._subject)
        return CONFIRMED

    async def _reply(self) -> Message:
        """The reply to the last request; late copies of earlier replies are skipped."""
        while True:
            message = await self._port.receive(
                self._peer, kind=_reply_kind(self._subject), key=self.name
            )
            number = message.body.number
            if abs(number) != self._number:
                continue
            if number < 0 and self._seals is not None:
                if self._number > 1:  # a restarted end would be silent
                    self._line.refused += 1
                    continue
                self._seals.unknown(message.incarnation)
                return message
            if number < 0 or self._line.accepts(message):
                return message


async def initiate(
    agent: Agent,
    peer: str,
    subject: str,
    retry: RetryPolicy,
    run: Callable[[Initiator], Awaitable[R]],
    seals: Seals | None = None,
) -> R | None:
    """Await `run` in one session after the other until it returns; None if every session breaks."""
    name = ""
    for _ in range(retry.tries):
        try:
            session = Initiator(agent, peer, subject, retry, seals)
            name = session.name
            return await run(session)
        except SessionBroken as broken:
            agent.log.warning("%s %s: %s", subject, name, broken)
            if broken.unanswered or broken.hopeless:
                break
    return None


# --- the responder --------------------------------------------------------------------------------


class Responder:
    """One session, at the end that replies."""

    def __init__(
        self,
        agent: Agent,
        peer: str,
        subject: str,
        retry: RetryPolicy,
        name: str,
        seal: Seal | None = None,
    ) -> None:
        self._log, self._peer, self._subject = agent.log, peer, subject
        self._port = session_port(agent, subject)
        self.retry, self.name = retry, name
        #: When the last request that was received had been sent.
        self.sent_ns = 0
        self._number = 0
        self._line = Line(agent.name, peer, seal)
        self._requests: asyncio.Queue[Message] = asyncio.Queue()
        self._reply: SessionMessage | None = None

    @property
    def refused(self) -> int:
        """How many messages were not genuine."""
        return self._line.refused

    @property
    def tags(self) -> int:
        """How many requests with a tag have come."""
        return self._line.received

    async def receive(self, kind: Any, more_s: float | None = 0.0) -> Any:
        """The next request, of a type or one of several (`First | Second`). Raises SessionBroken.

        `more_s`: how much longer than usual it may take to come; None: as long as it takes, where a session
        that is given up is followed by another one.
        """
        limit_s = None if more_s is None else self.retry.limit_s(more_s)
        message = await within(limit_s, self._requests.get(), "message")
        self.sent_ns = message.sent_ns
        return self._line.read(message, kind)

    async def reply(self, message: SessionMessage) -> None:
        """Reply to the last request, now and whenever it comes again."""
        message.session, message.number = self.name, self._number
        self._reply = self._line.written(message)
        await self._port.send(self._peer, self._reply, kind=_reply_kind(self._subject))

    async def deliver(self, message: Message) -> bool:
        """A request has come: a new one is for `receive`, a copy of the last one gets the same reply.

        Returns False for a new one that is not genuine: it is not received.
        """
        number = message.body.number
        if number == self._number + 1:
            if not self._line.accepts(message):
                return False
            self._number, self._reply = number, None
            self._requests.put_nowait(message)
        elif number == self._number and self._reply is not None:
            await self._port.send(self._peer, self._reply, kind=_reply_kind(self._subject))
        return True

    async def await_end(self) -> None:
        """Repeat the last reply for as long as the initiator may ask for it."""
        if self.retry.timeout_s is None:
            return
        try:
            await self.receive(End)
        except SessionBroken:
            self._log.warning("%s: no end of the session from %s", self.name, self._peer)


async def respond(
    agent: Agent,
    peer: str,
    subject: str,
    retry: RetryPolicy,
    run: Callable[[Responder], Coroutine[Any, Any, R]],
    seals: Seals | None = None,
    *,
    patient: bool = False,
) -> R | None:
    """Await `run` in the newest session that is offered, until it returns; None if none completes.

    `run` is cancelled when a newer session is offered, and must then discard the qubits it holds.
    `patient`: a session may be offered at any time, also after one that broke.
    """
    sessions = _Sessions(agent, peer, subject, retry, run, seals, patient)
    result: R | None = await sessions.serve()
    return result


class _Sessions:
    """The sessions that a responder is offered; one is served at a time."""

    def __init__(
        self,
        agent: Agent,
        peer: str,
        subject: str,
        retry: RetryPolicy,
        run: Callable[[Responder], Coroutine[Any, Any, Any]],
        seals: Seals | None,
        patient: bool,
    ) -> None:
        self._seals = seals
        self._limit_s = None if patient else retry.limit_s()
        self._agent, self._peer, self._subject = agent, peer, subject
        self._port = session_port(agent, subject)
        self._retry, self._run = retry, run
        self._session: Responder | None = None
        self._task: asyncio.Task[Any] | None = None
        self._offered = asyncio.Event()
        #: The name of the newest session that was served.
        self._newest = ""

    async def serve(self) -> Any:
        reader = asyncio.create_task(self._read(), name=f"{self._subject} from {self._peer}")
        try:
            while True:
                await within(self._limit_s, self._offered.wait(), "session")
                self._offered.clear()
                assert self._session is not None
                complete, result = await self._serve(self._session)
                if complete and not self._offered.is_set():
                    return result
        except SessionBroken as broken:
            self._agent.log.warning("%s: %s from %s", self._subject, broken, self._peer)
            return None
        finally:
            reader.cancel()

    async def _serve(self, session: Responder) -> tuple[bool, Any]:
        """Serve one session: whether it completed, and its result."""
        task = self._task = asyncio.create_task(self._complete(session), name=session.name)
        try:
            await asyncio.wait([task])
        except BaseException:
            task.cancel()
            await asyncio.wait([task])
            raise
        if task.cancelled():
            return False, None
        broken = task.exception()
        if isinstance(broken, SessionBroken):
            self._agent.log.warning("%s %s: %s", self._subject, session.name, broken)
            if self._session is session:
                self._session = None
            return False, None
        return True, task.result()

    async def _complete(self, session: Responder) -> Any:
        result = await self._run(session)
        await session.await_end()
        return result

    async def _read(self) -> None:
        while True:
            message = await self._port.receive(self._peer, kind=self._subject)
            body: SessionMessage = message.body
            if self._session is not None and body.session == self._session.name:
                await self._session.deliver(message)
            elif self._is_newer(message):
                await self._begin(message)
            elif body.number > 0 and self._seals is None:
                await self._say_unknown(body)

    async def _say_unknown(self, body: SessionMessage) -> None:
        unknown = SessionMessage(session=body.session, number=-body.number)
        await self._port.send(self._peer, unknown, kind=_reply_kind(self._subject))

    def _is_newer(self, message: Message) -> bool:
        """Whether it opens a session newer than all before; an old opening may arrive late."""
        body: SessionMessage = message.body
        return body.number == 1 and _order(body.session) > _order(self._newest)

    async def _begin(self, message: Message) -> None:
        name = message.body.session
        seal = self._seal(message)
        session = Responder(self._agent, self._peer, self._subject, self._retry, name, seal)
        known = self._seals is None or seal is not None
        if not known or not await session.deliver(message):
            self._agent.log.warning("%s %s: its opening is not genuine", self._subject, name)
            await self._say_unknown(message.body)
            return
        self._newest, self._session = name, session
        self._offered.set()
        if self._task is not None and not self._task.done() and not self._task.cancelling():
            self._task.cancel()

    def _seal(self, opening: Message) -> Seal | None:
        if self._seals is None:
            return None
        try:
            sealed: Sealed = opening.read(Sealed).body
        except MessageError:
            return None
        return self._seals.accepted(sealed.session, sealed.pads, opening.incarnation)


def session_port(agent: Agent, subject: str) -> Port:
    """The port on which the sessions of a subject travel."""
    return agent.port(subject, type=SessionMessage, keys=_names_session)


def _names_session(body: SessionMessage) -> tuple[str]:
    return (body.session,)


def _session_name(agent: Agent) -> str:
    """A new session's: incarnation, how many came before in it, and a random part."""
    # From a generator of its own: it shifts none of the protocol's draws. Seeds count their children.
    tail = int(agent.rng.spawn(1)[0].integers(1 << 28))
    seeds = agent.rng.bit_generator.seed_seq
    assert isinstance(seeds, np.random.SeedSequence)
    return f"{agent.incarnation:03x}{seeds.n_children_spawned:06x}{tail:07x}"


def _order(session: str) -> tuple[int, str]:
    """Sorts sessions of one end by age: their names have one width, and a greater one after overflow."""
    return len(session), session


def _reply_kind(subject: str) -> str:
    return f"{subject}.answer"
