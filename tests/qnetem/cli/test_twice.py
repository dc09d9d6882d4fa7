"""`qnetem run --twice` finds what depends on more than the seed, and lets the rest pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qnetem.processes import environment as ours

PROGRAMS = """
import os
from qnetem import Agent


class Thing:
    pass


class Honest(Agent):
    async def run(self):
        self.record("draw", int(self.rng.integers(1 << 30)))
        return sorted({"red", "green", "blue", "white"})


class Words(Agent):
    async def run(self):
        self.record("order", list({"red", "green", "blue", "white"}))


class Objects(Agent):
    async def run(self):
        things = [Thing() for _ in range(8)]
        self.record("order", [things.index(thing) for thing in set(things)])


class Addresses(Agent):
    async def run(self):
        self.record("addresses", id(object()) - id(Thing()))
"""


def twice(folder: Path, nodes: dict[str, str], *words: str) -> tuple[int, str, str]:
    (folder / "programs.py").write_text(PROGRAMS)
    listed = "".join(f"  {name}: {{program: ./programs.py:{nodes[name]}}}\n" for name in nodes)
    (folder / "t.yaml").write_text(f"name: t\nseed: 5\nnodes:\n{listed}")
    ended = subprocess.run(
        [sys.executable, "-m", "qnetem", "run", "t.yaml", "--twice", *words],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_the_order_of_sets_and_addresses_are_found_and_where(tmp_path: Path) -> None:
    nodes = {"bob": "Words", "carol": "Objects", "dave": "Addresses", "alice": "Honest"}
    code, output, said = twice(tmp_path, nodes, "--in-process", "--format", "json")
    data: dict[str, Any] = json.loads(output)
    assert code == 1, said
    assert (data["same"], data["digest"]) == (False, None)
    first = data["first"]
    assert (first["t_ns"], first["entity"], first["a"]["kind"]) == (0, "bob", "note")
    assert sorted([first["entity"], *first["others"]]) == ["bob", "carol", "dave"]
    assert "does not decide" in said


@pytest.mark.processes
def test_an_honest_program_passes_with_the_digest_that_it_has_without(
    tmp_path: Path, mosquitto: str
) -> None:
    code, output, said = twice(tmp_path, {"alice": "Honest"}, "--seed", "9")
    assert code == 0, said
    folders = sorted((tmp_path / "runs").iterdir())
    digests = [json.loads((each / "outcome.json").read_text())["digest"] for each in folders]
    assert len(digests) == 2 and digests[0] == digests[1]
    assert f"twice the same digest: {digests[0]}" in output


def test_what_keeps_it_from_running_is_told_once(tmp_path: Path) -> None:
    code, output, said = twice(tmp_path, {"alice": "Missing"}, "--format", "json", "--in-process")
    assert code == 2
    assert json.loads(output)["problem"]["kind"]
    assert said.count("it has no 'Missing'") == 1
    assert "second run" not in said


def test_the_second_run_is_set_up_differently_by_the_launcher_alone() -> None:
    outer = {**os.environ, ours.OTHERWISE_VARIABLE: "1"}
    differs = {k for k, v in ours.environment(outer).items() if ours.environment({}).get(k) != v}
    assert set(ours.OTHERWISE) <= differs
    assert ours.OTHERWISE_VARIABLE not in ours.environment(outer)
    assert ours.environment(outer)["PYTHONHASHSEED"] != ours.FIXED_ENVIRONMENT["PYTHONHASHSEED"]
