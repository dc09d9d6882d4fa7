"""BB84 with single photons, one qubit at a time.

Bennett and Brassard, Proc. IEEE Int. Conf. on Computers, Systems and Signal Processing, Bangalore,
175 (1984).

Owns preparation, detection by time slot, sifting and the error estimate. Does not own reconciliation,
privacy amplification or authentication: what comes out is a sifted key and its QBER, not a secret key.

The sender waits until the receiver listens, and says when slot 0 leaves; slot n leaves at
start + n * slot. A lost photon gives no event, so the receiver tells slots by arrival times. After the
last slot the receiver says which slots clicked and in which basis, the sender which bases agree, and
both compare a random part of the sifted bits. On the fibre, `depolarising: p` gives a QBER of p/2 in
both bases, `dephasing: p` one of p in X and none in Z.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from ....emulator.errors import LinkError, ProgramError
from ....emulator.units import parse_ns
from ...agent import Agent
from ..holding import Holding

BASES = "ZX"
GUARD_SLOTS = 2


class Announcement(msgspec.Struct):
    """Sender -> receiver: how long a slot is, and how many there are. Answered when listening."""

    slot_ns: int
    qubits: int


class Start(msgspec.Struct):
    """Sender -> receiver: when slot 0 leaves. Arrives before the first photon."""

    start_ns: int


class Clicks(msgspec.Struct):
    """Receiver -> sender: the slots that clicked, and a letter per click for its basis."""

    slots: list[int]
    bases: str


class Sifted(msgspec.Struct):
    """Sender -> receiver: the slots whose bases agree, and those of them to be compared in public."""

    slots: list[int]
    compared: list[int]


class Compared(msgspec.Struct):
    """Receiver -> sender, and back: the bits of the compared slots, in their order."""

    bits: list[int]


class Sender(Agent):
    """Sends `qubits` single photons to `peer`, one every `slot`; compares `sample` of the sifted bits.

    Returns what `summary` describes. Raises ProgramError when the gates that prepare a photon take longer
    than a slot.
    """

    async def run(
        self,
        peer: str,
        qubits: int = 1000,
        slot: str = "10 us",
        sample: float = 0.5,
        link: str | None = None,
    ) -> dict[str, Any]:
        if not 0 < sample <= 1:
            raise ProgramError(f"sample must be in (0, 1], not {sample}")
        if qubits < 1:
            raise ProgramError(f"BB84 needs a qubit, not {qubits}")
        slot_ns = parse_ns(slot)
        bits = [int(bit) for bit in self.rng.integers(0, 2, qubits)]
        bases = "".join(BASES[int(basis)] for basis in self.rng.integers(0, 2, qubits))
        started_ns = self.now_ns
        start_ns = await self._agree_on_start(peer, slot_ns, qubits)
        for number in range(qubits):
            due_ns = start_ns + number * slot_ns
            await self._emit(peer, link, due_ns, slot_ns, bits[number], bases[number])
        clicks: Clicks = (await self.receive(peer, kind="bb84.clicks", type=Clicks)).body
        sifted = [
            s for s, basis in zip(clicks.slots, clicks.bases, strict=True) if bases[s] == basis
        ]
        chosen = self.rng.permutation(len(sifted))[: round(sample * len(sifted))]
        compared = sorted(sifted[int(index)] for index in chosen)
        await self.send(peer, Sifted(sifted, compared), kind="bb84.sifted")
        theirs: Compared = (await self.receive(peer, kind="bb84.compared", type=Compared)).body
        ours = [bits[slot] for slot in compared]
        await self.send(peer, Compared(ours), kind="bb84.compared")
        return summary(
            self,
            sent=qubits,
            detected=len(clicks.slots),
            sifted={slot: (bases[slot], bits[slot]) for slot in sifted},
            compared=dict(zip(compared, theirs.bits, strict=True)),
            started_ns=started_ns,
        )

    async def _agree_on_start(self, peer: str, slot_ns: int, qubits: int) -> int:
        """When slot 0 leaves: after the receiver is sure to know it.

        The word of the start needs no longer than the announcement and its answer together did.
        """
        announced_ns = self.now_ns
        await self.send(peer, Announcement(slot_ns, qubits), kind="bb84.announcement")
        await self.receive(peer, kind="bb84.ready")
        start_ns = self.now_ns + (self.now_ns - announced_ns) + slot_ns
        await self.send(peer, Start(start_ns), kind="bb84.start")
        return start_ns

    async def _emit(
        self, peer: str, link: str | None, due_ns: int, slot_ns: int, bit: int, basis: str
    ) -> None:
        """Prepare |0>, |1>, |+> or |->, and let it go at `due_ns`."""
        qubit = await self.qubit()
        async with Holding(qubit):
            if bit:
                await qubit.x()
            if basis == "X":
                await qubit.h()
            late_ns = self.now_ns - due_ns
            if 2 * late_ns >= slot_ns:  # it would count as the next slot's
                raise ProgramError(f"a slot of {slot_ns} ns is too short: photon {late_ns} ns late")
            await asyncio.sleep(max(0, -late_ns) / 1e9)
            await self.transmit(qubit, peer, link=link)


class Receiver(Agent):
    """Measures what comes from `peer` in random bases. Returns what `summary` describes."""

    async def run(self, peer: str, link: str | None = None) -> dict[str, Any]:
        delay_ns = self._delay_ns(peer, link)
        heard = await self.receive(peer, kind="bb84.announcement", type=Announcement)
        plan: Announcement = heard.body
        started_ns = self.now_ns
        await self.send(peer, kind="bb84.ready")
        start: Start = (await self.receive(peer, kind="bb84.start", type=Start)).body
        clicks = await self._detect(peer, plan, start.start_ns + delay_ns)
        bases = "".join(basis for basis, _ in clicks.values())
        await self.send(peer, Clicks(list(clicks), bases), kind="bb84.clicks")
        sifted: Sifted = (await self.receive(peer, kind="bb84.sifted", type=Sifted)).body
        ours = [clicks[slot][1] for slot in sifted.compared]
        await self.send(peer, Compared(ours), kind="bb84.compared")
        theirs: Compared = (await self.receive(peer, kind="bb84.compared", type=Compared)).body
        return summary(
            self,
            sent=plan.qubits,
            detected=len(clicks),
            sifted={slot: clicks[slot] for slot in sifted.slots},
            compared=dict(zip(sifted.compared, theirs.bits, strict=True)),
            started_ns=started_ns,
        )

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
            bit = await qubit.measure(basis)
            slot = round((qubit.arrived_ns - first_ns) / plan.slot_ns)
            if 0 <= slot < plan.qubits:
                clicks.setdefault(slot, (basis, bit))

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
