"""Where two journals part: the earliest instant at which any entity's events differ, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.cli.pages.diff_page import as_data, exact_time
from qnetem.compare.diff import Comparison, compare
from qnetem.emulator.errors import InputError
from qnetem.emulator.record.journal import Journal
from qnetem.runs.events import Lines, digest_of, last_instant
from qnetem.runs.recorded import open_run

Row = tuple[Any, ...]

ROWS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(0, 1),
        st.sampled_from(["alice", "bob", 'a "quoted", name', "žofie"]),
        st.sampled_from(["sent", "note"]),
        st.sampled_from([0, 1, True, 1.0, None, [1, {"x": 2}]]),
    ),
    max_size=12,
).map(lambda rows: sorted(rows, key=lambda row: row[:2]))


def line(row: Row) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def write(path: Path, rows: list[Row]) -> Path:
    path.write_bytes(b"".join(map(line, rows)))
    return path


def compared(folder: Path, a: list[Row], b: list[Row]) -> Comparison:
    paths = [write(folder / f"{name}.jsonl", rows) for name, rows in (("a", a), ("b", b))]
    return compare(*map(open_run, paths))


def first_instant(a: list[Row], b: list[Row]) -> tuple[tuple[int, int], set[str]] | None:
    """Said plainly: the first instant at which an entity's events differ, and all such entities."""
    for instant in sorted({row[:2] for row in a + b}):
        differing = {
            row[2]
            for row in a + b
            if [line(r) for r in a if (*r[:2], r[2]) == (*instant, row[2])]
            != [line(r) for r in b if (*r[:2], r[2]) == (*instant, row[2])]
        }
        if differing:
            return instant, differing
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journals")


@settings(deadline=None)
@given(a=ROWS, b=ROWS, shared=ROWS)
def test_the_first_instant_is_found_and_everybody_who_differs_there(
    folder: Path, a: list[Row], b: list[Row], shared: list[Row]
) -> None:
    a = [*shared, *((row[0] + 5, *row[1:]) for row in a)]
    b = [*shared, *((row[0] + 5, *row[1:]) for row in b)]
    comparison = compared(folder, a, b)
    first, expected = comparison.first, first_instant(a, b)
    if expected is None:
        assert first is None and comparison.same
        assert (comparison.events, comparison.a.digest) == (len(a), comparison.b.digest)
        assert comparison.instants == len({row[:2] for row in a})
    else:
        assert first is not None and not comparison.same
        assert first.instant == expected[0]
        assert {first.entity, *first.others} == expected[1]
        assert comparison.instants == len({row[:2] for row in a if row[:2] < first.instant})
        assert comparison.a.digest != comparison.b.digest
    json.dumps(as_data(comparison), allow_nan=False)


@settings(deadline=None)
@given(rows=ROWS, data=st.data())
def test_the_order_of_entities_inside_an_instant_is_nothing(
    folder: Path, rows: list[Row], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(rows))
    place = {id(row): index for index, row in enumerate(rows)}
    mixed = sorted(shuffled, key=lambda row: row[:2])
    for entity in {row[2] for row in rows}:  # but each entity keeps the order of its own events
        own = sorted((row for row in rows if row[2] == entity), key=lambda row: place[id(row)])
        where = [index for index, row in enumerate(mixed) if row[2] == entity]
        for index, row in zip(where, own, strict=True):
            mixed[index] = row
    comparison = compared(folder, rows, mixed)
    assert comparison.same and comparison.a.digest == comparison.b.digest


@settings(deadline=None)
@given(rows=ROWS)
def test_a_journal_alone_has_the_digest_of_its_run(folder: Path, rows: list[Row]) -> None:
    clock = SimpleNamespace(now_ns=0, m=0)
    journal = Journal(clock, folder / "run.jsonl")
    for t_ns, m, *event in rows:
        clock.now_ns, clock.m = t_ns, m
        journal.event(*event)
    journal.close()
    assert digest_of(folder / "run.jsonl") == journal.digest()
    assert last_instant(folder / "run.jsonl") == (rows[-1][:2] if rows else (0, 0))


START = [(0, 0, "alice", "sent", 1), (0, 0, "bob", "sent", 1), (5, 0, "bob", "note", "x", 1)]


def test_the_event_is_named_with_its_place_and_what_is_around_it(tmp_path: Path) -> None:
    a = [*START, (7, 1, "bob", "end", {"bits": [0, 1], "qber": 0.1}), (9, 0, "alice", "end", 1)]
    b = [*START, (7, 1, "bob", "end", {"bits": [0, 0], "qber": 0.1}), (9, 0, "alice", "end", 2)]
    first = compared(tmp_path, a, b).first
    assert first is not None and first.a is not None and first.b is not None
    assert (first.instant, first.entity, first.a.number) == ((7, 1), "bob", 4)
    assert first.place == ("field 1.bits[1]", 1, 0)
    assert [event.number for event in first.before] == [1, 2, 3]
    assert [event.fields for event in first.after_a + first.after_b] == [(1,), (2,)]


def test_of_several_differences_at_an_instant_the_one_that_was_made_first_is_named(
    tmp_path: Path,
) -> None:
    a = [*START, (7, 0, "link", "herald", 1), (7, 0, "alice", "result", 1)]
    b = [*START, (7, 0, "link", "herald", 2), (7, 0, "alice", "result", 2)]
    first = compared(tmp_path, a, b).first
    assert first is not None and (first.entity, first.others) == ("link", ["alice"])


def test_what_only_one_has_is_said_to_be_missing_in_the_other(tmp_path: Path) -> None:
    more = [*START, (7, 0, "bob", "end", 1)]
    first = compared(tmp_path, START, more).first
    assert first is not None and first.a is None and first.b is not None
    assert (first.over_a, first.over_b) == (True, False)
    late = compared(tmp_path, [*START, (8, 0, "bob", "end", 1)], more).first
    assert late is not None and late.instant == (7, 0) and not late.over_a


def test_one_and_true_are_two_values(tmp_path: Path) -> None:
    first = compared(tmp_path, [(0, 0, "a", "note", [1])], [(0, 0, "a", "note", [True])]).first
    assert first is not None and first.place == ("field 1[0]", 1, True)


def test_a_last_line_that_was_never_finished_is_no_event_and_that_is_said(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.jsonl", START)
    cut = tmp_path / "b.jsonl"
    cut.write_bytes(whole.read_bytes() + line((7, 0, "bob", "end", 1))[:9])
    comparison = compare(open_run(whole), open_run(cut))
    assert comparison.same and comparison.events == 3
    assert comparison.notes == [f"{cut} ends within a line: compared up to there"]


@pytest.mark.parametrize(
    ("text", "number", "found"),
    [
        (
            b"import asyncio\n",
            1,
            "expected [t_ns, m, entity, kind, ...fields], found 'import asyncio'",
        ),
        (b"garbage without an end", 1, "found 'garbage without an end'"),
        (b"\x00\xff\xfe\n", 1, "expected [t_ns, m, entity"),
        (line(START[0]) + b"{}\n", 2, "found '{}'"),
        (line(START[2]) + line(START[0]), 2, "goes back in time, from (5, 0) to (0, 0)"),
        (b'[0,0,"alice"]\n', 1, """found '[0,0,"alice"]'"""),
        (b"[0,0,\xff]\n", 1, "expected [t_ns, m, entity"),
    ],
)
def test_a_file_that_is_no_journal_is_refused_by_its_line(
    tmp_path: Path, text: bytes, number: int, found: str
) -> None:
    path, other = tmp_path / "x.jsonl", write(tmp_path / "ok.jsonl", START)
    path.write_bytes(text)
    with pytest.raises(InputError) as caught:
        compare(open_run(other), open_run(path))
    assert str(caught.value).startswith(f"{path}:{number}: ") and found in str(caught.value)


def test_two_equal_files_that_are_no_journals_are_not_the_same_run(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("no journal\nat all\n")
    with pytest.raises(InputError, match=r"x\.jsonl:1"):
        compare(open_run(path), open_run(path))


def test_lines_know_their_number_and_instant(tmp_path: Path) -> None:
    with Lines(write(tmp_path / "x.jsonl", START)) as lines:
        seen = []
        while lines.line is not None:
            seen.append((lines.number, lines.instant, lines.instants))
            lines.advance()
    assert seen == [(1, (0, 0), 1), (2, (0, 0), 1), (3, (5, 0), 2)]


@pytest.mark.parametrize(
    ("t_ns", "m", "text"),
    [
        (0, 0, "0 ns"),
        (999, 0, "999 ns"),
        (3_750_000, 0, "3.75 ms"),
        (12_345_678_901, 2, "12.345678901 s +2"),
        (1_000, 0, "1 us"),
    ],
)
def test_an_instant_is_shown_with_every_digit(t_ns: int, m: int, text: str) -> None:
    assert exact_time(t_ns, m) == text


# --- run folders ----------------------------------------------------------------------------------


def run_folder(path: Path, rows: list[Row] | None, **files: Any) -> Path:
    """A folder as a run leaves it."""
    path.mkdir()
    if rows is not None:
        write(path / "journal.jsonl", rows)
    for name, data in {"topology": {"seed": 7, "record": "full"}, **files}.items():
        (path / f"{name}.json").write_text(json.dumps(data))
    return path


def test_seeds_come_first_then_versions_programs_and_topology(tmp_path: Path) -> None:
    nodes = {"alice": {"memory": {"slots": 4}}}
    a = run_folder(
        tmp_path / "a",
        START,
        topology={"seed": 7, "nodes": nodes, "expect": {"x": "1"}, "time": {"mode": "real"}},
        versions={"numpy": "2.1.0", "stim": "1.16"},
        programs={"/p.py": "aa", "/only-a.py": "bb"},
    )
    b = run_folder(
        tmp_path / "b",
        START,
        topology={
            "seed": 8,
            "nodes": {"alice": {"memory": {"slots": 5}}, "bob": {"x": 1}},
            "time": {"mode": "virtual"},
        },
        versions={"numpy": "2.2.0", "stim": "1.16"},
        programs={"/p.py": "cc"},
    )
    found = [tuple(setting) for setting in compare(open_run(a), open_run(b)).settings]
    assert found == [
        ("seed", "seed", 7, 8),
        ("version", "numpy", "2.1.0", "2.2.0"),
        ("program", "/p.py", "aa", "cc"),
        ("topology", "nodes.alice.memory.slots", 4, 5),
        ("topology", "nodes.bob", None, {"x": 1}),
    ]


def test_a_run_without_a_journal_is_compared_by_its_digest_and_that_is_said(tmp_path: Path) -> None:
    hashes = {"seed": 7, "record": "hashes"}
    digest = digest_of(write(tmp_path / "j.jsonl", START))
    a = run_folder(tmp_path / "a", START)
    b = run_folder(tmp_path / "b", None, topology=hashes, outcome={"digest": digest})
    c = run_folder(tmp_path / "c", None, topology=hashes, outcome={"digest": "0"})
    assert compare(open_run(a), open_run(b)).same
    differs = compare(open_run(a), open_run(c))
    assert not differs.same and differs.first is None
    assert "`record: hashes`" in differs.notes[0]


def test_a_run_without_journal_and_outcome_cannot_be_compared(tmp_path: Path) -> None:
    a = run_folder(tmp_path / "a", None)
    with pytest.raises(InputError, match=r"has no journal\.jsonl\.gz, and it was broken off"):
        compare(open_run(a), open_run(a))


def test_a_journal_that_is_not_as_its_run_left_it_is_not_trusted(tmp_path: Path) -> None:
    outcome = {"digest": digest_of(write(tmp_path / "j.jsonl", START))}
    a = run_folder(tmp_path / "a", START, outcome=outcome)
    b = run_folder(tmp_path / "b", START[:2], outcome=outcome)
    comparison = compare(open_run(a), open_run(b))
    assert not comparison.same
    assert "a journal is not as the run left it" in comparison.notes[0]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("topology.json", "{", "topology.json: expected a JSON object"),
        ("outcome.json", "{}", "outcome.json: expected a digest, found none"),
        ("versions.json", "[1]", "versions.json: expected a JSON object"),
    ],
)
def test_a_broken_description_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    folder = run_folder(tmp_path / "a", START)
    (folder / name).write_text(text)
    with pytest.raises(InputError, match=said):
        open_run(folder)


def test_the_journal_of_a_run_stands_for_the_run(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "a", START)
    assert open_run(folder / "journal.jsonl").seed == 7


def test_equal_journals_of_unequal_digests_are_not_the_same(tmp_path: Path) -> None:
    digest = digest_of(write(tmp_path / "j.jsonl", START))
    a = run_folder(tmp_path / "a", START, outcome={"digest": digest})
    b = run_folder(tmp_path / "b", START, outcome={"digest": "0" * 32})
    comparison = compare(open_run(a), open_run(b))
    assert comparison.first is None and not comparison.same
    assert "a journal is not as the run left it" in comparison.notes[0]
