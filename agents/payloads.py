"""Payloads: what has come by MQTT and is not granted yet, and what was sent and may be asked for again.

Owns both stores of one node. Rule: a sent payload is kept until `Forget`; a received one until it has
been forgotten; a copy that comes after that (a resend that crossed the original) is dropped.
"""

from __future__ import annotations

from ..emulator.errors import InternalError
from ..emulator.wire import Delivery, Forget, Resend
from .messages import Envelope, body_hash, seal

Key = tuple[str, int, int]


class Payloads:
    """The payloads of one incarnation of a node."""

    def __init__(self, name: str, incarnation: int) -> None:
        self._name, self._incarnation = name, incarnation
        self._seq = 0
        self._sent: dict[int, tuple[str, bytes]] = {}
        self._here: dict[Key, Envelope] = {}
        #: Asked for again: a second copy may still come after the first was forgotten.
        self._asked: dict[Key, None] = {}
        self._forgotten: dict[Key, None] = {}

    def sent(self, destination: str, kind: str, body: bytes) -> tuple[int, bytes]:
        """Number, seal and keep a body on its way: (sequence number, MQTT payload)."""
        self._seq += 1
        payload = seal(self._seq, self._incarnation, kind, body)
        self._sent[self._seq] = (destination, payload)
        return self._seq, payload

    def again(self, destination: str, seqs: list[int]) -> list[tuple[str, bytes]]:
        """What was asked for once more; forgotten payloads are silently left out."""
        kept = [self._sent[seq] for seq in seqs if seq in self._sent]
        return [entry for entry in kept if entry[0] == destination]

    def arrived(self, src: str, envelope: Envelope) -> None:
        """A payload has come from the broker."""
        key = (src, envelope.inc, envelope.seq)
        if key in self._forgotten:
            del self._forgotten[key]
        else:
            self._here[key] = envelope

    def lacking(self, deliveries: list[Delivery]) -> list[Key]:
        """Which of these have no payload here; one whose body is not what the sender hashed is none."""
        lacking: list[Key] = []
        for delivery in deliveries:
            key = (delivery.src, delivery.inc, delivery.seq)
            envelope = self._here.get(key)
            if envelope is not None and body_hash(bytes(envelope.body)) != delivery.hash:
                del self._here[key]
                envelope = None
            if envelope is None:
                lacking.append(key)
        return lacking

    def lacking_of(self, src: str, inc: int, seqs: list[int]) -> list[Key]:
        """Which of one sender's payloads are not here."""
        return [(src, inc, seq) for seq in seqs if (src, inc, seq) not in self._here]

    def requests(self, lacking: list[Key]) -> list[Resend]:
        """The lacking payloads as requests, one per sender."""
        by_sender: dict[tuple[str, int], list[int]] = {}
        for src, inc, seq in lacking:
            by_sender.setdefault((src, inc), []).append(seq)
            self._asked[src, inc, seq] = None
        return [
            Resend(src, inc, sorted(set(seqs)), self._name)
            for (src, inc), seqs in sorted(by_sender.items())
        ]

    def take(self, delivery: Delivery) -> Envelope:
        """The payload of a delivery; it stays until it is forgotten (another copy may come)."""
        envelope = self._here.get((delivery.src, delivery.inc, delivery.seq))
        if envelope is None:
            raise InternalError(f"{self._name} runs a grant without its payload {delivery}")
        return envelope

    def forget(self, forget: Forget) -> None:
        """Nobody will ask for it again."""
        key = (forget.src, forget.inc, forget.seq)
        here = self._here.pop(key, None)
        if forget.src == self._name:
            if forget.inc == self._incarnation:
                self._sent.pop(forget.seq, None)
            return
        asked = key in self._asked
        self._asked.pop(key, None)
        if asked or here is None:  # a copy may still come
            self._forgotten[key] = None
