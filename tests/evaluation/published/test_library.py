"""All packaged files: they load, say what each column is, and flag what they must."""

from __future__ import annotations

import re
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pytest

from cohortflow.errors import UnknownName
from cohortflow.evaluation.published import (
    PUBLISHED,
    correspondence,
    findings,
    published_paper,
    published_tables,
)
from cohortflow.systems import SYSTEMS

FOLDER = files("cohortflow.systems") / "published"
FLAGGED = Path(__file__).with_name("flagged.txt")
# Relations and statements that the digits do not bear out, by paper.
FOUND = {
    "synergynet": 24,
    "snet": 12,
    "dlkunet": 7,
    "adlitenet": 1,
    "mci-persistent-homology": 28,
    "texture-attack": 4,
    "covid-severity": 1,
    "sepsis-tabular-privacy": 5,
    "svd-grad-cam": 13,
    "specular-covariant": 3,
    "lora-sam-surgical": 10,
    "drivpocket": 26,
    "totalct-sam": 7,
    "epilepsy-multitask": 11,
    "multilabel-hashing": 1,
    "cross-modal-ad-progression": 2,
    "ma-dtnet": 7,
    "transnetoct": 2,
    "mrd-flow-cytometry": 6,
    "two-teachers-3d-denseunet": 3,
    "superpixel-sparse-labels": 13,
    "cmu-net": 2,
    "mcgan": 1,
    "pulmonary-artery-vein": 10,
    "seanet-ldct": 18,
    "icu-vitals": 6,
}


def test_the_list_is_what_is_packaged_and_holds_every_system() -> None:
    packaged = {file.name for file in FOLDER.iterdir()}
    assert packaged == {f"{name}.yaml" for name in PUBLISHED}
    assert len(set(PUBLISHED)) == len(PUBLISHED) == 34
    assert set(SYSTEMS) <= set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_file_says_where_its_numbers_are_from_and_what_they_are(name: str) -> None:
    paper = published_paper(name)
    assert paper.digest == sha256((FOLDER / f"{name}.yaml").read_bytes()).hexdigest()
    assert paper.title
    assert paper.year in (2024, 2025)
    assert paper.tables or name == "l2gnet"
    for table in paper.tables:
        assert all((table.printed_in, table.about, table.rows))
        assert set(table.units) == set(table.better) == set(table.columns)
        assert all(set(row.values) == set(table.columns) for row in table.rows)
        for column in table.columns:
            ours = correspondence(table, column)
            assert ours.ids or ours.why
            assert ours.stated or ours.why
            assert any(row.numbers[column] is not None for row in table.rows)


def test_a_method_needs_no_network_to_have_tables() -> None:
    assert "cmu-net" not in SYSTEMS
    first = published_tables("cmu-net")[1]
    assert first.rows[-1].values == {"F1": 0.7883, "IoU": 0.7420}
    assert first.rows[-1].numbers["IoU"].text == "0.7420"  # type: ignore[union-attr]


def test_a_deviation_keeps_its_digits_too() -> None:
    row = published_paper("ma-dtnet").table("table2").rows[-1]
    assert str(row.numbers["AUROC"]) == "0.978 ± 0.010"


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="cmu-net"):
        published_tables("cmunet")


def test_a_setting_is_no_score_and_a_protocol_keeps_its_rule() -> None:
    table = published_paper("federated-memory-elements").table("text_reference_accuracy")
    assert correspondence(table, "epochs").ids == (), "25 epochs are no 25 percent"
    assert table.better["epochs"] == "none"
    for name in ("synergynet", "snet", "dlkunet"):
        (table,) = [one for one in published_tables(name) if one.id == "table2"]
        assert correspondence(table, "DSC").ids == ("dice/transunet", "dice"), name
    copied = correspondence(published_paper("dlkunet").table("table2"), "HD95")
    assert not copied.comparable("mm"), "its rows are of code that measures in voxels"


@pytest.mark.parametrize(
    ("method", "paper", "table", "there"),
    [
        ("R50 UNet", "dlkunet", "table2", "R50 U-Net"),
        ("R50 ViT", "snet", "table1", "R50 ViT"),
        ("TransUNet", "snet", "table1", "TransUNet"),
    ],
)
def test_rows_said_to_stand_in_other_papers_do(
    method: str, paper: str, table: str, there: str
) -> None:
    (ours,) = (
        row
        for row in published_paper("synergynet").table("table1").rows
        if row.method == method and "papers of others" in row.flag
    )
    (theirs,) = (row for row in published_paper(paper).table(table).rows if row.method == there)
    assert len(ours.values) == 10
    for column, value in ours.values.items():
        other = column if column in theirs.values else "HD"
        assert theirs.values[other] == value, column


def test_groups_of_patients_add_up_to_the_whole() -> None:
    paper = published_paper("covid-severity")
    women, men = [9, 9, 8, 6, 4], [12, 6, 18, 15, 13]
    (whole,) = (row for row in paper.table("table1").rows if row.proposed)
    first, second, *bands = paper.table("table2").rows
    for column in (f"cov{tolerance}" for tolerance in range(6)):
        within = [
            round((row.values[column] or 0.0) * n)
            for row, n in zip(bands, [*women, *men], strict=True)
        ]
        assert round((first.values[column] or 0.0) * 36) == sum(within[:5]), column
        assert round((second.values[column] or 0.0) * 64) == sum(within[5:]), column
        assert round((whole.values[column] or 0.0) * 100) == sum(within), column


def test_flagged_cells_are_where_they_should_be() -> None:
    found = []
    for name in PUBLISHED:
        for table in published_tables(name):
            here = f"{name} | {table.id}"
            found += [f"{here} | table | {len(table.flags)}"] if table.flags else []
            found += [f"{here} | column | {column}" for column in table.column_flags]
            for row in table.rows:
                columns = ["row"] if row.flag else []
                columns += [column for column in table.columns if column in row.flags]
                found += [f"{here} | {row.name} | {', '.join(columns)}"] if columns else []
    assert found == FLAGGED.read_text(encoding="utf-8").splitlines()


def test_every_flag_is_used_and_short() -> None:
    for name in PUBLISHED:
        text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
        block = re.search(r"^flags:\n((?:  .*\n)+)", text, re.MULTILINE)
        for line in block[1].splitlines() if block else ():
            code = line.strip().partition(":")[0]
            assert len(re.findall(rf"(?<![\w-]){code}(?![\w-])", text)) > 1, (name, code)
            assert len(line) < 180


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_numbers_say_against_themselves_is_flagged_too(name: str) -> None:
    found = findings(published_paper(name))
    assert len(found) == FOUND.get(name, 0), [one.about for one in found]
    assert [one for one in found if not one.flagged] == []
