"""What an expression may call, as a list for people: arithmetic, readers of the topology, closed forms.

Owns the list and its two shapes, text and Markdown. Does not own the functions (arithmetic.py,
predictions.py) nor their units and sources (emulator/closed_forms). Rule: docs/expect.md shows the Markdown
as it is made here; a test compares both.
"""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass

from ..emulator.closed_forms.catalogue import ClosedForm, closed_forms
from ..emulator.errors import InputError
from ..emulator.suggestions import did_you_mean
from . import arithmetic
from .calls import written
from .predictions import READERS


@dataclass(frozen=True)
class Entry:
    """One line of the list."""

    group: str
    name: str
    signature: str
    arguments: str
    result: str
    text: str
    source: str


def entries(word: str = "") -> list[Entry]:
    """All of them, or those with `word` in name, group, text or source.

    Raises InputError for a word that is nowhere, with the nearest name.
    """
    found = [*_arithmetic(), *_readers(), *(_closed_form(form) for form in closed_forms().values())]
    if not word:
        return found
    wanted = word.lower()
    chosen = [
        entry
        for entry in found
        if wanted in " ".join((entry.name, entry.group, entry.text, entry.source)).lower()
    ]
    if not chosen:
        hint = did_you_mean(word, [entry.name for entry in found])
        raise InputError(f"no function of expectations has to do with {word!r}{hint}")
    return chosen


def as_text(word: str, width: int) -> list[str]:
    """Lines for a terminal, grouped; nothing is cut off: a call can be copied whole."""
    lines: list[str] = []
    group = ""
    for entry in entries(word):
        if entry.group != group:
            lines += ([""] if lines else []) + [entry.group]
            group = entry.group
        lines.append(f"  {entry.signature}  -> {entry.result}")
        if entry.arguments:
            lines += _wrapped(entry.arguments, width)
        lines += _wrapped(entry.text + (f" [{entry.source}]" if entry.source else ""), width)
    return lines


def as_markdown() -> str:
    """The tables of docs/expect.md."""
    parts: list[str] = []
    group = ""
    for entry in entries():
        if entry.group != group:
            group = entry.group
            parts += ["", f"### {group}", "", "| call | arguments | gives | what, and where from |"]
            parts.append("|---|---|---|---|")
        source = f" *{_cell(entry.source)}*" if entry.source else ""
        cells = [f"`{entry.signature}`", _cell(entry.arguments), _cell(entry.result)]
        parts.append(f"| {' | '.join(cells)} | {_cell(entry.text)}{source} |")
    return "\n".join(parts).strip() + "\n"


def as_data(word: str) -> list[dict[str, str]]:
    """Plain data, for `--format json`."""
    return [vars(entry) for entry in entries(word)]


def _arithmetic() -> list[Entry]:
    group = "arithmetic"
    found = [
        Entry(
            group,
            name,
            written(name, inspect.signature(function)),
            "",
            "number",
            _text(function),
            "",
        )
        for name, function in arithmetic.FUNCTIONS.items()
    ]
    known = {n: _shown(v) for n, v in arithmetic.constants().items() if v not in (True, False)}
    texts = ", ".join(f"{name} = {shown}" for name, shown in known.items())
    found.append(Entry(group, "constants", ", ".join(known), "", "number or system", texts, ""))
    return found


def _shown(value: object) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _readers() -> list[Entry]:
    return [
        Entry(
            "links of the topology", name, signature, "link: its name in quotes", result, text, ""
        )
        for name, (signature, result, text) in READERS.items()
    ]


def _closed_form(form: ClosedForm) -> Entry:
    arguments = "; ".join(f"{a.name}: {a.unit}" for a in form.arguments)
    return Entry(
        form.subject, form.name, form.signature, arguments, form.result, form.formula, form.source
    )


def _text(function: object) -> str:
    return inspect.getdoc(function) or ""


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent="      ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")
