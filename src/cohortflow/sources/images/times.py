"""Which of several time points is taken."""

from __future__ import annotations

from collections.abc import Sequence

from cohortflow.errors import SeveralTimes
from cohortflow.sources.images.decoded import Decoded, Request


def chosen_time(times: int, shape: Sequence[int], request: Request, decoded: Decoded) -> int:
    """The one that ``--time`` says, noted; raises :class:`SeveralTimes` without it."""
    chosen = request.options.time
    if chosen is None:
        raise SeveralTimes(
            "several time points where one image is expected",
            where=request.where,
            expected="one",
            found=f"{times}, of shape {tuple(shape)}",
            hint="Take one of them with --time, or give an atlas for their series.",
        )
    if not 0 <= chosen < times:
        raise SeveralTimes(
            "no such time point",
            where=request.where,
            expected=f"0 to {times - 1}",
            found=str(chosen),
        )
    decoded.used["time"] = chosen
    decoded.facts["times"] = times
    return chosen
