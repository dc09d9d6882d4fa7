"""Options that several commands have."""

from __future__ import annotations

#: The folder of the run folders, by the name that it has in Python (`runs_folder=`); and a shorter one.
RUNS_FOLDER = ("--runs-folder", "--runs")
