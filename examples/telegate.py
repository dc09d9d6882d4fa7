"""A CNOT between qubits of two nodes (Eisert, Jacobs, Papadopoulos and Plenio, PRA 62, 052317 (2000))."""

from qnetem import Agent

ENDS = ("alice", "bob")


class Control(Agent):
    """Holds the control qubit, in |+>."""

    async def run(self, rounds: int):
        for _ in range(rounds):
            control, half = await self.qubit(), await self.entangle("bob")
            await control.h()
            await control.cx(half.qubit)
            await self.send("bob", await half.measure("Z"))
            if (await self.receive("bob")).body:
                await control.z()
            await self.probe("cnot", control, "phi+", parties=ENDS)
            await self.send("bob", "done")
            await control.discard()


class Target(Agent):
    """Holds the target qubit, in |0>."""

    async def run(self, rounds: int):
        for _ in range(rounds):
            target, half = await self.qubit(), await self.entangle("alice")
            half.shift(0, (await self.receive("alice")).body)
            await half.qubit.cx(target)
            await self.send("alice", await half.measure("X"))
            await self.probe("cnot", target, "phi+", parties=ENDS)
            await self.receive("alice")
            await target.discard()
