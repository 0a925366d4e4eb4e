"""Rank-sum maps: where the distances of two groups differ, before and after correction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cohortflow.report.blocks import Block, Column, Note, Section, Table, Text, not_run
from cohortflow.report.sections.p_figures import map_figure, pair_figure
from cohortflow.report.sections.p_maps import PairMap, read_map
from cohortflow.report.sections.p_pairs import strongest_pairs
from cohortflow.report.source import ReportSource, ReportUnit, axis_labels, done

TITLE = "Pairs of regions that differ between groups"
MOST_MAPS = 8
MOST_CHORDS = 4
MOST_REGIONS = 5


def p_plots(source: ReportSource) -> Section:
    """P-value maps and masks, numbers of significant pairs, regions with most partners."""
    units = done(source.units(stage="rank_sum_map"))
    if not units:
        return not_run("p_plots", TITLE, "no step of stage rank_sum_map has a finished unit.")
    maps = _sorted(source, units)
    groups = _by_network(maps)
    blocks: list[Block] = [_text(maps[0])]
    permuted = [found.permutations for found in maps if found.p_family is not None]
    if permuted:
        blocks.append(_permutation_text(max(permuted)))
    open_units = len(source.units(stage="rank_sum_map")) - len(units)
    if open_units:
        blocks.append(Note(f"{open_units} maps did not finish and are missing here.", "warning"))
    blocks.append(_counts(maps))
    blocks += [_partners(maps), strongest_pairs(maps)]
    strongest = sorted(groups, key=lambda key: -sum(m.count() for m in groups[key]))[:MOST_MAPS]
    blocks += [map_figure(groups[key]) for key in groups if key in strongest]
    if len(groups) > MOST_MAPS:
        rest = len(groups) - MOST_MAPS
        text = f"{rest} more maps with fewer significant pairs are not drawn; the tables hold all."
        blocks.append(Note(text))
    chords = sorted((m for m in maps if m.count()), key=lambda m: -m.count())[:MOST_CHORDS]
    if chords:
        blocks.append(pair_figure(chords))
    return Section("p_plots", TITLE, blocks)


def _sorted(source: ReportSource, units: Sequence[ReportUnit]) -> list[PairMap]:
    orders = {
        axis: axis_labels(source, axis, units) for axis in ("comparison", "network", "degree")
    }

    def rank(unit: ReportUnit) -> list[int]:
        return [
            order.index(unit.point[axis]) if axis in unit.point else -1
            for axis, order in orders.items()
        ]

    return [read_map(source, unit) for unit in sorted(units, key=rank)]


def _by_network(maps: Sequence[PairMap]) -> dict[tuple[Any, Any], list[PairMap]]:
    groups: dict[tuple[Any, Any], list[PairMap]] = {}
    for found in maps:
        groups.setdefault((found.comparison, found.network), []).append(found)
    return groups


def _text(first: PairMap) -> Text:
    return Text(
        "For every pair of regions a two-sided rank-sum test compares the pair's distance between "
        f"the groups. A pair below p = {first.alpha:g} differs in how similar the dynamics of its "
        "two regions are; a share of that size is expected by chance alone, so the mask after "
        "Benjamini–Hochberg correction over the pairs of the network stands beside it."
    )


def _permutation_text(count: int) -> Text:
    return Text(
        f"Groups were also exchanged, in up to {count} ways, whole subjects at a time: by "
        "permutation a pair is compared with the largest statistic of all pairs of the network "
        "(Westfall–Young), which bounds the chance of any false pair."
    )


def _counts(maps: Sequence[PairMap]) -> Table:
    rows: list[dict[str, Any]] = [
        {
            "comparison": found.comparison,
            "network": found.network,
            "degree": f"H{found.degree}",
            "n": [f"{name} {count}" for name, count in found.counts.items()],
            "left_out": len(found.left_out),
            "tests": found.tests,
            "significant": found.count(),
            "share": found.count() / found.tests if found.tests else None,
            "expected": found.tests * found.alpha,
            "corrected": found.count(corrected=True),
            "smallest": float(found.p_value.min()) if found.tests else None,
        }
        for found in maps
    ]
    columns = [
        Column("comparison", "Comparison"),
        Column("network", "Network"),
        Column("degree", "Degree"),
        Column("n", "n", "names", "subjects"),
        Column("left_out", "Left out", "integer", "subjects"),
        Column("tests", "Pairs", "integer", "tests"),
        Column("significant", "Significant", "integer", "pairs"),
        Column("share", "Share", "share", "of pairs"),
        Column("expected", "By chance", "number", "pairs"),
        Column("corrected", "Corrected", "integer", "pairs"),
        Column("smallest", "Smallest p", "p"),
    ]
    if any(found.p_family is not None for found in maps):
        columns.insert(-1, Column("family", "By permutation", "integer", "pairs"))
        for row, found in zip(rows, maps, strict=True):
            row["family"] = found.family()
    levels = sorted({found.alpha for found in maps})
    level = ", ".join(f"{alpha:g}" for alpha in levels)
    caption = (
        f"Significant pairs at p < {level}; expected by chance; after Benjamini–Hochberg at the "
        "same level"
    )
    return Table("significant_pairs", caption, columns, rows)


def _partners(maps: Sequence[PairMap]) -> Table:
    rows = []
    for found in maps:
        partners = found.hits().sum(axis=0)
        order = sorted(range(len(partners)), key=lambda i: (-int(partners[i]), i))
        rows += [
            {
                "comparison": found.comparison,
                "network": found.network,
                "degree": f"H{found.degree}",
                "rank": rank,
                "region": found.regions[i],
                "partners": [int(partners[i]), len(partners) - 1],
            }
            for rank, i in enumerate(order[:MOST_REGIONS], start=1)
            if partners[i]
        ]
    columns = [
        Column("comparison", "Comparison"),
        Column("network", "Network"),
        Column("degree", "Degree"),
        Column("rank", "Rank", "integer"),
        Column("region", "Region"),
        Column("partners", "Significant partners", "fraction", "of all"),
    ]
    caption = "The five regions with most significant partners, uncorrected; none where no pair is"
    return Table("partners", caption, columns, rows, shown=40)
