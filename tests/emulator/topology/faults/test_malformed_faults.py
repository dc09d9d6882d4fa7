"""Schedules that make no sense: each is refused before anything runs, at what is to blame.

In every text "^" stands before that; it is not part of the file.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from qnetem.emulator.loading import parse_topology

from ..topologies import refusal

NET = """\
name: bad
time: {until: 10 s}
nodes:
  alice:
  bob:
  r1: {kind: repeater}
  r2: {kind: repeater}
  eve: {kind: eavesdropper, program: "x:Y"}
links:
  - {between: [alice, r1], quantum: {length: 1 km}}
  - {between: [r1, r2], quantum: {length: 1 km}}
  - {between: [r2, bob]}
"""

ENTRIES = [
    # names
    ("{at: 1 s, ^kil: r1}", "unknown fault 'kil'; did you mean 'kill'?"),
    ("at: 1 s\n    ^loss_dB: r1-r2\n    by: 3 dB", "did you mean 'loss_db'?"),
    (
        "at: 1 s\n    kill:\n      - r1\n      - ^bbo",
        "kill[1]: unknown node 'bbo'; did you mean 'bob'?",
    ),
    ("{at: 1 s, cut: ^r1-alice}", "did you mean 'alice-r1'?"),
    ("{at: 1 s, kill: r1, ^5: 3}", "unknown key '5' for kill"),
    ("{at: 1 s, cut: r1-r2, ^probability: 0.5}", "unknown key 'probability' for cut"),
    ("{at: 1 s, eavesdrop: r1-r2, by: ^evw}", "unknown node 'evw'; did you mean 'eve'?"),
    ("{at: 1 s, eavesdrop: r1-r2, by: eve, classical: ^tapp}", "did you mean 'tap'?"),
    # quantities
    ("{at: ^1, kill: r1}", "1 has no unit"),
    ("{at: ^null, kill: r1}", "found nothing"),
    ("{at: ^1e30 s, kill: r1}", "at most 292 years"),
    ("{at: 1 s, for: ^-5 ms, cut: r1-r2}", "(more than 0 ns), found '-5 ms'"),
    ("{every: ^0 s, cut: r1-r2}", "faults[0].every: expected a time"),
    ("{at: 1 s, loss: r1-r2, probability: ^3 dB}", "'3 dB' is a loss"),
    ("{at: 1 s, loss: r1-r2, probability: ^.nan}", "expected a probability"),
    ("{at: 1 s, bandwidth: r1-r2, to: ^9600 Hz}", "'9600 Hz' is a frequency"),
    ("{at: 1 s, clock_skew: r1, ppm: ^1e9}", "from -100000 to 100000"),
    ("^{at: 1 s, clock_skew: r1}", "expected 'offset' or 'ppm', or both"),
    # shape
    ("^~", "expected a mapping such as"),
    ("^{}", "no fault is named"),
    ("{at: 1 s, kill: r1, ^at: 2 s}", "'at' stands twice"),
    ("{at: 1 s, kill: r1, ^kill: r2}", "'kill' stands twice"),
    # targets
    ("{at: 1 s, ^kill: {}}", "found an empty mapping"),
    ("{at: 1 s, kill: {kind: ^null}}", "expected one of endpoint, repeater"),
    ("{at: 1 s, kill: {^kind: [repeater]}}", "found a list"),
    (
        "{at: 1 s, cut: {node: ^null}}",
        "unknown node 'null'; expected one of alice, bob, r1, r2, eve",
    ),
    ("{at: 1 s, cut: {node: ^3}}", "found 3"),
    ("{at: 1 s, kill: {name: ^3}}", "expected a pattern such as 'r*', found 3"),
    ("{at: 1 s, kill: {kind: repeater, pick: ^120 %}}", "kill.pick: a share of those that fit"),
    ("{at: 1 s, ^kill: {name: 'z*'}}", "no node fits name z*"),
    ("{at: 1 s, kill: [^{kind: repeater}]}", "found a mapping"),
    ("{at: 1 s, blind: ^all}", "unknown node or link 'all'"),
    (
        "{at: 1 s, partition: [[alice, ^rr1], [bob]]}",
        "partition[0][1]: unknown node 'rr1'; did you mean",
    ),
    ("{at: 1 s, partition: [[alice, r1], [bob, ^r1]]}", "'r1' stands twice"),
    ("{at: 1 s, partition: [[alice], ^[]]}", "found an empty group"),
    ("{at: 1 s, ^partition: []}", "found an empty list"),
    # ids
    ("{at: 1 s, cut: r1-r2, id: ^a b}", "'a b' cannot name a fault"),
    ("{at: 1 s, cut: r1-r2, ^id: [a]}", "a list cannot name a fault"),
    ("{at: 1 s, cut: r1-r2, id: ^true}", "true cannot name a fault"),
    ("{at: 1 s, cut: r1-r2, id: ^all}", "'all' means all faults: expected another name"),
    ("{at: 1 s, cut: r1-r2, id: ^live.7}", "faults that are added to a run under way"),
    # the dead
    ("^{every: 1 s, kill: {kind: repeater}, restart: 1 s}", "it is back only at 2 s"),
    ("{at: 1 s, kill: all, restart: 2 s}\n  - ^{at: 2 s, kill: 10 %}", "it is back only at 3 s"),
    (
        "{at: 1 s, kill: r1}\n  - {at: 2 s, restart: r1, after: 1 s}\n  - ^{at: 3 s, kill: r1}",
        "after the restart",
    ),
    (
        "{at: 1 s, kill: r1, restart: 5 s}\n  - {at: 2 s, restart: r1}\n  - ^{at: 4 s, kill: r1}",
        "after the kill at 1 s in line 14 it is back only at 6 s",
    ),
    # aliases
    ("&k {at: 1 s, kill: r1}\n  - ^*k", "it is dead: after the kill at 1 s in line 14"),
    ("{at: 1 s, cut: &t r1-r2}\n  - {at: 1 s, kill: ^*t}", "faults[1].kill: unknown node 'r1-r2'"),
    ("&k {at: 1 s, cut: r1-r2}\n  - {<<: *k, restart: ^1 s}", "cut and restart are two faults"),
    ("&k {at: ^-1 s, cut: r1-r2}\n  - {<<: *k, only: quantum}", "found '-1 s'"),
    (
        "{at: 1 s, cut: r1-r2, id: x}\n  - {at: 2 s, cut: r1-r2, id: ^x}",
        "another fault is called 'x'",
    ),
    ("{at: 1 s, cut: r1-r2, id: '1'}\n  - ^{at: 2 s, cut: r1-r2}", "another fault is called '1'"),
]


def marked(text: str) -> tuple[str, tuple[int, int]]:
    """A text without its mark, and where the mark stood."""
    before, _, after = text.partition("^")
    return before + after, (before.count("\n") + 1, len(before) - before.rfind("\n"))


@pytest.mark.parametrize(("entries", "said"), ENTRIES)
def test_a_malformed_schedule_is_refused_at_what_is_to_blame(entries: str, said: str) -> None:
    text, place = marked(f"{NET}faults:\n  - {entries}\n")
    error = refusal(text)
    assert said in error.problem
    assert (error.line, error.column) == place


def test_a_restart_of_what_is_being_restarted_does_not_bring_it_back_sooner() -> None:
    entries = "[{at: 1 s, kill: r1, restart: 5 s}, {at: 2 s, restart: r1}, {at: 7 s, kill: r1}]"
    assert len(parse_topology(f"{NET}faults: {entries}\n").faults) == 3


@pytest.mark.parametrize("command", [["run"], ["validate"], ["schedule"]])
def test_nothing_runs_and_the_exit_code_is_2(command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(f"{NET}faults:\n  - {{at: 1 s, kill: {{kind: [repeater]}}}}\n")
    ran = subprocess.run(
        [sys.executable, "-m", "qnetem", *command, str(file)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2, ran.stderr
    assert f"{file}:14:22: faults[0].kill.kind: expected one of" in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"], "no run folder"
