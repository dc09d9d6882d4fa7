from __future__ import annotations

import pytest

from qnetem.emulator.devices.presets import DETECTORS, EMITTERS


@pytest.mark.parametrize(
    "preset", [*DETECTORS.values(), *EMITTERS.values()], ids=lambda p: p.source[:30]
)
def test_each_preset_names_its_source(preset: object) -> None:
    source = getattr(preset, "source")  # noqa: B009
    assert any(character.isdigit() for character in source) and len(source) > 30


def test_an_emitter_and_its_detector_give_the_published_probability() -> None:
    efficiency = DETECTORS["snspd"].part.efficiency
    for name, detected in [("nv_centre", 2.8e-4), ("nv_centre_bright", 4.2e-4)]:
        left = EMITTERS[name].part.surviving(efficiency)
        # an excitation in 25 gives a second photon: at this efficiency one of the two is seen
        assert left[1:].sum() == pytest.approx(1.04 * detected, rel=1e-3)
    ion = EMITTERS["trapped_ion"].part.photons()[1]
    assert ion**2 / 2 == pytest.approx(2.18e-4)


def test_a_gated_detector_has_the_dark_counts_per_gate_of_its_source() -> None:
    assert DETECTORS["ingaas_self_differencing"].part.dark_mean(1000) == pytest.approx(6e-7)
    assert 1e-6 <= DETECTORS["ingaas"].part.dark_mean(10_000) <= 1e-5
