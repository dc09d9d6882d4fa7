"""The command runs what is named, prints tables, and writes JSON and a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import run
from suite.measure import Plan, grown, measured
from suite.results import Result, read


def _rounds(plan: Plan) -> list[Result]:
    return [grown("rounds", "rounds/s", ("nodes", (2, 4)), {"ours": float}, plan)]


def _start(plan: Plan) -> list[Result]:
    return [measured("start", "s", {"ours": lambda: 1.5}, plan)]


def _broken(plan: Plan) -> list[Result]:
    raise RuntimeError("exit code 70")


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    small: dict[str, Callable[[Plan], list[Result]]] = {
        "rounds": _rounds,
        "start": _start,
        "broken": _broken,
    }
    monkeypatch.setattr(run, "BENCHMARKS", small)


def test_named_benchmarks_are_printed_written_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'qnetem[plot]'")
    data, picture = tmp_path / "all.json", tmp_path / "all.svg"
    run.main(["--runs", "2", "--json", str(data), "--plot", str(picture), "rounds", "start"])
    output = capsys.readouterr().out
    assert "rounds, rounds/s\n  nodes" in output and "start, s\n" in output
    report = read(data)
    assert list(report.benchmarks) == ["rounds", "start"]
    assert report.runs == 2 and report.machine.cores >= 1
    assert {"qnetem", "numpy", "msgspec"} <= set(report.machine.versions)
    assert picture.read_text(encoding="utf-8").startswith("<?xml")


def test_a_folder_gets_a_file_for_each_benchmark(tmp_path: Path) -> None:
    run.main(["--runs", "1", "--json", str(tmp_path), "rounds", "start"])
    assert {path.name for path in tmp_path.iterdir()} == {"rounds.json", "start.json"}
    assert list(read(tmp_path / "start.json").benchmarks) == ["start"]


def test_what_was_measured_before_a_failure_is_written(tmp_path: Path) -> None:
    data = tmp_path / "all.json"
    with pytest.raises(RuntimeError, match="exit code 70"):
        run.main(["--runs", "1", "--json", str(data), "start", "broken", "rounds"])
    assert list(read(data).benchmarks) == ["start"]


def test_nothing_that_grows_is_no_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'qnetem[plot]'")
    with pytest.raises(SystemExit) as ended:
        run.main(["--runs", "1", "--plot", str(tmp_path / "x.svg"), "start"])
    assert "nothing that was measured grows" in str(ended.value)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["lockstp"], "no benchmark is called lockstp: rounds, start, broken"),
        (["--runs", "0"], "--runs: expected 1 or more, not 0"),
        (["--json", "no/such/folder.json"], "there is no folder no/such"),
        (["--plot", "growth.txt"], "ends in .svg, .pdf or .png"),
    ],
)
def test_wrong_words_are_refused_before_anything_runs(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(words)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err
