"""Two ends for eavesdroppers to attack, which compare all they have: counts as estimation wants them."""

from __future__ import annotations

import numpy as np

from qnetem.agents.agent import Agent
from qnetem.agents.protocols.qkd.processing.estimation import DecoyCounts


class Alice(Agent):
    """Sends a train in Z and X; returns clicks and errors of the sifted bits, by setting, in Z and in X."""

    async def run(self, pulses: int) -> dict[str, list[list[int]]]:
        await self.receive("bob", kind="ready")
        train = await self.pulses("bob", pulses)
        seen = (await self.receive("bob", kind="seen")).body
        bases, bits, settings = train.at(np.array(seen["slots"], dtype=np.int64))
        wrong = bits != np.array(seen["bits"])
        found: dict[str, list[list[int]]] = {}
        for basis, name in enumerate("ZX"):
            here = (bases == basis) & (np.array(seen["bases"]) == basis)
            per_setting = [here & (settings == each) for each in range(len(train.means))]
            found[name] = [[int(at.sum()), int((at & wrong).sum())] for at in per_setting]
        return found


class Bob(Agent):
    async def run(self) -> dict[str, int]:
        await self.send("alice", kind="ready")
        clicks = await self.detect("alice")
        columns = {name: getattr(clicks, name).tolist() for name in ("slots", "bases", "bits")}
        await self.send("alice", columns, kind="seen")
        return {"clicks": len(clicks), "doubles": int(clicks.doubles.sum())}


def decoy_counts(
    found: dict[str, list[list[int]]], means: list[float], shares: list[float]
) -> DecoyCounts:
    """What Alice returns, with a key in Z that is checked in X."""
    return DecoyCounts(
        intensities=means,
        probabilities=shares,
        key_clicks=[clicks for clicks, _ in found["Z"]],
        key_errors=[errors for _, errors in found["Z"]],
        check_clicks=[clicks for clicks, _ in found["X"]],
        check_errors=[errors for _, errors in found["X"]],
    )
