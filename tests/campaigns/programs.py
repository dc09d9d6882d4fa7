"""Programs of campaigns: the shipped ones, which note beside what the judge wants to see.

Named by this file, so that it imports nothing of the tests: the process of a node loads it.
"""

from __future__ import annotations

from typing import Any

from qnetem import Agent
from qnetem.agents.protocols import teleportation
from qnetem.agents.protocols.qkd import bb84, bbm92, decoy, e91, prepared, sarg04
from qnetem.agents.protocols.session import TRIES

SIFTED = "sifted_bits"


class _Noting(Agent):
    """Of an exchange, notes [session, the bits that are left], which the result only counts."""

    async def exchange(self, *arguments: Any) -> Any:
        found = await super().exchange(*arguments)  # type: ignore[misc]
        if found is not None:
            self.record(SIFTED, [found.session, "".join(map(str, found.sifted_bits.tolist()))])
        return found


class DecoySender(_Noting, decoy.Sender):
    """`decoy.Sender`, noting."""


class DecoyReceiver(_Noting, decoy.Receiver):
    """`decoy.Receiver`, noting."""


class Bbm92Alice(_Noting, bbm92.Alice):
    """`bbm92.Alice`, noting."""


class Bbm92Bob(_Noting, bbm92.Bob):
    """`bbm92.Bob`, noting."""


class E91Alice(_Noting, e91.Alice):
    """`e91.Alice`, noting."""


class E91Bob(_Noting, e91.Bob):
    """`e91.Bob`, noting."""


class PreparedSender(_Noting, prepared.Sender):
    """`prepared.Sender`, noting."""


class PreparedReceiver(_Noting, prepared.Receiver):
    """`prepared.Receiver`, noting."""


class Sarg04Sender(_Noting, sarg04.Sender):
    """`sarg04.Sender`, noting."""


class Sarg04Receiver(_Noting, sarg04.Receiver):
    """`sarg04.Receiver`, noting."""


class QuickstartAlice(Agent):
    """The Alice of quickstart.py, with a timeout; both results as they are."""

    async def run(
        self, states: int, qubits: int, timeout: str | None = None, tries: int = TRIES
    ) -> dict[str, Any]:
        retry = {"timeout": timeout, "tries": tries}
        states_ = await self.perform(teleportation.Sender, peer="bob", rounds=states, **retry)
        key = await self.perform(bb84.Sender, peer="bob", qubits=qubits, **retry)
        return {"states": states_, "key": key}


class QuickstartBob(Agent):
    """The Bob of quickstart.py, with a timeout; both results as they are."""

    async def run(
        self, states: int, timeout: str | None = None, tries: int = TRIES
    ) -> dict[str, Any]:
        retry = {"timeout": timeout, "tries": tries}
        states_ = await self.perform(teleportation.Receiver, peer="alice", rounds=states, **retry)
        key = await self.perform(bb84.Receiver, peer="alice", **retry)
        return {"states": states_, "key": key}
