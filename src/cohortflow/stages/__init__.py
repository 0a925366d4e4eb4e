"""The catalogue: every stage by name, in one dictionary. No scanning, no import side effects."""

from __future__ import annotations

from cohortflow.pipeline.stage import Stage
from cohortflow.stages import (
    by_roi,
    classify,
    clip,
    compare_previews,
    correct_bias,
    correlation,
    crop_to_body,
    crop_to_label,
    diagrams,
    match_histogram,
    normalise,
    pad,
    pairwise_rois,
    pairwise_subjects,
    preview,
    rank_sum_map,
    regrid_labels,
    reorient,
    resample,
    score,
    score_segmentation,
    standardise,
    summarise_scores,
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
        compare_previews,
        classify,
        score,
        reorient,
        resample,
        regrid_labels,
        crop_to_body,
        crop_to_label,
        pad,
        correct_bias,
        clip,
        normalise,
        match_histogram,
        score_segmentation,
        summarise_scores,
    )
}
