"""Cloning: a unitary over each photon, a blank qubit and an ancilla; both copies come out imperfect.

No operation copies. Blank and ancilla are prepared in amplitudes a(m, n), and turn the photon by X^m Z^n,
each in its part of the superposition, so that the photon suffers each Pauli with probability a(m, n)^2. A
Bell rotation of the two then leaves the clone in the blank (Cerf, PRL 84, 4497 (2000)).
"""

from __future__ import annotations

import asyncio
import math
from typing import Literal

import numpy as np

from ....emulator.errors import ProgramError
from ...protocols.qkd.sifting import BASES
from ...qubits import Qubit
from .base import Overhearing
from .discussion import UNKNOWN, Announced

Cloner = Literal["phase-covariant", "universal"]

#: Slots that cloning one photon takes: its own, the blank's and the ancilla's.
_NEEDED = 3
#: The states of BB84, by basis and bit.
_STATES = {"Z": "01", "X": "+-"}


class Cloning(Overhearing):
    """Clones each single photon from `first` to `second`, sends the photon on, and keeps the clone.

    `phase-covariant`: the best cloner of the states of Z and X. By its `angle` in degrees the photon keeps a
    fidelity of (1 + cos a)/2, and the clone has (1 + sin a)/2: a QBER of 14.64 % at 45 degrees. `universal`:
    the best one of all states. Both have 5/6, a QBER of 16.67 %.

    Once bases and bits are announced it measures the clones. Records `cloned` (1 for each photon), `guessed`
    as `Overhearing` does, and the metric `clone.fidelity`, of bits compared in public. Until then clones need
    slots of its memory; where they run out, the oldest one goes. It runs until it is stopped: make it a
    service.
    """

    async def run(
        self, first: str, second: str, cloner: Cloner = "phase-covariant", angle: float = 45.0
    ) -> None:
        if not 0 <= angle <= 90:
            raise ProgramError(f"angle must be from 0 to 90 degrees, not {angle}")
        if self.memory.slots < _NEEDED:
            raise ProgramError(f"cloning takes {_NEEDED} slots: found {self.memory.slots}")
        self._first, self._cloner, self._angle = first, cloner, math.radians(angle)
        #: When each photon left, and its clone.
        self._clones: list[tuple[int, Qubit]] = []
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take(first, second))
            group.create_task(self.overhear(self._learn))

    async def _take(self, source: str, to: str) -> None:
        while True:
            photon = await self.receive_qubit(source)
            port, left_ns = photon.port, photon.arrived_ns
            blank, ancilla = await self._slot(), await self._slot()
            if self._cloner == "universal":
                await universal(photon, blank, ancilla)
            else:
                await phase_covariant(photon, blank, ancilla, self._angle)
            await self.transmit(photon, to, port=port)
            await ancilla.discard()
            self._clones.append((left_ns, blank))
            self.record("cloned", 1)
            if not self.memory.free and self._clones:  # for the next photon
                await self._clones.pop(0)[1].discard()

    async def _slot(self) -> Qubit:
        """A fresh qubit, in the slot of the oldest clone if there is no other."""
        if not self.memory.free and self._clones:
            await self._clones.pop(0)[1].discard()
        return await self.qubit()

    async def _learn(self, announced: Announced) -> None:
        """Measure the clones of which the basis was announced; the others are worth nothing."""
        if not announced.slot_ns or announced.sender != self._first:
            return
        clones, self._clones = self._clones, []
        slots = np.array([announced.slot_at(left_ns) for left_ns, _ in clones], dtype=np.int64)
        bases = announced.basis_of(slots)
        told = dict(
            zip(announced.slots[announced.compared].tolist(), announced.bits.tolist(), strict=True)
        )
        known: list[int] = []
        bits: list[int] = []
        for slot, number, (_, clone) in zip(slots.tolist(), bases.tolist(), clones, strict=True):
            if number == UNKNOWN:
                await clone.discard()
                continue
            basis = BASES[number]
            if slot in told:
                await self.probe("clone", clone, _STATES[basis][told[slot]])
            known.append(slot)
            bits.append(await clone.measure(basis))
        self.record_guesses(
            announced, np.array(known, dtype=np.int64), np.array(bits, dtype=np.uint8)
        )


async def phase_covariant(photon: Qubit, blank: Qubit, ancilla: Qubit, angle: float) -> None:
    """Clone states of Z and X: X and Z each happen with sin^2(angle/2), independently of each other."""
    await blank.ry(angle)
    await ancilla.ry(angle)
    await _entangle(photon, blank, ancilla)


async def universal(photon: Qubit, blank: Qubit, ancilla: Qubit) -> None:
    """Clone any state (Buzek, Hillery, PRA 54, 1844 (1996)): X, Y and Z happen with 1/12 each."""
    await blank.ry(2 * math.asin(math.sqrt(1 / 6)))
    # The ancilla is turned by `alone` where the blank is 0, by `together` where it is 1.
    alone, together = 2 * math.asin(math.sqrt(1 / 10)), math.pi / 2
    await ancilla.ry((alone + together) / 2)
    await blank.cx(ancilla)
    await ancilla.ry((alone - together) / 2)
    await blank.cx(ancilla)
    await _entangle(photon, blank, ancilla)


async def _entangle(photon: Qubit, blank: Qubit, ancilla: Qubit) -> None:
    """The photon turned by X^m Z^n of the two, and the two rotated so that the blank is the clone."""
    await blank.cz(ancilla)  # the sign of X Z against Z X
    await ancilla.cz(photon)
    await blank.cx(photon)
    await ancilla.h()
    await ancilla.cx(blank)
