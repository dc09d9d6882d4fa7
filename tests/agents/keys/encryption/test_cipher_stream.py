from __future__ import annotations

import io
import itertools
import os
import secrets
from collections.abc import Callable

import pytest

from qnetem.agents.keys.encryption.cipher_stream import (
    Downgrade,
    Header,
    Rekeying,
    Starved,
    decrypt,
    encrypt,
)
from qnetem.agents.keys.encryption.kem import KemKey, closed
from qnetem.agents.keys.encryption.session_key import NotOpened, Terms
from qnetem.agents.keys.encryption.short_messages import bits_for, seal, unseal
from qnetem.agents.secret import Secret

SEED = Secret(bytes(range(64)))
DATA = bytes(range(256)) * 20_000  # five records of up to 1 MiB


class Keys:
    """Quantum keys of two ends; `missing`: how often there is none first, from the given key on."""

    def __init__(self, missing: int = 0, begins: int = 0) -> None:
        self.made: dict[str, Secret] = {}
        self._missing, self._begins = missing, begins

    def new(self) -> Secret | None:
        if len(self.made) >= self._begins and self._missing:
            self._missing -= 1
            return None
        id = f"key-{len(self.made)}"
        self.made[id] = Secret(secrets.token_bytes(32), id=id)
        return self.made[id]

    def fetch(self, id: str) -> Secret:
        return self.made.pop(id)


def sealed(keys: Keys, rekeying: Rekeying, data: bytes = DATA) -> tuple[bytes, list[Terms]]:
    target = io.BytesIO()
    terms = encrypt(io.BytesIO(data), target, KemKey(SEED).public, keys.new, rekeying)
    return target.getvalue(), terms


def unsealed(stream: bytes, keys: Keys, **more: tuple[str, ...]) -> tuple[bytes, list[Terms]]:
    target = io.BytesIO()
    terms = decrypt(io.BytesIO(stream), target, KemKey(SEED), keys.fetch, **more)
    return target.getvalue(), terms


def frames(stream: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(stream):
        end = at + 5 + int.from_bytes(stream[at + 1 : at + 5], "big")
        found.append(stream[at:end])
        at = end
    return found


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, len(DATA)])
def test_what_is_encrypted_comes_out_again(size: int) -> None:
    keys = Keys()
    stream, terms = sealed(keys, Rekeying(), DATA[:size])
    assert unsealed(stream, keys) == (DATA[:size], terms)
    assert not size or DATA[:64] not in stream


def test_keys_change_by_volume_and_by_time() -> None:
    keys = Keys()
    stream, terms = sealed(keys, Rekeying(bytes=2 << 20))
    assert [each.key_id for each in terms] == ["key-0", "key-1", "key-2"]
    assert unsealed(stream, keys) == (DATA, terms)
    clock = itertools.count(0.0, 4.0).__next__
    _, terms = sealed(Keys(), Rekeying(seconds=10.0, clock=clock))
    assert len(terms) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda found: [found[0], found[1][:100] + b"\x00" + found[1][101:], *found[2:]],
        lambda found: [*found[:2], found[1], *found[2:]],
        lambda found: [*found[:2], *found[3:]],
        lambda found: [found[0], found[2], found[1], *found[3:]],
        lambda found: found[:-1],
        lambda found: [*found[:-2], b"E" + found[-2][1:]],
        lambda found: [*found, found[-1]],
        lambda found: found[1:],
        lambda found: [found[0][:60] + b"\x00" + found[0][61:], *found[1:]],
    ],
    ids=[
        "flipped", "replayed", "left out", "swapped", "cut off", "ended early", "more", "no key",
        "kem",
    ],
)  # fmt: skip
def test_a_stream_that_was_changed_is_refused(change: Callable[[list[bytes]], list[bytes]]) -> None:
    keys = Keys()
    stream, _ = sealed(keys, Rekeying())
    changed = b"".join(change(frames(stream)))
    assert changed != stream
    with pytest.raises(NotOpened):
        unsealed(changed, keys)


def test_the_id_of_a_key_is_bound_even_if_another_one_has_the_same_bits() -> None:
    import msgspec

    keys = Keys()
    stream, _ = sealed(keys, Rekeying())
    first, *rest = frames(stream)
    header = msgspec.msgpack.decode(first[5:], type=Header)
    keys.made["other"] = keys.made["key-0"]
    content = msgspec.msgpack.encode(Header(header.suite, "other", header.kem))
    with pytest.raises(NotOpened, match="record 0 of epoch 0"):
        unsealed(b"".join([b"K" + len(content).to_bytes(4, "big") + content, *rest]), keys)


def test_without_keys_the_policy_decides_and_an_alarm_is_given() -> None:
    alarms: list[str] = []
    slept: list[float] = []
    keys = Keys(missing=3)
    _, terms = sealed(keys, Rekeying(alarm=alarms.append, sleep=slept.append))
    assert [each.suite for each in terms] == ["hybrid"]
    assert (alarms, slept) == (["block"] * 3, [1.0] * 3)
    with pytest.raises(Starved):
        sealed(Keys(missing=1), Rekeying(starvation="stop"))


def test_what_is_weaker_is_refused_unless_it_is_accepted() -> None:
    keys = Keys(missing=1, begins=1)
    stream, terms = sealed(keys, Rekeying(bytes=2 << 20, starvation="pqc"))
    assert [each.suite for each in terms] == ["hybrid", "pqc", "hybrid"]
    with pytest.raises(Downgrade):
        unsealed(stream, keys)
    keys = Keys(missing=1, begins=1)
    stream, terms = sealed(keys, Rekeying(bytes=2 << 20, starvation="pqc"))
    assert unsealed(stream, keys, accepts=("hybrid", "pqc")) == (DATA, terms)


def test_one_of_both_secrets_alone_opens_nothing() -> None:
    keys = Keys()
    stream, _ = sealed(keys, Rekeying())
    stolen = Keys()
    stolen.made = dict(keys.made)
    with pytest.raises(NotOpened):
        decrypt(io.BytesIO(stream), io.BytesIO(), KemKey.new(), stolen.fetch)
    stolen.made = {"key-0": Secret(os.urandom(32), id="key-0")}
    with pytest.raises(NotOpened):
        unsealed(stream, stolen)


def test_both_packages_have_the_same_secrets() -> None:
    drawn, real = KemKey(SEED, drawn=True), KemKey(SEED)
    assert drawn.public == real.public
    for secret, cipher in (closed(real.public, bytes(32)), closed(drawn.public)):
        assert drawn.opened(cipher) == real.opened(cipher) == secret
    assert closed(real.public, bytes(32)) == closed(real.public, bytes(32))


def test_short_messages_open_under_their_key_only() -> None:
    message = b"attack at dawn"
    key = Secret(secrets.token_bytes(bits_for(message) // 8), id="k")
    closed_message = seal(message, key, "alice", "bob")
    assert unseal(closed_message, key, "alice", "bob") == message
    assert seal(b"", key, "alice", "bob") != seal(message, key, "alice", "bob")
    flipped = bytes([closed_message[0] ^ 1]) + closed_message[1:]
    for sealed_message, sender in ((flipped, "alice"), (closed_message, "bob")):
        with pytest.raises(NotOpened):
            unseal(sealed_message, key, sender, "bob" if sender == "alice" else "alice")
    with pytest.raises(NotOpened):
        unseal(closed_message + b"x", key, "alice", "bob")
