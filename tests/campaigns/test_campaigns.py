"""Random campaigns: two ends never both report success with different results, whatever happens between them.

`make test` runs a tenth of them, `make campaign` all (tests/counts.py). A campaign is repeated by its name,
e.g. `QNETEM_FULL=1 pytest tests/campaigns -k chain-17`.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.counts import count

from .campaign import as_processes, in_process, judge
from .networks import NETWORKS

pytestmark = pytest.mark.campaign
CAMPAIGNS = count(200)
#: All of the full count run as processes too, of fewer a part: each costs seconds.
APART = CAMPAIGNS if CAMPAIGNS >= 200 else max(len(NETWORKS), CAMPAIGNS // 5)
#: The part of all campaigns that both ends must confirm: else they would prove nothing.
CONFIRMED = 0.4

DRAWN = [(list(NETWORKS)[at % len(NETWORKS)], at // len(NETWORKS)) for at in range(CAMPAIGNS)]
each = pytest.mark.parametrize(("name", "seed"), DRAWN, ids=[f"{n}-{s}" for n, s in DRAWN])


@cache
def alone(name: str, seed: int) -> tuple[str, str]:
    """(digest, statuses) of a campaign in one process."""
    network = NETWORKS[name]
    ended = in_process(network.campaign(seed))
    return ended.digest, judge(ended, network)


@each
def test_a_campaign_leaves_results_that_agree_and_nothing_else_and_repeats_itself(
    name: str, seed: int
) -> None:
    assert in_process(NETWORKS[name].campaign(seed)).digest == alone(name, seed)[0]


@pytest.mark.processes
@pytest.mark.parametrize(
    ("name", "seed"), DRAWN[:APART], ids=[f"{n}-{s}" for n, s in DRAWN[:APART]]
)
def test_a_campaign_is_the_same_with_processes(
    name: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network = NETWORKS[name]
    ended = as_processes(network.campaign(seed), tmp_path)
    assert (ended.digest, judge(ended, network)) == alone(name, seed)


def test_campaigns_strike_and_a_good_part_is_confirmed_all_the_same() -> None:
    statuses = Counter(alone(name, seed)[1] for name, seed in DRAWN)
    assert statuses["confirmed+confirmed"] >= CONFIRMED * CAMPAIGNS, statuses
    assert len(statuses) > 1, statuses
