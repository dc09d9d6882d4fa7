"""A run that is over, as a notebook shows it: `Run._repr_html_`.

Owns the page: picture, problem, results, expectations, metrics. Does not own the picture (graph/svg.py) nor
how numbers are written (text/cells.py). Rules: whatever a program, a node's name or an error says is
text, never markup. Colours come from the page (text) or stand out from a light and a dark one. No script, no
id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ..assertions import EndedRun
from ..emulator import plain_text
from ..emulator.units import format_ns
from ..graph.svg import svg
from ..text.cells import expected, formula, mean_and_range, measured
from ..text.quantities import brief, count, number

#: More rows than these are folded away under a line that can be opened.
_OPEN_ROWS = 12
#: A value is shown up to this many characters.
_LONGEST = 160
_GOOD, _BAD = "#2f9e72", "#e5484d"
#: A notebook has styles of its own for tables, which must not count here.
_STYLE = """<style>
.qnetem-run{font-family:system-ui,sans-serif;font-size:13px;line-height:1.45}
.qnetem-run h4{margin:0 0 2px;font-size:15px;font-weight:600}
.qnetem-run .quiet{opacity:.7}
.qnetem-run .exact{font-family:ui-monospace,monospace;font-size:12px}
.qnetem-run pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:12px;margin:4px 0;padding:0 0 0 10px;
border:0;border-left:3px solid #e5484d;background:none;color:inherit}
.qnetem-run table{border-collapse:collapse;margin:8px 0;font-size:13px;border:0;color:inherit}
.qnetem-run table tr{background:none!important}
.qnetem-run table th,.qnetem-run table td{padding:2px 16px 2px 0!important;text-align:left!important;
vertical-align:top!important;color:inherit;border:0;border-bottom:1px solid #8a8f9940;white-space:normal;
max-width:44em;overflow-wrap:anywhere}
.qnetem-run table th{font-weight:600;white-space:nowrap}
.qnetem-run table td.number,.qnetem-run table th.number{text-align:right!important;
font-variant-numeric:tabular-nums}
.qnetem-run summary{cursor:pointer;margin:8px 0 2px;font-weight:600}
</style>"""


def run_html(run: EndedRun) -> str:
    """The run as HTML."""
    outcome = run.outcome
    states = {name: node.state for name, node in outcome.nodes.items()}
    parts = [
        f'{_STYLE}<div class="qnetem-run">',
        _head(run),
        _problem(run),
        f'<div style="overflow-x:auto">{svg(run.topology, states)}</div>',
        _expectations(run),
        _results(run),
        _metrics(run),
        f'<div class="quiet">run folder {_exact(str(run.run_folder))}</div>',
    ]
    return "".join([*parts, "</div>"])


def one_line(run: EndedRun) -> str:
    """`<Run 'coin' seed 7: ok, 3 expectations hold, 140.5 ms, digest 7730b69635550c82...>`."""
    outcome = run.outcome
    return plain_text.printable(
        f"<Run {outcome.name!r} seed {outcome.seed}: {', '.join(_words(run))}, "
        f"{format_ns(outcome.t_ns)}, digest {outcome.digest or 'none'}>"
    )


def _words(run: EndedRun) -> list[str]:
    """How it ended: the problem's name and place, or ok; then the expectations."""
    problem = run.problem
    words = []
    if problem is not None:
        words.append(problem.kind + (f" at {problem.node}" if problem.node else ""))
    if run.failed:
        names = ", ".join(verdict.quantity for verdict in run.failed[:3])
        more = "" if len(run.failed) <= 3 else " and others"
        words.append(f"{count(len(run.failed), 'expectation')} failed ({names}{more})")
    if not words:
        words.append("ok")
        if run.verdicts:
            held = len(run.verdicts)
            words.append(f"{count(held, 'expectation')} {'holds' if held == 1 else 'hold'}")
    return words


def _head(run: EndedRun) -> str:
    outcome = run.outcome
    words = ", ".join(_words(run))
    colour = _BAD if run.problem is not None or run.failed else _GOOD
    facts = [
        f"seed {outcome.seed}",
        f"digest {_exact(outcome.digest or 'none')}",
        f"{format_ns(outcome.t_ns)} of virtual time in {outcome.wall_s:.3g} s",
    ]
    return (
        f'<h4>{_text(outcome.name)} <span style="color:{colour}">{_text(words)}</span></h4>'
        f'<div class="quiet">{" · ".join(facts)}</div>'
    )


def _problem(run: EndedRun) -> str:
    problem = run.problem
    if problem is None:
        return ""
    where = "" if problem.time_ns is None else f" at {format_ns(problem.time_ns)}"
    # A program's traceback ends in the text.
    text = problem.traceback.rstrip() or problem.text
    text = f"{problem.node or problem.kind}{where}:\n{text}"
    return f"<pre>{escape(plain_text.lines(text))}</pre>"


def _expectations(run: EndedRun) -> str:
    rows = []
    for verdict in run.verdicts:
        colour, word = (_GOOD, "ok") if verdict.ok else (_BAD, "failed")
        says = word if verdict.text == "holds" else f"{word}, {verdict.text}"
        wanted = _text(expected(verdict))
        if "(" in verdict.asked:
            wanted += f' <span class="quiet">= {_text(formula(verdict))}</span>'
        rows.append(
            [
                _text(verdict.quantity),
                _text(measured(verdict)),
                wanted,
                f'<span style="color:{colour}">{_text(says)}</span>',
            ]
        )
    return _section("expectations", ["quantity", "measured", "expected", "verdict"], rows)


def _results(run: EndedRun) -> str:
    rows = [
        [_text(name), _text(brief(value))]
        for name, value in run.results.items()
        if value is not None
    ]
    return _section("results", ["node", "result"], rows)


def _metrics(run: EndedRun) -> str:
    rows = [
        [_text(name), _text(number(metric["count"])), *map(_text, mean_and_range(name, metric))]
        for name, metric in run.metrics.items()
    ]
    return _section("metrics", ["metric", "count", "mean", "range"], rows, numbers=(1,))


def _section(
    name: str, heading: Sequence[str], rows: list[list[str]], numbers: Iterable[int] = ()
) -> str:
    """A table of cells that are HTML already; a long one is folded."""
    if not rows:
        return ""
    right = [' class="number"' if index in numbers else "" for index in range(len(heading))]
    table = ["<table><thead><tr>"]
    table += [f"<th{right[i]}>{word}</th>" for i, word in enumerate(heading)]
    table.append("</tr></thead><tbody>")
    for row in rows:
        cells = "".join(f"<td{right[i]}>{cell}</td>" for i, cell in enumerate(row))
        table.append(f"<tr>{cells}</tr>")
    table.append("</tbody></table>")
    if len(rows) <= _OPEN_ROWS:
        return "".join(table)
    return f"<details><summary>{len(rows):,} {name}</summary>{''.join(table)}</details>"


def _text(text: str) -> str:
    return escape(plain_text.shortened(plain_text.printable(text), _LONGEST))


def _exact(text: str) -> str:
    """What is copied as a whole."""
    return f'<span class="exact">{escape(plain_text.printable(text))}</span>'
