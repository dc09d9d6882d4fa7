"""What a file may say about a link's fibre, its light and its surroundings."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from qnetem.emulator.errors import TopologyError
from qnetem.emulator.loading import Topology, load_topology, parse_topology
from qnetem.emulator.optics import fibre as fibres
from qnetem.emulator.quantum.links.channels import MAX_CELLS, fibre_of
from qnetem.emulator.topology.model.fibre_sections import (
    ClassicalChannelsSpec,
    CoexistenceSpec,
    EnvironmentSpec,
    PulseSpec,
    TemperatureSpec,
    VibrationSpec,
)
from qnetem.emulator.topology.model.topology import FibrePresetName, Quantum
from qnetem.emulator.topology.reading.presets import FIBRES

from ..topologies import TWO_NODES, linked, refusal

EVERYTHING = """
    quantum:
      length: 40 km
      dispersion: -85 ps/nm/km
      dispersion_slope: 0.06 ps/nm2/km
      pmd: 50 fs/sqrt(km)
      misalignment: 10 deg
      thermal_delay: 40 ps/km/K
      encoding: phase
      pulse: {wavelength: 1.55 um, duration: 0.08 ns, linewidth: 100 pm}
      gate: 1 ns
      environment:
        grid: 1 ms
        polarisation_drift: 0.1 rad2/s
        phase_drift: 2 rad^2/s
        vibrations: [{amplitude: 300 mrad, frequency: 0.05 kHz}]
        temperature: {swing: 5 K, period: 24 h, fluctuation: 500 mK, correlation: 10 min}
      coexistence:
        filter: 0.2 nm
        channels:
          - {power: -3 dBm, count: 8, direction: counter, wavelength: 1545 nm}
          - {power: 0 dBm, attenuation: 0.21 dB/km, rho: 3e-9 /km/nm}
"""


def quantum(entry: str, more: str = "") -> Quantum:
    found = linked(f"quantum: {entry}", more).links["alice-bob"].quantum
    assert found is not None
    return found


def test_every_key_of_a_fibre_reaches_the_model_in_its_own_unit() -> None:
    text = f"{TWO_NODES}links:\n  - between: [alice, bob]{EVERYTHING}"
    data = parse_topology(text).to_data()
    topology = Topology.from_data(data)
    assert topology.to_data() == data
    found = topology.links["alice-bob"].quantum
    assert found == Quantum(
        length_km=40.0,
        dispersion_ps_per_nm_km=-85.0,
        dispersion_slope_ps_per_nm2_km=0.06,
        pmd_ps_per_sqrt_km=0.05,
        misalignment_rad=math.pi / 18,
        thermal_delay_ps_per_km_k=40.0,
        encoding="phase",
        pulse=PulseSpec(wavelength_nm=1550.0, duration_ps=80.0, linewidth_nm=0.1),
        gate_ps=1000.0,
        environment=EnvironmentSpec(
            grid_ns=1_000_000,
            polarisation_drift_rad2_per_s=0.1,
            phase_drift_rad2_per_s=2.0,
            vibrations=[VibrationSpec(amplitude_rad=0.3, frequency_hz=50.0)],
            temperature=TemperatureSpec(swing_k=5.0, fluctuation_k=0.5),
        ),
        coexistence=CoexistenceSpec(
            filter_width_nm=0.2,
            channels=[
                ClassicalChannelsSpec(
                    launch_power_dbm=-3.0, count=8, direction="counter", wavelength_nm=1545.0
                ),
                ClassicalChannelsSpec(
                    launch_power_dbm=0.0, attenuation_db_per_km=0.21, rho_per_km_nm=3e-9
                ),
            ],
        ),
    )


def test_a_link_that_says_nothing_has_the_fibre_that_python_has() -> None:
    assert fibre_of(linked("quantum: {length: 7 km}").links["alice-bob"]) == fibres.Fibre(7.0)


def preset(name: str, length_km: float) -> fibres.Fibre:
    """The fibre of a link that names only the preset."""
    link = linked(f"quantum: {{preset: {name}, length: {length_km} km}}").links["alice-bob"]
    assert link.quantum is not None and link.quantum.preset == name
    return fibre_of(link)


def test_every_preset_is_a_fibre_with_a_source() -> None:
    assert list(FIBRES) == list(FibrePresetName.__args__)  # type: ignore[attr-defined]
    for name, kind in FIBRES.items():
        assert preset(name, 9.0).length_km == 9.0
        assert len(kind.source) > 40


def test_presets_lose_what_was_published() -> None:
    assert preset("standard", 100.0).transmittance == pytest.approx(1e-2)
    # Korzh et al. 2015: 51.9 dB over 307 km
    assert preset("ultra_low_loss", 307.0).transmittance == pytest.approx(10**-5.19, rel=0.1)
    assert preset("ultra_low_loss_0_16", 100.0).transmittance == pytest.approx(10**-1.6)
    assert preset("ultra_low_loss_0_1419", 100.0).transmittance == pytest.approx(10**-1.419)
    assert 0.39 <= preset("deployed", 1.0).attenuation_db_per_km <= 0.51


@pytest.mark.parametrize(
    ("defaults", "own", "db_per_km"),
    [
        ("{}", "preset: ultra_low_loss", 0.17),
        ("{}", "preset: ultra_low_loss, attenuation: 0.19 dB/km", 0.19),
        ("{attenuation: 0.3 dB/km}", "preset: ultra_low_loss", 0.17),
        ("{preset: ultra_low_loss, attenuation: 0.3 dB/km}", "pmd: 0 ps/sqrt(km)", 0.3),
        ("{preset: ultra_low_loss}", "preset: ultra_low_loss_0_16", 0.16),
        ("{preset: ultra_low_loss}", "attenuation: 0.22 dB/km", 0.22),
    ],
)
def test_a_preset_lies_right_below_the_section_that_names_it(
    defaults: str, own: str, db_per_km: float
) -> None:
    more = f"defaults: {{quantum: {defaults}}}"
    assert quantum(f"{{{own}}}", more).attenuation_db_per_km == db_per_km


def test_defaults_fill_sections_key_by_key_and_none_switches_them_off() -> None:
    more = (
        "defaults: {quantum: {pulse: {duration: 20 ps}, noise: 'some:thing',"
        " environment: {grid: 1 s, temperature: {swing: 3 K}},"
        " coexistence: {filter: 1 nm, channels: [{power: 0 dBm}]}}}"
    )
    own = "{environment: {phase_drift: 1 rad2/s}, pulse: {wavelength: 1549.8 nm}, noise: none"
    found = quantum(own + "}", more)
    assert found.environment == EnvironmentSpec(
        grid_ns=10**9, phase_drift_rad2_per_s=1.0, temperature=TemperatureSpec(swing_k=3.0)
    )
    assert found.pulse == PulseSpec(wavelength_nm=1549.8, duration_ps=20.0)
    off = "{environment: none, pulse: none, coexistence: none, noise: none, gate: none}"
    assert quantum(off, more) == Quantum()


@pytest.mark.parametrize(
    ("entry", "column", "said"),
    [
        ("{length: -5 km}", 16, "expected a length such as 25 km (from 0 to 1e+09 km)"),
        (
            "{preset: ultra_low_lose}",
            16,
            "'ultra_low_lose' is not known here; did you mean 'ultra_low_loss'?",
        ),
        ("{dispersion: 17 ps/km}", 20, "unknown unit 'ps/km', expected a dispersion (ps/nm/km)"),
        ("{pmd: -1 ps/sqrt(km)}", 13, "such as 0.2 ps/sqrt(km) (from 0 to 1000 ps/sqrt(km))"),
        ("{misalignment: 10}", 22, "10 has no unit: expected an angle (rad, mrad, deg)"),
        ("{misalignment: 10 K}", 22, "'10 K' is a temperature difference: expected an angle"),
        ("{encoding: time}", 18, "'time' is not known here; expected one of polarisation, phase"),
        ("{gate: 0 ps, pulse: {}}", 14, "(above 0 to 1e+09 ps)"),
        ("{gate: 1 ns}", 14, "a gate acts on the spread of a pulse: expected 'pulse:' beside it"),
        ("{pulse: {duration: 50 nm}}", 26, "'50 nm' is a wavelength: expected a short time"),
        (
            "{pulse: {linewidth: 0.001 nm}}",
            8,
            "links.alice-bob.quantum: pulse: linewidth_nm is 0.001; an rms duration of 50.0 ps",
        ),
        ("{pulse: {width: 1 ps}}", 16, "unknown key 'width'"),
        ("{environment: {temperature: {swing: 5 K}}}", 8, "environment: 'grid' is missing"),
        ("{environment: {grid: 0 s}}", 28, "expected a time such as 10 ms (more than 0 ns)"),
        ("{environment: {grid: 1 ms, phase_drift: 0.1}}", 47, "0.1 has no unit: expected a drift"),
        (
            "{environment: {grid: 1 s, vibrations: [{amplitude: 1 rad}]}}",
            46,
            "vibrations[0]: 'frequency' is missing",
        ),
        ("{environment: {grid: 1 s, temperature: {swing: 500 K}}}", 54, "(from 0 to 200 K)"),
        (
            "{coexistence: {channels: [{power: 0 dBm}]}}",
            8,
            "coexistence: 'filter' is missing",
        ),
        (
            "{coexistence: {filter: 1 nm, channels: []}}",
            36,
            "channels: expected at least 1 entry, found nothing",
        ),
        (
            "{coexistence: {filter: 1 nm, channels: [{power: 1 mW}]}}",
            55,
            "unknown unit 'mW', expected a power (dBm)",
        ),
        (
            "{coexistence: {filter: 1 nm, channels: [{power: 0 dBm, wavelength: 1310 nm}]}}",
            8,
            "no measured coefficient at 1550.0 nm for a pump at 1310.0 nm",
        ),
        ("{noise: depolarise}", 15, "expected 'module:function' or './file.py:function'"),
        ("{noise: './nowhere.py:f'}", 15, "there is no file"),
    ],
)
def test_what_no_fibre_has_is_refused_at_its_place(entry: str, column: int, said: str) -> None:
    text = f"{TWO_NODES}links:\n  - between: [alice, bob]\n    quantum:\n      {entry}\n"
    error = refusal(text)
    assert said in str(error), str(error)
    assert (error.line, error.column) == (6, column), str(error)


@pytest.mark.parametrize(
    ("wanders", "refused"),
    [
        ("polarisation_drift: 0.1 rad2/s", True),
        ("phase_drift: 0.1 rad2/s", True),
        ("temperature: {fluctuation: 1 K}", True),
        ("temperature: {swing: 1 K}, vibrations: [{amplitude: 1 rad, frequency: 1 Hz}]", False),
    ],
)
def test_a_grid_too_fine_for_the_run_is_refused_if_its_cells_cost(
    wanders: str, refused: bool
) -> None:
    text = (
        f"{TWO_NODES}time: {{until: 1000 s}}\nlinks:\n  - between: [alice, bob]\n"
        f"    quantum: {{environment: {{grid: %s, {wanders}}}}}\n"
    )
    assert MAX_CELLS == 1000 * 10**9 // 10**4
    parse_topology(text % "10 us")
    if refused:
        error = refusal(text % "9 us")
        assert (error.line, error.column) == (6, 35)
        assert "expected at most 100000000: a grid of 10 us or more" in error.problem
    else:
        parse_topology(text % "9 us")


@pytest.mark.parametrize(
    ("formalism", "entry", "refused"),
    [
        ("stabilizer", "{misalignment: 10 deg}", True),
        ("bell_diagonal", "{environment: {grid: 1 s, polarisation_drift: 0.1 rad2/s}}", True),
        (
            "stabilizer",
            "{encoding: phase, environment: {grid: 1 s, phase_drift: 1 rad2/s}}",
            True,
        ),
        ("stabilizer", "{environment: {grid: 1 s, phase_drift: 1 rad2/s}}", False),
        ("stabilizer", "{depolarising: 0.1, pulse: {}}", False),
        ("bell_diagonal\napproximate: twirl", "{misalignment: 10 deg}", False),
        ("auto", "{misalignment: 10 deg}", False),
    ],
)
def test_a_fibre_that_the_formalism_cannot_carry_is_refused(
    formalism: str, entry: str, refused: bool
) -> None:
    text = (
        f"{TWO_NODES}formalism: {formalism}\n"
        f"links:\n  - between: [alice, bob]\n    quantum: {entry}\n"
    )
    if not refused:
        parse_topology(text)
        return
    error = refusal(text)
    assert "light on alice-bob: not Pauli noise" in error.problem
    assert (error.line, error.column) == (6, 5)


# --- noise of the user's --------------------------------------------------------------------------

NOISE = """
import qutip
def flip():
    return [0.5 ** 0.5 * qutip.qeye(2), 0.5 ** 0.5 * qutip.sigmax()]
def losing():
    return [0.5 * qutip.qeye(2)]
def two():
    return [qutip.tensor(qutip.qeye(2), qutip.qeye(2))]
"""


def noisy(folder: Path, function: str) -> Topology:
    (folder / "mine.py").write_text(NOISE)
    file = folder / "net.yaml"
    file.write_text(
        f"{TWO_NODES}links:\n  - between: [alice, bob]\n    quantum: {{noise: './mine.py:{function}'}}\n"
    )
    return load_topology(file)


def test_a_noise_is_looked_for_next_to_its_file(tmp_path: Path) -> None:
    found = noisy(tmp_path, "flip").links["alice-bob"].quantum
    assert found is not None and found.noise == f"{tmp_path / 'mine.py'}:flip"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("losing", "not a channel: not trace preserving"),
        ("two", "acts on 2 qubits, expected 1"),
        ("lost", "there is no lost in"),
    ],
)
def test_a_noise_that_is_no_channel_is_refused(tmp_path: Path, function: str, said: str) -> None:
    with pytest.raises(TopologyError, match=said) as caught:
        noisy(tmp_path, function)
    assert (caught.value.line, caught.value.column) == (5, 22)
    assert caught.value.path == str(tmp_path / "net.yaml")


def test_physics_is_imported_only_for_a_file_that_needs_it() -> None:
    text = f"{TWO_NODES}links: [{{between: [alice, bob], quantum: {{preset: standard}}}}]"
    program = (
        "import sys\nfrom qnetem.emulator.loading import parse_topology\n"
        f"parse_topology({text!r})\nassert 'qutip' not in sys.modules"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
