"""Satellite: a node in orbit whose services work in contacts. The run does not wait for it."""

from __future__ import annotations

from .ground_station import GroundStation


class Satellite(GroundStation):
    """As a ground station; nodes of this kind work for others (`service: true`)."""
