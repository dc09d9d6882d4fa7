"""A channel to one peer: messages arrive once, in their order, or both ends learn that state was lost.

Owns numbers, acknowledgements and repetition of what two services say to each other. Does not own what is
said, nor the mailbox that it comes by.

Theory of operation. Each end numbers what it posts from 1, and repeats what is not acknowledged; a receiver
takes number after number, keeps what has come too early, and acknowledges the last one taken. An end is known
by its life: the incarnation of its node, and how often it has given the other up. A packet names the life of
its sender and the one it is meant for; numbered packets wait until the sender knows that one. A bare packet,
without a number, tells of the sender's life.

Rules: the numbers begin anew, in both directions, with each life of either end. A later life of the other end
means that what both had agreed on is lost, and `lost` is called. A packet of an earlier life is ignored; one
that is not meant for the present life is answered by a bare packet, from which its sender learns that life.
After `tries` repetitions without an answer the peer is given up, which begins a new life here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from itertools import takewhile
from typing import Any

#: (incarnation, how often the other end has been given up); before an end is known.
Life = tuple[int, int]
UNKNOWN: Life = (0, 0)
#: Why a conversation has ended: of the other end, or here.
RESTARTED, GAVE_UP, SILENT = "it has been restarted", "it gave up", "it does not answer"
#: A repetition comes after twice the time of the one before, up to so many times the first.
_LONGEST = 8
#: Messages repeated at once.
_REPEATED = 8


class Channel:
    """One end. `send(number, acknowledged, life, to, item)` puts a packet on its way; number 0: a bare one.

    `deliver(item)` gets what has come. `lost(why)`: what was agreed before is lost, for one of the reasons.
    `context`: whose timers are set; a program that calls the service must not be taken for it. `first()` is
    called before a bare acknowledgement: it may post what carries it.
    """

    def __init__(
        self,
        incarnation: int,
        send: Callable[[int, int, int, Life, Any], None],
        deliver: Callable[[Any], None],
        lost: Callable[[str], None],
        repeat_s: float,
        tries: int,
        context: Context | None = None,
        first: Callable[[], None] | None = None,
    ) -> None:
        self._first = first
        self._send, self._deliver, self._lost = send, deliver, lost
        self._repeat_s, self._tries, self._context = repeat_s, tries, context
        self._life: Life = (incarnation, 0)
        self._peer_life, self._knows_peer = UNKNOWN, False
        self._posted, self._waiting = 0, dict[int, Any]()
        self._expected, self._early = 1, dict[int, Any]()
        self._repeated = 0
        self._timer: asyncio.TimerHandle | None = None
        self._acknowledges = False

    def post(self, item: Any) -> None:
        """Say something to the other end."""
        self._posted += 1
        self._waiting[self._posted] = item
        if self._knows_peer:
            self._transmit(self._posted, item)
        elif len(self._waiting) == 1:
            self.greet()
        if self._timer is None:
            self._arm()

    def greet(self) -> None:
        """Have the other end learn of this life."""
        self._transmit(0, None)

    def receive(
        self, incarnation: int, life: int, number: int, acknowledged: int, to: Life, item: Any
    ) -> None:
        """A packet has come from the peer."""
        sender = (incarnation, life)
        if sender < self._peer_life:
            return
        if sender > self._peer_life or not self._knows_peer:
            self._meet(sender)
        if to != self._life:
            self.greet()
            return
        self._take_acknowledgement(acknowledged)
        if number:
            self._take(number, item)

    def _meet(self, sender: Life) -> None:
        """The peer lives this life from now on."""
        known, self._peer_life = self._peer_life, sender
        if self._knows_peer:
            self._begin_anew()
            self._lost(RESTARTED if sender[0] > known[0] else GAVE_UP)
            return
        self._knows_peer = True
        for number, item in self._waiting.items():
            self._transmit(number, item)

    def _take_acknowledgement(self, acknowledged: int) -> None:
        taken = list(takewhile(lambda number: number <= acknowledged, self._waiting))
        for number in taken:
            del self._waiting[number]
        if taken:
            self._repeated = 0
            self._disarm()
            if self._waiting:
                self._arm()

    def _take(self, number: int, item: Any) -> None:
        if not self._acknowledges:
            self._acknowledges = True
            asyncio.get_running_loop().call_soon(self._acknowledge, context=self._context)
        if number >= self._expected:
            self._early[number] = item
        while self._expected in self._early:
            item = self._early.pop(self._expected)
            self._expected += 1
            life = self._peer_life, self._life
            self._deliver(item)
            if life != (self._peer_life, self._life):
                return  # what it says has ended the conversation

    def _acknowledge(self) -> None:
        if self._acknowledges and self._first is not None:
            self._first()
        if self._acknowledges:  # no message of our own has carried it
            self._transmit(0, None)

    def _transmit(self, number: int, item: Any) -> None:
        self._acknowledges = False
        to = self._peer_life if self._knows_peer else UNKNOWN
        self._send(number, self._expected - 1, self._life[1], to, item)

    def _arm(self) -> None:
        delay_s = self._repeat_s * min(2**self._repeated, _LONGEST)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(delay_s, self._repeat, context=self._context)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _repeat(self) -> None:
        self._timer = None
        if self._repeated >= self._tries:
            self._life, self._knows_peer = (self._life[0], self._life[1] + 1), False
            self._begin_anew()
            self._lost(SILENT)
            return
        self._repeated += 1
        if not self._knows_peer:
            self.greet()
        else:
            for number, item in list(self._waiting.items())[:_REPEATED]:
                self._transmit(number, item)
        self._arm()

    def _begin_anew(self) -> None:
        self._posted, self._expected, self._repeated = 0, 1, 0
        self._waiting.clear()
        self._early.clear()
        self._disarm()
