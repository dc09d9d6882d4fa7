"""Payloads: what has come by MQTT and is not granted yet, and what was sent and may be asked for again.

Owns both stores of one node. Rule: a sent payload is kept until `Forget`; a received one until it has
been forgotten; a copy that comes after that (a resend that crossed the original) is dropped. To know
such a copy the last `REMEMBERED` forgotten payloads are remembered, by name only: no store grows with
the length of the run. A node that is over receives nothing more.
"""

from __future__ import annotations

from collections import OrderedDict

from ...emulator.errors import InternalError
from ...emulator.wire import Delivery, Forget, Resend
from ..messages import Envelope, Message, body_hash, seal
from .local_clock import LocalClock

Key = tuple[str, int, int]
#: A copy comes later than the original by a real delay, in which no more messages than this are received.
REMEMBERED = 65_536


class Payloads:
    """The payloads of one incarnation of a node."""

    def __init__(self, name: str, incarnation: int) -> None:
        self._name, self._incarnation = name, incarnation
        self._seq = 0
        self._sent: dict[int, bytes] = {}
        self._here: dict[Key, Envelope] = {}
        self._forgotten: OrderedDict[Key, None] = OrderedDict()
        self._ended = False

    def sent(self, kind: str, body: bytes, port: str = "") -> tuple[int, bytes]:
        """Number, seal and keep a body on its way: (sequence number, MQTT payload)."""
        self._seq += 1
        payload = seal(self._seq, self._incarnation, kind, body, port)
        self._sent[self._seq] = payload
        return self._seq, payload

    def again(self, destination: str, seqs: list[int]) -> list[tuple[str, bytes]]:
        """What was asked for once more; forgotten payloads are silently left out.

        The emulator says for whom: an eavesdropper gets what was not addressed to it.
        """
        return [(destination, self._sent[seq]) for seq in seqs if seq in self._sent]

    def arrived(self, src: str, envelope: Envelope) -> None:
        """A payload has come from the broker."""
        key = (src, envelope.inc, envelope.seq)
        if key not in self._forgotten and not self._ended:
            self._here[key] = envelope

    def end(self) -> None:
        """The program has ended: no grant will come, but others may still ask for what was sent."""
        self._ended = True
        self._here.clear()
        self._forgotten.clear()

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
        return [
            Resend(src, inc, sorted(set(seqs)), self._name)
            for (src, inc), seqs in sorted(by_sender.items())
        ]

    def message(self, delivery: Delivery, clock: LocalClock) -> Message:
        """The message of a delivery; its payload stays until it is forgotten (another copy may come)."""
        envelope = self._here.get((delivery.src, delivery.inc, delivery.seq))
        if envelope is None:
            raise InternalError(f"{self._name} runs a grant without its payload {delivery}")
        raw = bytes(envelope.body)
        for position in delivery.damage:
            raw = _flipped(raw, position)
        return Message(
            delivery.claims or delivery.src,
            envelope.kind,
            delivery.seq,
            clock.local_ns(delivery.sent_ns),
            raw,
            damaged=bool(delivery.damage),
            destination=delivery.dst or self._name,
            port=delivery.port,
            incarnation=delivery.inc,
        )

    def forget(self, forget: Forget) -> None:
        """No receiver will ask for it again."""
        key = (forget.src, forget.inc, forget.seq)
        self._here.pop(key, None)
        if forget.src == self._name:
            if forget.inc == self._incarnation:
                self._sent.pop(forget.seq, None)
            return
        self._forgotten[key] = None
        if len(self._forgotten) > REMEMBERED:
            self._forgotten.popitem(last=False)


def _flipped(raw: bytes, position: int) -> bytes:
    """`raw` with one bit flipped; positions count from the first bit of the first byte."""
    if position >= len(raw) * 8:
        raise InternalError(f"damage at bit {position} of {len(raw)} bytes")
    flipped = bytearray(raw)
    flipped[position // 8] ^= 0x80 >> (position % 8)
    return bytes(flipped)
