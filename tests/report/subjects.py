"""A run over made subjects: previews with intensities as told, scores of a segmentation."""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cohortflow.cohort.entry import Entry, Output
from cohortflow.cohort.local_storage import LocalStorage
from cohortflow.phantoms.canary import Canary, oriented_grid
from cohortflow.pipeline.stage import Context
from cohortflow.stages import compare_previews
from tests.report.fake import FakeSource

GRID = oriented_grid("RAS", shape=(12, 12, 12), spacing_mm=(3.0, 2.0, 2.0))
CANARY = Canary.within(GRID)
ERROR = {"code": "gantry-tilt", "message": "tilted by 7°", "hint": "Untilt it.",
         "replay": "cohortflow replay C 0123"}  # fmt: skip


def study(dice: Mapping[str, float | None], **more: Any) -> FakeSource:
    """A subject a value of Dice; None: the organ was missed. ``failed``, ``refused``: more ids."""
    made = FakeSource(
        pipeline={
            "slug": "organs",
            "title": "Organs",
            "report": ["subjects"],
            "steps": [
                {"id": "look", "stage": "compare_previews"},
                {"id": "score", "stage": "score_segmentation"},
            ],
            "axes": {},
        },
        participants=pd.DataFrame(),
        refused=[{"subject": one, "error": ERROR} for one in more.get("refused", ())],
        environment={"cohort": "c0ffee", "index": 3},
    )
    for subject, value in dice.items():
        made.add("look", "preview", picture(), subject=subject)
        made.add("score", "scores", scores(value), subject=subject)
    for subject in more.get("failed", ()):
        made.add("look", "preview", None, subject=subject, error=ERROR)
    return made


@functools.cache
def picture() -> Output:
    """Of the canary; the reference is moved by a voxel."""
    import numpy as np
    import xarray as xr

    def entry(kind: str, name: str, array: Any) -> Entry:
        dataset = xr.Dataset({name: (("z", "y", "x"), array)}, attrs=GRID.attributes())
        return Entry.in_memory(kind, Output(dataset=dataset))

    labels = CANARY.labels(GRID)
    return compare_previews.STAGE.function(
        compare_previews.ComparePreviews(),
        Context(subject="a"),
        image=entry("volume", "image", CANARY.image(GRID)),
        prediction=entry("label_map", "label", labels),
        reference=entry("label_map", "label", np.roll(labels, 1, axis=2)),
    )


@functools.cache
def scores(dice: float | None) -> Output:
    """As ``score_segmentation`` writes them: one organ, and its volume in the reference.

    0: it was missed, and counts as the worst; None: it was missed, and has no value.
    """
    told = {"label": 1, "name": "liver", "n": 1, "reason": "", "state": "measured", "worst": 0.0,
            "policy": "strict"}  # fmt: skip
    missed = {} if dice else {"state": "missed", "reason": "nothing was predicted"}
    rows = [
        {**told, "metric": "dice", "unit": "1", "value": dice, **missed},
        {**told, "metric": "volume/reference", "unit": "ml", "value": 1500.0},
    ]
    target = io.BytesIO()
    pd.DataFrame(rows).to_parquet(target)
    return Output(files={"metrics.parquet": target.getvalue(), "cases.parquet": b""})


def storage(folder: Path) -> LocalStorage:
    return LocalStorage(folder / "cohort")


def many(count: int) -> dict[str, float | None]:
    """Dice of so many subjects, spread evenly between 0.8 and 0.9."""
    return {f"sub-{n:04d}": 0.8 + 0.1 * n / count for n in range(count)}
