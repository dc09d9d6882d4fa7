"""Virtual time has a last instant: what a program waits for after it never comes, and nothing breaks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem import Agent


class Sleeps(Agent):
    async def run(self, seconds: float, times: int = 1) -> None:
        for _ in range(times):
            await asyncio.sleep(seconds)


class Entangles(Agent):
    async def run(self) -> None:
        await self.entangle("b" if self.name == "a" else "a")


def ended(folder: Path, program: type[Agent], options: dict[str, Any], **link: Any) -> Any:
    node = {"program": program, "with": options}
    data = {
        "name": "x",
        "nodes": {"a": node, "b": node},
        "links": [{"between": ["a", "b"], **link}],
    }
    return qnetem.run(data, in_process=True, runs_folder=folder)


@pytest.mark.parametrize(
    ("seconds", "times", "code"),
    [(9e9, 1, 0), (1e10, 1, 3), (2e10, 1, 3), (1e300, 1, 3), (6e9, 2, 3)],
)
def test_a_sleep_beyond_it_never_ends(
    tmp_path: Path, seconds: float, times: int, code: int
) -> None:
    found = ended(tmp_path, Sleeps, {"seconds": seconds, "times": times})
    assert found.exit_code == code


@pytest.mark.parametrize("success", [0.0, 1e-18, 1e-300])
def test_a_pair_beyond_it_is_never_heralded(tmp_path: Path, success: float) -> None:
    entangle = {"success": success, "fidelity": 1, "attempt": "1 min"}
    assert ended(tmp_path, Entangles, {}, quantum={"entangle": entangle}).exit_code == 3
