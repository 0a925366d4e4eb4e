"""A catalogue of small stages that are planned, never run: only their declarations matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pydantic

from cohortflow.cohort.entry import Output
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage


def nothing(parameters: Any, context: Context, **inputs: Any) -> Output:
    raise AssertionError("a planned stage is never run")


class Resample(Parameters):
    spacing_mm: list[float] = pydantic.Field([1.0, 1.0, 1.0])
    order: int = 1
    crop: int | str = "smallest"
    mixed: str = "refuse"


class Regrid(Parameters):
    spacing_mm: list[float] = pydantic.Field([1.0, 1.0, 1.0])


class Train(Parameters):
    width: int = 8
    epochs: int = 10
    rate: float = 0.001
    seed: int = 0
    column: str | None = None


class Segment(Parameters):
    flips: bool = False
    name: str = ""


class Score(Parameters):
    metrics: list[str] = pydantic.Field(["dice"])


class Nothing(Parameters):
    pass


class Test(Parameters):
    __test__ = False
    column: str = "group"
    alpha: float = 0.05


class Switched(Parameters):
    masked: bool = True


def smallest(parameters: Resample, facts: Mapping[str, Facts]) -> Resample:
    """The crop of all: the smallest size among the subjects admitted; ``mixed`` leaves the key."""
    changes: dict[str, Any] = {"mixed": "refuse"}
    if parameters.crop == "smallest":
        changes["crop"] = min((int(one["size"]) for one in facts.values()), default=0)
    return parameters.model_copy(update=changes)


def cost_by_size(parameters: Any, facts: Sequence[Facts]) -> Cost:
    size = sum(int(one.get("size", 0)) for one in facts)
    return Cost(memory_bytes=100 * size, disk_bytes=10 * size, seconds=float(size))


def stage(name: str, parameters: type[Parameters], writes: str, scope: str, **more: Any) -> Stage:
    return Stage(
        name=name,
        version=more.pop("version", 1),
        about=name,
        parameters=parameters,
        writes=writes,
        scope=scope,  # type: ignore[arg-type]
        function=nothing,
        **more,
    )


VOLUME = Reads(("volume",))
LABELS = Reads(("label_map",))

CATALOGUE: dict[str, Stage] = {
    one.name: one
    for one in (
        stage(
            "resample", Resample, "volume", "subject",
            reads={"image": VOLUME}, resolve=smallest, cost=cost_by_size,
        ),
        stage("smooth", Nothing, "volume", "subject", reads={"image": VOLUME}),
        stage("regrid_labels", Regrid, "label_map", "subject", reads={"label": LABELS}),
        stage(
            "train", Train, "weights", "cohort", trains=True, paired=("image", "label"),
            reads={
                "image": Reads(("volume",), many=True),
                "label": Reads(("label_map",), many=True),
            },
            columns=lambda parameters: [parameters.column] if parameters.column else [],
            cost=cost_by_size,
        ),
        stage(
            "learn", Train, "weights", "cohort", trains=True,
            reads={"image": Reads(("volume",), many=True)},
            columns=lambda parameters: [parameters.column] if parameters.column else [],
        ),
        stage(
            "tune", Train, "weights", "cohort", trains=True,
            reads={"start": Reads(("weights",)), "image": Reads(("volume",), many=True)},
        ),
        stage(
            "monitor", Train, "weights", "cohort", trains=True,
            reads={
                "image": Reads(("volume",), many=True),
                "monitor": Reads(("volume",), many=True),
            },
        ),
        stage("adapt", Train, "weights", "subject", trains=True, reads={"image": VOLUME}),
        stage(
            "segment", Segment, "label_map", "subject",
            reads={"image": VOLUME, "weights": Reads(("weights",))},
        ),
        stage(
            "encode", Nothing, "features", "subject",
            reads={"image": VOLUME, "weights": Reads(("weights",))},
        ),
        stage(
            "train_head", Train, "weights", "cohort", trains=True,
            reads={"features": Reads(("features",), many=True)},
        ),
        stage(
            "score", Score, "scores", "subject", scores=True,
            reads={"prediction": LABELS, "reference": LABELS},
        ),
        stage(
            "score_all", Score, "scores", "cohort", scores=True, paired=("prediction", "reference"),
            reads={
                "prediction": Reads(("label_map",), many=True),
                "reference": Reads(("label_map",), many=True),
            },
            columns=lambda parameters: ["group"],
        ),
        stage(
            "test", Test, "table", "cohort",
            reads={"image": Reads(("volume",), many=True)},
            columns=lambda parameters: [parameters.column],
        ),
        stage(
            "gather", Nothing, "features", "cohort",
            reads={"image": Reads(("volume",), many=True)},
        ),
        stage(
            "align", Nothing, "volume", "subject",
            reads={"image": VOLUME, "template": Reads(("features",))},
        ),
        stage(
            "rename", Nothing, "label_map", "subject",
            reads={"label": LABELS, "names": Reads(("table",))},
        ),
        stage(
            "annotate", Nothing, "volume", "subject",
            reads={"image": VOLUME, "names": Reads(("table",), optional=True)},
        ),
        stage("list_names", Nothing, "table", "cohort", reads={"names": Reads(("table",))}),
        stage(
            "vote", Nothing, "label_map", "subject",
            reads={"votes": Reads(("label_map",), many=True)},
        ),
        stage(
            "mask", Switched, "volume", "subject",
            reads={
                "image": VOLUME,
                "label": Reads(("label_map",), when=lambda parameters: parameters.masked),
            },
        ),
        stage(
            "hint", Nothing, "volume", "subject",
            reads={"image": VOLUME, "label": Reads(("label_map",), optional=True)},
        ),
        stage(
            "subtract", Nothing, "volume", "subject",
            reads={"image": VOLUME, "other": VOLUME},
        ),
        stage(
            "summarise", Nothing, "table", "cohort",
            reads={"scores": Reads(("scores",), many=True)},
        ),
    )
}  # fmt: skip
