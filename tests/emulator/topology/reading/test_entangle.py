"""`entangle:`: the keys of each kind, layers and presets, and refusals at their place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from qnetem.emulator.errors import TopologyError
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.topology.model.entangle import (
    ClickDetectorSpec,
    DetectionSpec,
    EntangleSpec,
    HeraldingKind,
)
from qnetem.emulator.topology.model.topology import Topology
from qnetem.emulator.topology.reading.presets import HERALDING

from ..topologies import TWO_NODES, linked, refusal

PAGE = Path(__file__).parents[4] / "docs" / "topology.md"
SINGLE = "kind: single_click, alpha: 0.1, detection: {first: 0.1, second: 0.1}, preparation: 1 us"
DOUBLE = "kind: double_click, detection: {first: 0.1, second: 0.1}, preparation: 1 us"
MIDPOINT = "kind: midpoint_source, clock: 1 us, pair_probability: 0.1"


def spec(entangle: str, more: str = "") -> EntangleSpec:
    quantum = linked(f"quantum: {{entangle: {{{entangle}}}}}", more).links["alice-bob"].quantum
    assert quantum is not None and quantum.entangle is not None
    return quantum.entangle


def test_quantities_have_units_and_keys_not_given_are_none() -> None:
    got = spec(
        f"{SINGLE}, phase_noise: 10 mrad, station: 30 %, "
        "detector: {dark_count_rate: 1 kHz, window: 25 ns}"
    )
    assert (got.kind, got.alpha, got.station, got.phase_noise_rad) == (
        "single_click",
        0.1,
        0.3,
        0.01,
    )
    assert got.preparation_ns == 1_000
    assert got.detection == DetectionSpec(first=0.1, second=0.1)
    assert got.detector == ClickDetectorSpec(dark_count_rate_hz=1e3, window_ps=25_000.0)
    assert got.visibility is None and got.double_excitation is None and got.success is None


@pytest.mark.parametrize("entangle", [SINGLE, DOUBLE, MIDPOINT])
def test_every_kind_survives_being_written_down_as_plain_data(entangle: str) -> None:
    topology = linked(f"quantum: {{entangle: {{{entangle}}}}}")
    assert Topology.from_data(topology.to_data()).to_data() == topology.to_data()


def test_every_entry_of_the_reference_is_accepted() -> None:
    (block,) = re.findall(
        r"```yaml entangle\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    entries = yaml.safe_load(block)
    assert [entry.get("kind") for entry in entries[1:]] == [*get_args(HeraldingKind)[1:]]
    for entry in entries:
        link = {"between": ["alice", "bob"], "quantum": {"length": "2 km", "entangle": entry}}
        parse_topology(f"{TWO_NODES}links: [{json.dumps(link)}]")


# --- layers ---------------------------------------------------------------------------------------


def test_the_defaults_may_give_the_kind_and_the_link_the_rest() -> None:
    more = f"defaults: {{quantum: {{entangle: {{{SINGLE}}}}}}}"
    got = spec("alpha: 0.3", more)
    assert (got.kind, got.alpha, got.preparation_ns) == ("single_click", 0.3, 1_000)
    bare = "defaults: {quantum: {entangle: {kind: single_click, preparation: 1 us}}}"
    assert spec("alpha: 0.3, detection: {first: 0.1, second: 0.2}", bare).kind == "single_click"


def test_a_link_of_another_kind_takes_nothing_from_the_defaults() -> None:
    more = f"defaults: {{quantum: {{entangle: {{{SINGLE}}}}}}}"
    got = spec("kind: simple, success: 0.1, fidelity: 0.9, attempt: 1 ms", more)
    assert (got.kind, got.alpha, got.detection) == ("simple", None, None)
    simple = "defaults: {quantum: {entangle: {success: 0.1, fidelity: 0.9, attempt: 1 ms}}}"
    assert spec(MIDPOINT, simple).success is None
    assert spec("preset: delft_nv_2019, alpha: 0.1", simple).success is None


def test_a_preset_lies_below_the_section_that_names_it() -> None:
    got = spec("preset: delft_nv_2019, alpha: 0.3, visibility: 0.8")
    assert (got.preset, got.kind, got.visibility) == ("delft_nv_2019", "single_click", 0.8)
    assert got.detection == DetectionSpec(first=2.8e-4, second=4.2e-4)
    more = "defaults: {quantum: {entangle: {preset: delft_nv_2019}}}"
    assert spec("alpha: 0.05", more).preparation_ns == 5_500
    assert all(preset.source for preset in HERALDING.values())


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entangle", "said"),
    [
        ("kind: single_clik, alpha: 0.1", "did you mean 'single_click'?"),
        ("kind: single_click, detection: {first: 1, second: 1}", "entangle: 'alpha' is missing"),
        ("kind: single_click, alpha: 0.1", "'detection' is missing, or 'emitter' and 'detector'"),
        ("kind: double_click, emitter: {}", "entangle: 'detector' is missing"),
        ("kind: double_click, first: {}, detector: {window: 1 ns}", "entangle: 'second' is missing"),
        ("kind: double_click, detection: {first: 1}", "entangle.detection: 'second' is missing"),
        ("kind: double_click, emitter: {}, detector: {}", "entangle.detector: 'window' is missing"),
        (f"{SINGLE}, emitter: {{}}", "holds everything from the emitter to the click"),
        (f"{SINGLE}, detector: {{efficiency: 0.5, window: 1 ns}}", "holds the detectors' efficiency already"),
        (f"{DOUBLE}, alpha: 0.1", "'alpha' is no key of kind: double_click, but of single_click"),
        ("alpha: 0.1", "'success' is missing, and 'alpha' is no key of kind: simple, but of single_click"),
        (f"{DOUBLE}, stabilisation: 1 s", "'stabilisation' is no key of kind: double_click"),
        (f"{MIDPOINT}, visibility: 1", "no key of kind: midpoint_source, but of single_click, double_click"),
        (f"{SINGLE}, visibilty: 1", "unknown key 'visibilty'; did you mean 'visibility'?"),
        ("preset: delft, alpha: 0.1", "'delft' is not known here"),
    ],
)  # fmt: skip
def test_keys_that_do_not_fit_their_kind_are_refused(entangle: str, said: str) -> None:
    link = f"{{between: [alice, bob], quantum: {{entangle: {{{entangle}}}}}}}"
    error = refusal(f"{TWO_NODES}links:\n  - {link}\n")
    assert said in error.problem
    assert error.line == 4 and error.column >= 39


@pytest.mark.parametrize(
    ("quantum", "entangle", "said"),
    [
        ("", "kind: single_click, alpha: 1.2", "expected a probability (from 0 to 1), found 1.2"),
        ("", DOUBLE + ", station: -1", "expected a probability (from 0 to 1), found -1"),
        ("", SINGLE + ", phase_noise: -1 deg", "expected an angle"),
        ("", SINGLE + ", detector: {window: 0 ns}", "expected a short time"),
        ("", SINGLE + ", detector: {window: 1 ns, dark_count_rate: -1 Hz}", "expected a frequency"),
        ("", DOUBLE.replace(", preparation: 1 us", ""), "expected at least 1 ns"),
        ("depolarising: 0.1, ", SINGLE, "single click: the fibre depolarises"),
        ("misalignment: 5 deg, ", DOUBLE, "fibre: misalignment_rad is"),
        ("dephasing: 0.6, ", MIDPOINT, "fibre: dephasing is 0.6, expected at most 0.5"),
    ],
)
def test_what_cannot_be_is_refused_at_load_at_its_place(
    quantum: str, entangle: str, said: str
) -> None:
    link = f"between: [alice, bob]\n    quantum:\n      {{{quantum}entangle: {{{entangle}}}}}"
    error = refusal(f"{TWO_NODES}links:\n  - {link}\n")
    assert said in error.problem
    assert error.line == 6 and error.column >= 8 + len(quantum)


CLASSICAL = "coexistence: {filter: 0.2 nm, channels: [{power: 0 dBm}]}"


@pytest.mark.parametrize(
    ("beside", "entangle", "place", "said"),
    [
        (CLASSICAL, SINGLE, (6, 7), "since 'detection' holds their efficiency and more"),
        (CLASSICAL, MIDPOINT, (6, 7), "how long a memory is open"),
        ("environment: {grid: 1 ms}", f"stabilisation: 999 us, {SINGLE}", (7, 33), "grid of 1 ms"),
    ],
)
def test_surroundings_whose_effect_is_not_known_are_refused_at_their_place(
    beside: str, entangle: str, place: tuple[int, int], said: str
) -> None:
    quantum = f"{beside}\n      entangle: {{{entangle}}}"
    error = refusal(
        f"{TWO_NODES}links:\n  - between: [alice, bob]\n    quantum:\n      {quantum}\n"
    )
    assert said in error.problem
    assert (error.line, error.column) == place


def test_what_shines_and_drifts_beside_a_heralded_link_is_accepted_where_it_can_be_counted() -> (
    None
):
    counted = (
        "kind: double_click, emitter: {}, detector: {window: 1 ns}, preparation: 1 us",
        f"{MIDPOINT}, latching: {{window: 1 ns}}",
        "success: 0.1, fidelity: 0.9, attempt: 1 ms",
    )
    everything = (
        f"pulse: {{wavelength: 1560 nm}}, {CLASSICAL}, environment: {{grid: 1 ms, phase_drift: 1 rad2/s, "
        "polarisation_drift: 1 rad2/s, temperature: {swing: 1 K}}"
    )
    for entangle in counted:
        linked(f"quantum: {{{everything}, entangle: {{{entangle}}}}}")
    got = spec(f"{SINGLE}, stabilisation: 10 ms")
    assert got.stabilisation_ns == 10_000_000


@pytest.mark.parametrize("formalism", ["bell_diagonal", "stabilizer"])
def test_single_clicks_do_not_fit_four_numbers_and_that_is_said_at_load(formalism: str) -> None:
    link = f"between: [alice, bob]\n    quantum: {{entangle: {{{SINGLE}}}}}"
    text = f"{TWO_NODES}formalism: {formalism}\nlinks:\n  - {link}\n"
    with pytest.raises(
        TopologyError, match="pairs on alice-bob: not a Bell-diagonal state"
    ) as told:
        parse_topology(text, "net.yaml")
    assert (told.value.line, told.value.column) == (6, 15)
    parse_topology(text.replace("links:", "approximate: twirl\nlinks:"))
    parse_topology(text.replace(SINGLE, DOUBLE))
