"""Which known word was probably meant by an unknown one; shared with agents."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

#: Longer words are not worth comparing: few names are that long, and it takes the square of it.
_COMPARABLE = 80


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, or None."""
    close = get_close_matches(word, list(known), n=1) if len(word) <= _COMPARABLE else []
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown word: `; did you mean 'r1'?`, or nothing."""
    close = closest(word, known)
    return "" if close is None else f"; did you mean {close!r}?"
