"""Either end of a CHSH test (Clauser, Horne, Shimony and Holt, PRL 23, 880 (1969))."""

from qnetem import Agent

Axis = str | tuple[float, float, float]


class End(Agent):
    """Measures each pair along one of two axes that it draws, and compares with the peer."""

    async def run(self, peer: str, axes: list[Axis], rounds: int):
        for _ in range(rounds):
            pair = await self.entangle(peer)
            setting = int(self.rng.integers(2))
            bit = await pair.measure(axes[setting])
            await self.send(peer, [setting, bit])
            other_setting, other_bit = (await self.receive(peer)).body
            lost = bit ^ other_bit ^ (setting & other_setting)
            self.record("S", -4 if lost else 4)  # its mean is E00 + E01 + E10 - E11
