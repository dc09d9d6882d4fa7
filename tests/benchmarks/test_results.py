"""What was measured comes out as tables and as JSON, and the two say the same."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from suite.results import (
    Aim,
    Benchmark,
    Case,
    Machine,
    Report,
    Result,
    figure,
    point,
    read,
    shown,
    tables,
)

GROWN = Result(
    "rounds",
    "nodes",
    [
        Case("ours", "rounds/s", [point([30.0, 10.0, 20.0], 2), point([5.0], 8)]),
        Case("theirs", "rounds/s", [point([40.0], 2)]),
    ],
    [
        Aim(case="ours", beside="theirs", at_least=0.5, sizes=[2]),
        Aim(case="ours", at_most=4.0),
        Aim(case="ours", across=True, at_most=1.5),
        Aim(case="ours", beside="absent", at_least=1.0),
    ],
    {"absent": "it has no wheel"},
)
MACHINE = Machine(
    cpu="one", cores=2, system="Linux 6", scheduling="other", python="CPython 3.11", versions={}
)


def report(*results: Result) -> Report:
    benchmarks = {"rounds": Benchmark(list(results), (0.5, 1.5))}
    return Report(
        machine=MACHINE, runs=3, peers={"theirs": "1.0"}, skipped={}, benchmarks=benchmarks
    )


def test_a_point_is_the_median_with_the_least_and_the_most() -> None:
    found = point([3.0, 1.0, 2.0, 10.0], 4)
    assert (found.size, found.median, found.least, found.most, found.runs) == (4, 2.5, 1.0, 10.0, 4)


def test_a_table_has_a_row_for_each_case_and_a_column_for_each_size() -> None:
    values = tables(GROWN)[0]
    assert values.title == "rounds, rounds/s"
    assert values.head == ["nodes", "2", "8"]
    assert values.rows == [["ours", "20 (10 to 30)", "5"], ["theirs", "40", "-"]]


def test_aims_are_judged_where_they_hold_and_left_out_without_both_cases() -> None:
    aims = tables(GROWN)[1]
    assert aims.head == ["ratio", "aim", "2", "8"]
    assert aims.rows == [
        ["ours / theirs", ">= 0.5", "0.5 met", "-"],
        ["ours", "<= 4", "20 missed", "5 missed"],
        ["ours, most / least of all", "<= 1.5", "", "4 missed"],
    ]


def test_cases_that_do_not_grow_show_least_and_most_in_columns() -> None:
    cases = [Case("a", "s", [point([1.0, 3.0])]), Case("b", "", [point([2e7])])]
    [values] = tables(Result("start", None, cases))
    assert values.title == "start"
    assert values.rows == [["a, s", "2", "1", "3"], ["b", "20.0 M", "20.0 M", "20.0 M"]]


def test_columns_are_aligned_and_what_was_skipped_is_named() -> None:
    text = shown([GROWN])
    assert (
        "  nodes               2  8\n  ours    20 (10 to 30)  5\n  theirs             40  -\n"
        in text
    )
    assert text.endswith("skipped: absent: it has no wheel\n")


def test_a_page_gets_the_same_table_in_markdown() -> None:
    assert tables(GROWN)[0].markdown() == (
        "rounds, rounds/s:\n\n"
        "| nodes | 2 | 8 |\n| --- | ---: | ---: |\n"
        "| ours | 20 (10 to 30) | 5 |\n| theirs | 40 | - |\n"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.01234, "0.0123"),
        (12.34, "12.3"),
        (1234.5, "1,234"),
        (44.6e6, "44.6 M"),
        (1.2e10, "12,000 M"),
    ],
)
def test_numbers_have_three_digits_or_are_whole(value: float, text: str) -> None:
    assert figure(value) == text


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    report(GROWN).write(path)
    assert read(path) == report(GROWN)
    plain = msgspec.json.decode(path.read_bytes())
    assert list(plain) == ["machine", "runs", "peers", "skipped", "benchmarks"]
    [first, _] = plain["benchmarks"]["rounds"]["results"][0]["cases"][0]["points"]
    assert first == {"size": 2, "median": 20.0, "least": 10.0, "most": 30.0, "runs": 3}


@pytest.mark.parametrize("text", ["{", "{}", '{"machine": 1}'])
def test_what_is_no_report_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"other\.json: "):
        read(path)
