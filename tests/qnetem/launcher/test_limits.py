"""What the system allows, looked at before anything starts; limits are made up here."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import pytest

from qnetem.emulator.errors import InfrastructureError
from qnetem.emulator.loading import load_topology
from qnetem.launcher import limits
from qnetem.launcher.launcher import Launcher, RunOptions
from qnetem.launcher.limits import check_limits

Limits = dict[int, tuple[int, int]]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Limits:
    """Limits (soft, hard) by their number; the user is an ordinary one, with no control group."""
    given: Limits = {resource.RLIMIT_NOFILE: (1024, 4096), resource.RLIMIT_NPROC: (5000, 5000)}
    monkeypatch.setattr(resource, "getrlimit", given.__getitem__)
    monkeypatch.setattr(resource, "setrlimit", given.__setitem__)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(limits, "_tasks_of_user", lambda: 100)
    monkeypatch.setattr(limits, "_control_groups", lambda: iter([tmp_path]))
    return given


def test_a_network_that_fits_changes_nothing(system: Limits) -> None:
    before = dict(system)
    check_limits(960)
    assert system == before


def test_a_soft_limit_of_files_is_raised_as_far_as_needed(system: Limits) -> None:
    check_limits(2000)
    assert system[resource.RLIMIT_NOFILE] == (2064, 4096)


def test_too_few_files_are_named_with_what_raises_them(system: Limits) -> None:
    with pytest.raises(
        InfrastructureError, match=r"4,033 processes of nodes need 4,097 open files .* 4,096;"
    ) as told:
        check_limits(4033)
    assert "ulimit -Hn 4097" in str(told.value)


def test_too_few_processes_of_the_user_are_named(system: Limits) -> None:
    check_limits(2442)
    with pytest.raises(InfrastructureError, match=r"ulimit -u` \(5,000\) leaves 4,900"):
        check_limits(2443)


def test_root_and_a_user_without_a_limit_may_have_more(
    system: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    check_limits(2443)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    system[resource.RLIMIT_NPROC] = (resource.RLIM_INFINITY,) * 2
    check_limits(2443)


def test_a_control_group_that_is_nearly_full_is_named(system: Limits, tmp_path: Path) -> None:
    (tmp_path / "pids.max").write_text("max\n")
    check_limits(500)
    (tmp_path / "pids.max").write_text("1000\n")
    (tmp_path / "pids.current").write_text("40\n")
    check_limits(472)
    with pytest.raises(InfrastructureError, match=r"\(1,000\) leaves 960; raise its pids.max"):
        check_limits(473)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_the_own_processes_are_counted_with_their_threads() -> None:
    assert limits._tasks_of_user() >= len(os.listdir("/proc/self/task"))


async def test_a_network_that_does_not_fit_starts_nothing_and_leaves_no_folder(
    system: Limits, tmp_path: Path
) -> None:
    system[resource.RLIMIT_NOFILE] = (64, 64)
    nodes = "".join(f"  n{number}: {{program: 'p:P'}}\n" for number in range(3))
    (tmp_path / "crowd.yaml").write_text(f"name: crowd\nseed: 1\nnodes:\n{nodes}")
    topology = load_topology(tmp_path / "crowd.yaml")
    with pytest.raises(InfrastructureError, match="3 processes of nodes need 67 open files"):
        Launcher(topology, RunOptions(runs_folder=tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()
