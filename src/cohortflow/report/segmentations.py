"""Summaries of segmentations as a report reads them: one variant a point of a summarise step."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cohortflow.evaluation.denominator import quartiles
from cohortflow.evaluation.segmentation.metrics import parse_metric
from cohortflow.report.source import ReportSource, ReportUnit, done, place, steps_of_stage

if TYPE_CHECKING:
    import pandas as pd

LOST = ("missed", "invented", "failed")
SEEN = ("measured", "missed", "invented")
REFERENCE, PREDICTION = "volume/reference", "volume/prediction"
STAGE = "summarise_scores"


class Distribution(NamedTuple):
    """Of what ``n`` cases of a label count for in a metric, ``infinite`` of them at the upper end;
    ``measured`` of the n were not lost."""

    low: float
    median: float
    high: float
    n: int
    measured: int
    infinite: int


@dataclass(frozen=True)
class Variant:
    """``summary``: a row a label and metric over cases; ``pooled``: the same over the voxels of all
    cases; ``cases``: a row a subject, label and metric, with ``counted`` (NaN where left out) and
    ``lost`` beside the columns of the scores."""

    name: str
    summary: pd.DataFrame
    pooled: pd.DataFrame
    cases: pd.DataFrame

    @cached_property
    def metrics(self) -> list[str]:
        """Ids that score, in their order; volumes and numbers of other policies do not."""
        own = self.summary.loc[~self.summary["published"].astype(bool), "metric"]
        return list(dict.fromkeys(own))

    @cached_property
    def subjects(self) -> list[str]:
        return sorted(set(self.cases["subject"]))

    @cached_property
    def failed(self) -> list[str]:
        """Subjects without a prediction, or without scores."""
        return sorted(set(self.cases.loc[self.cases["state"] == "failed", "subject"]))

    @cached_property
    def seen(self) -> list[str]:
        """Names of labels that a scored case has, in the order of the summary. Of the others only
        failed cases count."""
        known = set(self.cases.loc[self.cases["state"].isin(SEEN), "name"])
        return [name for name in dict.fromkeys(map(str, self.summary["name"])) if name in known]

    @cached_property
    def groups(self) -> dict[str, str]:
        """Of what each subject is a part, a patient with several recordings; empty: of itself."""
        if "group" not in self.cases:
            return {}
        return dict(zip(self.cases["subject"], map(str, self.cases["group"]), strict=True))

    @cached_property
    def distributions(self) -> dict[tuple[int, str], Distribution]:
        """By label and metric: quartiles over all cases that count, lost ones at their worst."""
        found = {}
        for _, rows in self.cases.groupby(["label", "metric"], sort=False):
            label, metric = next(rows[["label", "metric"]].itertuples(index=False, name=None))
            counted = rows["counted"].to_numpy(float)
            kept = ~np.isnan(counted)
            found[label, metric] = Distribution(
                *quartiles(counted[kept].tolist()),
                n=int(kept.sum()),
                measured=int((kept & ~rows["lost"].to_numpy(bool)).sum()),
                infinite=int(np.isinf(counted).sum()),
            )
        return found

    def infinite(self, label: int, metric: str) -> Distribution | None:
        """The distribution of a metric in which cases count as infinite; None where none do."""
        found = self.distributions.get((label, metric))
        return found if found is not None and found.infinite else None

    def of(self, metric: str) -> pd.DataFrame:
        """Rows of cases of one metric."""
        return self.cases[self.cases["metric"] == metric]

    def ranked(self, metric: str) -> list[str]:
        """Names of labels that are seen, the worst value of the metric first."""
        rows = self.summary[(self.summary["metric"] == metric) & ~self.summary["published"]]
        rows = rows[rows["name"].isin(self.seen)]
        values = rows["value"].to_numpy(float)
        bad = values if parse_metric(metric).better == "higher" else -values
        order = np.argsort(np.where(np.isnan(bad), np.inf, bad), kind="stable")
        return [str(name) for name in rows["name"].to_numpy()[order]]


def variants(source: ReportSource) -> list[Variant]:
    """Every finished unit of a summarise step."""
    units = done(source.units(stage=STAGE))
    several = len(steps_of_stage(source, STAGE)) > 1
    return [_variant(source, unit, several) for unit in units]


def _variant(source: ReportSource, unit: ReportUnit, several: bool) -> Variant:
    import pandas as pd

    entry = source.entry(unit)
    summary, cases = (
        pd.read_parquet(io.BytesIO(entry.read_file(name)))
        for name in ("summary.parquet", "cases.parquet")
    )
    return variant(named(unit.step, place(unit.point), several), summary, cases)


def named(step: str, where: str, several: bool) -> str:
    """Where a variant stands; its step too, where several make variants."""
    return f"{where} ({step})" if several and where else where or step


def variant(name: str, summary: pd.DataFrame, cases: pd.DataFrame) -> Variant:
    pooled = summary["per"] == "voxel"
    return Variant(name, summary[~pooled], summary[pooled], with_counts(cases))


def with_counts(cases: pd.DataFrame) -> pd.DataFrame:
    """What each case counts for: its value, its worst where it is lost, NaN where left out."""
    lost = cases["state"].isin(LOST)
    counted = cases["value"].where(~lost, cases["worst"]).where(cases["state"] != "absent")
    return cases.assign(lost=lost, counted=counted)


def best_of(metric: str) -> float:
    """The best that a metric can be."""
    return 1.0 if parse_metric(metric).better == "higher" else 0.0


def units_of(rows: pd.DataFrame) -> str:
    """The unit of rows of one metric, in words; several of them in index space and outside."""
    return ", ".join(sorted(set(map(str, rows["unit"]))))


def pivot(cases: pd.DataFrame, column: str) -> Any:
    """Values by subject (and slice) and label (row) and metric (column)."""
    keys = [name for name in ("subject", "slice", "label", "name") if name in cases]
    return cases.set_index([*keys, "metric"])[column].unstack("metric")


def case_means(rows: pd.DataFrame) -> Any:
    """Mean over labels (and slices) of what counts, by subject; NaN where nothing does."""
    return rows.groupby("subject", sort=True)["counted"].mean()
