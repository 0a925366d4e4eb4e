"""The printed numbers, checked against each other by arithmetic."""

from __future__ import annotations

import pytest

from cohortflow.errors import UnknownName
from cohortflow.evaluation.published import (
    PublishedTable,
    findings,
    published_cells,
    published_paper,
    published_tables,
)

SYSTEM = "mci-persistent-homology"
NETWORKS = ("DMN", "FP", "OP", "SM", "CO", "CB")
TEST_SIZES = {
    ("HC vs MCI", "ADNI"): [20],
    ("HC vs MCI", "TLSA"): [17, 18, 19, 20, 21],
    ("HC vs EMCI", "ADNI"): [68],
    ("HC vs LMCI", "ADNI"): [63],
    ("EMCI vs LMCI", "ADNI"): [60],
}


def table(name: str) -> PublishedTable:
    (found,) = (one for one in published_tables(SYSTEM) if one.id == name)
    return found


def test_table_1_has_fifteen_rows_of_six_networks():
    found = table("table1")
    assert found.columns == NETWORKS
    keys = [
        (row.labels["comparison"], row.labels["cohort"], row.labels["dim"]) for row in found.rows
    ]
    assert len(set(keys)) == len(keys) == 15
    assert all(0 <= value <= 100 for row in found.rows for value in row.values.values())


def test_flags_of_table_1_are_the_cells_that_no_count_of_subjects_gives():
    for row in table("table1").rows:
        sizes = TEST_SIZES[str(row.labels["comparison"]), str(row.labels["cohort"])]
        percents = [100 * hits / n for n in sizes for hits in range(n + 1)]
        for column, value in row.values.items():
            fits = any(abs(percent - value) <= 0.05 + 1e-9 for percent in percents)
            assert fits == (column not in row.flags), (row.labels, column, value)
            if row.flags.get(column, "").startswith("cut off"):
                assert any(0 <= percent - value < 0.1 for percent in percents)


def test_table_2_repeats_the_best_of_table_1_but_for_the_flagged_cell():
    own = [row for row in table("table2").rows if row.proposed]
    flagged = []
    for row in own:
        for cohort, value in row.values.items():
            best = max(
                other.values[str(row.labels["network"])]
                for other in table("table1").rows
                if other.labels["comparison"] == "HC vs MCI" and other.labels["cohort"] == cohort
            )
            if value != best:
                flagged.append((row.labels["network"], cohort, value, best))
                assert "for HC vs LMCI" in row.flags[cohort]
            else:
                assert "for HC vs LMCI" not in row.flags.get(cohort, "")
    assert flagged == [("DMN", "ADNI", 91.1, 75.0)]


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_the_computed_counts_are_the_flagged_cells(name):
    found = {
        (one.row, one.column) for one in findings(published_paper(SYSTEM)) if one.table == name
    }
    flagged = {
        (row.name, column)
        for row in table(name).rows
        for column, reason in row.flags.items()
        if "has the same number" not in reason
    }
    assert found == flagged


def test_a_point_finds_its_printed_cells():
    point = {"comparison": "hc_mci", "network": "CO", "degree": 0, "seed": 3, "fold": 1}
    adni, tlsa = published_cells(SYSTEM, point)
    assert (adni.value, adni.labels["cohort"], adni.unit) == (95.0, "ADNI", "percent")
    assert (tlsa.value, tlsa.labels["cohort"]) == (70.6, "TLSA")
    (flagged,) = published_cells(SYSTEM, {"comparison": "hc_lmci", "network": "DMN", "degree": 0})
    assert (flagged.value, flagged.flag) == (91.1, table("table1").rows[9].flags["DMN"])


@pytest.mark.parametrize(
    "point",
    [
        {},
        {"network": "CO"},
        {"comparison": "autism_control", "network": "DMN", "degree": 0},
        {"comparison": "hc_mci", "network": "visual", "degree": 0},
        {"comparison": "hc_mci", "network": "DMN", "degree": 3},
    ],
)
def test_a_point_that_the_paper_has_not_finds_nothing(point: dict):
    assert published_cells(SYSTEM, point) == []


def test_an_unknown_system_is_named():
    with pytest.raises(UnknownName, match="no-such"):
        published_tables("no-such")
