"""Key blocks: no bit is given twice, and none is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qnetem.agents.protocols.qkd.processing.estimation import Epsilons
from qnetem.agents.protocols.qkd.processing.key_block import KeyBlock, OutOfKey
from qnetem.agents.secret import Secret
from qnetem.emulator.errors import InputError

EPSILONS = Epsilons(1e-10, 1e-15, 1e-12)


def secret(bits: str) -> Secret:
    return Secret([int(bit) for bit in bits], label="qkd", id="7")


def block(bits: str = "1101001") -> KeyBlock:
    return KeyBlock("bob", "7", secret(bits), EPSILONS, spent=3, made_s=0.5)


def revealed(part: Secret) -> str:
    return "".join(map(str, part.reveal_bits()))


def test_each_bit_is_taken_once_and_in_order() -> None:
    key = block()
    taken = [revealed(key.take(count)) for count in (2, 0, 3, 2)]
    assert taken == ["11", "", "010", "01"]
    assert (key.produced, key.consumed, key.left) == (7, 7, 0)


def test_a_block_that_has_too_few_bits_gives_none() -> None:
    key = block()
    key.take(5)
    with pytest.raises(OutOfKey, match="3 bits asked for, 2 left"):
        key.take(3)
    assert revealed(key.take(2)) == "01"
    with pytest.raises(InputError, match="-1 bits cannot be taken"):
        key.take(-1)


def test_a_block_says_what_it_cost() -> None:
    key = block()
    key.take(4)
    assert key.gain == 4
    assert key.summary() == {
        "id": "7",
        "peer": "bob",
        "produced": 7,
        "spent": 3,
        "consumed": 4,
        "left": 3,
        "failure": pytest.approx(1e-10 + 1e-15 + 1e-12),
        "made_s": 0.5,
    }
    assert KeyBlock("bob", "8", secret(""), EPSILONS, spent=122, made_s=0.0).gain == -122
    with pytest.raises(InputError, match="-1 bits of secret"):
        KeyBlock("bob", "8", secret(""), EPSILONS, spent=-1, made_s=0.0)


def test_no_text_of_a_block_has_its_bits() -> None:
    key = block("110100111010")
    for text in (repr(key), str(key), f"{key}", str(key.summary())):
        assert "1101" not in text
    assert repr(key) == "<KeyBlock '7' with bob: 12 of 12 bits left>"


def test_bits_in_the_open_are_no_key() -> None:
    bits: Any = np.array([1, 0, 1, 1], dtype=np.uint8)
    with pytest.raises(InputError, match="its bits are a Secret, not a ndarray"):
        KeyBlock("bob", "7", bits, EPSILONS, spent=0, made_s=0.0)


def test_both_ends_take_equal_parts() -> None:
    ends = [block("11010011"), block("11010011")]
    parts = [[end.take(count) for count in (3, 5)] for end in ends]
    assert parts[0] == parts[1] and parts[0][0] != parts[0][1]
    assert [part.id for part in parts[0]] == ["7[0:3]", "7[3:8]"]
