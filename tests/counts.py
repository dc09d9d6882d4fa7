"""How often a test that repeats something at random does so, and how much of a published experiment is drawn.

`make papers` draws the published experiments at every distance (and sets PAPERS), `make test` at the first
one. Their tests are marked `papers`.

`make campaign` asks for the full counts (and sets FULL), `make test` for a tenth, or less of what is dear. A
test that takes part is marked `campaign`. Rule: what is drawn for number n does not depend on how many there
are, so that what a campaign has found can be repeated alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
FULL = "QNETEM_FULL"
PAPERS = "QNETEM_PAPERS"


def count(full: int, part: int = 10) -> int:
    """`full` in a campaign, else one in `part` of it, and one at least."""
    return full if os.environ.get(FULL) else max(1, full // part)


def papers(cases: Sequence[T]) -> Sequence[T]:
    """All cases of a published experiment under `make papers`, else the first one."""
    return cases if os.environ.get(PAPERS) else cases[:1]
