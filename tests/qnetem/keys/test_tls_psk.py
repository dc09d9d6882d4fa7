from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from qnetem.testing import key_network

PROGRAM = Path(__file__).parents[3] / "topologies" / "keys" / "tls_psk.py"


@pytest.mark.processes
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl(1) is not installed")
def test_tls_endpoints_are_rekeyed_while_the_fibre_is_cut_and_mended(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("tls_psk", PROGRAM)
    assert spec is not None and spec.loader is not None
    tls_psk = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tls_psk)
    said: list[str] = []
    with key_network(tmp_path, source=tls_psk.network()) as keys:
        used = tls_psk.demonstrate(keys, said.append)
    assert len(set(used)) == 3
    assert [line.partition(":")[0] for line in said] == [
        "before the cut",
        "before the cut, another key",
        "the fibre is cut and the stock used up",
        "after the cut",
        "with another key at one end",
    ]
