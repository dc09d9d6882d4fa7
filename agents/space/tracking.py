"""Tracking: a service that finds and follows the other ends of a node's free-space links.

    services:
      tracking: {with: {acquisition: {least: 2 s, mean: 5 s}, light: night}}

    ends_ns = await self.service(Tracking).locked("sat")  # both ends track: light may be sent

Owns its options, which link has a telescope, and the words for programs. Does not own how an end finds the
other (terminal.py), nor when a contact begins and ends (`Agent.contact`).
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from ...emulator.errors import LinkError, ProgramError
from ..options.values import Seconds
from ..service import Service, offered
from .terminal import IDLE, Acquisition, Optics, State, Terminal

DEFAULT = Acquisition()


class Tracking(Service):
    """Acquires and tracks the other end of each link of a satellite, contact after contact.

    The other end has the service under the same name, and does the same.

    Options:
        peers: the other ends; by default those of all links that move. A link that stays is named here.
        telescopes: how many of them are followed at a time, those whose contact began first; default: all.
        slew: how long a telescope turns before it can see.
        acquisition: how long it takes to track a beacon that is seen: a least time, and a mean.
        reacquisition: the same after a loss of less than `coast`, while the telescope follows the orbit.
        margin: degrees over the minimum elevation from which on the other end is sought.
        fade: dB that clouds and faults may take before the beacon is lost.
        field: microrad by which a fault may turn the beam before it is lost.
        light: "any"; "night" at the stations, or "eclipse" of the satellites: else no beacon is seen.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._terminals: dict[str, Terminal] = {}
        self._begun = asyncio.Event()

    async def run(  # with options
        self,
        peers: list[str] | None = None,
        telescopes: int | None = None,
        slew: Seconds = 30.0,
        acquisition: Acquisition = DEFAULT,
        reacquisition: Seconds = 1.0,
        coast: Seconds = 10.0,
        margin: float = 0.0,
        fade: float = 10.0,
        field: float = 500.0,
        light: Literal["any", "night", "eclipse"] = "any",
    ) -> None:
        self._check(telescopes, acquisition, margin, fade, field)
        optics = Optics(
            slew=slew,
            acquisition=acquisition,
            reacquisition=reacquisition,
            coast=coast,
            margin_deg=margin,
            most_db=fade,
            field_urad=field,
            light="" if light == "any" else light,
        )
        free = None if telescopes is None else asyncio.Semaphore(telescopes)
        moving = [each.peer for each in self.links if each.contacts is not None]
        for peer in moving if peers is None else peers:
            link = self.link_to(peer)
            self._terminals[peer] = Terminal(self, self._node.operate, link, optics, free)
        self._begun.set()
        await asyncio.gather(*(each.follow() for each in self._terminals.values()))

    @staticmethod
    def _check(
        telescopes: int | None, acquisition: Acquisition, margin: float, fade: float, field: float
    ) -> None:
        """Raises ProgramError for options that cannot be."""
        if telescopes is not None and telescopes < 1:
            raise ProgramError(f"telescopes is {telescopes}, expected at least 1")
        if acquisition.mean < acquisition.least:
            raise ProgramError(
                f"acquisition: a mean of {acquisition.mean} s below the least time, {acquisition.least} s"
            )
        if not 0 <= margin < 90:
            raise ProgramError(f"margin is {margin}, expected degrees from 0 to below 90")
        for name, value in (("fade", fade), ("field", field)):
            if not 0 <= value < float("inf"):
                raise ProgramError(f"{name} is {value}, expected 0 or more")

    # --- for programs ---

    @offered
    async def locked(self, peer: str) -> int | None:
        """Wait until both ends track; when the contact ends, in ns (None: never, on a link that stays).

        Raises LinkError once no more contacts are planned.
        """
        await self._begun.wait()
        terminal = self._of(peer)
        while not terminal.locked:
            if terminal.over:
                why = "no more contacts are planned between them"
                raise LinkError(node=self.name, peer=peer, why=why)
            await terminal.change()
        return terminal.ends_ns

    @offered
    async def lost(self, peer: str) -> None:
        """Wait until not both ends track."""
        await self._begun.wait()
        terminal = self._of(peer)
        while terminal.locked:
            await terminal.change()

    @offered
    def tracks(self, peer: str) -> bool:
        """Whether it finds and follows this other end."""
        return peer in self._terminals

    @offered
    def lock(self, peer: str) -> int | None:
        """The number of the stretch of time under lock; None while not both ends track.

        Between two equal answers both ends have tracked all the time.
        """
        terminal = self._of(peer)
        return terminal.stretches if terminal.locked else None

    @offered
    def state(self, peer: str) -> State:
        """idle, pointing, acquiring, tracking, or lost."""
        return self._of(peer).state if self._begun.is_set() else IDLE

    @offered
    async def over(self) -> None:
        """Wait until no more contacts are planned; of a link that stays, for ever."""
        await self._begun.wait()
        for terminal in self._terminals.values():
            while not terminal.over:
                await terminal.change()

    @offered
    def summary(self) -> dict[str, Any]:
        """By peer: the state, contacts, those with a lock, losses of a lock, seconds locked and lost."""
        return {
            peer: {"state": each.state, **each.counts}
            for peer, each in sorted(self._terminals.items())
        }

    def _of(self, peer: str) -> Terminal:
        found = self._terminals.get(peer)
        if found is None:
            known = ", ".join(self._terminals) or "none"
            raise ProgramError(f"{self.name} does not track {peer!r}; it tracks {known}")
        return found
