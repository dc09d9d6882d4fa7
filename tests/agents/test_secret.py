"""A Secret shows its check and nothing else, unless the program reveals it in so many words."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from qnetem import Agent, Secret, run
from qnetem.emulator.errors import InputError
from qnetem.emulator.kernel.streams import hash_key
from qnetem.emulator.wire.keyed_hash import keyed_hash

from .. import harness
from .bench import Bench

KEY = b"\xa5\x17\x00\xff\x3cLOOK"
SHOWN = [KEY.hex(), repr(KEY)[2:-1], "LOOK", "".join(f"{byte:08b}" for byte in KEY)]


def secret() -> Secret:
    return Secret(KEY, label="link", id="k1")


def hides(text: str) -> bool:
    return not any(shown in text for shown in SHOWN)


# --- what it is made of ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "material",
    [
        b"\xb0",
        bytearray(b"\xb0"),
        [1, 0, 1, 1, 0, 0, 0, 0],
        (True, False, True, True, False, False, False, False),
        np.array([1, 0, 1, 1, 0, 0, 0, 0], dtype=np.int64),
        np.array([1, 0, 1, 1, 0, 0, 0, 0], dtype=bool),
        (bit for bit in [1, 0, 1, 1, 0, 0, 0, 0]),
    ],
)
def test_it_is_made_of_bytes_or_bits(material: Any) -> None:
    made = Secret(material)
    assert made == Secret(0xB0, bits=8) and len(made) == 8
    assert made.reveal_bytes() == b"\xb0" and made.reveal_int() == 0xB0
    assert made.reveal_bits().tolist() == [1, 0, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("material", "bits", "why"),
    [
        ("LOOK", None, "not a str"),
        (None, None, "not a NoneType"),
        (7, None, "needs its length"),
        (7, 2, "does not fit into 2 bits"),
        (-7, 8, "does not fit"),
        ([0, 1, 2], None, "flat sequence of 0 and 1"),
        ([[0], [1]], None, "flat sequence"),
        ([[0], 1], None, "flat sequence"),
        (b"LOOK", 8, "goes with an integer"),
        (Secret(b"LOOK"), None, "one already"),
    ],
)
def test_other_material_is_refused_and_not_quoted(material: Any, bits: Any, why: str) -> None:
    with pytest.raises(InputError, match=why) as refused:
        Secret(material, bits=bits)
    assert "LOOK" not in str(refused.value) and "[0" not in str(refused.value)


def test_parts_pads_and_joins_are_secrets_with_the_bits_that_one_expects() -> None:
    whole = Secret([1, 0, 1, 1, 0], label="link", id="k")
    assert whole[1:4].reveal_bits().tolist() == [0, 1, 1] and whole[1:4].id == "k[1:4]"
    assert whole[-1].reveal_bits().tolist() == [0] and whole[::-2].reveal_int() == 3
    assert (whole ^ Secret([1, 1, 1, 1, 1])).reveal_bits().tolist() == [0, 1, 0, 0, 1]
    assert (whole + whole[:2]).reveal_bits().tolist() == [1, 0, 1, 1, 0, 1, 0]
    assert whole.named(id="other") == whole and whole.named(label="x").label == "x"
    assert (Secret(b"") + whole) == whole and len(Secret([])) == 0
    with pytest.raises(IndexError, match="bit 5 of a Secret of 5 bits"):
        whole[5]
    with pytest.raises(InputError, match="lengths differ"):
        whole ^ whole[1:]
    with pytest.raises(InputError, match="no whole bytes"):
        whole.reveal_bytes()


def test_secrets_are_equal_by_bits_and_length() -> None:
    assert Secret([0, 0]) != Secret([0, 0, 0]) and Secret([1, 0]) != Secret([0, 1])
    assert secret() == secret().named(label="other") and secret() != KEY


# --- what it shows --------------------------------------------------------------------------------

TEXTS: dict[str, Callable[[Secret], str]] = {
    "str": str,
    "repr": repr,
    "format": lambda key: f"{key}",
    "hex format": lambda key: f"{key:x}",
    "wide format": lambda key: f"{key!s:>80}",
    "percent": lambda key: f"{[key]!r}",
    "log": lambda key: logging.makeLogRecord({"msg": "%s %r", "args": (key, [key])}).getMessage(),
    "str.format": "{0} {0!r} {0:b}".format,
}


@pytest.mark.parametrize("way", TEXTS)
def test_as_text_it_is_its_name_and_length(way: str) -> None:
    text = TEXTS[way](secret())
    assert "<Secret 'k1' 72 bits" in text and hides(text)


REFUSED: dict[str, Callable[[Secret], Any]] = {
    "bytes": bytes,
    "list": list,
    "array": np.asarray,
    "hash": hash,
    "pickle": pickle.dumps,
    "json": json.dumps,
    "msgspec": msgspec.json.encode,
    "msgpack": msgspec.msgpack.encode,
    "int": int,
}


@pytest.mark.parametrize("way", REFUSED)
def test_every_silent_way_to_the_bits_is_refused_by_name(way: str) -> None:
    with pytest.raises(TypeError, match="Secret") as refused:
        REFUSED[way](secret())
    assert hides(str(refused.value))


def test_a_copy_is_the_same_one() -> None:
    key = secret()
    assert copy.copy(key) is key and copy.deepcopy({"k": [key]})["k"][0] is key


def test_a_traceback_with_locals_hides_it() -> None:
    def crash(key: Secret) -> None:
        part = key[8:]
        key ^ part

    try:
        crash(secret())
    except InputError as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
    text = "".join(report.format())
    assert "part = <Secret" in text and hides(text)


# --- in a run -------------------------------------------------------------------------------------


class Delivered(msgspec.Struct):
    key: Secret


async def _keys(me: Agent) -> Any:
    key = secret()
    me.record("key", {"one": [key]})
    me.log.info("%s %s", key, f"{key:x}")
    return {"key": key, "short": Secret([1, 0]), "parts": (key[:8], Delivered(key))}


def test_results_records_and_logs_hold_its_form() -> None:
    ran = harness.run(harness.network({"a": _keys, "b": _keys}, seed=5))
    form = ran.results["a"]["key"]
    expected = keyed_hash(hash_key(5), "secret\x1flink", (72).to_bytes(8, "big") + KEY)
    assert form == {"id": "k1", "bits": 72, "check": expected}
    assert ran.results["b"]["key"] == form == ran.results["a"]["parts"][1]["key"]
    assert ran.of("a", "note")[0][4:] == ("key", {"one": [form]})
    assert f"check {expected}" in ran.logs["a.1"] and hides(ran.logs["a.1"])


def test_checks_differ_with_key_label_and_seed_and_so_do_digests() -> None:
    async def of(me: Agent, material: Any, label: str) -> Any:
        return Secret(material, label=label)

    def ended(seed: int, material: Any, label: str) -> tuple[str, str]:
        async def script(me: Agent) -> Any:
            return await of(me, material, label)

        ran = harness.run(harness.network({"a": script}, seed=seed))
        return ran.results["a"]["check"], ran.outcome.digest

    variants = [(1, [0], "x"), (1, [1], "x"), (1, [0, 0], "x"), (1, [0], "y"), (2, [0], "x")]
    checks, digests = zip(*(ended(*variant) for variant in variants), strict=True)
    assert len(set(checks)) == len(variants) and len(set(digests)) >= 4
    assert ended(*variants[0]) == (checks[0], digests[0])


async def _sends(me: Agent) -> None:
    await me.send("alice", {"pad": [1, secret()]})


def test_a_message_with_one_is_refused_by_name_and_place() -> None:
    bench = Bench(_sends)
    failed = bench.ran().failed
    assert failed is not None and failed.problem.startswith(
        "MessageError: body['pad'][1] is <Secret"
    )
    assert "reveal_bytes()" in failed.problem and hides(failed.problem + failed.traceback)


class Takes(Agent):
    """It would have a key from its options."""

    async def run(self, key: Secret) -> None: ...


def test_options_take_no_secret() -> None:
    node: dict[str, Any] = {"program": Takes, "with": {"key": "0x17"}}
    with pytest.raises(InputError, match="a Secret comes from no option"):
        run({"name": "n", "nodes": {"a": node}}, in_process=True)
    node["with"]["key"] = secret()
    with pytest.raises(InputError, match=r"nodes.a.with.key: a Secret is not copied") as refused:
        run({"name": "n", "nodes": {"a": node}}, in_process=True)
    assert hides(str(refused.value))
