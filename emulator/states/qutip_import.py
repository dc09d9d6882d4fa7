"""The one place that imports QuTiP.

Owns the import and nothing else. QuTiP is the reference: the tests hold each gate, map and state of this room
against it. A run computes with closed forms and comes here only for objects that users asked for (qobj.py).
"""

from __future__ import annotations

from .qobj import no_word_of_plots

with no_word_of_plots():
    import qutip

__all__ = ["qutip"]
