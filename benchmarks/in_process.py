"""One run in an interpreter of its own, by CPU time: `python in_process.py TOPOLOGY RUNS_FOLDER WARM_UP`.

The warm-up is the same topology with some values overridden (JSON), so that no import is counted. The time
is that of `qnetem.run` from call to return, reading and record included.
"""

from __future__ import annotations

import json
import sys
import time

import qnetem


def main(topology: str, folder: str, warm_up: str) -> None:
    """Run twice, print the seconds of the second time."""
    overrides = json.loads(warm_up)
    qnetem.run(topology, in_process=True, runs_folder=folder, overrides=overrides).assert_ok()
    began = time.process_time()
    qnetem.run(topology, in_process=True, runs_folder=folder).assert_ok()
    print(time.process_time() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
