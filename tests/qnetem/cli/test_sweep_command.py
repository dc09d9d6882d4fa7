"""`qnetem sweep` and `qnetem plot` as a user types them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from qnetem.cli import main as cli
from qnetem.cli.sweep_command import progress_text
from qnetem.sweeps.sweep import SweepProgress
from qnetem.sweeps.worker import as_data

from ..sweeps.runs import LENGTH, failing, in_place, record, written


def typed(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


@pytest.fixture
def coin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A topology whose runs take no time; those of seed 13 fail, and 99 is Ctrl-C."""

    def fake(request: Mapping[str, Any]) -> list[dict[str, Any]]:
        records = []
        for task in as_data(request).tasks:
            if task.seed == 99:
                raise KeyboardInterrupt
            records.append(failing(task) if task.seed == 13 else record(task))
        return [msgspec.to_builtins(each) for each in records]

    in_place(monkeypatch, fake)
    return written(tmp_path)


def test_a_sweep_writes_its_table_and_says_so(coin: Path) -> None:
    out = coin.with_name("out.csv")
    words = ("sweep", coin, "--set", f"{LENGTH}=1..3 km/3", "--seeds", "0..1", "--csv", out)
    result = typed(*words)
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"6 runs in {out}: " in result.stderr
    assert len(out.read_text().splitlines()) == 7
    assert "6 runs in" in typed(*words).stderr and "6 of them from before" in typed(*words).stderr


def test_without_a_file_the_table_is_the_output(coin: Path) -> None:
    result = typed("sweep", coin, "--set", f"{LENGTH}=1 km,2 km", "--workers", "1")
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{LENGTH},seed,ok,ended") and len(lines) == 3
    assert lines[1].startswith("1 km,7,true,well,0,")


def test_failed_runs_decide_the_exit_code_and_show_their_commands(coin: Path) -> None:
    result = typed("sweep", coin, "--seeds", "12..13")
    assert result.exit_code == 1 and len(result.stdout.splitlines()) == 3
    assert "1 failed:\n  ProgramFailed: alice: ValueError: no more at all\n" in result.stderr
    assert f"    qnetem run {coin} --seed 13 --in-process\n" in result.stderr


def test_a_target_that_is_not_reached_is_said(coin: Path) -> None:
    result = typed("sweep", coin, "--seeds", "0..5", "--until", "bob.qber +- 0.0001")
    assert "until bob.qber +- 0.0001: not reached at every point" in result.stderr


def test_an_interrupted_sweep_says_how_to_continue(coin: Path) -> None:
    out = coin.with_name("out.csv")
    words = ("sweep", coin, "--seeds", "0..9,99", "--workers", "1")
    result = typed(*words, "--csv", out)
    assert result.exit_code == 130
    assert f"in {out}; the same command continues" in result.stderr
    assert len(out.read_text().splitlines()) > 1
    assert "with --csv they would have been kept" in typed(*words).stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--set", "links.alice-bob.quantum.lenght=1 km"], "did you mean 'length'"),
        (["--set", "seed=1", "--seeds", "2"], "--seeds: --set has the seeds already"),
        (
            ["--set", "nodes.alice.with.rounds=1", "--set", "nodes.alice.with.rounds=2"],
            "given twice",
        ),
        (["--seeds", "x"], "expected seeds such as 0..19"),
        (["--until", "bob.qber"], "a quantity and its standard error"),
        (["--dask", "tcp://127.0.0.1:1", "--set", "seed=["], "this is not YAML"),
    ],
)
def test_wrong_words_are_wrong_input(coin: Path, words: list[str], problem: str) -> None:
    result = typed("sweep", coin, *words)
    assert result.exit_code == 2 and problem in result.stderr


def test_a_cluster_gives_the_table_of_this_machine(coin: Path) -> None:
    from distributed import LocalCluster

    plain = typed("sweep", coin, "--seeds", "0..9").stdout
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        # Workers that are threads of this process: the function that they are sent is the fake one.
        result = typed("sweep", coin, "--seeds", "0..9", "--dask", cluster.scheduler_address)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == plain and len(plain.splitlines()) == 11


def test_progress_is_one_line() -> None:
    assert progress_text(SweepProgress(0, 400, 0, 0, None)) == "0 of 400 runs"
    text = progress_text(SweepProgress(1200, 4000, 2, 7, 61.2))
    assert text == "1,200 of 4,000 runs  2 failed  about 61 s left"
    assert progress_text(SweepProgress(1, 2, 0, 0, 12_345.0)).endswith("about 3 h 26 min left")


def test_a_table_is_drawn(coin: Path) -> None:
    out, picture = coin.with_name("out.csv"), coin.with_name("fig.svg")
    typed("sweep", coin, "--set", f"{LENGTH}=1..3 km/3", "--seeds", "0..1", "--csv", out)
    words = ("plot", out, "--x", LENGTH, "--y", "bob.qber", "--theory", "x / 10")
    assert typed(*words, "-o", picture).exit_code == 0
    assert picture.read_text().startswith("<?xml")
    result = typed(*words, "-o", coin.with_name("fig.doc"))
    assert result.exit_code == 2 and "ends in .svg, .pdf or .png" in result.stderr
