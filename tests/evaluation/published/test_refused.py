"""Corrupted files are refused by file, table, row and what is wrong."""

from __future__ import annotations

import pytest

from cohortflow.errors import BadPublishedTable
from tests.evaluation.published.made import FILE, made


def test_the_file_itself_is_read() -> None:
    (table,) = made().tables
    assert table.rows[1].flags == {"A": "odd"}
    assert table.rows[0].numbers["A"].half_width == 0.005  # type: ignore[union-attr]
    assert table.rows[0].numbers["B"].text == "3.0"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("system: synergynet", "system: other", "of another system"),
        ("year: 2024", "year: soon", "synergynet.yaml, year"),
        ('title: "A made paper"', "author: me", "title"),
        ('about: "scores"', 'about: "scores"\n    abuot: x', "table1, abuot"),
        ("unit: mm", "unit: mn", "table1, metrics, B, unit.*no unit 'mn'"),
        ("better: lower", "better: smaller", "table1, metrics, B, better"),
        (', why: "not defined"', "", "table1, metrics, B.*neither a definition"),
        ("definition: dice", "definition: dise", "table1, A.*dise"),
        ("columns: [A, B]", "columns: [A]", "table1.*column of the metric.*B"),
        ("columns: [A, B]", "columns: [A, B, C]", "table1.*no such metric.*C"),
        ("columns: [A, B]", "columns: [A, A]", "column that stands twice.*A"),
        ("B: 2.5, ", "", "row 2 \\(new\\).*lacks a column.*no B"),
        ("B: 3.0}", "B: low}", "row 1 \\(old\\), B.*no number.*low"),
        ("B: 3.0}", "B: .nan}", "line 15.*none"),
        ("B: 3.0}", "B: {mean: 3.0, std: 1}}", "row 1 \\(old\\), B.*no number.*std"),
        ("B: 3.0}", "B: true}", "row 1 \\(old\\), B.*no number"),
        ("B: 3.0}", "B: 3.0, B: 3.1}", "line 15.*stands twice.*B"),
        ("flags: {A: odd}", "flags: {A: even}", "row 2 \\(new\\).*no such flag.*even"),
        ("flags: {A: odd}", "flags: {Z: odd}", "row 2 \\(new\\).*column to flag.*Z"),
        ("flags: {A: odd}", "flags: odd", "row 2.*flags"),
        ('method: "old", ', "", "row 1.*does not say its method"),
        ("proposed: false", "proposed: 1", "row 1.*does not say its method"),
        ("columns: [A, B]", "columns: [A, B]\n    means: {A: [C]}", "no such column.*C"),
        ("columns: [A, B]", "columns: [A, B]\n    structures: {C: liver}", "no such column.*C"),
        ("columns: [A, B]", "columns: [A, B]\n    baseline: older", "no such method.*older"),
        ("columns: [A, B]", "columns: [A, B]\n    flags: even", "no such flag.*even"),
        ("columns: [A, B]", "columns: [A, B]\n    compare: [fold]", "old.*no such label.*fold"),
        (
            "columns: [A, B]",
            "columns: [A, B]\n    relations: [{kind: mean, column: A, of: [C]}]",
            "no such column.*C",
        ),
        (
            "columns: [A, B]",
            "columns: [A, B]\n    relations: [{kind: median, column: A}]",
            "table1, relations",
        ),
        (
            "columns: [A, B]",
            "columns: [A, B]\n    claims: [{method: new, columns: [A]}]",
            "states a gain over something, or a rank",
        ),
        ("tables:", "tables: [", "no YAML"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, said: str) -> None:
    assert FILE.count(old) >= 1
    with pytest.raises(BadPublishedTable, match=f"(?s)synergynet.yaml.*{said}|{said}") as caught:
        made(FILE.replace(old, new, 1))
    assert "synergynet.yaml" in caught.value.where


def test_two_tables_of_one_id_are_refused() -> None:
    table = FILE[FILE.index("  - id: table1") :]
    with pytest.raises(BadPublishedTable, match=r"table1"):
        made(FILE + table.lstrip("\n"))
