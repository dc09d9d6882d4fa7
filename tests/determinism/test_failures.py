"""A run that goes wrong goes wrong alike: same node, same instant, same digest."""

from __future__ import annotations

from pathlib import Path

import pytest

from .detours import Delays, slow_run
from .lab import in_process_whatever_comes, scenario, seen

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("name", ["failing", "unbuildable"])
async def test_of_several_programs_that_fail_the_same_one_is_blamed(
    tmp_path: Path, mosquitto: str, name: str
) -> None:
    topology = scenario(name)
    expected = in_process_whatever_comes(topology, tmp_path)
    assert expected.problem is not None
    assert expected.problem.node == "bob"
    for seed in range(3):  # whichever says it first
        outcome, _, _ = await slow_run(
            topology, tmp_path / str(seed), reports=Delays(seed, 0.05), messages=Delays(seed)
        )
        assert outcome.problem is not None
        assert (outcome.problem.kind, outcome.problem.node) == (expected.problem.kind, "bob")
        assert seen(outcome) == seen(expected)
