"""`--set` on the command line, and `overrides=` in Python: checked like the file, kept in the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

import qnetem
from qnetem.cli import main as cli
from qnetem.emulator.fixed_environment import FIXED_ENVIRONMENT as FIXED
from qnetem.text.error_output import reproduce

if TYPE_CHECKING:
    from qnetem.pytest_plugin import LaunchNetwork, RunNetwork

PROGRAMS = """\
from qnetem import Agent


class Alice(Agent):
    async def run(self, rounds: int = 3):
        return {"rounds": rounds}
"""
PAIR = """\
name: pair
seed: 7
nodes:
  alice: {program: "./programs.py:Alice", with: {rounds: 5}}
  bob: {program: "./programs.py:Alice"}
links:
  - {between: [alice, bob], quantum: {length: 10 km}}
expect: {alice.rounds: "== 5"}
"""
LENGTH = "links.alice-bob.quantum.length"


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in FIXED.items():  # as if the process had been replaced already
        monkeypatch.setenv(name, value)
    (tmp_path / "programs.py").write_text(PROGRAMS, encoding="utf-8")
    path = tmp_path / "pair.yaml"
    path.write_text(PAIR, encoding="utf-8")
    return path


def typed(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def test_a_run_uses_records_and_repeats_its_overrides(pair: Path) -> None:
    runs = pair.parent / "runs"
    sets = ["--set", f"{LENGTH}=40 km", "--set", "nodes.alice.with.rounds=6"]
    result = typed("run", pair, "--in-process", "--runs", runs, *sets)
    assert result.exit_code == 1  # alice.rounds is 6 now
    command = f"qnetem run {pair} --seed 7 --in-process --set '{LENGTH}=40 km' --set "
    assert f"reproduce:  {command}nodes.alice.with.rounds=6\n" in result.stderr
    (folder,) = runs.iterdir()
    topology = json.loads((folder / "topology.json").read_text())
    assert topology["links"]["alice-bob"]["quantum"]["length_km"] == 40.0
    assert topology["nodes"]["alice"]["options"] == {"rounds": 6}
    assert json.loads((folder / "run.json").read_text())["overrides"] == sets[1::2]


@pytest.mark.parametrize("command", ["run", "validate", "graph", "schedule"])
def test_every_command_with_a_topology_names_a_wrong_override(pair: Path, command: str) -> None:
    result = typed(command, pair, "--set", "links.alice-bob.quantum.lenght=40 km")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "error: --set links.alice-bob.quantum.lenght=40 km: links[0].quantum: unknown key 'lenght'; "
        "did you mean 'length'?"
    )


def test_what_programs_and_expectations_refuse_names_the_override(pair: Path) -> None:
    result = typed("validate", pair, "--set", "nodes.bob.with.rond=3")
    assert result.exit_code == 2
    assert "--set nodes.bob.with.rond=3: node bob: " in result.stderr
    assert "did you mean 'rounds'?" in result.stderr
    result = typed("validate", pair, "--set", "expect.alice.rounds=~ lenght('alice-bob')")
    assert "--set expect.alice.rounds=~ lenght('alice-bob'): expect alice.rounds" in result.stderr


def test_graph_validate_and_schedule_show_the_overridden_topology(pair: Path) -> None:
    assert "40 km" in typed("graph", pair, "--set", f"{LENGTH}=40 km").stdout
    fault = "faults=[{at: 1 s, for: 1 s, cut: alice-bob}]"
    assert "1 fault," in typed("validate", pair, "--set", fault).stdout
    assert "cut alice-bob" in typed("schedule", pair, "--set", fault).stdout


def test_a_frozen_file_takes_no_overrides(pair: Path) -> None:
    out = pair.parent / "out.yaml"
    result = typed("schedule", pair, "--freeze", out, "--set", "seed=3")
    assert result.exit_code == 2 and not out.exists()
    assert "--freeze keeps the file as it is" in result.stderr


def test_the_command_that_reproduces_can_be_pasted_with_overrides() -> None:
    command = reproduce("n.yaml", 3, sets=[f"{LENGTH}=40 km", "seed=3"])
    assert command == f"qnetem run n.yaml --seed 3 --set '{LENGTH}=40 km' --set seed=3"


async def test_a_launched_network_takes_overrides(
    pair: Path, launch_network: LaunchNetwork
) -> None:
    overrides = {"nodes.alice.with.rounds": 9}
    async with launch_network(pair, overrides=overrides) as launched:
        run = await launched.finished()
    assert run.results["alice"] == {"rounds": 9}
    assert launched.topology.overrides == ("nodes.alice.with.rounds=9",)


def test_run_and_the_fixture_take_overrides(pair: Path, network: RunNetwork) -> None:
    overrides = {"nodes.alice.with.rounds": 9}
    run = qnetem.run(pair, overrides=overrides, in_process=True, runs_folder=pair.parent / "runs")
    assert run.results["alice"] == {"rounds": 9}
    assert network(pair, overrides=overrides).digest == run.digest
