"""Messages as MQTT packets: what is sent is what any client reads, and what comes is cut out whole."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import _packet

from qnetem.agents.messages import seal, unseal
from qnetem.agents.process.packets import (
    MOST_TOGETHER,
    Malformed,
    PacketSplitter,
    apart,
    publish_packet,
    together,
    topic_field,
)

TOPIC = topic_field("qnetem/v1/run/bob/inbox/alice")
PINGRESP = b"\xd0\x00"
#: Around each number of bytes that the length of a packet can have.
SIZES = (0, 1, 96, 97, 98, 127, 128, 16_352, 16_353, 20_000, 2_097_120, 2_097_121)


@pytest.mark.parametrize("size", SIZES)
def test_a_packet_is_what_paho_reads(size: int) -> None:
    packet = publish_packet(TOPIC, b"x" * size)
    [(topic, payload)] = PacketSplitter().feed(packet)
    assert (topic, payload) == (TOPIC[2:], b"x" * size)
    head = len(packet) - len(TOPIC) - size
    read = _packet.decode_publish(packet[0], bytearray(packet[head:]), 4)
    assert (bytes(read.topic), bytes(read.payload)) == (topic, payload)
    assert (read.qos, read.retain, read.dup) == (0, False, False)


@given(
    st.lists(st.binary(max_size=300), max_size=6),
    st.lists(st.integers(1, 400), min_size=1, max_size=8),
    st.integers(0, 6),
)
def test_a_stream_is_cut_into_the_same_messages_however_it_comes(
    payloads: list[bytes], portions: list[int], ping: int
) -> None:
    packets = [publish_packet(TOPIC, payload) for payload in payloads]
    packets.insert(min(ping, len(packets)), PINGRESP)
    stream, splitter, found, at = b"".join(packets), PacketSplitter(), [], 0
    while at < len(stream):
        portion = portions[len(found) % len(portions)]
        found += [splitter.feed(stream[at : at + portion])]
        at += portion
    assert [payload for some in found for _, payload in some] == payloads
    assert splitter.others == PINGRESP


def test_a_long_message_is_looked_at_once_and_not_at_each_portion(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from qnetem.agents.process import packets

    looks: list[int] = []
    extent = packets._extent
    monkeypatch.setattr(packets, "_extent", lambda *at: looks.append(1) or extent(*at))
    packet, splitter = publish_packet(TOPIC, b"7" * 1_000_000), PacketSplitter()
    found: list[Any] = []
    for at in range(0, len(packet), 1_000):
        found += splitter.feed(packet[at : at + 1_000])
    assert len(found) == 1
    assert len(looks) == 2


@pytest.mark.parametrize(
    "data",
    [b"\x30\xff\xff\xff\xff\x01", b"\x30\x03\x00\x09a"],
    ids=["a length of five bytes", "a topic longer than its packet"],
)
def test_what_is_no_mqtt_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        PacketSplitter().feed(data)


def test_a_message_at_another_qos_is_left_to_paho() -> None:
    packet = bytes([0x32]) + publish_packet(TOPIC, b"xx")[1:]
    splitter = PacketSplitter()
    assert splitter.feed(packet) == []
    assert splitter.others == packet


# --- several messages in one packet ---------------------------------------------------------------


def test_one_message_is_its_envelope_and_several_are_a_json_array_of_them() -> None:
    one, two = seal(1, 1, "k", b'{"n":1}'), seal(2, 1, "", b"[2]", "port")
    assert list(together([one])) == [one]
    [both] = together([one, two])
    assert json.loads(both) == [json.loads(one), json.loads(two)]
    assert list(apart(both)) == [one, two]
    assert list(apart(one)) == [one]


@given(st.lists(st.recursive(st.none() | st.text(max_size=5), st.lists, max_leaves=4), max_size=5))
def test_what_is_put_together_comes_apart_byte_for_byte(bodies: list[Any]) -> None:
    payloads = [seal(n, 1, "k", msgspec.json.encode(body)) for n, body in enumerate(bodies)]
    assert [message for packet in together(payloads) for message in apart(packet)] == payloads


def test_a_body_with_line_breaks_of_its_own_comes_apart_unchanged() -> None:
    raw = b'{"n": 1,\n "m": [ ]}'
    payloads = [seal(n, 1, "k", raw) for n in (1, 2)]
    [packet] = together(payloads)
    assert [bytes(unseal(message).body) for message in apart(packet)] == [raw, raw]


def test_packets_with_several_messages_stay_short_and_a_long_one_goes_alone() -> None:
    small, large = b"1" * 1_000, b"2" * (MOST_TOGETHER + 1)
    packets = list(together([small] * 100 + [large] + [small] * 2))
    assert sum(len(apart(packet)) for packet in packets) == 103
    assert large in packets
    assert max(len(packet) for packet in packets if packet != large) <= MOST_TOGETHER + 1_000
    assert len(packets) == 4


@pytest.mark.parametrize("rubbish", [b"[", b"[{]", b"\xff", b"", b"[\xff]"])
def test_rubbish_stays_whole(rubbish: bytes) -> None:
    assert list(apart(rubbish)) == [rubbish]
