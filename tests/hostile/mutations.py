"""Mutations of whole files: flips, runs, cuts, splices, and numbers where lengths stand."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

Mutate = Callable[[random.Random, bytes, bytes], bytes]
NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**62, 2**64 - 1)


def _flip(draw: random.Random, data: bytes, _: bytes) -> bytes:
    result = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        result[draw.randrange(len(result))] ^= 1 << draw.randrange(8)
    return bytes(result)


def _run(draw: random.Random, data: bytes, _: bytes) -> bytes:
    at, length = draw.randrange(len(data)), draw.choice((1, 2, 4, 16, 100))
    piece = draw.choice((bytes(length), b"\xff" * length, draw.randbytes(length), b"A" * length))
    return data[:at] + piece + data[at + length :]


def _cut(draw: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: draw.randrange(len(data))]


def _drop(draw: random.Random, data: bytes, _: bytes) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + data[at + draw.choice((1, 2, 4, 8, 100)) :]


def _double(draw: random.Random, data: bytes, _: bytes) -> bytes:
    at = draw.randrange(len(data))
    return data[: at + draw.randrange(1, 200)] + data[at:]


def _splice(draw: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: draw.randrange(len(data))] + other[draw.randrange(len(other)) :]


def _number(draw: random.Random, data: bytes, _: bytes) -> bytes:
    size, order = draw.choice("BHIQ"), draw.choice("<>")
    piece = struct.pack(order + size, draw.choice(NUMBERS) % 2 ** (8 * struct.calcsize(size)))
    at = draw.randrange(min(len(data), draw.choice((64, 400, len(data)))))
    return data[:at] + piece + data[at + len(piece) :]


def _digits(draw: random.Random, data: bytes, other: bytes) -> bytes:
    """Another number where digits stand in a text."""
    places = [at for at, byte in enumerate(data[:2000]) if chr(byte).isdigit()]
    if not places:
        return _number(draw, data, other)
    at = draw.choice(places)
    piece = draw.choice((b"-1", b"0", b"99999999999", b"1e999", b"nan", b"x"))
    return data[:at] + piece + data[at + 1 :]


KINDS: tuple[Mutate, ...] = (_flip, _run, _cut, _drop, _double, _splice, _number, _number, _digits)


def mutated(seed: str, data: bytes, other: bytes) -> bytes:
    """One to three mutations, always the same for the same seed."""
    draw = random.Random(seed)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        data = draw.choice(KINDS)(draw, data, other) or b"\0"
    return data
