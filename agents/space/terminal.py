"""A terminal: one end of a free-space link, which finds the other end and follows it.

Owns the states of acquisition and tracking, and what is recorded of them. Does not own what an end sees
(emulator/quantum/links/beacons.py), nor the words for programs (tracking.py).

    idle -> pointing      before a contact begins, as long as the telescope needs to turn
    pointing -> acquiring once the other end is high enough; the own beacon burns from here on
    acquiring -> tracking once the other beacon has been seen for the time that acquisition takes
    tracking -> lost      when it is not seen any more
    lost -> tracking      if it is seen again soon, after the time that re-acquisition takes
    lost -> acquiring     if it is not
    any -> pointing       when the other end is too low again
    any -> idle           when the contact is over

The link is `locked` while both ends track: a beacon says whether its end does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from ...emulator.wire import (
    BEACON_DARK,
    BEACON_LOW,
    BEACON_SEEKS,
    BEACON_TRACKS,
    LinkInfo,
    SetBeacon,
    WatchBeacon,
)
from ..options.values import Seconds
from ..service import Service

State = Literal["idle", "pointing", "acquiring", "tracking", "lost"]
IDLE: State = "idle"


@dataclass(frozen=True)
class Acquisition:
    """How long it takes: at `least`, and an exponentially distributed time more, `mean` in all on average."""

    least: Seconds = 2.0
    mean: Seconds = 5.0


@dataclass(frozen=True)
class Optics:
    """What a terminal can see, and how fast it is; as the options of `Tracking`."""

    slew: float
    acquisition: Acquisition
    reacquisition: float
    coast: float
    margin_deg: float
    most_db: float
    field_urad: float
    light: str


class Terminal:
    """One end of one link. `telescope`: held during a contact; None: always free."""

    def __init__(
        self,
        agent: Service,
        operate: Callable[[Callable[[int], Any]], Awaitable[Any]],
        link: LinkInfo,
        optics: Optics,
        telescope: asyncio.Semaphore | None,
    ) -> None:
        self._agent, self._link, self._optics = agent, link, optics
        self._operate, self._telescope = operate, telescope
        self.state: State = IDLE
        self._sees = BEACON_LOW
        self._changed = asyncio.Event()
        #: When the present contact ends, and whether one is to come.
        self.ends_ns: int | None = None
        self.over = False
        #: Since when the link is locked, or is not; and whether it has yet to be locked in this pass.
        self._since_ns = 0
        self._was_locked, self._is_first = False, True
        #: Stretches of time under lock so far.
        self.stretches = 0
        self.counts: dict[str, Any] = {
            "contacts": 0,
            "locks": 0,
            "losses": 0,
            "locked_s": 0.0,
            "lost_s": 0.0,
        }

    @property
    def locked(self) -> bool:
        """Whether both ends track."""
        return self.state == "tracking" and self._sees == BEACON_TRACKS

    async def change(self) -> None:
        """Wait until something has changed."""
        await self._changed.wait()

    # --- contacts ---

    async def follow(self) -> None:
        """Seek and follow the other end in each contact that is planned; of a link that stays, for ever."""
        planned = self._link.contacts
        if planned is None:
            await self._turn(None, self._now_ns)
            return
        slew_ns = round(self._optics.slew * 1e9)
        for begin_ns, end_ns in zip(planned[::2], planned[1::2], strict=True):
            if self._now_ns >= end_ns:
                continue
            await asyncio.sleep(max(0, begin_ns - slew_ns - self._now_ns) / 1e9)
            await self._turn(end_ns, begin_ns)
        self.over = True
        self._tell()

    async def _turn(self, end_ns: int | None, begin_ns: int) -> None:
        """One contact: the telescope turns to the other end, and is free again when it ends."""
        async with self._held():
            if end_ns is not None and self._now_ns >= end_ns:
                return  # the telescope was elsewhere
            self.counts["contacts"] += 1
            self.ends_ns = end_ns
            self._become("pointing")
            left_s = None if end_ns is None else (end_ns - self._now_ns) / 1e9
            watch = None
            try:
                async with asyncio.timeout(left_s):
                    await asyncio.sleep(self._optics.slew)
                    await asyncio.sleep(max(0, begin_ns - self._now_ns) / 1e9)
                    watch = asyncio.create_task(self._watch())
                    while True:
                        await self._pass()
            except TimeoutError:
                pass
            finally:
                if watch is not None:
                    watch.cancel()
                self._see(BEACON_LOW)
                self._become(IDLE)
            await self._burn(BEACON_DARK)

    def _held(self) -> AbstractAsyncContextManager[Any]:
        return nullcontext() if self._telescope is None else self._telescope

    # --- one pass above the least elevation ---

    async def _pass(self) -> None:
        """From when the other end is high enough until it is too low."""
        self._become("pointing")
        await self._until(lambda: self._sees != BEACON_LOW)
        self._since_ns, self._is_first = self._now_ns, True
        takes_s = self._draw()
        await self._burn(BEACON_SEEKS)
        self._become("acquiring")
        was_tracked = False
        while self._sees != BEACON_LOW:
            if not await self._acquired(takes_s):
                takes_s = await self._coasted() if was_tracked else self._draw()
                continue
            was_tracked = True
            await self._burn(BEACON_TRACKS)
            self._become("tracking")
            await self._until(lambda: self._sees <= BEACON_DARK)
            if self._sees == BEACON_LOW:
                break
            self._become("lost")
            await self._burn(BEACON_SEEKS)
            takes_s = await self._coasted()
        await self._burn(BEACON_DARK)

    def _draw(self) -> float:
        """How long the next acquisition takes."""
        takes = self._optics.acquisition
        more_s: float = self._agent.rng.exponential(takes.mean - takes.least)
        return takes.least + more_s

    async def _acquired(self, takes_s: float) -> bool:
        """Whether the other beacon has been seen for so long; False when it was lost, or is too low."""
        await self._until(lambda: self._sees != BEACON_DARK)
        try:
            async with asyncio.timeout(takes_s):
                await self._until(lambda: self._sees <= BEACON_DARK)
        except TimeoutError:
            return True
        return False

    async def _coasted(self) -> float:
        """How long it takes to have the other end again: it was lost, and is followed blindly for a while."""
        optics = self._optics
        try:
            async with asyncio.timeout(optics.coast):
                await self._until(lambda: self._sees != BEACON_DARK)
        except TimeoutError:
            self._become("acquiring")
            return self._draw()
        return optics.reacquisition

    # --- what is seen, and what is recorded ---

    async def _watch(self) -> None:
        link, optics = self._link, self._optics
        while True:
            look = partial(
                WatchBeacon,
                peer=link.peer,
                link=link.name,
                level=self._sees,
                margin_deg=optics.margin_deg,
                most_db=optics.most_db,
                field_urad=optics.field_urad,
                light=optics.light,
            )
            self._see(await self._operate(look))

    async def _burn(self, level: int) -> None:
        link = self._link
        await self._operate(partial(SetBeacon, peer=link.peer, link=link.name, level=level))

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._changed.wait()

    @property
    def _now_ns(self) -> int:
        return self._agent.now_ns

    def _see(self, level: int) -> None:
        self._sees = level
        self._note_lock()
        self._tell()

    def _become(self, state: State) -> None:
        if state == self.state:
            return
        self.state = state
        self._agent.record(f"state_{self._link.peer}", state)
        self._note_lock()
        self._tell()

    def _tell(self) -> None:
        """Wake all who wait for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _note_lock(self) -> None:
        """The link may have become locked, or be locked no more."""
        if self.locked == self._was_locked:
            return
        self._was_locked, now_ns = self.locked, self._now_ns
        since_s = (now_ns - self._since_ns) / 1e9
        self._since_ns = now_ns
        counts = self.counts
        if not self.locked:
            counts["locked_s"] += since_s
            self._agent.record("locked_s", since_s)
            if self._sees != BEACON_LOW:
                counts["losses"] += 1
                self._agent.log.info("lost %s after %.3f s", self._link.peer, since_s)
            return
        self.stretches += 1
        if self._is_first:
            self._is_first = False
            counts["locks"] += 1
            self._agent.record("time_to_lock_s", since_s)
        else:
            counts["lost_s"] += since_s
            self._agent.record("lost_s", since_s)
