"""One rank-sum map as the report reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cohortflow.report.source import ReportSource, ReportUnit

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class PairMap:
    """One comparison, network and degree. Matrices (region, region); ``alpha`` of each test."""

    comparison: Any
    network: Any
    degree: Any
    regions: Sequence[str]
    p_value: np.ndarray
    q_value: np.ndarray
    effect: np.ndarray
    alpha: float
    groups: tuple[str, str]
    counts: Mapping[str, int]
    left_out: Sequence[str]
    p_family: np.ndarray | None = None
    permutations: int = 0

    @property
    def tests(self) -> int:
        return len(self.regions) * (len(self.regions) - 1) // 2

    def hits(self, corrected: bool = False) -> Any:
        """(region, region) booleans: significant pairs, the diagonal False."""
        import numpy as np

        found = (self.q_value if corrected else self.p_value) < self.alpha
        return found & ~np.eye(len(found), dtype=bool)

    def count(self, corrected: bool = False) -> int:
        return int(self.hits(corrected).sum()) // 2

    def family(self) -> int | None:
        """Pairs below the level by permutation, corrected for all pairs; None: not permuted."""
        import numpy as np

        if self.p_family is None:
            return None
        return int((self.p_family[np.triu_indices(len(self.regions), 1)] < self.alpha).sum())


def read_map(source: ReportSource, unit: ReportUnit) -> PairMap:
    import numpy as np

    dataset = source.entry(unit).dataset
    attrs = dataset.attrs
    p_value = np.asarray(dataset["p_value"].values, dtype=float)
    q_value = np.asarray(dataset["q_value"].values, dtype=float)
    names = [str(name) for name in dataset["region"].values]
    return PairMap(
        comparison=unit.point.get("comparison"),
        network=unit.point.get("network", attrs.get("network")),
        degree=unit.point.get("degree", attrs.get("degree")),
        regions=names,
        p_value=p_value,
        q_value=q_value,
        effect=np.asarray(dataset["effect"].values, dtype=float),
        alpha=float(attrs.get("alpha", 0.01)),
        groups=(str(attrs.get("first", "first")), str(attrs.get("second", "second"))),
        counts={str(k): int(v) for k, v in dict(attrs.get("n", {})).items()},
        left_out=[str(name) for name in attrs.get("left_out", ())],
        p_family=np.asarray(dataset["p_family"].values) if "p_family" in dataset else None,
        permutations=int(attrs.get("permutations", 0)),
    )
