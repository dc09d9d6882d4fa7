"""Where the nodes of a network stand in a picture.

Owns the positions: distances in the picture are as close as can be to the number of links between two nodes
(stress majorization: Gansner, Koren and North 2004, equation 10). Does not own what is drawn there (svg.py).
Rules: the same network has the same picture. The longer side lies across, or in a round one the first link;
and the node that the file names first is on the left, and not below the middle. Parts without a link between
them stand one below the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

#: Nothing moves any more when a sweep lowers the stress by less than this part of it. A sweep of n nodes
#: takes about n * n steps, so that many nodes get fewer sweeps.
_SETTLED, _SWEEPS, _WORK = 1e-5, 300, 20_000
#: Nodes that begin nearer than this to each other are moved apart by so much of a circle.
_NEAR, _STIRRED = 0.3, 0.2
#: A part whose sides differ by less is as wide as it is high.
_ROUND = 1.4

Place = tuple[float, float]
_Points = NDArray[np.float64]


def places(nodes: Sequence[str], links: Iterable[tuple[str, str]]) -> dict[str, Place]:
    """Positions (x to the right, y down) in which linked nodes are about 1 apart; the least are 0."""
    neighbours: dict[str, dict[str, None]] = {node: {} for node in nodes}
    for first, second in links:
        neighbours[first][second] = neighbours[second][first] = None
    found: dict[str, Place] = {}
    below = 0.0
    for part in _parts(neighbours):
        points = _upright(_settled(_distances(part, neighbours)))
        points -= points.min(axis=0)
        for name, (x, y) in zip(part, points.tolist(), strict=True):
            found[name] = round(x, 4), round(y + below, 4)
        below += float(points[:, 1].max()) + 1.0
    return {node: found[node] for node in nodes}


def _parts(neighbours: dict[str, dict[str, None]]) -> list[list[str]]:
    """The nodes that hang together, each part in the order in which a search from its first node finds it."""
    parts: list[list[str]] = []
    seen: set[str] = set()
    for start in neighbours:
        if start in seen:
            continue
        part = [start]
        seen.add(start)
        for node in part:  # it grows meanwhile
            new = [other for other in neighbours[node] if other not in seen]
            seen.update(new)
            part += new
        parts.append(part)
    return parts


def _distances(part: list[str], neighbours: dict[str, dict[str, None]]) -> _Points:
    """The number of links between each two nodes."""
    numbers = {node: number for number, node in enumerate(part)}
    found = np.zeros((len(part), len(part)))
    for start in part:
        steps = {start: 0}
        row = [start]
        for node in row:  # it grows meanwhile
            for other in neighbours[node]:
                if other not in steps:
                    steps[other] = steps[node] + 1
                    row.append(other)
        for node, count in steps.items():
            found[numbers[start], numbers[node]] = count
    return found


def _settled(distances: _Points) -> _Points:
    """Positions whose distances are near to these."""
    size = len(distances)
    if size == 1:
        return np.zeros((1, 2))
    points = _scaled(distances)
    wanted = distances + np.eye(size)
    weights = wanted**-2.0
    np.fill_diagonal(weights, 0.0)
    pull = np.linalg.pinv(np.diag(weights.sum(axis=1)) - weights)
    before = np.inf
    for _ in range(min(_SWEEPS, _WORK // size)):
        apart = np.linalg.norm(points[:, None] - points[None], axis=2)
        stress = float((weights * (apart - distances) ** 2).sum())
        if stress >= before * (1 - _SETTLED):
            break
        before = stress
        push = weights * distances / np.maximum(apart, 1e-9)
        points = pull @ (push.sum(axis=1)[:, None] * points - push @ points)
    return points


def _scaled(distances: _Points) -> _Points:
    """Where to begin: classical scaling, in which a chain is straight already."""
    size = len(distances)
    centre = np.eye(size) - 1.0 / size
    values, vectors = np.linalg.eigh(-0.5 * centre @ distances**2 @ centre)
    points: _Points = vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 0.0))
    angles = 2 * np.pi * np.arange(size) / size
    apart = np.linalg.norm(points[:, None] - points[None], axis=2) + size * np.eye(size)
    if float(apart.min()) < _NEAR:
        points = points + _STIRRED * np.column_stack([np.cos(angles), np.sin(angles)])
    return points


def _upright(points: _Points) -> _Points:
    """Turned as the head of this file says; the first two nodes of a part are linked."""
    if len(points) == 1:
        return points
    points = points - points.mean(axis=0)
    sides, axes = np.linalg.eigh(points.T @ points)
    turn = axes[:, ::-1]
    if sides[1] < _ROUND**2 * sides[0]:
        along = points[1] - points[0]
        along /= np.linalg.norm(along)
        turn = np.column_stack([along, [-along[1], along[0]]])
    points = points @ turn
    return points * np.where(points[0] > 1e-9, -1.0, 1.0)
