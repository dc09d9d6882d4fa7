"""BB84 with single photons, one qubit at a time: Bennett and Brassard, Proc. IEEE Int. Conf. on
Computers, Systems and Signal Processing, Bangalore, 175 (1984).

Owns preparation, detection by time slot, sifting and the error estimate. Does not own reconciliation,
privacy amplification or authentication: what comes out is a sifted key and its QBER, not a secret key.

The sender announces when slot 0 leaves and how long a slot is; slot n leaves at start + n * slot. A lost
photon gives no event, so the receiver tells slots by arrival times. After the last slot the receiver
says which slots clicked and in which basis, the sender which bases agree, and both compare a random
part of the sifted bits. Noise `depolarising: p` on the fibre gives a QBER of p/2.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from ....emulator.errors import LinkError, ProgramError
from ....emulator.units import parse_ns
from ...agent import Agent

BASES = "ZX"
GUARD_SLOTS = 2


class Announcement(msgspec.Struct):
    """Sender -> receiver: when slot 0 leaves, how long a slot is, and how many there are."""

    start_ns: int
    slot_ns: int
    qubits: int


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
    """Sends `qubits` single photons to `peer`, one every `slot`; compares `sample` of the sifted bits."""

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
        slot_ns = parse_ns(slot)
        bits = [int(bit) for bit in self.rng.integers(0, 2, qubits)]
        bases = "".join(BASES[int(basis)] for basis in self.rng.integers(0, 2, qubits))
        started_ns = self.now_ns
        start_ns = started_ns + slot_ns
        await self.send(peer, Announcement(start_ns, slot_ns, qubits), kind="bb84.start")
        for number in range(qubits):
            await self._emit(peer, link, start_ns + number * slot_ns, bits[number], bases[number])
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
        key = [bits[slot] for slot in sifted if slot not in set(compared)]
        return summary(
            self, qubits, len(clicks.slots), len(sifted), ours, theirs.bits, key, started_ns
        )

    async def _emit(self, peer: str, link: str | None, when_ns: int, bit: int, basis: str) -> None:
        """Prepare |0>, |1>, |+> or |->, and let it go at `when_ns` (late, if the gates are slow)."""
        qubit = await self.qubit()
        if bit:
            await qubit.x()
        if basis == "X":
            await qubit.h()
        await asyncio.sleep(max(0, when_ns - self.now_ns) / 1e9)
        await self.transmit(qubit, peer, link=link)


class Receiver(Agent):
    """Measures what comes from `peer` in random bases."""

    async def run(self, peer: str, link: str | None = None) -> dict[str, Any]:
        started_ns = self.now_ns
        start: Announcement = (await self.receive(peer, kind="bb84.start", type=Announcement)).body
        delay_ns = self._delay_ns(peer, link)
        clicks: dict[int, tuple[str, int]] = {}
        end_ns = start.start_ns + (start.qubits + GUARD_SLOTS) * start.slot_ns + delay_ns
        try:
            async with asyncio.timeout(max(0, end_ns - self.now_ns) / 1e9):
                await self._detect(peer, start, delay_ns, clicks)
        except TimeoutError:
            pass  # the last slot is over; photons that did not come are lost
        bases = "".join(basis for basis, _ in clicks.values())
        await self.send(peer, Clicks(list(clicks), bases), kind="bb84.clicks")
        sifted: Sifted = (await self.receive(peer, kind="bb84.sifted", type=Sifted)).body
        ours = [clicks[slot][1] for slot in sifted.compared]
        await self.send(peer, Compared(ours), kind="bb84.compared")
        theirs: Compared = (await self.receive(peer, kind="bb84.compared", type=Compared)).body
        compared = set(sifted.compared)
        key = [clicks[slot][1] for slot in sifted.slots if slot not in compared]
        return summary(
            self, start.qubits, len(clicks), len(sifted.slots), ours, theirs.bits, key, started_ns
        )

    async def _detect(
        self, peer: str, start: Announcement, delay_ns: int, clicks: dict[int, tuple[str, int]]
    ) -> None:
        while True:
            qubit = await self.receive_qubit(peer)
            basis = BASES[int(self.rng.integers(0, 2))]
            bit = await qubit.measure(basis)
            sent_ns = qubit.arrived_ns - delay_ns
            slot = round((sent_ns - start.start_ns) / start.slot_ns)
            if 0 <= slot < start.qubits:
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
    sent: int,
    detected: int,
    sifted: int,
    ours: list[int],
    theirs: list[int],
    key: list[int],
    started_ns: int,
) -> dict[str, Any]:
    """What either end returns: counts, QBER of the compared bits, and the rest of the sifted bits.

    The bits are simulated data for a test to look at, not a key to be used.
    """
    errors = [int(a != b) for a, b in zip(ours, theirs, strict=True)]
    for error in errors:
        agent.record("bb84.error", error)
    return {
        "sent": sent,
        "detected": detected,
        "sifted": sifted,
        "compared": len(errors),
        "qber": sum(errors) / len(errors) if errors else None,
        "sifted_bits": "".join(str(bit) for bit in key),
        "duration_s": (agent.now_ns - started_ns) / 1e9,
    }
