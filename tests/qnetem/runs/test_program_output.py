"""What programs have printed: how much, where, and the lines."""

from __future__ import annotations

import json
from pathlib import Path

from qnetem.runs.program_output import output_of, printed_lines


def recorded(folder: Path) -> Path:
    """A run in which bob printed twice and was restarted, and carol printed nothing."""
    (folder / "logs").mkdir()
    nodes = {"alice": {}, "bob": {}, "carol": {}}
    (folder / "topology.json").write_text(json.dumps({"nodes": nodes}))
    for name, text in {
        "alice.1": "one\n",
        "bob.1": "two\nthree",
        "bob.2": "x\n",
        "carol.1": "",
    }.items():
        (folder / "logs" / f"{name}.log").write_text(text)
    return folder


def test_lines_are_counted_over_all_incarnations(tmp_path: Path) -> None:
    printed = printed_lines(recorded(tmp_path), ["alice", "bob", "carol"])
    assert {name: each.lines for name, each in printed.items()} == {"alice": 1, "bob": 3}
    assert [log.name for log in printed["bob"].logs] == ["bob.1.log", "bob.2.log"]


def test_each_line_stands_behind_its_nodes_name(tmp_path: Path) -> None:
    assert list(output_of(recorded(tmp_path))) == [
        "alice | one",
        "bob   | two",
        "bob   | three",
        "bob.2 | x",
    ]


def test_a_run_without_logs_has_printed_nothing(tmp_path: Path) -> None:
    assert printed_lines(tmp_path / "gone", ["alice"]) == {}
