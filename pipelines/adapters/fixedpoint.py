"""Chance and powers in integers: the same numbers on every machine and with every numpy."""

from functools import cache
from hashlib import sha256
from math import isqrt

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

ONE = 1 << 28
"""One doubling, in fixed-point logarithms to base 2."""

UNIT = 37_838
"""The standard deviation of `bell`."""


def draws(stream: str, count: int) -> NDArray[np.uint64]:
    """`count` random 64-bit words of a named stream: splitmix64 over a counter."""
    seed = int.from_bytes(sha256(stream.encode()).digest()[:8], "big")
    word = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    word += np.uint64(seed)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def bell(stream: str, count: int) -> Ints:
    """Sums of four uniform numbers, nearly normal: mean 0, standard deviation 1 in 1/`UNIT`."""
    word = draws(stream, count)
    mask = np.uint64(0xFFFF)
    parts = [(word >> np.uint64(shift)) & mask for shift in (0, 16, 32, 48)]
    total: Ints = (parts[0] + parts[1] + parts[2] + parts[3]).astype(np.int64)
    return total - 131_070


@cache
def _roots() -> tuple[Ints, Ints]:
    """2**(i/2**14) and 2**(i/2**28) for i below 2**14, in 1/2**30."""
    tables, root = [], 2 << 96
    for _ in range(2):
        for _ in range(14):
            root = isqrt(root << 96)
        powers = [1 << 96]
        while len(powers) < 1 << 14:
            powers.append(powers[-1] * root >> 96)
        tables.append(np.array([power >> 66 for power in powers], dtype=np.int64))
    return tables[0], tables[1]


def power_of_two(logarithm: Ints, scale: int) -> Ints:
    """`scale * 2**logarithm`, rounded down; logarithms are in 1/2**28, between -30 and 30."""
    coarse, fine = _roots()
    mantissa = coarse[(logarithm >> 14) & 0x3FFF] * fine[logarithm & 0x3FFF] >> 30
    product: Ints = scale * mantissa >> (30 - (logarithm >> 28))
    return product
