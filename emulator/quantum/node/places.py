"""Where the qubits of a node lie: in communication qubits, which links can entangle, or in storage qubits.

Owns which qubit, or which operation that will bring one, is in which of the two, and how many of each there
are. Does not own slots of tenants (slot_pools.py) or what waits (node_devices.py). A node whose memory does
not tell the two apart has no `Places`.

Rules. A half of a pair and a photon come to a communication qubit; a fresh qubit takes a storage qubit if one
is free, else a communication qubit. What has come to one lies there until it is stored or gone.
"""

from __future__ import annotations

#: A qubit by its name, or an operation that will bring one by its number.
Key = str | int


class Places:
    """`communication` and `storage` qubits of one node."""

    __slots__ = ("_communicating", "_stored", "communication", "storage")

    def __init__(self, communication: int, slots: int) -> None:
        self.communication, self.storage = communication, slots - communication
        self._communicating: set[Key] = set()
        self._stored: set[Key] = set()

    def take(self, key: Key, anywhere: bool) -> bool:
        """A place for what comes: a communication qubit, or also a storage qubit if `anywhere` will do."""
        if anywhere and len(self._stored) < self.storage:
            self._stored.add(key)
        elif len(self._communicating) < self.communication:
            self._communicating.add(key)
        else:
            return False
        return True

    def rename(self, key: Key, other: Key) -> None:
        """What had a place under `key` has it under `other`."""
        for taken in (self._communicating, self._stored):
            if key in taken:
                taken.remove(key)
                taken.add(other)

    def leave(self, key: Key) -> None:
        """Its place is free; harmless if it has none."""
        self._communicating.discard(key)
        self._stored.discard(key)

    def store(self, qubit: str) -> bool:
        """From a communication qubit to a storage qubit; False (and nothing changed) if none is free."""
        if qubit in self._stored:
            return True
        if len(self._stored) >= self.storage:
            return False
        self._communicating.remove(qubit)
        self._stored.add(qubit)
        return True

    def is_stored(self, qubit: str) -> bool:
        """Whether it lies in a storage qubit."""
        return qubit in self._stored

    def empty(self) -> None:
        """Nothing has a place any more."""
        self._communicating.clear()
        self._stored.clear()

    def __repr__(self) -> str:
        used, stored = len(self._communicating), len(self._stored)
        return f"<Places {used}/{self.communication} communicating, {stored}/{self.storage} stored>"
