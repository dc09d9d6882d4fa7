"""Talk: one conversation between two ends, which survives what faults do to messages and to ends.

Owns sessions, the repetition of words that are lost, and who may say that a result is confirmed. Does not
own what the words mean: that is the protocol's.

One end asks (`lead`, `Initiator`), the other answers (`follow`, `Responder`), a word at a time:

    async def part(talk: Talk) -> ...:                     async def part(talk: Followed) -> ...:
        ready = await talk.ask(Announcement(...), Ready)       plan = await talk.hear(Announcement)
        ...                                                    await talk.answer(Ready())

Rules. A conversation is named by a session, which the asking end draws; of two of its sessions the later one
has the greater name, also after a restart, and whatever clocks show. Every word carries it, and the asked
ones are numbered from 1. Who asks says a word again after each `timeout` without an answer, at most `tries`
times; who answers answers a word that comes again as before, and never takes it twice. The asking end begins
a new session when it has been restarted or the old one is broken. The answering end follows the newest
session it is offered: it drops what it did for the old one, whose words it does not know any more, and says
so (by the word's number, negative). A restarted one knows no session at all.

The last word is the one that no end can be sure of (two generals). Before it the asking end must have its
result, and then it begins no other session, unless the other end has forgotten this one: so an end that
*hears* the last word knows that the other has the same result, and may call its own `confirmed`; the asking
end may when the last word is answered. What is not confirmed is `unconfirmed`; without a result an end is
`incomplete`. The other end may still be killed afterwards: confirmed says what it had, or was about to have.

Without a timeout words are said once and waited for for ever, as suits a network without faults.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import numpy as np

from ...emulator.errors import MessageError, ProgramError, QnetemError
from ...emulator.units import parse_ns
from ..agent import Agent
from ..messages import Message

CONFIRMED, UNCONFIRMED, INCOMPLETE = "confirmed", "unconfirmed", "incomplete"
#: How often a word is said before its listener is given up.
TRIES = 20

R = TypeVar("R")


class SessionMessage(msgspec.Struct, kw_only=True):
    """What every word of a conversation carries; filled in when it is said."""

    session: str = ""
    number: int = 0


W = TypeVar("W", bound=SessionMessage)


class End(SessionMessage, tag="end"):
    """The asking end's farewell, said once: it asks no more, so nobody need stay to answer."""


class Broken(QnetemError):
    """A conversation that cannot go on.

    `alone`: the other end has not said a word in it; `unknown`: it says that it knows nothing of it.
    """

    exit_code = 1

    def __init__(self, why: str, *, alone: bool = False, unknown: bool = False) -> None:
        super().__init__(why)
        self.alone, self.unknown = alone, unknown


@dataclass(frozen=True)
class Patience:
    """How long an end waits for the other, in virtual time; None: for ever."""

    timeout_s: float | None = None
    tries: int = TRIES

    @classmethod
    def of(cls, timeout: str | float | None, tries: int = TRIES) -> Patience:
        """From a protocol's options: "20 ms" or seconds. Raises UnitError, ProgramError."""
        if tries < 1:
            raise ProgramError(f"tries must be at least 1, not {tries}")
        return cls(seconds(timeout), tries)

    def limit_s(self, more_s: float = 0.0) -> float | None:
        """After how long without a sign the other end is given up; `more_s`: it has that much to do."""
        return None if self.timeout_s is None else self.tries * self.timeout_s + more_s


async def within(limit_s: float | None, awaitable: Awaitable[R], what: str) -> R:
    """Await it for so long at the most. Raises Broken."""
    try:
        async with asyncio.timeout(limit_s):
            return await awaitable
    except TimeoutError:
        raise Broken(f"no {what} within {limit_s} s") from None


def seconds(duration: str | float | None) -> float | None:
    """A duration given as "20 ms" or in seconds, in seconds. Raises UnitError."""
    return parse_ns(duration) / 1e9 if isinstance(duration, str) else duration


def nothing() -> dict[str, Any]:
    """The result of an end that has none."""
    return {"status": INCOMPLETE, "session": None}


# --- who asks -------------------------------------------------------------------------------------


class Initiator:
    """One session, at the end that asks."""

    def __init__(self, agent: Agent, peer: str, subject: str, patience: Patience) -> None:
        self._agent, self._peer, self._subject = agent, peer, subject
        self.patience = patience
        self.session = _session_name(agent)
        self._number = 0

    async def ask(self, word: SessionMessage, answer: type[W]) -> W:
        """Say a word, again and again, until it is answered. Raises Broken."""
        self._number += 1
        word.session, word.number = self.session, self._number
        for _ in range(self.patience.tries):
            await self._agent.send(self._peer, word, kind=self._subject)
            try:
                async with asyncio.timeout(self.patience.timeout_s):
                    message = await self._heard()
            except TimeoutError:
                continue
            if message.body.number < 0:
                raise Broken(f"{self._peer} does not know this session (any more)", unknown=True)
            heard: W = _read(message, answer)
            return heard
        raise Broken(f"{self._peer} does not answer", alone=self._number == 1)

    async def conclude(self, word: SessionMessage, answer: type[SessionMessage]) -> str:
        """Say the last word, of a result that this end has: whether that is confirmed or not.

        Raises Broken if the other end has been restarted: its result is lost, and another session no harm.
        """
        try:
            await self.ask(word, answer)
        except Broken as broken:
            if broken.unknown:
                raise
            return UNCONFIRMED
        if self.patience.timeout_s is not None:
            end = End(session=self.session, number=self._number + 1)
            await self._agent.send(self._peer, end, kind=self._subject)
        return CONFIRMED

    async def _heard(self) -> Message:
        """The answer to the word said last; those to earlier ones have been heard already."""
        while True:
            message = await self._agent.receive(
                self._peer,
                kind=_answers(self._subject),
                type=SessionMessage,
                where=lambda word: bool(word.session == self.session),
            )
            if abs(message.body.number) == self._number:
                return message


async def lead(
    agent: Agent,
    peer: str,
    subject: str,
    patience: Patience,
    part: Callable[[Initiator], Awaitable[R]],
) -> R | None:
    """Take `part` in one session after the other until one comes to its end; None if none does."""
    for _ in range(patience.tries):
        talk = Initiator(agent, peer, subject, patience)
        try:
            return await part(talk)
        except Broken as broken:
            agent.log.warning("%s %s: %s", subject, talk.session, broken)
            if broken.alone:
                break
    return None


# --- who answers ----------------------------------------------------------------------------------


class Responder:
    """One session, at the end that answers."""

    def __init__(
        self, agent: Agent, peer: str, subject: str, patience: Patience, session: str
    ) -> None:
        self._agent, self._peer, self._subject = agent, peer, subject
        self.patience, self.session = patience, session
        #: When the word heard last was sent.
        self.sent_ns = 0
        self._number = 0
        self._heard: asyncio.Queue[Message] = asyncio.Queue()
        self._said: SessionMessage | None = None

    async def hear(self, kind: Any, more_s: float = 0.0) -> Any:
        """The next word, of a type or one of several (`First | Second`). Raises Broken.

        `more_s`: how much longer than usual it may be in coming.
        """
        message = await within(self.patience.limit_s(more_s), self._heard.get(), "word")
        self.sent_ns = message.sent_ns
        return _read(message, kind)

    async def answer(self, word: SessionMessage) -> None:
        """Answer the word heard last, now and whenever it comes again."""
        word.session, word.number = self.session, self._number
        self._said = word
        await self._agent.send(self._peer, word, kind=_answers(self._subject))

    async def take(self, message: Message) -> None:
        """A word has come: a new one is for `hear`, the last one again is answered as before."""
        number = message.body.number
        if number == self._number + 1:
            self._number, self._said = number, None
            self._heard.put_nowait(message)
        elif number == self._number and self._said is not None:
            await self._agent.send(self._peer, self._said, kind=_answers(self._subject))

    async def linger(self) -> None:
        """Stay to answer, until the other end needs that no more."""
        if self.patience.timeout_s is None:
            return
        try:
            await self.hear(End)
        except Broken:
            self._agent.log.warning("%s: no farewell from %s", self.session, self._peer)


async def follow(
    agent: Agent,
    peer: str,
    subject: str,
    patience: Patience,
    part: Callable[[Responder], Coroutine[Any, Any, R]],
) -> R | None:
    """Take `part` in the newest session that is offered, to its end; None if none comes to one.

    `part` is cancelled when a newer session is offered, and must give back what it holds.
    """
    result: R | None = await _Follower(agent, peer, subject, patience, part).run()
    return result


class _Follower:
    """Reads what comes, and has one session's part under way at most."""

    def __init__(
        self,
        agent: Agent,
        peer: str,
        subject: str,
        patience: Patience,
        part: Callable[[Responder], Coroutine[Any, Any, Any]],
    ) -> None:
        self._agent, self._peer, self._subject = agent, peer, subject
        self._patience, self._part = patience, part
        self._talk: Responder | None = None
        self._task: asyncio.Task[Any] | None = None
        self._offered = asyncio.Event()
        #: The newest session that was followed.
        self._newest = ""

    async def run(self) -> Any:
        reader = asyncio.create_task(self._read(), name=f"{self._subject} from {self._peer}")
        try:
            while True:
                await within(self._patience.limit_s(), self._offered.wait(), "session")
                self._offered.clear()
                assert self._talk is not None
                whole, result = await self._attend(self._talk)
                if whole and not self._offered.is_set():
                    return result
        except Broken as broken:
            self._agent.log.warning("%s: %s from %s", self._subject, broken, self._peer)
            return None
        finally:
            reader.cancel()

    async def _attend(self, talk: Responder) -> tuple[bool, Any]:
        """Take part in a session: whether it came to its end, and with what result."""
        task = self._task = asyncio.create_task(self._to_the_end(talk), name=talk.session)
        try:
            await asyncio.wait([task])
        except BaseException:
            task.cancel()
            await asyncio.wait([task])
            raise
        if task.cancelled():
            return False, None
        broken = task.exception()
        if isinstance(broken, Broken):
            self._agent.log.warning("%s %s: %s", self._subject, talk.session, broken)
            if self._talk is talk:
                self._talk = None
            return False, None
        return True, task.result()

    async def _to_the_end(self, talk: Responder) -> Any:
        result = await self._part(talk)
        await talk.linger()
        return result

    async def _read(self) -> None:
        while True:
            message = await self._agent.receive(self._peer, kind=self._subject, type=SessionMessage)
            word: SessionMessage = message.body
            if self._talk is not None and word.session == self._talk.session:
                await self._talk.take(message)
            elif self._is_newer(message):
                await self._begin(message)
            elif word.number > 0:
                unknown = SessionMessage(session=word.session, number=-word.number)
                await self._agent.send(self._peer, unknown, kind=_answers(self._subject))

    def _is_newer(self, message: Message) -> bool:
        """Whether it opens a session that may be followed; not an old one, come late."""
        word: SessionMessage = message.body
        return word.number == 1 and _order(word.session) > _order(self._newest)

    async def _begin(self, message: Message) -> None:
        session = self._newest = message.body.session
        self._talk = Responder(self._agent, self._peer, self._subject, self._patience, session)
        self._offered.set()
        if self._task is not None and not self._task.done() and not self._task.cancelling():
            self._task.cancel()
        await self._talk.take(message)


def _session_name(agent: Agent) -> str:
    """A new session's: incarnation, how many came before in it, and a part that nobody can guess."""
    # From a generator of its own: it shifts none of the protocol's draws. Seeds count their children.
    tail = int(agent.rng.spawn(1)[0].integers(1 << 28))
    seeds = agent.rng.bit_generator.seed_seq
    assert isinstance(seeds, np.random.SeedSequence)
    return f"{agent.incarnation:03x}{seeds.n_children_spawned:06x}{tail:07x}"


def _order(session: str) -> tuple[int, str]:
    """Sorts sessions of one end by age: their names are of one width, or wider when that does not suffice."""
    return len(session), session


def _answers(subject: str) -> str:
    return f"{subject}.answer"


def _read(message: Message, kind: Any) -> Any:
    try:
        return message.read(kind).body
    except MessageError as error:
        raise Broken(f"an unexpected word: {error}") from error
