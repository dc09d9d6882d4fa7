"""BB84 with single photons, one qubit at a time.

Bennett and Brassard, Proc. IEEE Int. Conf. on Computers, Systems and Signal Processing, Bangalore,
175 (1984).

Owns preparation, detection by time slot, sifting and the error estimate. Does not own reconciliation,
privacy amplification or authentication: what comes out is a sifted key and its QBER, not a secret key.

The sender waits until the receiver listens, and says when slot 0 leaves; slot n leaves at
start + n * slot, and none does unless the receiver has said in time that it knows. A lost photon gives no
event, so the receiver tells slots by arrival times. After the last slot the receiver says which slots
clicked and in which basis, the sender which bases agree, and both compare a random part of the sifted bits.
On the fibre, `depolarising: p` gives a QBER of p/2 in both bases, `dephasing: p` one of p in X and none in Z.

The sender asks (talk.py); its last word are its bits. With a `timeout`, at both ends the same and longer than
a message takes there and back, messages may be lost and ends killed: a session that is broken is begun anew,
with new photons, and the results say what is `confirmed`. A photon that is not ready in its slot (the sender
was paused, its memory reset) is not sent then.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from ....emulator.errors import LinkError, ProgramError, QubitError
from ....emulator.units import parse_ns
from ...agent import Agent
from ..cleanup import Holding, give_back
from ..session import (
    CONFIRMED,
    TRIES,
    Initiator,
    Patience,
    Responder,
    SessionMessage,
    follow,
    lead,
    nothing,
    within,
)

KIND = "bb84"
BASES = "ZX"
GUARD_SLOTS = 2
#: How many timeouts the start lies ahead: so often it may be told in vain.
AHEAD_TIMEOUTS = 4


class Announcement(SessionMessage, tag="announcement"):
    """Sender -> receiver: how long a slot is, and how many there are."""

    slot_ns: int
    qubits: int


class Ready(SessionMessage, tag="ready"):
    """Receiver -> sender: it will listen."""


class Start(SessionMessage, tag="start"):
    """Sender -> receiver: when slot 0 leaves."""

    start_ns: int


class Listening(SessionMessage, tag="listening"):
    """Receiver -> sender: it knows the start. In time, or nothing is sent."""


class Sent(SessionMessage, tag="sent"):
    """Sender -> receiver: the last slot has left."""


class Clicks(SessionMessage, tag="clicks"):
    """Receiver -> sender: the slots that clicked, and a letter per click for its basis."""

    slots: list[int]
    bases: str


class Sifted(SessionMessage, tag="sifted"):
    """Sender -> receiver: the slots whose bases agree, and those of them to be compared in public."""

    slots: list[int]
    compared: list[int]


class Compared(SessionMessage, tag="compared"):
    """Receiver -> sender, and back: the bits of the compared slots, in their order."""

    bits: list[int]


class Done(SessionMessage, tag="done"):
    """Receiver -> sender: it has its result."""


class Sender(Agent):
    """Sends `qubits` single photons to `peer`, one every `slot`; compares `sample` of the sifted bits.

    Returns what `summary` describes. Raises ProgramError when the gates that prepare a photon take longer
    than a slot (without a `timeout`; with one such slots stay empty).
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
        result = await lead(self, peer, KIND, Patience.of(timeout, tries), part)
        return nothing() if result is None else result

    async def _session(
        self, peer: str, qubits: int, sample: float, talk: Initiator
    ) -> dict[str, Any]:
        bits = [int(bit) for bit in self.rng.integers(0, 2, qubits)]
        bases = "".join(BASES[int(basis)] for basis in self.rng.integers(0, 2, qubits))
        started_ns = self.now_ns
        start_ns = await self._agree_on_start(talk, qubits)
        await self._until(start_ns - self._slot_ns)
        for number in range(qubits):
            due_ns = start_ns + number * self._slot_ns
            await self._emit(peer, due_ns, bits[number], bases[number], talk.patience)
        clicks = await talk.ask(Sent(), Clicks)
        sifted = [
            s for s, basis in zip(clicks.slots, clicks.bases, strict=True) if bases[s] == basis
        ]
        chosen = self.rng.permutation(len(sifted))[: round(sample * len(sifted))]
        compared = sorted(sifted[int(index)] for index in chosen)
        theirs = await talk.ask(Sifted(sifted, compared), Compared)
        result = summary(
            self,
            sent=qubits,
            detected=len(clicks.slots),
            sifted={slot: (bases[slot], bits[slot]) for slot in sifted},
            compared=dict(zip(compared, theirs.bits, strict=True)),
            started_ns=started_ns,
        )
        status = await talk.conclude(Compared([bits[slot] for slot in compared]), Done)
        return {**result, "status": status, "session": talk.session}

    async def _agree_on_start(self, talk: Initiator, qubits: int) -> int:
        """When slot 0 leaves: not before the receiver is known to know it, else Broken.

        The word of the start and its answer need no longer than the announcement and its answer did.
        """
        announced_ns = self.now_ns
        await talk.ask(Announcement(self._slot_ns, qubits), Ready)
        ahead_ns = self.now_ns - announced_ns + self._slot_ns
        if talk.patience.timeout_s is not None:  # it may have to be said again
            ahead_ns = max(ahead_ns, round(AHEAD_TIMEOUTS * talk.patience.timeout_s * 1e9))
        start_ns = self.now_ns + ahead_ns
        told = talk.ask(Start(start_ns), Listening)
        await within(ahead_ns / 1e9, told, "word that the start is known")
        return start_ns

    async def _emit(self, peer: str, due_ns: int, bit: int, basis: str, patience: Patience) -> None:
        """Prepare |0>, |1>, |+> or |->, and let it go at `due_ns`."""
        qubit = await self.qubit()
        try:
            async with Holding(qubit):
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
                elif patience.timeout_s is not None:
                    await give_back(qubit)
                else:  # it would count as the next slot's
                    why = f"a slot of {self._slot_ns} ns is too short: photon {late_ns} ns late"
                    raise ProgramError(why)
        except QubitError as lost:
            self.log.warning("slot stays empty: %s", lost)

    async def _until(self, due_ns: int) -> None:
        await asyncio.sleep(max(0, due_ns - self.now_ns) / 1e9)


class Receiver(Agent):
    """Measures what comes from `peer` in random bases. Returns what `summary` describes."""

    async def run(
        self,
        peer: str,
        link: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
    ) -> dict[str, Any]:
        patience = Patience.of(timeout, tries)
        part = partial(self._session, peer, self._delay_ns(peer, link))
        result = await follow(self, peer, KIND, patience, part)
        await self._sweep(peer, patience.limit_s() if result is None else 0.0)
        return nothing() if result is None else result

    async def _session(self, peer: str, delay_ns: int, talk: Responder) -> dict[str, Any]:
        plan: Announcement = await talk.hear(Announcement)
        started_ns = self.now_ns
        await talk.answer(Ready())
        start: Start = await talk.hear(Start)
        await talk.answer(Listening())
        clicks = await self._detect(peer, plan, start.start_ns + delay_ns)
        await talk.hear(Sent, plan.qubits * plan.slot_ns / 1e9)
        bases = "".join(basis for basis, _ in clicks.values())
        await talk.answer(Clicks(list(clicks), bases))
        sifted: Sifted = await talk.hear(Sifted)
        await talk.answer(Compared([clicks[slot][1] for slot in sifted.compared]))
        theirs: Compared = await talk.hear(Compared)
        result = summary(
            self,
            sent=plan.qubits,
            detected=len(clicks),
            sifted={slot: clicks[slot] for slot in sifted.slots},
            compared=dict(zip(sifted.compared, theirs.bits, strict=True)),
            started_ns=started_ns,
        )
        await talk.answer(Done())
        return {**result, "status": CONFIRMED, "session": talk.session}

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
                async with Holding(qubit):
                    bit = await qubit.measure(basis)
            except QubitError:
                continue  # the memory has lost it
            slot = round((qubit.arrived_ns - first_ns) / plan.slot_ns)
            if 0 <= slot < plan.qubits:
                clicks.setdefault(slot, (basis, bit))

    async def _sweep(self, peer: str, quiet_s: float | None) -> None:
        """Give back what still comes of a session that is over, until nothing has for so long."""
        try:
            while True:
                async with asyncio.timeout(quiet_s):
                    qubit = await self.receive_qubit(peer)
                await give_back(qubit)
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
    by_basis = {basis: {"compared": 0, "errors": 0} for basis in BASES}
    for slot, theirs in compared.items():
        basis, ours = sifted[slot]
        error = int(ours != theirs)
        agent.record("bb84.error", error)
        by_basis[basis]["compared"] += 1
        by_basis[basis]["errors"] += error
    errors = sum(counts["errors"] for counts in by_basis.values())
    kept = [str(bit) for slot, (_, bit) in sifted.items() if slot not in compared]
    return {
        "sent": sent,
        "detected": detected,
        "sifted": len(sifted),
        "compared": len(compared),
        "qber": errors / len(compared) if compared else None,
        "by_basis": by_basis,
        "sifted_bits": "".join(kept),
        "duration_s": (agent.now_ns - started_ns) / 1e9,
    }
