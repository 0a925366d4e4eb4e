"""Printed tables in the terminal and as JSON."""

from __future__ import annotations

from cohortflow.evaluation.published import PUBLISHED
from tests.cli.conftest import CommandLine


def test_all_of_them_are_listed(cli: CommandLine) -> None:
    listed = cli("list", "published", "--json").json()
    assert [row["name"] for row in listed] == list(PUBLISHED)
    assert "5 tables" in next(row["about"] for row in listed if row["name"] == "cmu-net")


def test_tables_are_told_with_places_and_doubts(cli: CommandLine) -> None:
    told = cli("describe", "pulmonary-artery-vein")
    assert told.code == 0
    assert "Recall, fraction" in told.out
    assert "0.825 (1)" in told.out
    assert "4.162† (2)" in told.out
    assert "† EA-U-Net, HD 5.032: another table prints another number" in told.out
    assert "found: table4, EA-U-Net, HD: 8.59 is printed where Table 1 has 5.032" in told.out


def test_json_says_definition_unit_place_and_gain(cli: CommandLine) -> None:
    found = cli("describe", "dlkunet", "--json").json()["published"]
    table = next(table for table in found["tables"] if table["id"] == "table2")
    assert table["columns"]["HD95"]["definition"] == "hd95/pooled"
    assert table["columns"]["HD95"]["unit"] == "mm"
    best = next(row for row in table["rows"] if row["method"] == "DLKUNet-L")
    assert (best["values"]["HD95"], best["places"]["HD95"]) == (13.89, 1)
    gain = next(gain for gain in table["gains"] if gain["column"] == "HD95")
    assert (gain["over"], gain["value"], gain["told"]) == ("Swin-Unet", 7.66, True)
    assert len(found["digest"]) == 64


def test_a_pipeline_of_that_name_keeps_its_own_lines(cli: CommandLine) -> None:
    told = cli("describe", "mci-persistent-homology").out
    assert "axis network: " in told
    assert "printed in: " in told


def test_a_name_that_is_nothing_is_refused(cli: CommandLine) -> None:
    told = cli("describe", "cmunet")
    assert told.code == 2
    assert "cmu-net" in told.err
