"""What a link's fibre does to photons, from the file to the receiver's counts.

Programs send single photons as for BB84 over fibres that topologies describe; what errs, is lost or is
late must be what the literature's formulas say. Frequencies are within 3 sigma, N stands in each test.
"""

from __future__ import annotations

import asyncio
import io
import math
from pathlib import Path
from typing import Any

import pytest

from qnetem.agents.agent import Agent
from qnetem.emulator.closed_forms import fibre_latency_ns
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.optics.dispersion import Pulse
from qnetem.inprocess.network import InProcessNetwork

from ..counts import papers
from .bench import assert_frequency, play, program


def chosen(bases: str, photon: int) -> tuple[str, int]:
    """Basis and bit of a photon: every combination, in turn."""
    return bases[(photon >> 1) % len(bases)], photon & 1


class Sender(Agent):
    """Sends single photons after a while; with `many` links, one on each."""

    async def run(
        self,
        photons: int,
        bases: str,
        wait_s: float = 0.0,
        many: bool = False,
        every_s: float = 0.0,
    ) -> None:
        await asyncio.sleep(wait_s)
        for photon in range(photons):
            basis, bit = chosen(bases, photon)
            qubit = await self.qubit()
            if bit:
                await qubit.x()
            if basis == "X":
                await qubit.h()
            await self.transmit(qubit, "bob", link=f"link{photon:04}" if many else None)
            if every_s:
                await asyncio.sleep(every_s)


class Receiver(Agent):
    """Measures each photon in the basis in which it was sent."""

    async def run(self, photons: int, bases: str) -> dict[str, Any]:
        errors, times = 0, []
        for photon in range(photons):
            basis, bit = chosen(bases, photon)
            qubit = await self.receive_qubit("alice")
            times.append(qubit.arrived_ns)
            errors += int(await qubit.measure(basis) != bit)
        return {"errors": errors, "times": times}


class Sink(Agent):
    """Discards what arrives."""

    async def run(self) -> None:
        while True:
            await (await self.receive_qubit()).discard()


def text(
    quantum: str,
    photons: int,
    bases: str = "ZX",
    links: int = 1,
    receives: bool = True,
    **sends: Any,
) -> str:
    """Alice sends Bob photons over one link, or over many of a kind: link0000, link0001 ..."""
    told = "".join(f", {key}: {str(value).lower()}" for key, value in sends.items())
    options = f"photons: {photons}, bases: {bases}"
    receiver = f'program: "{program(Receiver)}", with: {{{options}}}'
    sink = f'program: "{program(Sink)}", service: true'
    names = [f"link{number:04}" for number in range(links)]
    rows = "".join(
        f"  - {{name: {name}, between: [alice, bob], quantum: {quantum}}}\n" for name in names
    )
    return f"""
nodes:
  alice: {{program: "{program(Sender)}", with: {{{options}{told}}}}}
  bob: {{{receiver if receives else sink}, memory: {{slots: {photons}}}}}
links:
{rows}"""


def errors(quantum: str, photons: int, **how: Any) -> int:
    """How many of the photons err."""
    return int(play(text(quantum, photons, **how)).results["bob"]["errors"])


@pytest.mark.papers
@pytest.mark.parametrize("wait_s", papers([10.0, 2.0]))
def test_uncompensated_polarisation_drift_errs_as_rotational_diffusion(wait_s: float) -> None:
    photons, drift = 600, 0.1  # a fibre of its own for each photon: independent walks
    quantum = f"{{environment: {{grid: 20 ms, polarisation_drift: {drift} rad2/s}}}}"
    found = errors(quantum, photons, links=photons, many=True, wait_s=wait_s)
    assert_frequency(found, photons, (1 - math.exp(-drift * wait_s)) / 2)


def test_polarisation_does_not_drift_at_once() -> None:
    quantum = "{environment: {grid: 20 ms, polarisation_drift: 10 rad2/s}}"
    assert errors(quantum, 40) == 0


def test_phase_drift_leaves_the_visibility_of_a_wiener_phase_and_the_components_alone() -> None:
    photons, drift, wait_s = 600, 2.0, 0.4
    quantum = f"{{encoding: phase, environment: {{grid: 1 ms, phase_drift: {drift} rad2/s}}}}"
    how = {"links": photons, "many": True, "wait_s": wait_s}
    visibility = math.exp(-drift * wait_s / 2)
    assert_frequency(errors(quantum, photons, bases="X", **how), photons, (1 - visibility) / 2)
    assert errors(quantum, 50, bases="Z", links=50, many=True, wait_s=wait_s) == 0
    polarised = quantum.replace("phase,", "polarisation,", 1)
    assert errors(polarised, 50, bases="X", links=50, many=True, wait_s=wait_s) == 0


def test_misaligned_frames_err_by_the_squared_sine() -> None:
    photons = 2000
    found = errors("{misalignment: 20 deg}", photons)
    assert_frequency(found, photons, math.sin(math.radians(20)) ** 2)


def test_polarisation_mode_dispersion_depolarises_a_short_pulse() -> None:
    photons = 2000
    quantum = (
        "{length: 100 km, attenuation: 0 dB/km, pmd: 1 ps/sqrt(km), "
        "pulse: {duration: 50 ps, linewidth: 0.1 nm}}"
    )
    bandwidth = Pulse(1550.0, 50.0, 0.1).bandwidth_rad_per_ps
    coherence = (1 + math.pi / 8 * (10 * bandwidth) ** 2) ** -1.5
    assert_frequency(errors(quantum, photons), photons, (1 - coherence) / 3)
    assert errors(quantum.replace("{length", "{encoding: phase, length"), 200) == 0


def test_a_gate_keeps_the_error_function_of_its_width_over_the_spread() -> None:
    photons = 2000
    quantum = (
        "{length: 20 km, attenuation: 0 dB/km, gate: 100 ps, "
        "pulse: {duration: 50 ps, linewidth: 0.1 nm}}"
    )
    ran = play(text(quantum, photons, receives=False))
    group_delay_ps = 0.2 * math.sqrt(20)
    spread_ps = math.sqrt(50**2 + (17 * 20 * 0.1) ** 2 + 3 * math.pi / 32 * group_delay_ps**2)
    kept = math.erf(100 / (2 * math.sqrt(2) * spread_ps))
    assert ran.count("links.link0000.photons_sent") == photons
    assert_frequency(ran.count("links.link0000.photons_lost"), photons, 1 - kept)


def test_temperature_delays_light() -> None:
    length_km, swing_k = 100.0, 5.0
    quantum = (
        f"{{length: {length_km} km, attenuation: 0 dB/km, "
        f"environment: {{grid: 1 s, temperature: {{swing: {swing_k} K, period: 24 h}}}}}}"
    )
    hours_s = 6 * 3600
    ran = play(text(quantum, 4, every_s=hours_s))
    cold_ns = fibre_latency_ns(length_km)
    late_ns = [
        time_ns - number * hours_s * 10**9 - cold_ns
        for number, time_ns in enumerate(ran.results["bob"]["times"])
    ]
    swing_ns = length_km * 38e-3 * swing_k  # 19 ns at most
    assert late_ns == pytest.approx([0, swing_ns, 0, -swing_ns], abs=1)


def test_a_user_s_noise_acts_on_each_photon_that_arrives(tmp_path: Path) -> None:
    photons = 1000
    (tmp_path / "mine.py").write_text(
        "import qutip\n"
        "def flip():\n"
        "    return [0.8 ** 0.5 * qutip.qeye(2), 0.2 ** 0.5 * qutip.sigmax()]\n"
        "def relax():\n"
        "    return [qutip.destroy(2)], [10_000.0]\n"
    )
    flips = f"{{noise: '{tmp_path}/mine.py:flip'}}"
    assert_frequency(errors(flips, photons, bases="Z"), photons, 0.2)
    assert errors(flips, 50, bases="X") == 0
    relaxes = f"{{length: 20 km, attenuation: 0 dB/km, noise: '{tmp_path}/mine.py:relax'}}"
    gone = 1 - math.exp(-1e4 * fibre_latency_ns(20.0) * 1e-9)
    assert_frequency(errors(relaxes, photons, bases="Z"), photons // 2, gone)  # half are |1>


# --- determinism ----------------------------------------------------------------------------------

WANDERING = (
    "{length: 100 km, attenuation: 0 dB/km, environment: {grid: 10 ms, "
    "polarisation_drift: 0.5 rad2/s, temperature: {fluctuation: 2 K, correlation: 1 s}}}"
)


def digest(quantum: str, asked_ns: tuple[int, ...] = ()) -> str:
    """Of a run over a fibre that was asked before, at those times."""
    topology = parse_topology(f"name: bench\nseed: 3\n{text(quantum, 60, every_s=0.1)}")
    network = InProcessNetwork(topology, log_stream=lambda node, incarnation: io.StringIO())
    way = network.world.quantum.light_channel("link0000")
    for t_ns in asked_ns:
        way.at(t_ns, "alice")
    outcome = network.run()
    assert outcome.problem is None
    return str(outcome.digest)


def test_a_run_does_not_depend_on_when_its_environment_is_first_asked() -> None:
    untouched = digest(WANDERING)
    assert digest(WANDERING, (5 * 10**9,)) == untouched
    assert digest(WANDERING, (10**12, 0, 3 * 10**9)) == untouched
    assert digest(WANDERING.replace("0.5 rad2/s", "0.4 rad2/s")) != untouched
    assert digest(WANDERING.replace("2 K", "1 K")) != untouched


def test_another_link_shifts_no_environment() -> None:
    network = {}
    for links in (1, 3):
        topology = parse_topology(f"name: bench\nseed: 3\n{text(WANDERING, 1, links=links)}")
        world = InProcessNetwork(topology, log_stream=lambda *_: io.StringIO()).world
        network[links] = world.quantum.light_channel("link0000").at(7 * 10**9, "alice")
    alone, beside = network[1], network[3]
    assert alone.delay_ns == beside.delay_ns
    assert alone.noise is not None and beside.noise is not None
    assert (alone.noise == beside.noise).all()
