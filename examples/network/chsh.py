"""A CHSH test between any two nodes (Clauser, Horne, Shimony and Holt, PRL 23, 880 (1969))."""

from qnetem import Agent

Axis = str | tuple[float, float, float]


class End(Agent):
    """Measures each pair along one of two axes that it draws; one end `asks` for the pairs."""

    async def run(self, peer: str, axes: list[Axis], rounds: int, asks: bool = False):
        ask, take = self.network.pairs, self.network.arriving
        async for pair in ask(peer, rounds) if asks else take(peer, count=rounds):
            setting = int(self.rng.integers(2))
            bit = await pair.measure(axes[setting])
            await self.send(peer, [setting, bit], kind=pair.id)
            other_setting, other_bit = (await self.receive(peer, kind=pair.id)).body
            lost = bit ^ other_bit ^ (setting & other_setting)
            self.record("S", -4 if lost else 4)  # its mean is E00 + E01 + E10 - E11
