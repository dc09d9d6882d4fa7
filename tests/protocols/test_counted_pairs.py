"""Pairs that are only counted, from program to program, and the key links that are made of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.protocols.qkd.key_link import KeyLink
from qnetem.agents.protocols.qkd.pair_source import PairSource
from qnetem.emulator.closed_forms.qkd import binary_entropy
from qnetem.emulator.errors import LinkError, OperationError

from ..physics.bench import attempt
from .test_key_link import gathering, play
from .test_pulses import Script, between, run, stage

EYES = "detector: {efficiency: 0.8, dark_count_rate: 200 Hz}"
SLOTS = "source: {kind: spdc, rate: 100 MHz, mean_pairs: 0.01, fidelity: 0.97}"
TAGS = "source: {kind: spdc_cw, pair_rate: 2 MHz, fidelity: 0.97}"
LINKS = ", ".join(
    (
        between("charlie", "alice", length="15 km"),
        between("charlie", "bob", length="30 km"),
        "{between: [alice, bob], classical: {latency: 200 us}}",
    )
)


def around(alice: Script, bob: Script, charlie: Script, source: str = SLOTS) -> Any:
    nodes = {"charlie": (source, charlie), "alice": (EYES, alice), "bob": (EYES, bob)}
    return run(nodes, f"[{LINKS}]")


async def sends(me: Agent) -> Any:
    return (await me.counted_pairs("alice", "bob", 10**8)).slots


async def says(me: Agent) -> Any:
    arm = await me.count_arm("charlie", weights=(0.9, 0.1))
    await me.send("alice", arm.name)
    return arm.secret


def test_an_end_counts_once_it_has_been_told_the_other_arms_name() -> None:
    async def counts(me: Agent) -> Any:
        arm = await me.count_arm("charlie", weights=(0.9, 0.1))
        refusals = []
        for name in ("0" * 32, arm.name):  # guessed, and its own
            with pytest.raises(OperationError) as refused:
                await me.count_coincidences(arm, name)
            refusals.append(str(refused.value))
        other = (await me.receive("bob")).body
        with pytest.raises(OperationError, match="a window of 7 slots"):
            await me.count_coincidences(arm, other, width=7)
        found = await me.count_coincidences(arm, other)
        with pytest.raises(OperationError, match="each is counted once"):
            await me.count_coincidences(arm, other)
        return {
            "secret": arm.secret,
            "sums": [int(each.sum()) for each in (*found.singles, found.coincidences)],
            "by basis": found.coincidences.tolist(),
            "refusals": refusals,
        }

    ran = around(counts, says, sends)
    told = ran.results["alice"]
    assert ran.results["charlie"] == 10**8
    assert told["secret"] == ran.results["bob"]
    assert all("no two arms of counted pairs by these names" in each for each in told["refusals"])
    eta = [0.8 * 10 ** (-length / 50) for length in (15, 30)]
    for clicks, each in zip(told["sums"], eta, strict=False):
        assert clicks == pytest.approx(10**8 * (0.01 * each + 4e-6), rel=0.01)
    assert told["sums"][2] == pytest.approx(10**6 * eta[0] * eta[1], rel=0.02)
    assert told["by basis"][0][0] == pytest.approx(0.81 * told["sums"][2], rel=0.01)


@pytest.mark.parametrize(
    ("charlie", "alice", "why"),
    [
        (sends, lambda me: me.count_clicks("charlie"), "sends pairs, expected count_arm"),
        (sends, lambda me: me.detect("charlie"), "has no slots"),
        (
            lambda me: me.pair_pulses("alice", "bob", 1000),
            lambda me: me.count_arm("charlie"),
            "expected counted_pulses or counted_pairs there",
        ),
        (lambda me: me.counted_pairs("alice", "bob", 0), lambda me: None, "at least 1"),
        (lambda me: me.counted_pairs("alice", "alice", 9), lambda me: None, "a link for each"),
    ],
)
def test_what_does_not_fit_is_refused(charlie: Any, alice: Any, why: str) -> None:
    refusals = []

    def noting(part: Any) -> Script:
        async def script(me: Agent) -> None:
            try:
                async with asyncio.timeout(3):
                    doing = part(me)
                    if doing is not None:
                        await doing
            except OperationError as error:
                refusals.append(str(error))
            except TimeoutError:
                return

        return script

    around(noting(alice), noting(lambda me: None), noting(charlie))
    assert [why in each for each in refusals] == [True]


def test_a_contact_is_with_nodes_that_there_are() -> None:
    async def asks(me: Agent) -> Any:
        assert await me.contact("bob", "charlie") is None  # links that stay
        with pytest.raises(LinkError, match="alice -> dave: no such node"):
            await me.contact("charlie", "dave")

    async def idle(me: Agent) -> None:
        del me

    around(asks, idle, idle)


# --- key links --------------------------------------------------------------------------------------


def keys(kind: type = KeyLink, **options: Any) -> str:
    entries = ", ".join(f"{key}: {value}" for key, value in options.items())
    return (
        f"services: {{keys: {{program: '{kind.__module__}:{kind.__name__}', with: {{{entries}}}}}}}"
    )


def network(
    alice: Script,
    bob: Script,
    more: str = "",
    source: str = TAGS,
    theirs: dict[str, Any] | None = None,
    **options: Any,
) -> str:
    """Alice leads, being the first by name; both ends have a source between them."""

    async def idle(me: Agent) -> None:
        del me

    ours = {"peer": "bob", "source": "charlie", "interval": "5 s", "z": 0.8, "window": "1 ns"}
    its = {"peer": "alice", "source": "charlie", **(theirs or {})}
    nodes = {
        "charlie": (f"{source}, {keys(PairSource, alice='alice', bob='bob')}", idle),
        "alice": (f"{EYES}, {keys(**{**ours, **options})}", alice),
        "bob": (f"{EYES}, {keys(**its)}", bob),
    }
    return stage(nodes, f"[{LINKS}]", more)[0]


def told_by(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    ran = play(text)
    ours, theirs = ran.results["alice"], ran.results["bob"]
    assert [each[1:] for each in ours["blocks"]] == [each[1:] for each in theirs["blocks"]]
    accounts = [{**each["summary"], "latency_s": None} for each in (ours, theirs)]
    assert accounts[0] == accounts[1]
    return ours, theirs


@pytest.mark.parametrize(
    ("source", "window"),
    [
        ("source: {kind: spdc_cw, pair_rate: 300 kHz, fidelity: 0.985}", "1 ns"),
        ("source: {kind: spdc, rate: 6 MHz, mean_pairs: 0.05, fidelity: 0.985}", "100 ns"),
    ],
    ids=["time tags", "slots"],
)
def test_a_block_by_rate_is_that_of_the_full_chain_from_pulses(source: str, window: str) -> None:
    """The same pairs, fibres and detectors; f is that which the chain's correction came to."""
    until = gathering(3.5)
    how: dict[str, Any] = {"source": source, "window": window, "interval": "1 s", "z": 0.6}
    chain, _ = told_by(
        network(until, until, theirs={"producer": "pulses"}, producer="pulses", **how)
    )
    blocks, told = chain["blocks"], chain["summary"]
    assert len(blocks) >= 3 and told["without_key"] == 0
    kept = told["sifted"] * 0.36 / 0.52
    how["efficiency"] = told["leaked"] / kept / binary_entropy(told["errors"] / told["sifted"])
    rate, _ = told_by(network(until, until, **how))
    for word in ("sifted", "errors"):
        one, other = (each[word] / each["blocks"] for each in (told, rate["summary"]))
        assert abs(one - other) < 3 * ((one + other) / 3) ** 0.5, word
    one, other = (each["produced"] / each["blocks"] for each in (told, rate["summary"]))
    assert one == pytest.approx(other, rel=0.05)
    assert one > 3000


def test_blocks_of_pairs_are_those_of_theory_and_outlive_kills() -> None:
    """Trains gather to a block; the source is killed, then an end: what both have is alike."""
    faults = """faults:
  - {at: 12 s, kill: charlie, restart: 1 s}
  - {at: 33 s, kill: bob, restart: 2 s}
  - {at: 0 s, for: 80 s, loss: alice-bob, probability: 0.1}"""
    until = gathering(80)
    text = network(until, until, faults, timeout="10 ms", block_bits=1_000_000)
    ran = play(text)
    ours, theirs = (
        [each[1:] for each in ran.results[end]["blocks"] if each[0] > 35]
        for end in ("alice", "bob")
    )
    assert len(theirs) >= 3
    assert theirs[: len(ours)] == ours and len(theirs) - len(ours) in (0, 1)
    told = ran.results["bob"]["summary"]
    light_s = told["light_s"] / told["blocks"]
    assert light_s == 10  # two trains
    true_hz = 2e6 * 0.8**2 * 10 ** -(45 / 50)
    assert told["sifted"] / told["light_s"] == pytest.approx(0.68 * true_hz, rel=0.02)
    assert told["qber"] == pytest.approx(0.02, abs=0.001)


def test_the_source_may_be_one_of_the_ends() -> None:
    until = gathering(11)
    eyes = f"{EYES}, {keys(peer='alice', source='alice')}"
    own = keys(peer="bob", source="alice", interval="5 s", z=0.8)
    nodes = {"alice": (f"{SLOTS}, {EYES}, {own}", until), "bob": (eyes, until)}
    ours, _ = told_by(stage(nodes, f"[{between('alice', 'bob', length='30 km')}]", "")[0])
    told = ours["summary"]
    assert told["blocks"] == 2 and told["without_key"] == 0
    gain = 0.01 * 0.8 * 0.8 * 10**-0.6
    assert told["sifted"] == pytest.approx(10**9 * 0.68 * gain, rel=0.01)


@pytest.mark.parametrize(
    ("options", "theirs", "says"),
    [
        ({"source": TAGS, "window": "0 ns"}, {}, "expected a time above 0"),
        ({"recalibrate": "1 s"}, {}, "recalibrate goes with pulses of one end"),
        ({"producer": "pulses", "block_bits": 10}, {"producer": "pulses"}, "block_bits goes with"),
        ({}, {"source": "alice"}, "alice has no source of pairs"),
        ({}, {"source": "dave"}, "'dave' is no node with a link to bob"),
        ({}, {"sends": "true"}, "alice and bob both send"),
    ],
)
def test_what_cannot_be_is_said(options: Any, theirs: Any, says: str) -> None:
    given = {"source": TAGS, **options}
    if theirs.get("source") == "alice":
        given_source = "alice"
    else:
        given_source = "charlie"
    until = gathering(2)
    text = network(until, until, theirs=theirs, **given)
    text = text.replace("peer: bob, source: charlie", f"peer: bob, source: {given_source}")
    _, outcome = attempt(text)
    assert outcome.problem is not None
    assert says in outcome.problem.text
