"""Repetition times: one number, or a table by site."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from cohortflow.errors import BadParameter, UnknownName, UsageError
from cohortflow.sources.participants import Participants, read_participants
from cohortflow.sources.repetition_times import repetition_times


@pytest.fixture
def people(tmp_path: Path) -> Participants:
    path = tmp_path / "p.csv"
    path.write_text("id,SITE_ID,group\nA,NYU,HC\nB,PITT,HC\nC,ELSEWHERE,HC\n")
    return read_participants(path, {"site": "SITE_ID", "group": "group"})


def seconds(spec: object, people: Participants | None) -> list[float]:
    times = repetition_times(spec, people)  # type: ignore[arg-type]
    rows = [people.row(s) if people else None for s in "ABC"]
    return [times.of(s, row, people) for s, row in zip("ABC", rows, strict=True)]


@pytest.mark.parametrize("key", ["SITE_ID", "site"])
def test_a_table_by_a_column_of_the_participants(
    key: str, people: Participants, tmp_path: Path
) -> None:
    (tmp_path / "tr.csv").write_text(f"{key},tr_s\nNYU,2.0\nPITT,1.5\n")
    a, b, c = seconds(tmp_path / "tr.csv", people)
    assert (a, b) == (2.0, 1.5)
    assert math.isnan(c)


def test_one_number_and_none(people: Participants, tmp_path: Path) -> None:
    assert seconds(2.5, people) == [2.5] * 3
    assert seconds("2.5", None) == [2.5] * 3
    assert all(map(math.isnan, seconds(None, people)))
    (tmp_path / "tr.tsv").write_text("subject\tRepetitionTime\nA\t3\nB\t2\n")
    assert seconds(tmp_path / "tr.tsv", None)[:2] == [3.0, 2.0]


def test_faulty_ones_are_named(people: Participants, tmp_path: Path) -> None:
    for spec in (2000, 0, -2.0, float("nan")):
        with pytest.raises(BadParameter, match="seconds"):
            repetition_times(spec, people)
    faults: list[tuple[str, type[Exception]]] = [
        ("SITE_ID,tr_s\nNYU,fast\n", BadParameter),
        ("SITE_ID,tr_s\nNYU,2\nNYU,3\n", BadParameter),
        ("SITE_ID,time\nNYU,2\n", UnknownName),
        ("scanner,tr_s\nX,2\n", UnknownName),
    ]
    for text, fault in faults:
        (tmp_path / "tr.csv").write_text(text)
        with pytest.raises(fault, match=r"tr\.csv"):
            repetition_times(tmp_path / "tr.csv", people)
    (tmp_path / "tr.csv").write_text("site,scanner,tr_s\nNYU,X,2\n")
    with pytest.raises(UsageError, match="participants"):
        repetition_times(tmp_path / "tr.csv", None)
