"""What a shell completes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qnetem.cli import main as cli

SHELLS = {"bash": "COMP_WORDS", "zsh": "_TYPER_COMPLETE_ARGS", "fish": "_TYPER_COMPLETE_ARGS"}


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Topologies, and two runs; a folder that is none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets" / "old").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    for name in ("coin.yaml", "nets/star.yml", "nets/old/chain.yaml", ".git/x.yaml", "coin.py"):
        (tmp_path / name).touch()
    for at, name in enumerate(("coin-1", "star-2")):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").touch()
        os.utime(folder / "run.json", (at, at))
        (folder / "topology.json").write_text(json.dumps({"nodes": {"alice": {}, f"bob{at}": {}}}))
    (tmp_path / "runs" / "no-run").mkdir()


def completed(line: str, shell: str = "bash") -> list[str]:
    """The candidates for the last word of a command line, as the shell's script asks for them."""
    words = line.split(" ")
    asked = {
        "_QNETEM_COMPLETE": f"complete_{shell}",
        SHELLS[shell]: line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = CliRunner().invoke(cli.app, [], prog_name="qnetem", env=asked)
    return [line.partition("\t")[0] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("line", "candidates"),
    [
        ("qnetem run ", ["coin.yaml", "nets/star.yml", "nets/old/chain.yaml"]),
        ("qnetem run nets/o", ["nets/old/chain.yaml"]),
        ("qnetem validate c", ["coin.yaml"]),
        ("qnetem inspect ", ["latest", "star-2", "coin-1"]),
        ("qnetem diff coin-1 s", ["star-2"]),
        ("qnetem replay latest --node b", ["bob1"]),
        ("qnetem tap coin-1 --node ", ["alice", "bob0"]),
        ("qnetem replay nowhere --node ", []),
        ("qnetem run --format ", ["text", "json"]),
        ("qnetem ins", ["inspect"]),
    ],
)
def test_files_runs_and_nodes_are_completed(line: str, candidates: list[str]) -> None:
    assert completed(line) == candidates


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_a_script_and_candidates(
    shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    script = CliRunner().invoke(cli.app, ["--show-completion", shell], prog_name="qnetem")
    assert f"complete_{shell}" in script.stdout
    assert any("star-2" in candidate for candidate in completed("qnetem inspect ", shell))
