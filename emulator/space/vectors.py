"""Vectors of three numbers, in plain arithmetic: an array costs more than its three numbers."""

from __future__ import annotations

import math

Vector = tuple[float, float, float]


def minus(a: Vector, b: Vector) -> Vector:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def norm(a: Vector) -> float:
    return math.sqrt(dot(a, a))


def turned(a: Vector, angle_rad: float) -> Vector:
    """Turned about the third axis, anticlockwise."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return c * a[0] - s * a[1], s * a[0] + c * a[1], a[2]
