"""The parity-check matrices of ldpc.py: how they were made, and reading them.

Owns the construction and its file, `ldpc_codes.npz`; `python -m
qnetem.agents.protocols.qkd.processing.ldpc_codes` writes it anew, byte for byte. Does not own decoding.

Degree distributions: Elkouss, Leverrier, Alleaume, Boutros, ISIT 2009, arXiv:0901.2140, table I. Each
protograph has `COLUMNS` bits and is grown edge by edge: a bit is joined to the check that is farthest from
it, and of those to one with the fewest edges (progressive edge growth: Hu, Eleftheriou, Arnold, IEEE Trans.
Inf. Theory 51, 386 (2005)). A code of n bits is the protograph lifted: each edge becomes a circulant
permutation of n / COLUMNS, whose shift is drawn so that it closes no cycle of length four where that can be
had.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .....emulator.errors import InputError

FILE = Path(__file__).with_name("ldpc_codes.npz")
#: Bits of a protograph.
COLUMNS = 2_000
_SEED = 20090121
#: Shifts that are tried for an edge before one is taken that closes a short cycle.
_TRIES = 12

#: Code rate -> (degree of a bit -> share of the edges).
DISTRIBUTIONS: dict[float, dict[int, float]] = {
    0.90: {2: 0.07689, 3: 0.28096, 5: 0.08933, 9: 0.19620, 12: 0.30631, 21: 0.05031},
    0.85: {2: 0.04528, 3: 0.20537, 4: 0.05878, 5: 0.04274, 6: 0.08454, 7: 0.01176, 9: 0.05137, 21: 0.50015},
    0.80: {2: 0.09420, 3: 0.18088, 6: 0.11972, 7: 0.08550, 8: 0.09816, 17: 0.07194, 26: 0.34960},
    0.75: {2: 0.10805, 3: 0.09511, 4: 0.01449, 5: 0.13764, 6: 0.10667, 7: 0.05288, 28: 0.01107, 31: 0.47408},
    0.70: {2: 0.05343, 3: 0.29406, 6: 0.00896, 9: 0.15571, 12: 0.12189, 25: 0.19872, 46: 0.09572,
           62: 0.02741, 65: 0.04056, 73: 0.00354},
    0.65: {2: 0.10451, 3: 0.15652, 4: 0.08057, 5: 0.00056, 9: 0.12151, 13: 0.10485, 15: 0.10719,
           21: 0.00771, 51: 0.31656},
    0.60: {2: 0.11040, 3: 0.20804, 8: 0.14163, 9: 0.14858, 26: 0.14438, 27: 0.08909, 46: 0.00748,
           71: 0.15038},
    0.55: {2: 0.16880, 3: 0.20994, 6: 0.18095, 15: 0.03846, 16: 0.02635, 18: 0.23454, 19: 0.05815,
           31: 0.08280},
    0.50: {2: 0.14438, 3: 0.19026, 4: 0.01836, 5: 0.00233, 6: 0.04697, 8: 0.053943, 9: 0.05590, 10: 0.01290,
           11: 0.00162, 14: 0.06159, 15: 0.13115, 17: 0.01481, 47: 0.00879, 49: 0.00650, 55: 0.00210,
           56: 0.00099, 57: 0.11178, 58: 0.06238, 59: 0.05094, 66: 0.02230},
}  # fmt: skip


class Code(NamedTuple):
    """A parity-check matrix as its edges, sorted by check; `bits` and `checks` are its size.

    `check_of` and `bit_of`: the two ends of each edge, counted from 0.
    """

    bits: int
    checks: int
    check_of: NDArray[np.int32]
    bit_of: NDArray[np.int32]

    def syndrome(self, word: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The parities of a word of `bits` bits."""
        starts = np.searchsorted(self.check_of, np.arange(self.checks))
        return np.bitwise_xor.reduceat(word[self.bit_of], starts).astype(np.uint8)


def degrees(distribution: dict[int, float], columns: int) -> list[int]:
    """The degree of each of so many bits, ascending: shares of edges become whole numbers of bits."""
    shares = {degree: share / degree for degree, share in distribution.items()}
    whole = sum(shares.values())
    exact = {degree: columns * share / whole for degree, share in shares.items()}
    counts = {degree: int(number) for degree, number in exact.items()}
    by_rest = sorted(exact, key=lambda degree: (counts[degree] - exact[degree], degree))
    for degree in by_rest[: columns - sum(counts.values())]:
        counts[degree] += 1
    return [degree for degree in sorted(counts) for _ in range(counts[degree])]


def grown(rate: float, columns: int = COLUMNS) -> NDArray[np.int32]:
    """A protograph: for each edge (check, bit), sorted by bit; shape (edges, 2)."""
    checks = round(columns * (1 - rate))
    rng = np.random.Generator(np.random.PCG64([_SEED, round(100 * rate)]))
    near = [1 << check for check in range(checks)]  # the checks that share a bit, as bits of an int
    load, edges = [0] * checks, []
    for bit, degree in enumerate(degrees(DISTRIBUTIONS[rate], columns)):
        own: list[int] = []
        for _ in range(min(degree, checks)):
            farthest = _farthest(near, own, checks)
            least = min(load[check] for check in farthest)
            candidates = [check for check in farthest if load[check] == least]
            chosen = candidates[int(rng.integers(len(candidates)))]
            for check in own:
                near[check] |= 1 << chosen
                near[chosen] |= 1 << check
            own.append(chosen)
            load[chosen] += 1
        edges += [(check, bit) for check in sorted(own)]
    return np.array(edges, dtype=np.int32)


def _farthest(near: list[int], own: list[int], checks: int) -> list[int]:
    """The checks that are not joined to a bit with these checks by any path, or else by the longest ones."""
    everything = (1 << checks) - 1
    reached = frontier = sum(1 << check for check in own)
    while own:
        new = 0
        for check in _places(frontier):
            new |= near[check]
        frontier = new & ~reached
        if not frontier or reached | frontier == everything:
            break
        reached |= frontier
    return _places(everything & ~reached)


def _places(mask: int) -> list[int]:
    places = []
    while mask:
        low = mask & -mask
        places.append(low.bit_length() - 1)
        mask ^= low
    return places


@lru_cache(maxsize=8)
def code(rate: float, bits: int) -> Code:
    """The code of a rate in `DISTRIBUTIONS` and a multiple of `COLUMNS` bits.

    Raises InputError for others.
    """
    if rate not in DISTRIBUTIONS or bits < COLUMNS or bits % COLUMNS:
        raise InputError(f"ldpc: no code of rate {rate} with {bits} bits")
    with np.load(FILE) as file:
        edges = file[f"rate{round(100 * rate)}"].astype(np.int32)
    lift = bits // COLUMNS
    shifts = _shifts(edges, lift, np.random.Generator(np.random.PCG64([_SEED, lift])))
    within = np.arange(lift, dtype=np.int32)
    check_of = (edges[:, :1] * lift + (within + shifts[:, None]) % lift).ravel()
    bit_of = (edges[:, 1:] * lift + within).ravel()
    order = np.lexsort((bit_of, check_of))
    checks = (int(edges[:, 0].max()) + 1) * lift
    return Code(bits, checks, check_of[order].astype(np.int32), bit_of[order].astype(np.int32))


def _shifts(edges: NDArray[np.int32], lift: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """A shift for each edge. Two bits that share two checks must differ there by unlike shifts."""
    drawn = rng.integers(0, lift, (len(edges), _TRIES))
    shifts = np.zeros(len(edges), dtype=np.int32)
    #: (first check, second check) -> the differences of shifts that bits before have between them.
    taken: dict[tuple[int, int], set[int]] = {}
    begin = 0
    while begin < len(edges):
        end = begin
        while end < len(edges) and edges[end, 1] == edges[begin, 1]:
            end += 1
        for edge in range(begin, end):
            check = int(edges[edge, 0])
            before = [(int(edges[other, 0]), int(shifts[other])) for other in range(begin, edge)]
            shift = next(
                (s for s in map(int, drawn[edge]) if not _closes(before, check, s, lift, taken)),
                int(drawn[edge, 0]),
            )
            shifts[edge] = shift
            for first, other in before:
                taken.setdefault((first, check), set()).add((shift - other) % lift)
        begin = end
    return shifts


def _closes(
    before: list[tuple[int, int]],
    check: int,
    shift: int,
    lift: int,
    taken: dict[tuple[int, int], set[int]],
) -> bool:
    return any((shift - other) % lift in taken.get((first, check), ()) for first, other in before)


def write() -> None:
    """Grow all protographs and write the file."""
    graphs = {f"rate{round(100 * rate)}": grown(rate).astype(np.uint16) for rate in DISTRIBUTIONS}
    np.savez_compressed(FILE, allow_pickle=False, **graphs)


if __name__ == "__main__":
    write()
