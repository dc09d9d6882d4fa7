"""The reference report: does the emulator come out where the literature says it must.

One table, two users: `qnetem physics` prints it, and the tests run it. `vectors.py` says what a vector is,
one module per section holds them, `catalogue.py` joins them, `report.py` shows them.
"""
