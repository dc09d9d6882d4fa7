from __future__ import annotations

import secrets
from typing import Any

import msgspec
import pytest

from qnetem.agents.keys.one_time_pad import TAG_BITS, OneTimePad, joined
from qnetem.agents.keys.relays.relay_messages import Carry, Order
from qnetem.agents.secret import Secret

SHARE = Secret(secrets.token_bytes(64))
KEYS = [Secret(secrets.token_bytes(32)) for _ in range(4)]
ORDER = Order("alice~bob/1.1", 0, 512, [["alice", "r1", "bob"]])


def pad(name: str = ORDER.name) -> OneTimePad:
    return OneTimePad(joined(KEYS, 512 + TAG_BITS), name, "alice", "r1")


def carry() -> Carry:
    one = pad()
    unsigned = Carry(ORDER, 0, ["k1", "k2"], 1e-9, one.cipher(SHARE), b"")
    return msgspec.structs.replace(unsigned, tag=one.tag("alice", unsigned.covered))


def test_the_next_node_finds_the_share_and_knows_who_sent_it() -> None:
    message = carry()
    assert pad().is_genuine("alice", message.covered, message.tag)
    assert pad().plain(message.cipher) == SHARE
    assert SHARE.reveal_bytes()[:8] not in message.cipher


@pytest.mark.parametrize(
    "change",
    [
        {"order": msgspec.structs.replace(ORDER, paths=[["alice", "r1", "eve"]])},
        {"order": msgspec.structs.replace(ORDER, block="alice~bob/1.2")},
        {"at": 1},
        {"pads": ["k2", "k1"]},
        {"failure": 0.0},
        {"cipher": bytes(64)},
        {"tag": bytes(16)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_no_part_of_a_message_can_be_changed(change: dict[str, Any]) -> None:
    message = msgspec.structs.replace(carry(), **change)
    assert not pad().is_genuine("alice", message.covered, message.tag)


def test_a_tag_is_of_one_end_and_of_one_share() -> None:
    message = carry()
    assert not pad().is_genuine("r1", message.covered, message.tag), "of the other direction"
    assert not pad("alice~bob/1.2#0").is_genuine("alice", message.covered, message.tag)
