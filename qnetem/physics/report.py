"""How the reference report looks: a page of 80 columns, one JSON object, or CSV.

Owns the layout. Does not own vectors and verdicts. The page comes section by section, because some take
seconds; a source stands once, above the rows it gives.
"""

from __future__ import annotations

import csv
import io
import math
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from .catalogue import Section
from .vectors import Kind, Verdict, check

WIDTH = 80
#: Columns: quantity, expected, got, tolerance, verdict.
_WIDTHS = (33, 11, 11, 12, 4)
#: Of a vector as data.
_COLUMNS = (
    "section", "title", "quantity", "expected", "got", "tolerance", "samples", "source", "kind", "ok",
)  # fmt: skip
_KINDS = {
    Kind.formula: "the source's equation, worked out apart from the emulator",
    Kind.published: "a figure of the source, or of a public repository that uses it",
    Kind.unchecked: "a figure known at second hand: look it up before quoting it",
}


class Report:
    """Runs vectors and shows them; `verdicts` are those run so far."""

    def __init__(self, sections: Iterable[Section]) -> None:
        self._sections = tuple(sections)
        self.verdicts: list[Verdict] = []

    @property
    def agrees(self) -> bool:
        """Whether all that were run agree."""
        return all(verdict.agrees for verdict in self.verdicts)

    def pages(self) -> Iterator[str]:
        """The page in parts, each as soon as it is known."""
        yield _row("", "expected", "got", "tolerance", "") + "\n"
        for section in self._sections:
            verdicts = self._run(section)
            yield "\n".join(["", f"{section.number} {section.title}", *_rows(verdicts), ""])
        yield "\n".join(["", *self._summary(), ""])

    def as_data(self) -> dict[str, Any]:
        """The object of `--format json`: JSON values only."""
        for section in self._sections:
            self._run(section)
        titles = {section.number: section.title for section in self._sections}
        return {
            "agree": sum(verdict.agrees for verdict in self.verdicts),
            "of": len(self.verdicts),
            "ok": self.agrees,
            "vectors": [_as_data(verdict, titles) for verdict in self.verdicts],
        }

    def csv(self) -> Iterator[str]:
        """A header and a line for each vector, in parts, as `pages`; the columns are the keys of JSON."""
        yield ",".join(_COLUMNS) + "\r\n"
        for section in self._sections:
            part = io.StringIO()
            rows = csv.DictWriter(part, _COLUMNS)
            titles = {section.number: section.title}
            rows.writerows(_as_data(verdict, titles) for verdict in self._run(section))
            yield part.getvalue()

    def _run(self, section: Section) -> list[Verdict]:
        verdicts = [check(vector) for vector in section.vectors]
        self.verdicts += verdicts
        return verdicts

    def _summary(self) -> list[str]:
        wrong = [verdict for verdict in self.verdicts if not verdict.agrees]
        kinds = Counter(verdict.vector.source.kind for verdict in self.verdicts)
        lines = [f"{kind:<11}{_KINDS[kind]}" for kind in Kind if kinds[kind]]
        if any(verdict.samples for verdict in self.verdicts):
            lines.append("3 sigma    standard errors by theory, of so many draws")
        lines += ["", f"{len(self.verdicts) - len(wrong)} of {len(self.verdicts)} agree"]
        return lines + [f"FAIL  {v.vector.section}  {v.vector.quantity}" for v in wrong]


def _rows(verdicts: list[Verdict]) -> list[str]:
    lines = []
    for source, group in groupby(verdicts, key=lambda verdict: verdict.vector.source):
        lines += ["", *textwrap.wrap(f"{source}", WIDTH - 2, initial_indent="  ",
                                     subsequent_indent="    ")]  # fmt: skip
        for verdict in group:
            vector = verdict.vector
            told = "ok" if verdict.agrees else "FAIL"
            numbers = f"{vector.expected:.6g}", f"{verdict.got:.6g}"
            tolerance = f"{vector.tolerance.text} {_short(verdict.samples)}".rstrip()
            lines.append(_row(vector.quantity, *numbers, tolerance, told))
    return lines


def _short(number: int) -> str:
    """683, 1.9k, 98k, 12M; nothing for none."""
    for unit, name in ((1_000_000, "M"), (1000, "k")):
        if number >= unit:
            whole, tenth = divmod(number * 10 // unit, 10)
            return f"{whole}.{tenth}{name}" if whole < 10 and tenth else f"{whole}{name}"
    return str(number) if number else ""


def _row(quantity: str, expected: str, got: str, tolerance: str, told: str) -> str:
    first, *widths = _WIDTHS
    cells = [f"{quantity:<{first}}", *(f"{c:>{w}}" for c, w in
             zip((expected, got, tolerance), widths, strict=False))]  # fmt: skip
    return "  " + " ".join([*cells, f" {told}"]).rstrip()


def _as_data(verdict: Verdict, titles: dict[str, str]) -> dict[str, Any]:
    vector = verdict.vector
    return {
        "section": vector.section,
        "title": titles[vector.section],
        "quantity": vector.quantity,
        "expected": vector.expected,
        "got": verdict.got if math.isfinite(verdict.got) else None,
        "tolerance": vector.tolerance.text,
        "samples": verdict.samples,
        "source": vector.source.reference,
        "kind": str(vector.source.kind),
        "ok": verdict.agrees,
    }
