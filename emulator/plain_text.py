"""Text that programs made: what can be encoded, how long it may be, what a terminal shows.

Owns the functions for that, used wherever such text leaves. What a program raises, names or says is data: it
steers no terminal, breaks no encoding and fills no frame. Shared with agents; it imports nothing.
"""

from __future__ import annotations

import re

#: All that JSON need not escape and a terminal shows as it is.
_UNSAFE_IN_JSON = re.compile(r"[^\x20-\x7e\n]")


def encodable(text: str) -> str:
    r"""Lone surrogates, which no encoding carries, as `\udc80`; a plain str of any subclass."""
    return str.encode(text, "utf-8", "backslashreplace").decode()


def shortened(text: str, most: int) -> str:
    """At most about `most` characters: the middle is left out, and its length stands there."""
    if len(text) <= most:
        return text
    left = most // 2
    return f"{text[:left]} [... {len(text) - 2 * left:,} characters ...] {text[-left:]}"


def printable(text: str, keep: str = "") -> str:
    r"""Whatever could steer a terminal as an escape: `\x1b`, `\u202e`, `\n`; `keep` stays as it is.

    Control characters, those that change the direction of writing, invisible ones and lone surrogates.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in keep else _escaped(letter) for letter in text
    )


def lines(text: str) -> str:
    """`printable`, of text in several lines."""
    return printable(text.expandtabs(), "\n")


def ascii_json(encoded: str) -> str:
    """JSON with every character escaped that is not plain ASCII; the same value."""
    return _UNSAFE_IN_JSON.sub(_json_escape, encoded)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def _json_escape(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
