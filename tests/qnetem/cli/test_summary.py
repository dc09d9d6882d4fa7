"""The summary at the end of a run, and the progress line during it."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from qnetem.cli import main as cli
from qnetem.cli.pages.summary import as_data, nothing_ran, print_summary
from qnetem.cli.progress import ProgressLine, progress_text, states_text
from qnetem.cli.terminal import announced
from qnetem.emulator.wire.control import Problem, Progress

from ..front_door import CHAIN, ended, loaded, series

EXPECTING = CHAIN + (
    "expect:\n"
    "  bob.qber: '< 0.11'\n"
    "  bob.fidelity: \"~ teleported(pair('alice-r1'))\"\n"
    "  alice.rate: '900 .. 1100'\n"
)


def page(run: object, width: int = 80) -> str:
    file = io.StringIO()
    print_summary(run, Console(file=file, width=width))  # type: ignore[arg-type]
    return file.getvalue()


def test_the_page_has_what_a_person_looks_for(tmp_path: Path) -> None:
    run = ended(
        loaded(tmp_path, EXPECTING),
        results={"bob": {"qber": 0.021, "key_bits": 1200}, "alice": {"rate": 2000}},
        metrics={"bob.fidelity": series(0.951, 0.05, 100), "links.alice-r1.pairs": {"count": 9}},
        states={"r1": "running"},
    )
    text = page(run)
    assert text.startswith("chain  seed 7  digest 0123456789abcdef0123456789abcdef\n")
    assert "qber 0.021, key_bits 1200" in text
    assert "12.3456789 s of virtual time in 1.5 s: 30,000 instants, 20,000 instants/s" in text
    assert text.rstrip().endswith("run folder runs/chain-20260101-x")
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert rows["r1"].split() == ["r1", "repeater", "running", "-"]
    assert "< 0.11" in rows["bob.qber"] and rows["bob.qber"].rstrip().endswith("ok")
    assert "0.9510 ± 0.0050" in text
    assert "FAILED, 900 too high" in text
    assert rows["links.alice-r1.pairs"].split()[1] == "9"


def test_the_page_is_plain_and_fits_eighty_columns(tmp_path: Path) -> None:
    wide = {"bob": {"bits": "0" * 500, "[bold]markup[/bold]": [1, 2]}, "alice": {"x" * 200: 1}}
    metrics = {f"bob.{'m' * 70}{n}": series(0.5, 0.1) for n in range(40)}
    text = page(ended(loaded(tmp_path, EXPECTING), results=wide, metrics=metrics))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text
    assert not any("─" <= letter <= "╿" for letter in text)  # no box drawing
    assert "and 24 more metrics" in text


def test_results_are_never_read_as_markup(tmp_path: Path) -> None:
    run = ended(loaded(tmp_path), results={"bob": "[red]x[/red] :smile:"})
    assert "[red]x[/red] :smile:" in page(run)


def test_faults_are_listed_up_to_the_end_of_the_run(tmp_path: Path) -> None:
    text = page(ended(loaded(tmp_path)))
    assert "2 s  cut alice-r1 for 500 ms" in text
    assert "kill r1" not in text
    assert "1 fault not reached by the end of the run" in text


def test_a_fault_that_counts_nothing_shows_a_dash(tmp_path: Path) -> None:
    run = ended(loaded(tmp_path))
    [line] = [line for line in page(run).splitlines() if "cut alice-r1" in line]
    assert line.split()[-1] == "-"
    assert as_data(run)["faults"][0]["hits"] is None


def test_what_programs_record_comes_before_what_is_always_counted(tmp_path: Path) -> None:
    names = ["alice.message_latency_s", "bob.expired", "bob.qber", "links.alice-r1.pairs", "r1.x"]
    many = [f"alice.own{number:02}" for number in range(14)]
    metrics = {name: series(0.5, 0.1) for name in sorted([*names, *many])}
    lines = page(ended(loaded(tmp_path), metrics=metrics, results={"r1": {}})).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("metric "))
    shown = [line.split()[0] for line in lines[at + 1 : at + 17]]
    assert shown == [*many, "bob.qber", "r1.x"]
    assert lines[at + 17] == "and 3 more metrics (all of them: --format json)"


def test_times_are_in_the_unit_a_person_would_choose(tmp_path: Path) -> None:
    topology = loaded(tmp_path, CHAIN + "expect:\n  bob.latency_s: \"~ latency('alice-r1')\"\n")
    metrics = {"bob.latency_s": series(1.5e-4, low=1.5e-4, high=1.5e-4)}
    text = page(ended(topology, metrics=metrics))
    row = next(line for line in text.splitlines() if line.startswith("bob.latency_s"))
    assert row.split() == ["bob.latency_s", "150", "us", "~", "122.418", "us", "FAILED"]
    assert "  off by 28 us, and no spread is known: add '+- tolerance'" in text


def test_how_far_real_time_is_behind_is_one_number(tmp_path: Path) -> None:
    metrics = {"time.behind_s": series(0.0012, 0.001, 100, 0.0001, 0.03)}
    text = page(ended(loaded(tmp_path), metrics=metrics))
    assert "of virtual time in 1.5 s, 1.2 ms behind on average: 30,000 instants" in text
    assert "time.behind_s" not in text


def test_the_page_says_where_prints_went(tmp_path: Path) -> None:
    run = ended(loaded(tmp_path))
    logs = tmp_path / "run" / "logs"
    logs.mkdir(parents=True)
    (logs / "bob.1.log").write_text("one\ntwo\n")
    object.__setattr__(
        run, "result", SimpleNamespace(**vars(run.result) | {"run_folder": logs.parent})
    )
    assert f"prints in  {logs}/bob.1.log\n           bob 2 lines; shown by --show-logs\n" in page(
        run
    )


def test_a_person_at_a_terminal_reads_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ended(loaded(tmp_path, EXPECTING), results={"bob": {"qber": 0.5}})
    report = cli._Report(
        Path("chain.yaml"), cli.RunFormat.text, True, None, None, "auto", False, []
    )
    monkeypatch.setattr(cli, "seen_together", lambda: True)
    report.finished(run)
    out, err = capsys.readouterr()
    assert (out + err).count("run folder") == 1 and (out + err).count("off by 0.39") == 1
    assert "error: 3 of 3 expectations failed\n" in err
    assert err.endswith("qnetem replay runs/chain-20260101-x\n")
    monkeypatch.setattr(cli, "seen_together", lambda: False)
    report.finished(run)
    _, err = capsys.readouterr()
    assert "error: expected bob.qber < 0.11, measured 0.5 (off by 0.39)\n" in err
    assert "run folder: runs/chain-20260101-x\n" in err


def test_many_nodes_are_shortened_but_never_a_failed_one(tmp_path: Path) -> None:
    nodes = "".join(f"  n{number:03}: {{kind: endpoint}}\n" for number in range(60))
    topology = loaded(tmp_path, "name: many\nnodes:\n" + nodes)
    problem = Problem("ProgramFailed", "ValueError: no", 1, "n055", 3)
    text = page(ended(topology, states={"n055": "failed"}, problem=problem))
    assert "n055" in text and "n000" in text and "n050" not in text
    assert "and 36 more: 36 finished" in text


def test_expectations_are_not_judged_after_a_broken_run(tmp_path: Path) -> None:
    problem = Problem("StuckError", "nothing is left to happen", 3)
    text = page(ended(loaded(tmp_path, EXPECTING), problem=problem))
    assert "not judged" in text and "FAILED" not in text


def test_a_formula_is_shown_with_its_value(tmp_path: Path) -> None:
    metrics = {"bob.fidelity": series(0.96, 0.05, 100)}
    lines = page(ended(loaded(tmp_path, EXPECTING), metrics=metrics)).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("bob.fidelity"))
    assert "~ 0.957" in lines[at]  # F = 0.95 decays a little, then (2F+1)/3
    assert lines[at + 1] == "  = teleported(pair('alice-r1'))"


def test_the_object_has_the_same_keys_whatever_happened(tmp_path: Path) -> None:
    problem = Problem("StuckError", "nothing is left to happen", 3, "", 5)
    good = as_data(ended(loaded(tmp_path, EXPECTING), results={"bob": {"qber": 0.02}}))
    bad = as_data(ended(loaded(tmp_path), problem=problem))
    assert list(good) == list(bad) == list(nothing_ran(problem))
    assert good["problem"] is None
    assert bad["problem"]["kind"] == "StuckError" and bad["problem"]["time_s"] == 5e-9
    assert good["nodes"]["alice"] == {"pid": 4000, "incarnation": 1, "state": "finished"}
    assert [entry["ok"] for entry in good["expect"]] == [True, False, False]


def test_the_object_is_json_even_when_a_metric_is_not_a_number(tmp_path: Path) -> None:
    run = ended(loaded(tmp_path), metrics={"bob.x": series(math.nan, math.inf)})
    data = json.loads(json.dumps(as_data(run), allow_nan=False))
    assert data["metrics"]["bob.x"]["mean"] is None
    assert data["metrics"]["bob.x"]["count"] == 100


def _progress(t_ns: int, instants: int) -> Progress:
    nodes = {"a": "running", "b": "running", "c": "finished"}
    counters = {"links.a-b.pairs": 40.0, "links.b-c.pairs": 2.0, "messages.lost": 1.0}
    return Progress(t_ns, instants, nodes, counters)


def test_the_progress_line_says_how_far_how_fast_and_who() -> None:
    line = progress_text(_progress(1_500_000_000, 9), 8210.4)
    assert line == "1.500 s  8,210 instants/s  2 running, 1 finished  42 pairs"


def test_states_are_counted_in_a_fixed_order() -> None:
    assert states_text(["lost", "odd", "running", "lost"]) == "1 running, 2 lost, 1 odd"


def test_progress_is_drawn_on_a_terminal_and_nowhere_else() -> None:
    clock = iter([0.0, 0.5, 1.0])
    terminal, log = io.StringIO(), io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=100)
    with ProgressLine(console, lambda: next(clock)) as line:
        line(_progress(10, 100))
        line(_progress(20, 300))
    assert "200 instants/s" in terminal.getvalue() and "400 instants/s" in terminal.getvalue()
    with ProgressLine(Console(file=log)) as line:
        line(_progress(10, 100))
    assert log.getvalue() == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_what_is_being_started_until_the_run_takes_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown, file = Terminal(), io.StringIO()
    for stream in (shown, file):
        monkeypatch.setattr("sys.stderr", stream)
        with announced(Path("a\x1bnet.yaml"), in_process=False):
            during = stream.getvalue()
    assert during == "" and file.getvalue() == ""
    assert shown.getvalue().endswith("emulator, broker, nodes\r\x1b[2K")
    assert shown.getvalue().startswith("starting a")
    assert "\x1bnet" not in shown.getvalue()
