"""BB84 with single photons, one qubit at a time.

Bennett and Brassard, Proc. IEEE Int. Conf. on Computers, Systems and Signal Processing, Bangalore,
175 (1984).

Owns preparation, detection by time slot, and the error estimate. Does not own sifting (sifting.py).

The sender waits until the receiver listens, and announces when slot 0 leaves; slot n leaves at
start + n * slot, and none does unless the receiver has confirmed the start in time. A lost photon gives no
event, so the receiver identifies slots by arrival times. After the last slot both sift and compare.
On the fibre, `depolarising: p` gives a QBER of p/2 in both bases, `dephasing: p` one of p in X and none in Z.

The sender is the initiator (session.py); its last request are its bits. With a `timeout`, at both ends the
same and longer than a round trip of a message, messages may be lost and ends killed: a session that is
broken is begun anew, with new photons, and the results say what is `confirmed`. A photon that is not ready
in its slot (the sender was paused, its memory reset) is not sent then.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from ....emulator.errors import LinkError, ProgramError, QubitError
from ....emulator.units import parse_ns
from ...agent import Agent
from ..cleanup import DiscardOnError, discard_held
from ..session import (
    CONFIRMED,
    TRIES,
    Initiator,
    Responder,
    RetryPolicy,
    initiate,
    no_result,
    respond,
    within,
)
from ..session_messages import SessionMessage
from .sifting import (
    BASES,
    ClickedSlots,
    ComparedBits,
    Done,
    Ready,
    Sent,
    SiftedSlots,
    errors_by_basis,
    rate,
    sift,
)

KIND = "bb84"
GUARD_SLOTS = 2
#: How many timeouts the start lies ahead: the message that names it may be lost as often.
AHEAD_TIMEOUTS = 4


class Announcement(SessionMessage, tag="announcement"):
    """Sender -> receiver: how long a slot is, and how many there are."""

    slot_ns: int
    qubits: int


class Start(SessionMessage, tag="start"):
    """Sender -> receiver: when slot 0 leaves."""

    start_ns: int


class Listening(SessionMessage, tag="listening"):
    """Receiver -> sender: it knows the start. The sender sends nothing if this comes late."""


class Sender(Agent):
    """Sends `qubits` single photons to `peer`, one every `slot`; compares `sample` of the sifted bits.

    Returns `sent`, `detected`, `sifted` and `compared` (counts), `qber` of the compared bits, `by_basis`,
    `sifted_bits` (what was not compared), `duration_s`, `status`, `session`. Raises ProgramError when the
    gates that prepare a photon take longer than a slot (without a `timeout`; with one such slots stay empty).
    """

    async def run(
        self,
        peer: str,
        qubits: int = 1000,
        slot: str = "10 us",
        sample: float = 0.5,
        link: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
    ) -> dict[str, Any]:
        if not 0 < sample <= 1:
            raise ProgramError(f"sample must be in (0, 1], not {sample}")
        if qubits < 1:
            raise ProgramError(f"BB84 needs a qubit, not {qubits}")
        self._link, self._slot_ns = link, parse_ns(slot)
        part = partial(self._session, peer, qubits, sample)
        result = await initiate(self, peer, KIND, RetryPolicy.of(timeout, tries), part)
        return no_result() if result is None else result

    async def _session(
        self, peer: str, qubits: int, sample: float, session: Initiator
    ) -> dict[str, Any]:
        bits = [int(bit) for bit in self.rng.integers(0, 2, qubits)]
        bases = "".join(BASES[int(basis)] for basis in self.rng.integers(0, 2, qubits))
        started_ns = self.now_ns
        start_ns = await self._agree_on_start(session, qubits)
        await self._until(start_ns - self._slot_ns)
        for number in range(qubits):
            due_ns = start_ns + number * self._slot_ns
            await self._emit(peer, due_ns, bits[number], bases[number], session.retry)
        clicks = await session.request(Sent(), ClickedSlots)
        sifted = sift(clicks, bases, sample, self.rng)
        slots, compared = sifted.slots, sifted.compared
        theirs = await session.request(sifted, ComparedBits)
        result = summary(
            self,
            sent=qubits,
            detected=len(clicks.slots),
            sifted={slot: (bases[slot], bits[slot]) for slot in slots},
            compared=dict(zip(compared, theirs.bits, strict=True)),
            started_ns=started_ns,
        )
        status = await session.conclude(ComparedBits([bits[slot] for slot in compared]), Done)
        return {**result, "status": status, "session": session.name}

    async def _agree_on_start(self, session: Initiator, qubits: int) -> int:
        """When slot 0 leaves: after the receiver has confirmed that instant, else SessionBroken.

        The start and its reply take no longer than the announcement and its reply did.
        """
        announced_ns = self.now_ns
        await session.request(Announcement(self._slot_ns, qubits), Ready)
        ahead_ns = self.now_ns - announced_ns + self._slot_ns
        if session.retry.timeout_s is not None:  # it may be lost and sent again
            ahead_ns = max(ahead_ns, round(AHEAD_TIMEOUTS * session.retry.timeout_s * 1e9))
        start_ns = self.now_ns + ahead_ns
        confirmed = session.request(Start(start_ns), Listening)
        await within(ahead_ns / 1e9, confirmed, "reply to the start")
        return start_ns

    async def _emit(self, peer: str, due_ns: int, bit: int, basis: str, retry: RetryPolicy) -> None:
        """Prepare |0>, |1>, |+> or |->, and let it go at `due_ns`."""
        qubit = await self.qubit()
        try:
            async with DiscardOnError(qubit):
                if bit:
                    await qubit.x()
                if basis == "X":
                    await qubit.h()
                await self._until(due_ns)
                late_ns = (
                    self.now_ns - due_ns
                )  # after the wait: the node may have been paused in it
                if 2 * late_ns < self._slot_ns:
                    await self.transmit(qubit, peer, link=self._link)
                elif retry.timeout_s is not None:
                    await discard_held(qubit)
                else:  # it would count as the next slot's
                    why = f"a slot of {self._slot_ns} ns is too short: photon {late_ns} ns late"
                    raise ProgramError(why)
        except QubitError as lost:
            self.log.warning("slot stays empty: %s", lost)

    async def _until(self, due_ns: int) -> None:
        await asyncio.sleep(max(0, due_ns - self.now_ns) / 1e9)


class Receiver(Agent):
    """Measures what comes from `peer` in random bases. Returns as the sender does."""

    async def run(
        self,
        peer: str,
        link: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
    ) -> dict[str, Any]:
        retry = RetryPolicy.of(timeout, tries)
        part = partial(self._session, peer, self._delay_ns(peer, link))
        result = await respond(self, peer, KIND, retry, part)
        await self._sweep(peer, retry.limit_s() if result is None else 0.0)
        return no_result() if result is None else result

    async def _session(self, peer: str, delay_ns: int, session: Responder) -> dict[str, Any]:
        plan: Announcement = await session.receive(Announcement)
        started_ns = self.now_ns
        await session.reply(Ready())
        start: Start = await session.receive(Start)
        await session.reply(Listening())
        clicks = await self._detect(peer, plan, start.start_ns + delay_ns)
        await session.receive(Sent, plan.qubits * plan.slot_ns / 1e9)
        bases = "".join(basis for basis, _ in clicks.values())
        await session.reply(ClickedSlots(list(clicks), bases))
        sifted: SiftedSlots = await session.receive(SiftedSlots)
        await session.reply(ComparedBits([clicks[slot][1] for slot in sifted.compared]))
        theirs: ComparedBits = await session.receive(ComparedBits)
        result = summary(
            self,
            sent=plan.qubits,
            detected=len(clicks),
            sifted={slot: clicks[slot] for slot in sifted.slots},
            compared=dict(zip(sifted.compared, theirs.bits, strict=True)),
            started_ns=started_ns,
        )
        await session.reply(Done())
        return {**result, "status": CONFIRMED, "session": session.name}

    async def _detect(
        self, peer: str, plan: Announcement, first_ns: int
    ) -> dict[int, tuple[str, int]]:
        """Slot -> (basis, bit), of all photons that come until the last slot is over.

        `first_ns`: when slot 0 arrives. What arrived in time is measured, even if measuring is slow.
        """
        clicks: dict[int, tuple[str, int]] = {}
        end_ns = first_ns + (plan.qubits + GUARD_SLOTS) * plan.slot_ns
        while True:
            try:
                async with asyncio.timeout(max(0, end_ns - self.now_ns) / 1e9):
                    qubit = await self.receive_qubit(peer)
            except TimeoutError:
                return clicks
            basis = BASES[int(self.rng.integers(0, 2))]
            try:
                async with DiscardOnError(qubit):
                    bit = await qubit.measure(basis)
            except QubitError:
                continue  # the memory has lost it
            slot = round((qubit.arrived_ns - first_ns) / plan.slot_ns)
            if 0 <= slot < plan.qubits:
                clicks.setdefault(slot, (basis, bit))

    async def _sweep(self, peer: str, quiet_s: float | None) -> None:
        """Discard photons of a session that is over, until none has come for `quiet_s`."""
        try:
            while True:
                async with asyncio.timeout(quiet_s):
                    qubit = await self.receive_qubit(peer)
                await discard_held(qubit)
        except TimeoutError:
            return

    def _delay_ns(self, peer: str, link: str | None) -> int:
        found = [
            each
            for each in self.links
            if each.peer == peer and each.quantum and link in (None, each.name)
        ]
        if len(found) != 1:
            why = f"{len(found)} quantum links fit: say `link`"
            raise LinkError(node=self.name, peer=peer, why=why)
        return found[0].delay_ns


def summary(
    agent: Agent,
    *,
    sent: int,
    detected: int,
    sifted: dict[int, tuple[str, int]],
    compared: dict[int, int],
    started_ns: int,
) -> dict[str, Any]:
    """What either end returns: counts, QBER of the compared bits, and the rest of the sifted bits.

    `sifted`: slot -> (basis, our bit); `compared`: slot -> the peer's bit. `errors` and `compared` are
    given by basis too: a fibre that only dephases shows in X alone. A QBER without bits is None. The bits
    are simulated data for a test to look at, not a key to be used.
    """
    wrong = [(sifted[slot][0], sifted[slot][1] != theirs) for slot, theirs in compared.items()]
    for _, error in wrong:
        agent.record("bb84.error", int(error))
    by_basis = errors_by_basis(wrong)
    errors = sum(counts["errors"] for counts in by_basis.values())
    kept = [str(bit) for slot, (_, bit) in sifted.items() if slot not in compared]
    return {
        "sent": sent,
        "detected": detected,
        "sifted": len(sifted),
        "compared": len(compared),
        "qber": rate(errors, len(compared)),
        "by_basis": by_basis,
        "sifted_bits": "".join(kept),
        "duration_s": (agent.now_ns - started_ns) / 1e9,
    }
