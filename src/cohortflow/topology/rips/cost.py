"""What one Rips computation is expected to take, and the refusal of what takes too much."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cohortflow.errors import DoesNotFit

SHORT_RANKS = 362
"""The most points whose pairs can be told apart by ranks of 2 bytes."""


@dataclass(frozen=True)
class RipsCost:
    """Seconds on one core and bytes of memory beyond the input."""

    seconds: float
    memory_bytes: float

    def exceeds(self, limit: RipsCost) -> bool:
        return self.seconds > limit.seconds or self.memory_bytes > limit.memory_bytes


LIMIT = RipsCost(seconds=600.0, memory_bytes=4 * 2**30)
"""Beyond this a cloud is refused unless the caller allows more."""


def predict_rips_cost(
    points: int, max_degree: int = 2, *, dimension: int = 3, edges: int | None = None
) -> RipsCost:
    """What :func:`rips_persistence` of a cloud is expected to take, compiled.

    ``edges``: how many pairs the threshold leaves, all if not given. The seconds are those of a
    cloud that collapses, as most do; points spread evenly over a circle or a sphere do not. What
    the collapse leaves is counted before it is gone into, and refused where it is too much.
    """
    pairs = points * (points - 1) // 2
    if max_degree == 0:
        return RipsCost(pairs * (0.4e-9 + 0.25e-9 * dimension), 8.0 * points * (dimension + 4))
    kept = pairs if edges is None else min(edges, pairs)
    short = points <= SHORT_RANKS
    row = (points + 64.0) * (2 if short else 4)
    # Rows of a short matrix stay in a fast cache.
    collapse = kept * (15e-9 + row * (0.1e-9 if short else 0.2e-9))
    seconds = 20e-6 + pairs * (2e-9 + 0.25e-9 * dimension) + kept * 10e-9 + collapse
    # Lengths, keys twice or keys and values, the matrix, and the complex that is left.
    return RipsCost(seconds, 8.0 * pairs + 24.0 * kept + row * points + 24e3 * points)


def clique_cost(apexes: list[int], max_degree: int) -> RipsCost:
    """The rest of the work after a collapse, by another library, which visits every simplex.

    ``apexes``: for each edge, how many triangles it is the last edge of. A simplex of k + 1
    vertices has a last edge and k - 1 of its apexes, so this bounds their number from above.
    """
    size = max_degree + 1
    simplices = sum(math.comb(count, size - 1) for count in apexes)
    columns = sum(math.comb(count, size - 2) for count in apexes) if size > 1 else len(apexes)
    return RipsCost(simplices * 60e-9, columns * 64.0)


def sparse_cost(points: int, edges: int, max_degree: int) -> RipsCost:
    """What a cloud takes of which only the ``edges`` within a threshold are held."""
    # An edge has about this many common neighbours, each a triangle to look at in every collapse.
    shared = 2.0 * edges / max(points, 1)
    return RipsCost(edges * (1e-6 + 20e-9 * shared * max_degree), 64.0 * points + 200.0 * edges)


def refuse_beyond(cost: RipsCost, limit: RipsCost, what: str) -> None:
    """Raise DoesNotFit with the prediction where ``cost`` exceeds ``limit``."""
    if cost.exceeds(limit):
        raise DoesNotFit(
            f"the Rips persistence of {what} takes too much",
            expected=_text(limit),
            found=f"predicted {_text(cost)}",
            hint="Give a threshold (longer edges are left out), a lower max_degree, fewer points "
            "(a subsample), or a higher limit.",
        )


def _text(cost: RipsCost) -> str:
    return f"{cost.seconds:.3g} s, {cost.memory_bytes / 2**20:.3g} MiB"
