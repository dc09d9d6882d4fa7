"""What a fibre does to polarisation: a fixed misalignment, and a slow random walk.

Owns rotations of the Poincare sphere as maps of a polarisation qubit, and the walk's averages. Does
not own a sample path of the walk (environment.py) or depolarisation by PMD (dispersion.py).

Conventions: |0> is horizontal, |1> vertical, so that the Stokes axes S1, S2, S3 are Z, X, Y of the
Bloch sphere. An angle between polarisers is half the angle on the sphere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..states import noise
from ..states.pauli import Superoperator, frozen
from .dispersion import check_not_negative

#: Real matrix of shape (3, 3): a rotation of Bloch vectors (x, y, z).
Rotation = NDArray[np.float64]


def rotation_map(rotation: Rotation) -> Superoperator:
    """The unitary map that turns Bloch vectors by `rotation`, shape (3, 3)."""
    matrix = np.eye(4)
    matrix[1:, 1:] = rotation
    return frozen(matrix)


def backwards(way: Superoperator) -> Superoperator:
    """The same unital one-qubit `way` taken from its other end: each Jones matrix transposed.

    Light is reciprocal; in Stokes space the transpose reverses the rotation and the sense of S3.
    Raises InputError for a map that prefers a state (not unital), which no fibre has.
    """
    if np.abs(way[1:, 0]).max() > noise.TOLERANCE:
        raise InputError("only a unital map can be taken backwards")
    sense = np.array([1.0, 1.0, -1.0, 1.0])
    return frozen(sense[:, np.newaxis] * way.T * sense)


# --- static misalignment --------------------------------------------------------------------------


def misalignment_error(angle_rad: float) -> float:
    """Error rate of polarisers that stand `angle_rad` apart: e_d = sin^2 theta (Malus)."""
    return math.sin(angle_rad) ** 2


def misalignment_angle_rad(error: float) -> float:
    """The angle from 0 to pi/2 whose error rate is `error`. Raises InputError unless 0 <= e <= 1."""
    noise.check_probability("misalignment error", error)
    return math.asin(math.sqrt(error))


def misalignment_map(angle_rad: float) -> Superoperator:
    """Polarisation turned by `angle_rad`: |H> -> cos |H> + sin |V>; Z and X both err by sin^2."""
    cos, sin = math.cos(2 * angle_rad), math.sin(2 * angle_rad)
    return rotation_map(np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]]))


# --- drift ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PolarisationDrift:
    """An isotropic random walk on the Poincare sphere (rotational diffusion, without correction).

    `rate_rad2_per_s` is the variance of the rotation about each axis per second, sigma^2. Times are
    since the last alignment. Raises InputError for a rate that is negative or not finite.
    """

    rate_rad2_per_s: float

    def __post_init__(self) -> None:
        check_not_negative("polarisation drift: rate_rad2_per_s", self.rate_rad2_per_s)

    def shrinking(self, elapsed_s: float) -> float:
        """Length of the mean Stokes vector of a state pure at first: exp(-sigma^2 t).

        Debye's l = 1: l (l + 1) sigma^2/2 is the decay rate of the first spherical harmonics.
        """
        check_not_negative("elapsed_s", elapsed_s)
        return math.exp(-self.rate_rad2_per_s * elapsed_s)

    def fidelity(self, elapsed_s: float) -> float:
        """Mean fidelity of a polarisation state with what it was: (1 + exp(-sigma^2 t))/2."""
        return (1 + self.shrinking(elapsed_s)) / 2

    def error_rate(self, elapsed_s: float) -> float:
        """Mean uncompensated QBER in any basis: (1 - exp(-sigma^2 t))/2."""
        return (1 - self.shrinking(elapsed_s)) / 2

    def map(self, elapsed_s: float) -> Superoperator:
        """The walk averaged over its paths: depolarising with p = 1 - exp(-sigma^2 t)."""
        return noise.depolarising(1 - self.shrinking(elapsed_s))

    def step_angle_rad(self, step_s: float) -> float:
        """The angle of a rotation about a random axis that stands for one step of the walk.

        The mean of such a rotation by theta over all axes shrinks vectors by (1 + 2 cos theta)/3; the
        angle is chosen so that this is exp(-sigma^2 step) exactly, however long the step.
        """
        return math.acos((3 * self.shrinking(step_s) - 1) / 2)


def walk_steps(angle_rad: float, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """`count` rotations by `angle_rad` about uniformly random axes, as unit quaternions (count, 4).

    Draws 3 normal numbers a step.
    """
    if count < 0:
        raise InputError(f"a walk of {count} steps, expected 0 or more")
    axes = rng.normal(size=(count, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    steps = np.empty((count, 4))
    steps[:, 0] = math.cos(angle_rad / 2)
    steps[:, 1:] = math.sin(angle_rad / 2) * axes
    return steps


def quaternion_products(
    left: NDArray[np.float64], right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Row by row `left` after `right` (Hamilton's product), shapes (n, 4) and (n, 4) or (1, 4)."""
    a, b, c, d = left.T
    w, x, y, z = right.T
    return np.stack(
        [
            a * w - b * x - c * y - d * z,
            a * x + b * w + c * z - d * y,
            a * y - b * z + c * w + d * x,
            a * z + b * y - c * x + d * w,
        ],
        axis=1,
    )


def accumulated(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row k is the product of steps 0 to k, later ones on the left; unit quaternions (n, 4).

    A scan that doubles its reach (Hillis & Steele, CACM 29, 1170 (1986)): log2 n passes over arrays.
    """
    products, reach = steps.copy(), 1
    while reach < len(products):
        products[reach:] = quaternion_products(products[reach:], products[:-reach])
        reach *= 2
    products /= np.linalg.norm(products, axis=1, keepdims=True)
    return products


def rotation_of(quaternion: NDArray[np.float64]) -> Rotation:
    """The rotation matrix, shape (3, 3), of a unit quaternion (w, x, y, z)."""
    w, x, y, z = (float(part) for part in quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
