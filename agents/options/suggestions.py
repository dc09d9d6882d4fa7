"""What an error says after an unknown word: which one was probably meant, or which there are."""

from __future__ import annotations

from ...emulator.suggestions import did_you_mean

#: An error lists so many names of what there is.
_MOST_NAMES = 8


def instead(name: str, known: list[str], has: str = "it has") -> str:
    """`; did you mean 'Bob'?`, or what there is."""
    if hint := did_you_mean(name, known):
        return hint
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return f" ({has} {', '.join(known[:_MOST_NAMES]) or 'none'}{more})"
