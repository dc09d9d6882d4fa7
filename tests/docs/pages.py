"""The pages of README and docs, and the code blocks in them.

A block is fenced, or indented by four spaces (then it is what is typed into a shell). The words behind the
language of a fence name it: ```` ```python coin.py ```` is a file of that name, and so is a block whose first
line is `# coin.py`. A comment in the line before a block, `<!-- not run: ... -->`, says why it is not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
_FILE = re.compile(r"# ([\w-]+\.\w+)")
_SHELL = "    "


@dataclass(frozen=True)
class Block:
    """One block. `name`: the words behind the language, or of its first line; `section`: its heading."""

    page: str
    line: int
    section: str
    language: str
    name: str
    why_not_run: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_file(self) -> bool:
        """Whether it is a file of that name beside the page's others."""
        return bool(re.fullmatch(r"[\w-]+\.\w+", self.name))


def blocks_of(path: Path) -> list[Block]:
    """All blocks of a page, in order."""
    page = path.relative_to(ROOT).as_posix()
    lines = path.read_text(encoding="utf-8").split("\n")
    return list(_blocks(page, lines))


def all_blocks() -> list[Block]:
    """Those of all pages."""
    return [block for path in PAGES for block in blocks_of(path)]


def block(page: str, language: str, name: str = "") -> str:
    """The text of the one block of a page with this language and name."""
    found = [
        each for each in blocks_of(ROOT / page) if (each.language, each.name) == (language, name)
    ]
    assert len(found) == 1, f"{page}: {len(found)} blocks ```{language} {name}"
    return found[0].text


def files_of(page: str) -> dict[str, str]:
    """The files that a page shows, by name."""
    return {each.name: each.text for each in blocks_of(ROOT / page) if each.is_file}


def _blocks(page: str, lines: list[str]) -> Iterator[Block]:
    at, before, section = 0, "", ""
    while at < len(lines):
        line, start = lines[at], at
        if line.startswith("```"):
            language, _, name = line[3:].partition(" ")
            end = lines.index("```", at + 1)
            at, text = end + 1, lines[start + 1 : end]
        elif line.startswith(_SHELL) and (not before or _NOT_RUN.fullmatch(before)):
            while at < len(lines) and lines[at].startswith(_SHELL):
                at += 1
            language, name, text = "sh", "", [each[4:] for each in lines[start:at]]
        else:
            section = line.lstrip("# ") if line.startswith("#") else section
            at, before = at + 1, line
            continue
        first = _FILE.fullmatch(text[0]) if text else None
        reason = _NOT_RUN.fullmatch(before)
        yield Block(
            page=page,
            line=start + 1,
            section=section,
            language=language,
            name=name or (first[1] if first else ""),
            why_not_run=reason[1] if reason else "",
            text="".join(f"{each}\n" for each in text),
        )
        before = "```"
