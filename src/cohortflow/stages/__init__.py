"""The catalogue: every stage by name, in one dictionary. No scanning, no import side effects."""

from __future__ import annotations

from cohortflow.pipeline.stage import Stage
from cohortflow.stages import (
    by_roi,
    classify,
    correlation,
    diagrams,
    pairwise_rois,
    pairwise_subjects,
    preview,
    rank_sum_map,
    score,
    standardise,
    vector_features,
)

CATALOGUE: dict[str, Stage] = {
    module.STAGE.name: module.STAGE
    for module in (
        standardise,
        diagrams,
        pairwise_rois,
        by_roi,
        pairwise_subjects,
        rank_sum_map,
        vector_features,
        correlation,
        preview,
        classify,
        score,
    )
}
