"""Faults that cannot happen to their target are refused at their place, and never chosen for one."""

from __future__ import annotations

from itertools import product

import pytest

from qnetem.emulator.errors import InputError, TopologyError
from qnetem.emulator.faults.changes import Changes
from qnetem.emulator.faults.kinds import FAULT_KINDS, FAULTS
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.quantum.links.heralding import heralding
from qnetem.emulator.topology.faults.campaign import RANDOM_KINDS
from qnetem.emulator.topology.faults.plan import read_live_faults

from ..topologies import refusal

KINDS = {
    "simple": "{success: 0.1, fidelity: 1, attempt: 1 ms}",
    "single": "{kind: single_click, alpha: 0.1, emitter: {collection: 0.5}, detector: {window: 10 ns}}",
    "single_bare": "{kind: single_click, alpha: 0.1, "
    "detection: {first: 0.1, second: 0.1}, preparation: 1 us}",
    "double": "{kind: double_click, emitter: {collection: 0.5}, detector: {window: 10 ns}}",
    "double_bare": "{kind: double_click, detection: {first: 0.1, second: 0.1}, preparation: 1 us}",
    "midpoint": "{kind: midpoint_source, clock: 1 us, pair_probability: 0.1, "
    "latching: {first: 1, second: 1, window: 1 ns}}",
    "midpoint_bare": "{kind: midpoint_source, clock: 1 us, pair_probability: 0.1}",
}
LINKS = "".join(
    f"  - {{between: [a, b], name: {name}, quantum: {{length: 10 km, entangle: {spec}}}}}\n"
    for name, spec in KINDS.items()
)
NET = (
    "name: x\nnodes: {a: {source: {}}, b: {detector: {}}, c: , eve: {kind: eavesdropper, program: 'x:Y'}}\n"
    "links:\n"
    "  - {between: [b, c], name: wire, classical: {latency: 1 ms}}\n"
    "  - {between: [b, c], name: fibre, quantum: {length: 1 km}}\n"
    "  - {between: [b, c], name: light, quantum: {length: 1 km}, classical: none}\n"
    "  - {between: [c, eve], name: hers, quantum: {length: 1 km}}\n" + LINKS
)
BEAM = (
    "  - {between: [b, c], name: beam, quantum: {medium: free_space, length: 1 km, "
    "telescope: {aperture: 1 m}, beam: {wavelength: 850 nm, divergence: {half_angle: 100 urad}}}}\n"
)
CHANGES = {
    "loss_db": Changes(loss_db=3.0),
    "misalignment": Changes(misalignment_rad=0.3),
    "dark_counts": Changes(dark_count_rate_hz=100.0),
    "blind": Changes(heralds=0.0),
    "source_off": Changes(light=(0.0, 0.0)),
}
TOPOLOGY = parse_topology(NET)


@pytest.mark.parametrize(("verb", "name"), [*product(CHANGES, KINDS)])
def test_what_is_let_through_can_be_and_what_is_refused_cannot(verb: str, name: str) -> None:
    link = TOPOLOGY.links[name]
    try:
        changed = heralding(link, CHANGES[verb])
    except InputError:
        assert FAULTS[verb].misfit(TOPOLOGY, name) is not None
        return
    assert FAULTS[verb].misfit(TOPOLOGY, name) is None
    plain = heralding(link)
    assert changed is not None and plain is not None
    assert changed.timing == plain.timing
    if verb in ("blind", "source_off") and "midpoint" not in name:
        assert changed.success == 0, "no dark counts here"


@pytest.mark.parametrize(
    "verb", [v for v, k in FAULT_KINDS.items() if k.plane == "quantum" and v != "eavesdrop"]
)
def test_nothing_happens_to_a_wire_that_takes_light(verb: str) -> None:
    if FAULT_KINDS[verb].target != "node":
        assert "no quantum side" in str(FAULTS[verb].misfit(TOPOLOGY, "wire"))


#: "^" stands before what is to blame.
@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ("dark_counts: ^simple, rate: 1 kHz", "simple, of kind simple, counts nothing"),
        ("dark_counts: ^midpoint_bare, rate: 1 kHz", "'window' in 'latching'"),
        ("dark_counts: ^double_bare, rate: 1 kHz", "expected a 'detector' in 'entangle'"),
        ("dark_counts: ^a, rate: 1 kHz", "a has no detectors"),
        ("dark_counts: [b, ^a], rate: 1 kHz", "a has no detectors"),
        ("blind: ^c", "c has no detectors"),
        ("source_off: ^b", "b has no source"),
        ("loss_db: ^wire, by: 3 dB", "wire has no quantum side"),
        ("loss_db: [fibre, ^wire, single], by: 3 dB", "wire has no quantum side"),
        ("false_herald: ^fibre, probability: 0.5", "nothing heralds pairs on fibre"),
        (
            "lost_herald: simple, probability: 0.5, end: ^c",
            "c is no end of simple, expected a or b",
        ),
        ("clouds: ^fibre, loss: 3 dB, cover: 0.5, passage: 1 s", "come and go for ever"),
        ("loss: ^light, probability: 1", "light has no classical side"),
        ("bandwidth: [wire, ^light], to: 1 kbit/s", "light has no classical side"),
        ("cut: ^light, only: classical", "light has no classical side"),
        ("cut: ^wire, only: quantum", "wire has no quantum side"),
        ("eavesdrop: ^wire, by: eve", "wire has no quantum side: expected 'classical: tap'"),
        ("eavesdrop: ^light, by: eve, classical: tap", "light has no classical side"),
        (
            "eavesdrop: ^simple, by: eve",
            "simple heralds pairs, of which an eavesdropper gets nothing",
        ),
        ("eavesdrop: ^hers, by: eve", "eve is an end of hers"),
        ("eavesdrop: fibre, by: ^c", "by is 'c', an endpoint; expected an eavesdropper"),
        ("pointing_loss: ^fibre, by: 1 mrad", "no beam is pointed on fibre"),
    ],
)
def test_it_is_refused_at_its_place(entry: str, wanted: str) -> None:
    before = f"  - {{at: 1 s, {entry.partition('^')[0]}"
    written = entry.replace("^", "")
    error = refusal(f"{NET}faults:\n  - {{at: 1 s, cut: wire}}\n  - {{at: 1 s, {written}}}\n")
    line = len(NET.splitlines()) + 3
    assert (error.line, error.column) == (line, len(before) + 1)
    assert wanted in str(error)


@pytest.mark.parametrize("classical", ["tap", "intercept"])
def test_messages_of_a_link_without_photons_may_be_listened_to(classical: str) -> None:
    entry = f"{{at: 1 s, eavesdrop: [wire, simple], by: eve, classical: {classical}}}"
    faults = parse_topology(f"{NET}faults: [{entry}]\n").faults
    assert [fault.target for fault in faults] == ["wire", "simple"]


@pytest.mark.parametrize(
    ("entry", "spared"),
    [
        ("cut: all, only: quantum", ["wire"]),
        ("cut: all, only: classical", ["light"]),
        ("cut: all", []),
        ("delay: all, by: 1 ms", ["light"]),
        ("eavesdrop: all, by: eve", ["wire", "hers", *KINDS]),
        ("eavesdrop: all, by: eve, classical: tap", ["light", "hers"]),
        ("lost_herald: all, probability: 1, end: a", ["wire", "fibre", "light", "hers", "other"]),
    ],
)
def test_parameters_count_when_it_is_chosen_among_those_who_fit(
    entry: str, spared: list[str]
) -> None:
    other = f"  - {{between: [b, c], name: other, quantum: {{entangle: {KINDS['simple']}}}}}\n"
    spared = [*spared, "other"] if entry == "eavesdrop: all, by: eve" else spared
    topology = parse_topology(f"{NET}{other}faults: [{{at: 1 s, {entry}}}]\n")
    targets = {fault.target for fault in topology.faults}
    assert targets == {name for name in topology.links if name not in spared}


@pytest.mark.parametrize("formalism", ["bell_diagonal", "stabilizer"])
def test_a_formalism_that_cannot_carry_turned_light_refuses_it(formalism: str) -> None:
    net = (
        "name: x\nnodes: {a: , b: }\nlinks: [{between: [a, b], quantum: {length: 1 km}}]\n"
        f"formalism: {formalism}\nfaults: [{{at: 1 s, misalignment: a-b, by: 10 deg}}]\n"
    )
    assert f"formalism: {formalism} cannot carry" in str(refusal(net))
    parse_topology(net + "approximate: twirl\n")


def test_who_is_chosen_is_one_to_whom_it_can_happen() -> None:
    lossy, false = "loss_db: all, by: 3 dB", "false_herald: one, probability: 1"
    text = f"{NET}faults: [{{at: 1 s, {lossy}}}, {{at: 1 s, {false}}}]\n"
    faults = parse_topology(text).faults
    assert [f.target for f in faults if f.verb == "loss_db"] == sorted(
        ["fibre", "light", "hers", *KINDS]
    )
    for seed in range(20):
        chosen = parse_topology(f"{text}seed: {seed}\n").faults[-1]
        assert chosen.verb == "false_herald" and chosen.target in KINDS


def test_a_campaign_draws_only_what_can_happen() -> None:
    text = f"{NET}{BEAM}faults: {{random: {{rate: 100 per s, until: 10 s}}}}\n"
    topology = parse_topology(text)
    drawn = {(fault.verb, fault.target) for fault in topology.faults}
    assert all(
        FAULTS[verb].misfit(topology, target) is None for verb, target in drawn if "," not in target
    )
    assert {verb for verb, _ in drawn} == set(RANDOM_KINDS)


def test_a_choice_among_no_targets_is_said_so() -> None:
    net = "name: x\nnodes: {a: , b: }\nlinks: [{between: [a, b]}]\n"
    lossy = "faults: [{at: 1 s, loss_db: all, by: 3 dB}]\n"
    assert "no link that it could happen to fits" in str(refusal(net + lossy))


def test_a_live_fault_is_refused_and_chosen_alike() -> None:
    with pytest.raises(TopologyError, match="a has no detectors"):
        read_live_faults("{blind: a}", TOPOLOGY, "live.1")
    with pytest.raises(TopologyError, match="come and go for ever"):
        read_live_faults(
            "{clouds: fibre, loss: 3 dB, cover: 0.5, passage: 1 s}", TOPOLOGY, "live.1"
        )
    found = read_live_faults("{loss_db: all, by: 3 dB}", TOPOLOGY, "live.1")
    assert [spec.target for spec in found] == sorted(["fibre", "light", "hers", *KINDS])


CLOUDS = "name: x\nnodes: {a: , b: }\nlinks: [{between: [a, b], quantum: {length: 1 km}}]\n"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("for: 20 ms, cover: 0.5, passage: 100 ns", "200000.* at most 10000|2e.05 .*at most 10000"),
        ("for: 20 ms, cover: 0.999, passage: 1 ns", "at most 10000"),
        ("for: 20 ms, cover: 1, passage: 1 ns", None),  # always cloudy: nothing changes
        ("for: 20 ms, cover: 0, passage: 1 ns", None),
        ("for: 20 ms, cover: 0.5, passage: 2 us", None),
        ("for: 1 h, cover: 0.5, passage: 500 ms", None),
        ("for: 20 ms, cover: 5e-324, passage: 1 ms", None),
    ],
)
def test_clouds_that_come_and_go_without_end_are_refused(entry: str, why: str | None) -> None:
    text = f"{CLOUDS}faults:\n  - {{at: 1 ms, clouds: a-b, loss: 3 dB, {entry}}}\n"
    if why is None:
        assert len(parse_topology(text).faults) == 1
        return
    with pytest.raises(TopologyError, match=why) as caught:
        parse_topology(text)
    column = text.splitlines()[4].index("passage: ") + len("passage: ") + 1
    assert (caught.value.line, caught.value.column) == (5, column)


def test_dark_counts_beyond_what_a_slot_holds_are_refused() -> None:
    slow = "name: x\nnodes: {a: {source: {rate: 1 kHz}}, b: {detector: {}}}\n"
    link = "links: [{between: [a, b], quantum: {length: 1 km}}]\n"
    fault = "faults: [{at: 1 ms, dark_counts: b, rate: %s}]\n"
    assert parse_topology(slow + link + fault % "10 kHz").faults
    with pytest.raises(TopologyError, match=r"10\.1 counts in each slot, expected at most 10"):
        parse_topology(slow + link + fault % "10.1 kHz")
    with pytest.raises(
        TopologyError, match=r"dark_count_rate: 1e\+03 dark counts in each slot of a"
    ):
        parse_topology(slow.replace("detector: {}", "detector: {dark_count_rate: 1 MHz}") + link)
