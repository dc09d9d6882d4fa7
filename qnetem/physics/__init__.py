"""The reference report: does the emulator come out where the literature says it must.

One table, two users: `qnetem physics` prints it, and the tests run it. `vectors.py` says what a vector is,
`sections/` holds them, `emulated/` has what the emulator gives, `catalogue.py` joins them and `report.py`
shows them.
"""
