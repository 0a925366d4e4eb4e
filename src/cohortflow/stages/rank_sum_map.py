"""P-plot: a rank-sum test between two groups for every pair of regions of a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pydantic
import xarray as xr
from numpy.typing import NDArray

from cohortflow.cohort.entry import Item, Many, Output
from cohortflow.errors import GroupTooSmall, UndefinedResult
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.recorder import Recorder
from cohortflow.stages._matrices import network_matrices
from cohortflow.stages._regions import LIBRARIES_BYTES, number
from cohortflow.topology.group_maps.intervals import rank_biserial_interval
from cohortflow.topology.group_maps.permutations import BATCH, permuted_rank_sum_pairs
from cohortflow.topology.group_maps.rank_sum import rank_sum_pairs

Floats = NDArray[np.float64]
SMALLEST_GROUP = 2


class RankSumMap(Parameters):
    network: str = pydantic.Field(description="network whose pairs of regions are tested")
    degree: int = pydantic.Field(ge=0, le=2, description="homology degree")
    alpha: float = pydantic.Field(0.01, gt=0.0, lt=1.0, description="level of significance")
    column: str = pydantic.Field("group", description="participants column with two values")
    permutations: int = pydantic.Field(
        0, ge=0, le=10**7, description="ways to exchange subjects between the groups; 0: none"
    )
    permutation_seed: int = pydantic.Field(0, ge=0, description="which permutations are drawn")
    confidence: float | None = pydantic.Field(
        None, gt=0.0, lt=1.0, description="of the interval of each effect; null: no interval"
    )


ASKED_FOR = {"permutations", "permutation_seed", "confidence"}
"""Parameters that an entry names only where they did something: older entries have none of them."""


def rank_sum_map(parameters: RankSumMap, context: Context, matrices: Many) -> Output:
    """Tests of all pairs between the two groups; subjects lacking a region are left out, named."""
    groups = _two_groups(parameters, context, matrices)
    items = _telling(matrices, context.recorder)
    found = network_matrices(items, parameters.network, parameters.degree)
    left_out = list(found.left_out)
    columns = context.columns
    own = np.array([str(columns[subject][parameters.column]) for subject in found.subjects])
    counts = {group: int((own == group).sum()) for group in groups}
    _refuse_small(counts, left_out, parameters)
    first, second = (found.values[own == group] for group in groups)
    tests = rank_sum_pairs(first, second)
    more = _permuted(parameters, context, first, second)
    more = more.assign(_interval(parameters, tests.effect, len(first), len(second)))
    significant = tests.p_value < parameters.alpha
    upper = np.triu_indices(len(found.regions), 1)
    result = xr.Dataset(
        {
            "p_value": (("roi_i", "roi_j"), tests.p_value),
            "q_value": (("roi_i", "roi_j"), tests.q_value),
            "effect": (("roi_i", "roi_j"), tests.effect),
            "significant": (("roi_i", "roi_j"), significant),
            "region": ("roi", np.array(found.regions, dtype=np.str_)),
        },
        attrs={
            **parameters.model_dump(exclude=ASKED_FOR),
            "first": groups[0],
            "second": groups[1],
            "n": counts,
            "left_out": left_out,
            "test": "Wilcoxon rank-sum, two-sided, normal approximation, ties and continuity",
            "correction": "Benjamini–Hochberg over the pairs i < j (q_value)",
            "effect_is": f"rank-biserial: P({groups[0]} > {groups[1]}) - "
            f"P({groups[0]} < {groups[1]}); positive where distances of {groups[0]} are larger",
        },
    )
    result = result.assign(more).assign_attrs(more.attrs)
    facts = {
        "tests": len(upper[0]),
        "significant": int(significant[upper].sum()),
        "significant_corrected": int((tests.q_value[upper] < parameters.alpha).sum()),
        "n": counts,
        "left_out": left_out,
        "missing": len(matrices.missing),
    }
    if "p_family" in more:
        family = more["p_family"].values[upper] < parameters.alpha
        facts["significant_family"] = int(family.sum())
    return Output(dataset=result, facts=facts, warnings=_left_out_warning(left_out, parameters))


def _permuted(
    parameters: RankSumMap, context: Context, first: Floats, second: Floats
) -> xr.Dataset:
    if not parameters.permutations:
        return xr.Dataset()
    seed = [context.seed, parameters.permutation_seed]
    tests = permuted_rank_sum_pairs(first, second, parameters.permutations, seed)
    ways = "every way to part the subjects" if tests.exhaustive else "ways drawn at random"
    return xr.Dataset(
        {
            "p_permutation": (("roi_i", "roi_j"), tests.p_value),
            "p_family": (("roi_i", "roi_j"), tests.p_family),
        },
        attrs={
            "permutations": tests.permutations,
            "permutation_seed": parameters.permutation_seed,
            "permutation_test": f"{ways}; p_family by the largest of all pairs (Westfall–Young)",
        },
    )


def _interval(
    parameters: RankSumMap, effect: Floats, first: int, second: int
) -> dict[str, xr.DataArray]:
    if parameters.confidence is None:
        return {}
    ends = rank_biserial_interval(effect, first, second, parameters.confidence)
    for end in ends:
        np.fill_diagonal(end, 0.0)
    about = {"confidence": parameters.confidence, "source": "Newcombe 2006, method 5"}
    return {
        name: xr.DataArray(end, dims=("roi_i", "roi_j"), attrs=about)
        for name, end in zip(("effect_low", "effect_high"), ends, strict=True)
    }


def _two_groups(parameters: RankSumMap, context: Context, matrices: Many) -> list[str]:
    values = [context.columns.get(item.subject, {}).get(parameters.column) for item in matrices]
    unknown = [item.subject for item, value in zip(matrices, values, strict=True) if value is None]
    groups = sorted({str(value) for value in values if value is not None})
    if unknown or len(groups) != 2:
        lacking = f", none for {', '.join(unknown)}" if unknown else ""
        raise UndefinedResult(
            "a rank-sum test compares two groups",
            where=f"column {parameters.column!r}",
            expected="exactly two values, one for every subject",
            found=(", ".join(groups) or "no value") + lacking,
            hint="Admit two groups with where: {column: {…: [A, B]}}.",
        )
    return groups


def _telling(matrices: Many, recorder: Recorder) -> Iterator[Item]:
    for done, item in enumerate(matrices, start=1):
        yield item
        recorder.progress(done, len(matrices))


def _refuse_small(counts: Mapping[str, int], left_out: list[str], parameters: RankSumMap) -> None:
    for group, count in counts.items():
        if count < SMALLEST_GROUP:
            without = f" without {', '.join(left_out)}" if left_out else ""
            raise GroupTooSmall(
                f"group {group!r} is too small to be compared",
                where=f"column {parameters.column!r}",
                expected=f"at least {SMALLEST_GROUP} subjects",
                found=f"{count}{without}",
            )


def _left_out_warning(left_out: list[str], parameters: RankSumMap) -> list[dict[str, str]]:
    if not left_out:
        return []
    message = f"lack a region of network {parameters.network}: {', '.join(left_out)}"
    return [{"code": "left-out", "message": message}]


def cost(parameters: RankSumMap, facts: Sequence[Facts]) -> Cost:
    sizes: list[Any] = [one.get("networks", {}).get(parameters.network) for one in facts]
    rois = max((int(size) for size in sizes if size), default=160)
    whole = max((number(one, "rois", 160) for one in facts), default=160)
    batch = min(parameters.permutations, BATCH)
    return Cost(
        memory_bytes=LIBRARIES_BYTES + 8 * whole**2 + (80 * len(facts) + 16 * batch) * rois**2,
        disk_bytes=72 * rois**2 + 16384,
        seconds=0.2
        + 0.005 * len(facts)
        + (3e-5 + 1e-10 * parameters.permutations * len(facts)) * rois**2,
    )


STAGE = Stage(
    name="rank_sum_map",
    version=1,
    about="Rank-sum tests between two groups for every pair of regions of a network",
    parameters=RankSumMap,
    reads={"matrices": Reads(("distance_matrix",), many=True)},
    writes="pair_map",
    scope="cohort",
    function=rank_sum_map,
    columns=lambda parameters: [parameters.column],
    cost=cost,
    tolerance=1e-9,
    source="Aithal et al. 2024, group statistics",
)
