"""What an error says after an unknown word: which one was probably meant, or which there are."""

from __future__ import annotations

import difflib

#: An error lists so many names of what there is.
_MOST_NAMES = 8
#: Longer words are not worth comparing: no name is that long.
_COMPARABLE = 80


def instead(name: str, known: list[str], has: str = "it has") -> str:
    """`; did you mean 'Bob'?`, or what there is."""
    near = difflib.get_close_matches(name, known, 1) if len(name) <= _COMPARABLE else []
    if near:
        return f"; did you mean {near[0]!r}?"
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return f" ({has} {', '.join(known[:_MOST_NAMES]) or 'none'}{more})"
