from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem.agents.keys.encryption.traffic import Receiver, Sender

from ..sites import ran, recorded, two_sites

NAMES = {"master": "app-a", "slave": "app-b"}


def stream(
    link: Any = (), accepts: tuple[str, ...] = ("hybrid",), faults: Any = (), **options: Any
) -> dict[str, Any]:
    """A stream of 1 MB/s for 14.5 s, a new key each 2 s or 4 MB."""
    data = two_sites(Sender, Receiver, link=dict(link), faults=list(faults))
    data["nodes"]["alice"]["with"] = {
        "peer": "bob", "rate": 1e6, "begins": "1500 ms", "lasts": "16 s", "rekey_after": "2 s",
        "rekey_bytes": 4_000_000, **NAMES, **options,
    }  # fmt: skip
    data["nodes"]["bob"]["with"] = {"peer": "alice", "accepts": list(accepts), **NAMES}
    return data


@pytest.mark.parametrize(("rekey_bytes", "keys"), [(4_000_000, 8), (1_000_000, 15)])
def test_a_stream_has_new_keys_by_volume_and_by_time(
    tmp_path: Path, rekey_bytes: int, keys: int
) -> None:
    run = ran(tmp_path, stream(rekey_bytes=rekey_bytes))
    sent = run.results["alice"]
    assert (sent["keys"], sent["ended"], sent["starved"]) == (keys, "done", 0)
    assert sent["bytes"]["hybrid"] == pytest.approx(14.5e6, rel=1e-3)
    assert run.results["bob"] == {"hybrid": keys, "pqc": 0, "refused": 0}
    ids = [each["key"] for each in recorded(run, "alice", "rekeyed")]
    assert len(set(ids)) == keys


@pytest.mark.parametrize(
    ("starvation", "accepts", "expected"),
    [
        ("block", ("hybrid",), {"ended": "done", "pqc": 0}),
        ("stop", ("hybrid",), {"ended": "starved", "pqc": 0}),
        ("pqc", ("hybrid", "pqc"), {"ended": "done", "pqc": 4_500_000}),
        ("pqc", ("hybrid",), {"ended": "downgrade refused", "pqc": 0}),
    ],
)
def test_a_stream_whose_keys_run_out_does_what_its_policy_says(
    tmp_path: Path, starvation: str, accepts: tuple[str, ...], expected: dict[str, Any]
) -> None:
    link = {"bits": 5 * 256, "most": 1}  # five keys, then none
    run = ran(tmp_path, stream(link, accepts, starvation=starvation))
    sent = run.results["alice"]
    assert sent["ended"] == expected["ended"]
    assert sent["bytes"]["hybrid"] == 10_000_000
    assert sent["bytes"]["pqc"] == pytest.approx(expected["pqc"], rel=2e-3)
    assert run.metrics["alice.starved"]["count"] == sent["starved"] > 0
    assert sent["stood_s"] == pytest.approx(5.0 if starvation == "block" else 0.0)
    assert run.results["bob"]["refused"] == (expected["ended"] == "downgrade refused")


def test_a_stream_outlives_lost_and_doubled_messages_and_has_its_digest_again(
    tmp_path: Path,
) -> None:
    faults = [
        {"at": "0 s", "loss": "alice-bob", "probability": 0.2},
        {"at": "0 s", "duplicate": "alice-bob", "probability": 0.3},
    ]

    def digest() -> tuple[qnetem.Run, str]:
        run = ran(tmp_path, stream(faults=faults))
        return run, run.digest

    (first, one), (_, other) = digest(), digest()
    assert one == other
    assert first.results["bob"]["refused"] == 0
    assert first.results["alice"]["keys"] == first.results["bob"]["hybrid"] > 4
