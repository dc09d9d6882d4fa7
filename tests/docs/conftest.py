"""Fixtures of the tests of docs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from qnetem.sweeps import worker

from ..qnetem.sweeps.runs import in_place


@pytest.fixture
def sweeps_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps run in this process, so that no worker has to import everything once more."""

    def here(request: Mapping[str, Any]) -> list[Any]:
        asked = worker.as_data(request)
        records = [worker.run_task(asked.job, task) for task in asked.tasks]
        return [msgspec.to_builtins(record) for record in records]

    in_place(monkeypatch, here)
