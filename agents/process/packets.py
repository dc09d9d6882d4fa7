"""MQTT's packets, as far as messages need them: a PUBLISH at QoS 0, to send and to read.

Owns the bytes of such a packet (MQTT 3.1.1, sections 2.2 and 3.3), the cutting of a stream into packets, and
the form of several messages in one packet. Does not own sockets (mqtt.py), nor any other packet: those are
left for paho. No I/O.

Rule. One message is its payload as it is, a JSON object. Several are a JSON array of them, in order, which
any client can read; the receiver's shell takes it apart, so that nothing behind it sees that there was one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ...emulator.wire import UNREADABLE

PUBLISH = 0x30
#: The bits of the first byte that are the packet's type and QoS; the others are DUP and RETAIN.
_TYPE_AND_QOS = 0xF6
#: The "remaining length" of a packet has at most so many bytes.
_LENGTH_BYTES = 4
#: A packet with several messages has no more bytes of them: a larger message has one to itself.
MOST_TOGETHER = 65_536

_decode_several = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Malformed(Exception):
    """What has come from the broker is no MQTT."""


def topic_field(topic: str) -> bytes:
    """A topic as it stands in a packet."""
    encoded = topic.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def publish_packet(topic: bytes, payload: bytes) -> bytes:
    """A PUBLISH at QoS 0; `topic` as `topic_field` makes it."""
    size = len(topic) + len(payload)
    head = [PUBLISH]
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return b"%b%b%b" % (bytes(head), topic, payload)


def together(payloads: Sequence[bytes]) -> Iterator[bytes]:
    """Payloads for one topic as those of as few packets as may be, in order."""
    portion: list[bytes] = []
    held = 0
    for payload in payloads:
        if portion and held + len(payload) > MOST_TOGETHER:
            yield _joined(portion)
            portion, held = [], 0
        portion.append(payload)
        held += len(payload)
    if portion:
        yield _joined(portion)


def _joined(payloads: Sequence[bytes]) -> bytes:
    return payloads[0] if len(payloads) == 1 else b"[%b]" % b",".join(payloads)


def apart(payload: bytes) -> Sequence[bytes]:
    """The messages in the payload of a packet; what cannot be read stays whole, for its reader to refuse."""
    if not payload.startswith(b"["):
        return (payload,)
    try:
        return [bytes(message) for message in _decode_several(payload)]
    except UNREADABLE:
        return (payload,)


class PacketSplitter:
    """Bytes in, in any portions; whole messages out, in order.

    `others`: the bytes of whole packets that are no PUBLISH at QoS 0, for paho to take out.
    """

    def __init__(self) -> None:
        self.others = bytearray()
        self._held = bytearray()
        self._needed = 0

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """The topics and payloads that `data` completes. Raises Malformed."""
        if self._held:
            self._held += data
            if len(self._held) < self._needed:
                return []  # a long message comes in many portions: it is looked at once
            data = bytes(self._held)
            self._held.clear()
        messages: list[tuple[bytes, bytes]] = []
        start, end = 0, len(data)
        while start < end:
            body, stop = _extent(data, start)
            if stop > end:
                self._held += data[start:]
                self._needed = stop - start
                break
            if data[start] & _TYPE_AND_QOS == PUBLISH:
                messages.append(_message(data, body, stop))
            else:
                self.others += data[start:stop]
            start = stop
        return messages


def _extent(data: bytes, start: int) -> tuple[int, int]:
    """Where the body of the packet at `start` begins and ends; at least one byte more than there is."""
    size = 0
    for count in range(_LENGTH_BYTES):
        at = start + 1 + count
        if at >= len(data):
            return at, at + 1
        size |= (data[at] & 0x7F) << 7 * count
        if data[at] < 0x80:
            return at + 1, at + 1 + size
    raise Malformed("a packet whose length has more than four bytes")


def _message(data: bytes, body: int, stop: int) -> tuple[bytes, bytes]:
    topic = body + 2
    payload = topic + int.from_bytes(data[body:topic], "big")
    if payload > stop:
        raise Malformed("a topic that is longer than its packet")
    return data[topic:payload], data[payload:stop]
