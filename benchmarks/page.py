"""docs/performance.md's tables and picture, from reports: `python benchmarks/page.py`.

The reports are the JSON files of benchmarks/measured, one for each benchmark, as `run.py --json
benchmarks/measured` writes them. A block of the page that begins with `<!-- measured: NAME -->` and ends with
`<!-- end -->` is written anew: the tables of that benchmark, and where and how they were measured.
"""

from __future__ import annotations

import re
from pathlib import Path

from suite import picture
from suite.results import Benchmark, Report, read, tables

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ROOT / "benchmarks" / "measured"
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "performance.svg"
_BLOCK = re.compile(
    r"(?<=^<!-- measured: )(\w+)( -->\n).*?(?=^<!-- end -->$)", re.DOTALL | re.MULTILINE
)
_SCHEDULING = {"rr": "before other work (`chrt -r`)", "fifo": "before other work (`chrt -f`)"}


def reports(folder: Path = MEASURED) -> dict[str, Report]:
    """The report that has each benchmark, by the benchmark's name. Raises ValueError."""
    found: dict[str, Report] = {}
    for path in sorted(folder.glob("*.json")):
        report = read(path)
        found |= dict.fromkeys(report.benchmarks, report)
    return found


def names(page: str) -> list[str]:
    """The benchmarks that a page has a block for, in its order."""
    return [block[1] for block in _BLOCK.finditer(page)]


def with_tables(page: str, found: dict[str, Report]) -> str:
    """The page with its blocks as the reports have them; a block without a report stays as it is."""

    def block(old: re.Match[str]) -> str:
        report = found.get(old[1])
        text = old[0] if report is None else f"{old[1]}{old[2]}{_block(report, old[1])}"
        return str(text)

    return _BLOCK.sub(block, page)


def _block(report: Report, name: str) -> str:
    benchmark = report.benchmarks[name]
    parts = [table.markdown() for result in benchmark.results for table in tables(result)]
    return "\n" + "\n".join([*parts, _how(report, benchmark)]) + "\n"


def _how(report: Report, benchmark: Benchmark) -> str:
    """Where it was measured, under which load, with which peers, and what is missing."""
    machine = report.machine
    first, last = benchmark.load
    counted = {
        point.runs for result in benchmark.results for case in result.cases for point in case.points
    }
    runs = "one run each" if counted == {1} else f"medians of {_range(counted)} runs, least to most"
    words = [
        f"{machine.cpu}, {machine.cores} cores",
        machine.system,
        machine.python,
        f"load average {first:g} to {last:g}",
        *([_SCHEDULING[machine.scheduling]] if machine.scheduling in _SCHEDULING else []),
        runs,
        *(f"{peer} {version}" for peer, version in report.peers.items()),
    ]
    left_out = report.skipped | {
        what: why for result in benchmark.results for what, why in result.skipped.items()
    }
    missing = [f"{what} skipped: {why}." for what, why in left_out.items()]
    return " ".join([f"{', '.join(words)}.", *missing]) + "\n"


def _range(counted: set[int]) -> str:
    least, most = min(counted, default=0), max(counted, default=0)
    return str(least) if least == most else f"{least} to {most}"


def main() -> None:
    """Write both."""
    found = reports()
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_tables(page, found), encoding="utf-8")
    each = [panel for name in names(page) if name in found for panel in picture.panels(found[name])]
    picture.draw(PICTURE, each)


if __name__ == "__main__":
    main()
