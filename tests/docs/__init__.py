"""Tests that README and docs are true: what they show is run, and what they list is all there is."""
