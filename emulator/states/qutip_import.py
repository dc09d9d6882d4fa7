"""The one place that imports QuTiP.

Owns the import and nothing else. QuTiP is the reference: the tests hold each gate, map and state of this room
against it. A run computes with closed forms and comes here only for objects that users asked for (qobj.py).
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # Plotting is no business of the emulator; its absence should not be the first line of every log.
    warnings.filterwarnings("ignore", message="matplotlib not found")
    import qutip

__all__ = ["qutip"]
