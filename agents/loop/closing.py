"""Ending the coroutines of a program that was killed, in a process that lives on.

Owns one function. Rule: when it returns, none of the program's code will ever run again, whatever the
program does with the GeneratorExit it is ended by. A coroutine that will not end is made to stay
suspended for ever: if Python freed it later, it would throw once more, with no loop running, and a
program that retries on every exception would retry for ever.
"""

from __future__ import annotations

import ctypes
from typing import Any

#: How often a coroutine is told to end: once for itself, then once for each await in a `finally`.
_TELLINGS = 8


def close_for_good(coroutine: Any) -> None:
    """Close a suspended coroutine and all it awaits, innermost first.

    `finally` blocks run up to their awaits. What the program raises meanwhile belongs to nobody and is
    dropped; only KeyboardInterrupt, which is the user's, passes.
    """
    chain = []
    link = coroutine
    while hasattr(link, "cr_frame"):
        chain.append(link)
        link = link.cr_await
    for link in reversed(chain):
        if not _closes(link):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(coroutine))
            return


def _closes(coroutine: Any) -> bool:
    for _ in range(_TELLINGS):
        try:
            coroutine.close()
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 a dead program's exception
            pass
        if coroutine.cr_frame is None:
            return True
    return False
