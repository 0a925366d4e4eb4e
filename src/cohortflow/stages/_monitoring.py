"""Subjects whose classes are asked for after every epoch of a training, and never learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cohortflow.cohort.entry import Many
from cohortflow.errors import BadParameter, EmptyInput
from cohortflow.pipeline.stage import Context
from cohortflow.stages._classes import known_label
from cohortflow.stages._matrices import NetworkMatrices, network_matrices, refuse_other_matrices


@dataclass(frozen=True)
class Monitored:
    """``missing`` should be there and failed: each counts as wrong at every epoch, as in a score.

    Subjects that lack a region of the network are listed in ``found.left_out`` and not counted.
    """

    found: NetworkMatrices
    labels: NDArray[np.int64]
    missing: list[str]

    @property
    def n(self) -> int:
        return len(self.found.subjects) + len(self.missing)

    def curve(self, correct: Sequence[int]) -> dict[str, Any]:
        """What the card keeps: counts, and no subject."""
        return {"n": self.n, "correct": list(correct)}

    def facts(self, correct: Sequence[int]) -> dict[str, Any]:
        """The curve with those behind it, so that a report can tell who is not among them."""
        return {
            **self.curve(correct),
            "subjects": sorted(self.found.subjects),
            "left_out": sorted(self.found.left_out),
            "missing": self.missing,
        }


def monitored(
    monitor: Many | None,
    trained: NetworkMatrices,
    classes: Sequence[str],
    context: Context,
    column: str,
) -> Monitored:
    """Matrices and labels of the monitoring part, which must share no subject with ``trained``.

    Errors: :class:`EmptyInput` when nobody is monitored, :class:`BadParameter` for a subject that
    is trained on, :class:`RegionCountMismatch` for other matrices, :class:`InputError` for a class
    nobody is trained on.
    """
    if monitor is None or not (monitor.items or monitor.missing):
        raise EmptyInput(
            "nobody to monitor",
            where="monitor",
            expected="one subject at least",
            found="none",
            hint="Let its where admit somebody, or say monitor: false.",
        )
    found = network_matrices(monitor, trained.network, trained.degree)
    refuse_other_matrices(found, trained.kind, trained.regions)
    both = sorted({*found.subjects, *found.left_out} & {*trained.subjects, *trained.left_out})
    if both:
        raise BadParameter(
            "subjects are trained on and monitored",
            where="monitor",
            expected="two parts of a split",
            found=", ".join(both),
        )
    missing = sorted(str(point.get("subject", "?")) for point in monitor.missing)
    labels = [classes.index(known_label(context, s, column, classes)) for s in found.subjects]
    return Monitored(found, np.array(labels, dtype=np.int64), missing)
