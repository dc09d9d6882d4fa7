"""docs/performance.md has every benchmark, and its tables are those of the reports."""

from __future__ import annotations

from pathlib import Path

import page
import pytest
import run

from .test_results import GROWN, report

BLOCK = """# Page

<!-- measured: rounds -->
old
<!-- end -->

<!-- measured: other -->
kept
<!-- end -->
"""


def test_the_page_names_every_benchmark_and_no_other() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert sorted(page.names(text)) == sorted(run.BENCHMARKS)
    for name in run.BENCHMARKS:
        assert f"### `{name}`\n" in text


def test_the_tables_of_the_page_are_those_of_the_reports() -> None:
    found = page.reports()
    assert found and set(found) <= set(run.BENCHMARKS)
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.with_tables(text, found) == text, "run benchmarks/page.py"


def test_a_block_is_written_from_its_report_and_others_stay() -> None:
    text = page.with_tables(BLOCK, {"rounds": report(GROWN)})
    assert "| ours | 20 (10 to 30) | 5 |" in text
    assert (
        "one, 2 cores, Linux 6, CPython 3.11, load average 0.5 to 1.5, medians of 1 to 3 runs, "
        "least to most, theirs 1.0. absent skipped: it has no wheel." in text
    )
    assert "old" not in text and "-->\nkept\n<!-- end -->" in text
    assert page.with_tables(text, {"rounds": report(GROWN)}) == text


def test_a_file_that_is_no_report_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match=r"x\.json"):
        page.reports(tmp_path)
