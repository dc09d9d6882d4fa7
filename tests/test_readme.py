"""What the README shows is what happens: its programs and topologies run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import qnetem

README = Path(__file__).parent.parent / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def coin(tmp_path: Path) -> Path:
    (tmp_path / "coin.py").write_text(blocks("python")[0], encoding="utf-8")
    topology = tmp_path / "coin.yaml"
    topology.write_text(blocks("yaml")[0], encoding="utf-8")
    return topology


@pytest.mark.processes
def test_the_protocol_of_the_readme_runs_alike_as_processes_and_in_one(coin: Path) -> None:
    runs = coin.parent / "runs"
    alone = qnetem.run(coin, in_process=True, runs_folder=runs)
    apart = qnetem.run(coin, runs_folder=runs)
    assert alone.ok and apart.ok
    assert alone.digest == apart.digest
    assert len(alone.results["alice"]["bits"]) == 20
    assert alone.digest != qnetem.run(coin, seed=8, in_process=True, runs_folder=runs).digest


def test_the_faults_of_the_readme_break_the_protocol_of_the_readme(coin: Path) -> None:
    broken = coin.with_name("broken.yaml")
    broken.write_text(blocks("yaml")[0] + blocks("yaml")[1], encoding="utf-8")
    whole = qnetem.run(coin, in_process=True, runs_folder=coin.parent / "runs")
    run = qnetem.run(broken, in_process=True, runs_folder=coin.parent / "runs")
    again = qnetem.run(broken, in_process=True, runs_folder=coin.parent / "runs")
    assert run.digest == again.digest != whole.digest
    assert (run.outcome.t_ns, run.outcome.results) != (whole.outcome.t_ns, whole.outcome.results)


def test_the_test_of_the_readme_passes(coin: Path) -> None:
    (coin.parent / "test_coin.py").write_text(blocks("python")[1], encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    told = subprocess.run(command, cwd=coin.parent, capture_output=True, text=True, check=False)
    assert "1 passed" in told.stdout, told.stdout + told.stderr
