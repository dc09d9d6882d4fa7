"""With `record: hashes` a run leaves no key behind: in no file, in nothing it prints, in no crash."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qnetem
from qnetem import Agent, Secret
from qnetem.agents.protocols.qkd import prepared
from qnetem.agents.protocols.qkd.processing.distillation import Distillation, Distiller
from qnetem.agents.protocols.session import RetryPolicy
from tests.harness import content

from .qnetem.front_door import open_to_others

BITS = 128


class Owner(Agent):
    """It measures a key, and does with it what a careless program does."""

    async def run(self, reveal: bool = False, crash: bool = False) -> Any:
        bits = []
        for _ in range(BITS):
            qubit = await self.qubit()
            await qubit.h()
            bits.append(await qubit.measure())
        key = Secret(bits, label="link", id="k1")
        if reveal:
            return key.reveal_bytes().hex()
        del bits
        self.log.warning("the key is %s, %r and %s", key, {"key": key}, f"{key:x}")
        print(key, [key], key[:8])  # noqa: T201 as careless programs do
        self.record("key", {"key": key, "half": key[:64]})
        await self.send("other", {"check": key.check})
        if crash:
            self.fail(key, key ^ key[::-1])
        return {"key": key, "pad": key ^ key[::-1]}

    def fail(self, key: Secret, pad: Secret) -> None:
        try:
            raise ValueError(f"no use for {key}")
        except ValueError as error:
            import traceback

            report = traceback.TracebackException.from_exception(error, capture_locals=True)
            self.log.exception("with locals: %s", "".join(report.format()))
            raise


class Other(Agent):
    """It measures as well, and keeps nothing."""

    async def run(self) -> None:
        await self.receive("owner")


def source(record: str, **options: Any) -> dict[str, Any]:
    return {
        "name": "keys",
        "seed": 8_712_345_678_912,
        "record": record,
        "nodes": {"owner": {"program": Owner, "with": options}, "other": {"program": Other}},
        "links": [{"between": ["owner", "other"], "classical": {"latency": "1 ms"}}],
    }


def ways_to_write(key: bytes) -> dict[str, bytes]:
    """A key as it may turn up in a file; any 8 bytes of it in a row are enough."""
    found: dict[str, bytes] = {}
    for at in range(len(key) - 7):
        part = key[at : at + 8]
        bits = [int(bit) for byte in part for bit in f"{byte:08b}"]
        found |= {
            f"bytes {at}": part,
            f"hex {at}": part.hex().encode(),
            f"HEX {at}": part.hex().upper().encode(),
            f"repr {at}": repr(part)[2:-1].encode(),
            f"int {at}": str(int.from_bytes(part, "big")).encode(),
            f"binary {at}": "".join(map(str, bits)).encode(),
            f"list {at}": ", ".join(map(str, bits)).encode(),
            f"JSON {at}": ",".join(map(str, bits)).encode(),
            f"array {at}": " ".join(map(str, bits[:24])).encode(),
            f"msgpack {at}": bytes(bits),
            f"numbers {at}": ", ".join(map(str, part)).encode(),
        }
        for align in range(3):  # base64 of a longer text shows it in three ways
            text = base64.b64encode(b"\0" * align + part)[4 if align else 0 : -4]
            found |= {f"base64 {at}/{align}": text, f"url {at}/{align}": text.translate(_URL)}
    return found


_URL = bytes.maketrans(b"+/", b"-_")


def test_the_scan_finds_what_it_looks_for() -> None:
    key = bytes(range(100, 116))
    for text in (key, key.hex().encode(), base64.b64encode(key), base64.b64encode(b"xy" + key)):
        assert any(way in b"before" + text + b"after" for way in ways_to_write(key).values())


@pytest.mark.parametrize("crash", [False, True])
def test_a_run_with_hashes_leaves_no_key_behind(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], crash: bool
) -> None:
    known = qnetem.run(source("full", reveal=True), in_process=True, runs_folder=tmp_path / "a")
    key = bytes.fromhex(known.results["owner"])
    capfd.readouterr()
    run = qnetem.run(source("hashes", crash=crash), in_process=True, runs_folder=tmp_path / "b")
    files = [path for path in (tmp_path / "b").rglob("*") if path.is_file()]
    left = {str(path.relative_to(tmp_path)): content(path) for path in files}
    left["stdout"], left["stderr"] = (text.encode() for text in capfd.readouterr())
    left["outcome"] = repr((run.outcome, run.problem, run)).encode()
    assert (run.problem is not None) == crash and any(b"check" in text for text in left.values())
    ways = ways_to_write(key)
    assert [(name, way) for name, text in left.items() for way in ways if ways[way] in text] == []
    assert not open_to_others(run.run_folder)


def test_a_full_record_has_the_key_as_the_page_says(tmp_path: Path) -> None:
    run = qnetem.run(source("full", reveal=True), in_process=True, runs_folder=tmp_path)
    journal = content(run.run_folder / "journal.jsonl.gz")
    assert run.results["owner"].encode() in journal


def test_digests_of_hashes_are_keyed_and_still_of_the_same_run(tmp_path: Path) -> None:
    digests = [
        qnetem.run(source(record), in_process=True, runs_folder=tmp_path).digest
        for record in ("hashes", "hashes", "full")
    ]
    assert digests[0] == digests[1] != digests[2]


class Revealing(prepared.Sender):
    """A sender that says in so many words what its key is."""

    async def run(self, reveal: bool = False) -> Any:
        end = Distiller(self, self.name, "bob", Distillation(secrecy=1e-6))
        found = await self.exchange("bob", 8_000, 0.0, None, RetryPolicy(), True, end)
        assert found is not None and found.account is not None
        secret = found.account.secret
        assert secret is not None
        return secret.reveal_bits().tolist() if reveal else found.summary()


def distilled(record: str, reveal: bool) -> dict[str, Any]:
    return {
        "name": "distilled",
        "seed": 5_612_345_678_987,
        "record": record,
        "nodes": {
            "alice": {
                "program": Revealing,
                "with": {"reveal": reveal},
                "source": {"kind": "single_photon"},
            },
            "bob": {
                "program": "qnetem.agents.protocols.qkd.prepared:Receiver",
                "with": {"peer": "alice", "lazy": True, "distil": {}},
                "detector": {},
            },
        },
        "links": [{"between": ["alice", "bob"], "quantum": {"length": "1 km"}}],
    }


def test_a_key_that_was_distilled_is_in_no_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """From pulses to the key: neither records nor outputs of either end have eight bytes of it in a row."""
    known = qnetem.run(distilled("full", True), in_process=True, runs_folder=tmp_path / "a")
    bits = known.results["alice"]
    assert len(bits) > 2 * BITS
    key = np.packbits(bits[:BITS]).tobytes()
    capfd.readouterr()
    run = qnetem.run(distilled("hashes", False), in_process=True, runs_folder=tmp_path / "b")
    assert run.results["alice"]["key"]["secret"]["bits"] == len(bits)
    assert run.results["alice"]["key"]["secret"] == run.results["bob"]["key"]["secret"]
    files = [path for path in (tmp_path / "b").rglob("*") if path.is_file()]
    left = {str(path.relative_to(tmp_path)): content(path) for path in files}
    left["stdout"], left["stderr"] = (text.encode() for text in capfd.readouterr())
    left["outcome"] = repr((run.outcome, run)).encode()
    ways = ways_to_write(key)
    assert [(name, way) for name, text in left.items() for way in ways if ways[way] in text] == []
