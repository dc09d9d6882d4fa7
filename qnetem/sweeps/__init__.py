"""Sweeps: one topology over many values and seeds, a row for each run."""
