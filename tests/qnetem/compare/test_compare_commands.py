"""`qnetem diff` and `qnetem replay`, as a user types them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import content

from ..trouble import typed_here
from .test_replay import PROGRAMS, TOPOLOGY


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with programs, a changed one, and two runs of two seeds: `seven` and `eight`."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "programs.py").write_text(PROGRAMS)
    (folder / "new.py").write_text(PROGRAMS.replace("len(bits)}", "len(bits) % 4}"))
    (folder / "pair.yaml").write_text(TOPOLOGY)
    for seed, name in ((7, "seven"), (8, "eight")):
        words = ("run", "pair.yaml", "--in-process", "--seed", str(seed), "--runs", "runs")
        assert typed_here(folder, *words).code == 0
        (made,) = (folder / "runs").iterdir()
        made.rename(folder / name)
    return folder


def shell(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qnetem", *words],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        check=False,
    )


def test_diff_says_the_seeds_first_and_then_the_first_event(lab: Path) -> None:
    result = typed_here(lab, "diff", "seven", "eight", COLUMNS="80")
    lines = result.stdout.splitlines()
    assert result.code == 1 and result.stderr == ""
    assert lines[0].startswith("A  seven  digest ") and lines[1].startswith("B  eight  digest ")
    assert lines[3] == "the seeds differ: 7 and 8"
    assert lines[5].startswith("first difference at ")
    assert any(line.startswith(("A>", "B>")) for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_diff_of_a_run_with_itself_is_zero(lab: Path) -> None:
    result = typed_here(lab, "diff", "seven", "seven/journal.jsonl.gz")
    assert result.code == 0
    assert result.stdout.splitlines()[-1].startswith("the same: ")


def test_diff_as_json_is_one_object(lab: Path) -> None:
    result = typed_here(lab, "diff", "seven", "eight", "--format", "json")
    data = json.loads(result.stdout)
    assert result.code == 1 and result.stdout.count("\n") == 1
    assert data["same"] is False and data["settings"][0] == {
        "kind": "seed",
        "name": "seed",
        "a": 7,
        "b": 8,
    }
    first = data["first"]
    present = first["a"] or first["b"]
    assert (present["t_ns"], present["entity"]) == (first["t_ns"], first["entity"])
    there = "seven" if first["a"] else "eight"
    line = content(lab / there / "journal.jsonl.gz").splitlines(keepends=True)[present["line"] - 1]
    assert json.loads(line)[:2] == [first["t_ns"], first["m"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("diff", "seven", "nine"), "there is no run 'nine' here or in runs"),
        (("diff", "seven", "."), ". is not the folder of a run: it has no topology.json"),
        (
            ("diff", "seven", "pair.yaml"),
            "pair.yaml:1: expected [t_ns, m, entity, kind, ...fields]",
        ),
        (("replay", "nine"), "there is no run 'nine' here or in runs"),
        (("replay", "seven", "--program", "./new.py:Bob"), "need --node"),
        (("replay", "seven", "--node", "bbo"), "no node 'bbo'; did you mean 'bob'?"),
        (("replay", "seven", "--node", "bob", "--program", "./none.py:Bob"), "there is no file"),
        (("replay", "seven", "--broker", "mosquitto"), "an in-process replay has no broker"),
        (
            ("replay", "seven/journal.jsonl.gz", "--node", "bob", "--incarnation", "2"),
            "expected one of 1",
        ),
    ],
)
def test_wrong_input_is_two_and_one_line(lab: Path, words: tuple[str, ...], said: str) -> None:
    result = typed_here(lab, *words)
    assert (result.code, result.stdout) == (2, "")
    assert said in result.stderr and result.stderr.count("\n") == 1


def test_replay_of_an_unchanged_run_is_zero(lab: Path) -> None:
    done = typed_here(lab, "replay", "seven", "--runs", "again")
    assert done.code == 0, done.stderr
    assert done.stdout.startswith("the same: ") and "digest" in done.stdout


def test_replay_of_one_node_needs_no_other(lab: Path) -> None:
    done = typed_here(lab, "replay", "seven", "--node", "carol", "--incarnation", "2")
    assert done.code == 0, done.stderr
    assert "carol.2 of seven" in done.stdout and "does the same to the end: " in done.stdout


def test_replay_of_a_changed_program_stops_at_the_first_difference(lab: Path) -> None:
    done = typed_here(lab, "replay", "seven", "--node", "bob", "--program", "./new.py:Bob")
    assert done.code == 1, done.stderr
    told = [line.split(None, 1) for line in done.stdout.splitlines() if line.startswith("     ")]
    assert ["recorded", 'to alice, kind next, 10 bytes: {"done":4}'] in told
    assert ["now", 'to alice, kind next, 10 bytes: {"done":0}'] in told


def test_what_a_replayed_program_prints_is_no_result(lab: Path) -> None:
    loud = PROGRAMS.replace("bits = []", 'bits = []; print("loud")')
    (lab / "loud.py").write_text(loud)
    words = ("--node", "bob", "--program", "./loud.py:Bob", "--format", "json")
    done = typed_here(lab, "replay", "seven", *words)
    data = json.loads(done.stdout)
    assert (done.code, done.stderr) == (0, "loud\n")
    assert data["same"] is True and data["differences"] == [] and data["ended"] is True


def test_a_replay_that_differs_names_the_file_that_has_changed(tmp_path: Path) -> None:
    (tmp_path / "programs.py").write_text(PROGRAMS)
    (tmp_path / "pair.yaml").write_text(TOPOLOGY)
    assert typed_here(tmp_path, "run", "pair.yaml", "--in-process").code == 0
    (run,) = (tmp_path / "runs").iterdir()
    (tmp_path / "programs.py").write_text(PROGRAMS.replace('measure("X")', 'measure("Z")'))
    whole = typed_here(tmp_path, "replay", str(run), "--format", "json")
    data = json.loads(whole.stdout)
    assert whole.code == 1 and data["same"] is False
    assert data["first"]["a"]["kind"] == "operation"
    assert [Path(setting["name"]).name for setting in data["settings"]] == ["programs.py"]
    alone = typed_here(tmp_path, "replay", str(run), "--node", "alice")
    assert alone.code == 1
    assert alone.stderr == f"changed since the run: {tmp_path / 'programs.py'}\n"


def test_a_failing_run_says_the_command_that_replays_it_and_that_does(tmp_path: Path) -> None:
    failing = PROGRAMS.replace('return {"bits": bits}', "raise ValueError(bits)", 1)
    (tmp_path / "programs.py").write_text(failing)
    (tmp_path / "pair.yaml").write_text(TOPOLOGY)
    done = shell(tmp_path, "run", "pair.yaml", "--in-process")
    assert done.returncode == 1
    command = done.stderr.splitlines()[-1].removeprefix("replay:     ").split()
    assert command[:2] == ["qnetem", "replay"]
    again = shell(tmp_path, *command[1:])
    assert again.returncode == 0 and again.stdout.startswith("the same: ")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("outcome.json", '{"digest": "x"}'),
        ("outcome.json", '{"digest": "x", "nodes": 3}'),
        ("outcome.json", "{"),
        ("topology.json", '{"name": "x", "seed": 1, "nodes": {"alice": 7}}'),
        ("topology.json", "{}"),
    ],
)
def test_a_record_that_was_written_over_is_named_by_inspect(
    file: str, text: str, lab: Path, tmp_path: Path
) -> None:
    shutil.copytree(lab / "seven", tmp_path / "spoiled")
    (tmp_path / "spoiled" / file).write_text(text)
    result = typed_here(lab, "inspect", str(tmp_path / "spoiled"))
    assert result.code == 2 and f"{file}" in result.stderr, result
    assert "bug" not in result.stderr
