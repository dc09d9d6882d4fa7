"""Key links: two ends that have the same blocks, whatever is lost, doubled, late, killed or restarted."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qnetem
from qnetem import Agent
from qnetem.agents.protocols.qkd.key_link import KeyLink
from qnetem.agents.protocols.qkd.production.alignment import turned_axes
from qnetem.emulator.closed_forms.finite_decoy import DecoySystem, decoy_key
from tests import harness

from ..physics.bench import Ran, attempt
from .test_pulses import Script, between, stage

SOURCE = "source: {rate: 1 GHz, intensities: [0.5, 0.1, 0.001], probabilities: [0.5, 0.3, 0.2]}"
DETECTOR = "detector: {efficiency: 0.1, dark_count_rate: 600 Hz, gate: 1 ns}"
LINE = between("alice", "bob", length="20 km", depolarising="0.01")


def keys(**options: Any) -> str:
    entries = ", ".join(f"{key}: {value}" for key, value in options.items())
    return f"services: {{keys: {{program: '{KeyLink.__module__}:KeyLink', with: {{{entries}}}}}}}"


def text_of(
    alice: Script,
    bob: Script,
    more: str = "",
    link: str = LINE,
    sender: str = SOURCE,
    receiver: str = DETECTOR,
    **options: Any,
) -> str:
    sending = keys(peer="bob", **{"interval": "2 s", "z": 0.7, **options})
    nodes = {
        "alice": (f"{sender}, {sending}", alice),
        "bob": (f"{receiver}, {keys(peer='alice')}", bob),
    }
    return stage(nodes, f"[{link}]", more)[0]


def play(text: str, seed: int = 1) -> Ran:
    network, outcome = attempt(text, seed)
    assert outcome.problem is None, outcome.problem
    return Ran(network, outcome)


def gathering(until_s: float) -> Script:
    """All blocks until then, and what the service says."""

    async def script(me: Agent) -> Any:
        found = []
        service = me.service(KeyLink)
        try:
            async with asyncio.timeout(until_s - me.now_ns / 1e9):
                async for block in service.blocks():
                    found.append([block.made_s, block.id, block.left, block.check])
        except TimeoutError:
            return {"blocks": found, "summary": service.summary()}

    return script


def test_both_ends_have_the_same_blocks_and_the_same_accounts() -> None:
    ran = play(text_of(gathering(15), gathering(15)))
    ours, theirs = ran.results["alice"], ran.results["bob"]
    assert len(ours["blocks"]) == 7
    assert [each[1:] for each in ours["blocks"]] == [each[1:] for each in theirs["blocks"]]
    assert ours["summary"] == theirs["summary"]
    told = ours["summary"]
    assert told["produced"] - told["spent"] == sum(each[2] for each in ours["blocks"])
    for end in ("alice", "bob"):
        rate = ran.series(f"{end}.keys.secret_rate")
        assert rate["mean"] * told["light_s"] == pytest.approx(told["produced"] - told["spent"])
        assert ran.series(f"{end}.keys.visibility")["mean"] == pytest.approx(
            1 - 2 * ran.series(f"{end}.keys.qber")["mean"]
        )
        assert 0.005 < ran.series(f"{end}.keys.qber")["mean"] < 0.007


def test_a_block_is_as_long_as_theory_says_of_the_rates() -> None:
    """Expected counts, the same bound: within what a block's counts scatter."""
    ran = play(text_of(gathering(12), gathering(12)))
    system = DecoySystem(0.1, 6e-7, 0.0, 0.005)
    intensities, probabilities = (0.5, 0.1, 0.001), (0.5, 0.3, 0.2)
    gains = [system.gain(mu, 10**-0.4 * 0.1) for mu in intensities]
    sifted = 2e9 * 0.49 * float(np.dot(gains, probabilities))
    block, _ = system.block(10**-0.4, sifted, 0.7, intensities, probabilities)
    length = decoy_key(block, 1e-9, 1e-15).length
    for _, _, left, _ in ran.results["bob"]["blocks"]:
        assert left + 1000 == pytest.approx(length, rel=0.01)


@pytest.mark.parametrize(
    ("protocol", "source", "pulses", "scatter"),
    [
        ("efficient_bb84", "{kind: single_photon, rate: 1 MHz, brightness: 0.5}", 400_000, 0.05),
        (
            "decoy",  # what decoys bound scatters more than what is counted
            "{rate: 1 MHz, intensities: [0.8, 0.3, 0.001], probabilities: [0.3, 0.5, 0.2]}",
            2_000_000,
            0.2,
        ),
    ],
    ids=["single photons", "decoys"],
)
def test_a_block_by_rate_is_that_of_the_full_chain_from_pulses(
    protocol: str, source: str, pulses: int, scatter: float
) -> None:
    """The same light, fibre and detectors; f is that which the chain's correction came to."""
    detector = "detector: {efficiency: 0.9, dark_count_rate: 1 kHz, gate: 1 ns}"
    link = between("alice", "bob", length="5 km", depolarising="0.04")
    name = f"qnetem.agents.protocols.qkd.{protocol}"
    options = "z: 0.7, lazy: true, distil: {}"
    chain = play(f"""
nodes:
  alice:
    program: "{name}:Sender"
    with: {{peer: bob, pulses: {pulses}, {options}}}
    source: {source}
  bob: {{program: "{name}:Receiver", with: {{peer: alice, {options}}}, {detector}}}
links: [{link}]
""").results["bob"]["key"]
    lasts = {"interval": f"{pulses} us", "efficiency": chain["efficiency"]}
    until = gathering(pulses * 3.5e-6)
    text = text_of(until, until, link=link, sender=f"source: {source}", receiver=detector, **lasts)
    told = play(text).results["bob"]["summary"]
    count = told["blocks"]
    assert count >= 3
    assert told["leaked"] / count == pytest.approx(chain["leaked"], rel=0.03)
    assert told["qber"] == pytest.approx(chain["qber"], rel=0.05)
    assert chain["length"] > 10_000
    assert told["produced"] / count == pytest.approx(chain["length"], rel=scatter)


@pytest.mark.parametrize("fault", ["", "faults: [{at: 1500 ms, kill: bob, restart: 300 ms}]"])
def test_blocks_from_pulses_are_confirmed_like_any(fault: str) -> None:
    single = "source: {kind: single_photon, rate: 500 kHz}"
    detector = "detector: {efficiency: 0.9}"
    text = text_of(
        gathering(3),
        gathering(3),
        fault,
        sender=single,
        receiver=detector,
        interval="200 ms",
        producer="pulses",
        timeout="10 ms",  # a restarted end is silent about sealed messages that it does not know
    )
    text = text.replace("{peer: alice}", "{peer: alice, producer: pulses}")
    ran = play(text)
    ours, theirs = (
        [each[1:] for each in ran.results[end]["blocks"] if not fault or each[0] > 1.8]
        for end in ("alice", "bob")
    )
    assert len(ours) >= 4
    assert ours == theirs
    told = ran.results["alice"]["summary"]
    assert told["without_key"] == 0
    assert ran.series("bob.keys.qber")["mean"] == pytest.approx(0.005, abs=0.003)


def test_blocks_from_pulses_have_decoys_where_the_source_has() -> None:
    """So few pulses make no key, and both ends say so."""
    text = text_of(
        gathering(1),
        gathering(1),
        sender=SOURCE.replace("1 GHz", "1 MHz"),
        interval="200 ms",
        producer="pulses",
    )
    ran = play(text.replace("{peer: alice}", "{peer: alice, producer: pulses}"))
    for end in ("alice", "bob"):
        told = ran.results[end]["summary"]
        assert told["blocks"] == told["without_key"] >= 4
        assert told["stock"] == 0
        assert 0 < ran.series(f"{end}.keys.sifted_rate")["mean"] < 1e6


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"recalibrate": "1 s"}, "recalibrate goes with blocks by rate"),
        ({"block_bits": 1000}, "block_bits goes with blocks by rate"),
    ],
)
def test_what_blocks_from_pulses_do_not_have_is_refused(options: dict[str, Any], says: str) -> None:
    _, outcome = attempt(text_of(gathering(5), gathering(5), producer="pulses", **options))
    assert outcome.problem is not None
    assert says in outcome.problem.text


FAULTS = """faults:
  - {{at: 0 s, for: 60 s, loss: alice-bob, probability: 0.2}}
  - {{at: 0 s, for: 60 s, duplicate: alice-bob, probability: 0.3}}
  - {{at: 0 s, for: 60 s, reorder: alice-bob, probability: 0.3, by: 30 ms}}
  - {{at: 21.3 s, kill: {node}, restart: 3 s}}
  - {{at: 30.003 s, for: 2 s, cut: alice-bob}}
"""


@pytest.mark.parametrize("node", ["alice", "bob"])
@pytest.mark.parametrize("seed", [1, 2])
def test_no_block_is_at_one_end_alone(node: str, seed: int) -> None:
    """After the restart both have the same blocks in the same order; the last may still be in doubt."""
    text = text_of(gathering(60), gathering(60), FAULTS.format(node=node))
    ran = play(text, seed)
    ours, theirs = (
        [each[1:] for each in ran.results[end]["blocks"] if each[0] > 24.3]
        for end in ("alice", "bob")
    )
    assert len(theirs) > 5
    assert theirs[: len(ours)] == ours
    assert len(theirs) - len(ours) in (0, 1)
    lasting = "bob" if node == "alice" else "alice"
    assert ran.results[lasting]["summary"]["blocks"] > len(theirs)


def test_what_only_one_end_still_has_is_dropped() -> None:
    async def idle(me: Agent) -> Any:
        await asyncio.sleep(30 - me.now_ns / 1e9)
        return me.service(KeyLink).summary()

    ran = play(text_of(idle, idle, "faults: [{at: 15 s, kill: bob, restart: 1 s}]"))
    ours, theirs = ran.results["alice"], ran.results["bob"]
    assert ours["stock"] == theirs["stock"] > 0
    assert ours["dropped"] > 0
    kept, had = (told["produced"] - told["spent"] for told in (theirs, ours))
    assert had == kept + ours["dropped"]


def test_amounts_that_are_taken_alike_are_the_same_keys() -> None:
    """Across the ends of blocks, by several tasks in the order in which they asked."""

    async def taking(me: Agent) -> Any:
        service = me.service(KeyLink)
        impatient = asyncio.create_task(service.take(10**9))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.wait([impatient])
        jobs = [service.take(bits) for bits in (256, 300_000, 1, 700_000, 128)]
        return list(await asyncio.gather(*jobs))

    ran = play(text_of(taking, taking))
    assert ran.results["alice"] == ran.results["bob"]
    found = ran.results["alice"]
    assert [key["bits"] for key in found] == [256, 300_000, 1, 700_000, 128]
    assert len({key["check"] for key in found}) == 5


def test_the_draws_of_programs_do_not_know_of_the_service() -> None:
    async def drawing(me: Agent) -> Any:
        await asyncio.sleep(5)
        return float(me.rng.random())

    with_keys = play(text_of(drawing, drawing))
    text = text_of(drawing, drawing)
    without = "\n".join(
        line.partition(", services")[0] + "}" if "services" in line else line
        for line in text.split("\n")
    )
    assert play(without).results == with_keys.results


def test_several_trains_make_a_block_and_a_full_stock_makes_none() -> None:
    options = {"interval": "500 ms", "block_bits": 30_000_000, "capacity": 3_000_000}

    async def idle(me: Agent) -> Any:
        await asyncio.sleep(20)
        return me.service(KeyLink).summary()

    ran = play(text_of(idle, idle, **options))
    told = ran.results["bob"]
    assert told["light_s"] / told["blocks"] == pytest.approx(6, abs=1)
    assert told["stock"] > 3_000_000
    assert told["light_s"] < 15


def test_more_than_fits_into_the_stock_is_refused() -> None:
    async def taking(me: Agent) -> Any:
        await me.service(KeyLink).take(3_000_001)

    _, outcome = attempt(text_of(taking, taking, capacity=3_000_000))
    assert outcome.problem is not None
    assert "3000001 bits of a key link whose capacity is 3000000" in outcome.problem.text


def test_processing_takes_its_time() -> None:
    text = text_of(gathering(60), gathering(60), throughput="{correction: 1e6, amplification: 2e6}")
    told = play(text).results["alice"]["summary"]
    bits = told["sifted"] / told["blocks"] * 0.49 / 0.58
    assert told["latency_s"]["correction"] == pytest.approx(bits / 1e6, rel=0.01)
    assert told["latency_s"]["amplification"] == pytest.approx(bits / 2e6, rel=0.01)
    latency_s = sum(told["latency_s"].values())
    assert 58 - latency_s < told["blocks"] * latency_s < 58


# --- recalibration ----------------------------------------------------------------------------------

DRIFTING = between(
    "alice", "bob", length="10 km", environment="{grid: 1 s, polarisation_drift: 0.005 rad2/s}"
)


@pytest.mark.parametrize("splitting", ["", ", splitting: [0.7, 0.3]"])
def test_recalibration_turns_the_axes_after_the_fibre(splitting: str) -> None:
    """With it the QBER stays that of some seconds of drift, without it grows beyond a key."""
    receiver = DETECTOR.replace("}", f"{splitting}}}")
    how: dict[str, Any] = {"link": DRIFTING, "receiver": receiver}
    how["sender"] = SOURCE.replace("1 GHz", "200 MHz")
    until = gathering(100)
    often = {"interval": "1 s", "recalibrate": "2 s", "recalibration": "100 ms"}
    kept = play(text_of(until, until, **often, **how), seed=3)
    lost = play(text_of(until, until, interval="10 s", **how), seed=3)
    qber = kept.series("bob.keys.qber")
    # (1 - exp(-drift t))/2, and no more than the chi-square of three directions allows
    assert qber["mean"] == pytest.approx(0.005, abs=0.003)
    assert lost.series("bob.keys.qber")["max"] > 0.06
    assert kept.results["alice"]["summary"]["recalibrations"] > 20
    assert lost.results["bob"]["summary"]["without_key"] > 1


def test_axes_are_those_of_the_rotation_whatever_the_contrast() -> None:
    rng = np.random.Generator(np.random.PCG64(4))
    for _ in range(20):
        rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        rotation *= np.linalg.det(rotation)
        order = [2, 0, 1]  # Z, X, Y
        agreement = 0.8 * rotation[np.ix_(order, order)] + rng.normal(size=(3, 3)) * 1e-9
        z, x = (np.array(axis) for axis in turned_axes(agreement))
        assert z == pytest.approx(rotation[:, 2], abs=1e-6)
        assert x == pytest.approx(rotation[:, 0], abs=1e-6)


# --- sources, and what cannot be ---------------------------------------------------------------------


def test_a_laser_without_decoys_gives_a_key_over_a_short_line_only() -> None:
    weak = "source: {rate: 1 GHz, intensities: [0.02]}"
    good = "detector: {efficiency: 0.9, gate: 1 ns}"
    until = gathering(12)
    near = between("alice", "bob", length="100 m")
    far = between("alice", "bob", length="120 km")
    for line, key in ((near, True), (far, False)):
        ran = play(text_of(until, until, link=line, sender=weak, receiver=good))
        assert bool(ran.results["bob"]["blocks"]) is key


def test_single_photons_need_no_decoys() -> None:
    until = gathering(12)
    pure, mixed = (
        f"source: {{kind: single_photon, rate: 100 MHz, brightness: 0.1, g2: {g2}}}"
        for g2 in (0, 0.9)
    )
    lengths = [
        play(text_of(until, until, sender=source)).results["bob"]["summary"]["produced"]
        for source in (pure, mixed)
    ]
    assert lengths[0] > 1.5 * lengths[1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"producer": "magic"}, "no producer 'magic'; there is rate, pulses"),
        ({"sends": "false"}, "alice has no detectors"),
        ({"z": 1.0}, "z is 1.0, expected a probability"),
        ({"sender": f"{SOURCE}, {DETECTOR}"}, "alice has a source and detectors: expected `sends`"),
        (
            {"sender": "source: {rate: 1 GHz, intensities: [0.3, 0.2, 0.15]}"},
            "no bound is for intensities",
        ),
        (
            {"sender": "source: {rate: 1 GHz, intensities: [0.3, 0.0]}"},
            "only decoy has no light",
        ),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, Any], says: str) -> None:
    until = gathering(5)
    _, outcome = attempt(text_of(until, until, **options))
    assert outcome.problem is not None
    assert says in outcome.problem.text
    assert outcome.problem.service == "keys"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"producer": "pulses"}, "alice makes blocks by pulses, bob by rate"),
        (
            {"sender": f"{SOURCE}, {DETECTOR}", "sends": "false"},
            "alice and bob both receive: say `sends`",
        ),
    ],
)
def test_ends_that_do_not_go_together_say_so(options: dict[str, Any], says: str) -> None:
    until = gathering(5)
    _, outcome = attempt(text_of(until, until, **options))
    assert outcome.problem is not None
    assert says in outcome.problem.text


def test_what_a_counted_train_is_made_of_is_in_no_file(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def taking(me: Agent) -> Any:
        seen.append((await me.service(KeyLink).take(1024)).reveal_bytes())

    async def counting(me: Agent) -> Any:
        await taking(me)
        counts = await me.count_clicks("alice", link="second")
        seen.append(counts.secret.reveal_bytes())

    async def sending(me: Agent) -> Any:
        await taking(me)
        await asyncio.sleep(0.01)
        await me.counted_pulses("bob", 1000, link="second")

    second = "{name: second, between: [alice, bob], quantum: {length: 1 km}}"
    text = text_of(sending, counting, link=f"{LINE}, {second}", more="record: hashes")
    text = text.replace("peer: bob,", "peer: bob, link: alice-bob,")
    text = text.replace("{peer: alice}", "{peer: alice, link: alice-bob}")
    ran = qnetem.run(f"name: keys\nseed: 3\n{text}", runs_folder=tmp_path, in_process=True)
    assert ran.problem is None
    assert len(seen) == 3
    files = [harness.content(path) for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for secret in seen:
        for form in (secret, secret.hex().encode(), base64.b64encode(secret)[:40]):
            assert not any(form in file for file in files)
