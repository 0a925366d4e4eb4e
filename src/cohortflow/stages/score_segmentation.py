"""Metrics of a label map against its reference, label by label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pydantic

from cohortflow.cohort.entry import Entry, Output
from cohortflow.evaluation.segmentation.empties import Policy
from cohortflow.evaluation.segmentation.evaluate import evaluate_segmentation
from cohortflow.evaluation.segmentation.label_tables import label_table
from cohortflow.evaluation.segmentation.masks import Others
from cohortflow.evaluation.segmentation.metrics import COUNTS, VOLUMES, parse_metric
from cohortflow.evaluation.segmentation.score_tables import write_table
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.stages._images import LIBRARIES_BYTES, grid_of, voxels

if TYPE_CHECKING:
    import pandas as pd

Label = Annotated[int, pydantic.Field(ge=1, le=65535)]
_MOST_NAMED = 5


class ScoreSegmentation(Parameters):
    labels: dict[Label, str] | str | None = pydantic.Field(
        None,
        description="value → name, or a published list (totalsegmentator); None: every value of "
        "either map, named by its number",
    )
    metrics: Annotated[list[str], pydantic.Field(min_length=1)] = pydantic.Field(
        ["dice", "iou", "hd95/pooled", "assd"], description="metric ids"
    )
    empty: Policy = pydantic.Field(
        "strict", description="what counts where a label is in one map only, or in neither"
    )
    per: Literal["volume", "slice"] = pydantic.Field(
        "volume", description="slice: every slice along z is an image of its own"
    )
    others: Others = pydantic.Field(
        "refuse", description="values that labels does not name: refused, or background"
    )
    counts: bool = pydantic.Field(
        False,
        description="voxels in both maps, in one, in neither, which summarise_scores pools",
    )

    @property
    def asked(self) -> list[str]:
        """Metrics, and what is always among them: volumes, and counts where they are wanted."""
        added = (*VOLUMES, *(COUNTS if self.counts else ()))
        return [*(one for one in self.metrics if one not in added), *added]

    @pydantic.field_validator("labels")
    @classmethod
    def _known(cls, labels: dict[int, str] | str | None) -> dict[int, str] | str | None:
        if isinstance(labels, str):
            label_table(labels)
        if labels is not None and not labels:
            raise ValueError("a table of labels names one at least")
        return labels

    @pydantic.field_validator("metrics")
    @classmethod
    def _parsed(cls, metrics: list[str]) -> list[str]:
        for metric in metrics:
            if parse_metric(metric).family == "pooled":
                raise ValueError(f"{metric} is of all cases: say counts: true, and summarise them")
        if len(set(metrics)) < len(metrics):
            raise ValueError("a metric is asked for twice")
        return metrics


def score_segmentation(
    parameters: ScoreSegmentation,
    context: Context,
    reference: Entry,
    prediction: Entry | None = None,
) -> Output:
    """A row per label and metric, and the volumes of both; a reference without a prediction is a
    case that failed.

    Raises :class:`GeometryMismatch`, :class:`NotLabels`, :class:`NoWorldSpace` (a metric in
    millimetres where nothing says how large a voxel is), :class:`EmptyInput`.
    """
    maps = [entry.dataset["label"].values for entry in (reference, prediction) if entry is not None]
    labels = _labels(parameters, maps)
    where = context.subject or ""
    table = evaluate_segmentation(
        maps[0],
        None if prediction is None else maps[1],
        labels=labels,
        metrics=parameters.asked,
        empty=parameters.empty,
        per=parameters.per,
        others=parameters.others,
        grids=(grid_of(reference), None if prediction is None else grid_of(prediction)),
        threads=context.threads,
        where=where,
    )
    return Output(
        files={"metrics.parquet": write_table(table)},
        facts=_facts(table),
        warnings=_warnings(table),
        work={"voxels": int(maps[0].size)},
    )


def _labels(parameters: ScoreSegmentation, maps: Sequence[Any]) -> Mapping[int, str]:
    if isinstance(parameters.labels, str):
        return label_table(parameters.labels)
    if parameters.labels is not None:
        return parameters.labels
    values = sorted({int(value) for one in maps for value in np.unique(one)} - {0})
    # Maps without any label still are a case; it has a label that neither holds.
    return {value: str(value) for value in values or [1]}


def _states(table: pd.DataFrame) -> pd.DataFrame:
    images = [column for column in ("slice",) if column in table]
    return table.drop_duplicates([*images, "label"])


def _facts(table: pd.DataFrame) -> dict[str, Any]:
    """How many labels (of slices: images) are in which state."""
    counts = _states(table)["state"].value_counts()
    states = ("measured", "missed", "invented", "absent", "failed")
    return {state: int(counts.get(state, 0)) for state in states}


def _warnings(table: pd.DataFrame) -> list[dict[str, str]]:
    states = _states(table)
    if (states["state"] == "failed").any():
        message = "there is no prediction: each metric counts as its worst"
        return [{"code": "missing-prediction", "message": message}]
    found = []
    for state, what in (("missed", "that the prediction misses"), ("invented", "that it invents")):
        names = states.loc[states["state"] == state, "name"].unique().tolist()
        if names:
            more = ", …" if len(names) > _MOST_NAMED else ""
            message = f"{len(names)} labels {what}: {', '.join(names[:_MOST_NAMED])}{more}"
            found.append({"code": f"label-{state}", "message": message})
    return found


def cost(parameters: ScoreSegmentation, facts: Sequence[Facts]) -> Cost:
    """Both maps, copies of wide ones, surfaces, their distances; slow ids look at whole masks."""
    size = sum(voxels(one) for one in facts)
    families = {parse_metric(metric).family for metric in parameters.metrics}
    masks = bool(families & {"shape", "lesions", "boundary"})
    wide = masks or bool(families & {"surfels", "filled"})
    rows = 120 * len(parameters.asked)
    return Cost(
        memory_bytes=int(LIBRARIES_BYTES + (40 if wide else 16) * size),
        disk_bytes=16384 + 40 * rows,
        seconds=0.1 + (600e-9 if masks else 120e-9 if wide else 50e-9) * size,
    )


STAGE = Stage(
    name="score_segmentation",
    version=1,
    about="Metrics of a label map against its reference, for each label",
    parameters=ScoreSegmentation,
    reads={
        "prediction": Reads(("label_map",), optional=True),
        "reference": Reads(("label_map",)),
    },
    writes="scores",
    scope="subject",
    function=score_segmentation,
    cost=cost,
    scores=True,
    tolerance=1e-9,
    source="Taha and Hanbury, BMC Medical Imaging 15:29, 2015; each id has its own",
)
