"""A CNOT between qubits of any two nodes (Eisert, Jacobs, Papadopoulos and Plenio, PRA 62, 052317 (2000))."""

from qnetem import Agent


class Control(Agent):
    """Holds the control qubit, in |+>."""

    async def run(self, target: str, rounds: int):
        async for half in self.network.pairs(target, rounds):
            control = await self.qubit()
            await control.h()
            await control.cx(half.qubit)
            await self.send(target, await half.measure("Z"), kind=half.id)
            if (await self.receive(target, kind=half.id)).body:
                await control.z()
            await self.probe("cnot", control, "phi+", parties=half.ends)
            await self.send(target, kind=half.id)
            await control.discard()


class Target(Agent):
    """Holds the target qubit, in |0>."""

    async def run(self, control: str, rounds: int):
        async for half in self.network.arriving(control, count=rounds):
            target = await self.qubit()
            half.shift(0, (await self.receive(control, kind=half.id)).body)
            await half.qubit.cx(target)
            await self.send(control, await half.measure("X"), kind=half.id)
            await self.probe("cnot", target, "phi+", parties=half.ends)
            await self.receive(control, kind=half.id)
            await target.discard()
