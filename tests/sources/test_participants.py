"""Phenotype tables: ABIDE's, BIDS' and any other; rows that are missing, double or too few."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from cohortflow.errors import (
    BadParameter,
    EmptyInput,
    GroupTooSmall,
    ParticipantDuplicate,
    ParticipantMissing,
    UnknownName,
    UnreadableFile,
)
from cohortflow.sources.participants import Participants, check_groups, read_participants
from cohortflow.sources.tables import read_table

ABIDE = """SUB_ID,SITE_ID,FILE_ID,DX_GROUP,AGE_AT_SCAN,SEX,HANDEDNESS
50722,LEUVEN_2,Leuven_2_0050722,2,13.8,2,R
50952,NYU,NYU_0050952,1,-9999,1,-9999
50953,NYU,no_filename,1,9,1,R
50954,NYU,no_filename,1,9,1,R
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def of(people: Participants, subject: str) -> dict[str, object]:
    return dict(people.columns(people.row(subject)))


def test_abides_table_is_known_by_its_columns(tmp_path: Path) -> None:
    people = read_participants(write(tmp_path / "p.csv", ABIDE))
    assert people.id_column == "FILE_ID"
    assert of(people, "Leuven_2_0050722") == {
        "group": "control",
        "site": "LEUVEN_2",
        "age": 13.8,
        "sex": "female",
    }
    assert of(people, "NYU_0050952") == {
        "group": "autism",
        "site": "NYU",
        "age": None,
        "sex": "male",
    }


def test_a_mapping_chooses_columns_and_leaves_their_values(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", ABIDE)
    people = read_participants(path, {"group": "dx_group", "hand": "HANDEDNESS"})
    assert of(people, "Leuven_2_0050722") == {"group": 2, "hand": "R"}
    assert of(people, "NYU_0050952") == {"group": 1, "hand": None}
    by_number = read_participants(path, {"id": "SUB_ID", "patient": "SITE_ID", "group": "SEX"})
    row = by_number.row("50722")
    assert by_number.columns(row) == {"group": 2}
    assert by_number.patient(row) == "LEUVEN_2"


def test_an_unknown_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", ABIDE)
    for mapping in ({"group": "DX_GRUOP"}, {"id": "SUBID"}, {"patient": "SUB_IDD"}):
        with pytest.raises(UnknownName, match=r"Did you mean '(DX_GROUP|SUB_ID)'"):
            read_participants(path, mapping)
    with pytest.raises(BadParameter, match="number"):
        read_participants(path, {"number": "SUB_ID"})


def test_bids_table_types_missing_values_and_sessions(tmp_path: Path) -> None:
    path = write(
        tmp_path / "participants.tsv",
        "participant_id\tsession_id\tage\tscore\tcode\tgroup\n"
        "sub-01\tses-01\t61\t1.5\t007\tHC\nsub-01\tses-02\t62\tn/a\t012\tHC\n"
        "sub-02\t\tn/a\t-2e-1\t1\tMCI\n",
    )
    people = read_participants(path)
    assert of(people, "sub-01_ses-02") == {
        "session_id": "ses-02",
        "age": 62,
        "score": None,
        "code": "012",
        "group": "HC",
    }
    assert people.columns(people.row("sub-02_ses-01", "sub-02"))["score"] == -0.2


def test_rows_by_patient_with_or_without_the_bids_prefix(tmp_path: Path) -> None:
    people = read_participants(write(tmp_path / "p.csv", "subject,group\nsub-01,HC\n02,MCI\n"))
    assert people.row("sub-01_ses-02", "sub-01") == 0
    assert people.row("sub-02_ses-01", "sub-02") == 1


def test_a_lacking_and_a_double_row_name_the_subject(tmp_path: Path) -> None:
    people = read_participants(
        write(tmp_path / "p.tsv", "participant_id\tgroup\nsub-01\tHC\nsub-02\tHC\nsub-01\tMCI\n")
    )
    with pytest.raises(ParticipantMissing, match=r"^sub-09: .*'participant_id'"):
        people.row("sub-09")
    with pytest.raises(ParticipantDuplicate, match=r"^sub-01: .*lines 2, 4"):
        people.row("sub-01")
    assert people.row("sub-02") == 1


def test_columns_that_identify_people_are_left_out_unless_chosen(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.csv",
        "id,PatientName,group,birth_date,Email,filename_count\nA,Erika,HC,1950,e@x.org,3\n",
    )
    people = read_participants(path)
    assert people.dropped == ("PatientName", "birth_date", "Email")
    assert of(people, "A") == {"group": "HC", "filename_count": 3}
    assert of(read_participants(path, {"born": "birth_date"}), "A") == {"born": 1950}


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="participant_id"):
        read_participants(write(tmp_path / "a.csv", "who,group\nA,HC\n"))
    with pytest.raises(UnreadableFile, match=r"b\.csv line 3.*expected 2.*found 3"):
        read_participants(write(tmp_path / "b.csv", "id,group\nA,HC\nB,HC,1\n"))
    with pytest.raises(UnreadableFile, match="twice"):
        read_participants(write(tmp_path / "c.csv", "id,group,group\nA,HC,1\n"))
    with pytest.raises(EmptyInput):
        read_participants(write(tmp_path / "d.csv", ""))
    with pytest.raises(UnreadableFile):
        read_participants(tmp_path / "absent.csv")


def test_lines_are_counted_through_remarks_blanks_and_quoted_breaks(tmp_path: Path) -> None:
    table = read_table(
        write(tmp_path / "t.csv", '# remark\n\nid;note\nA;"two\nlines"\n\nB;"x;y"\n')
    )
    assert [row["id"] for row in table.rows] == ["A", "B"]
    assert table.rows[1]["note"] == "x;y"
    assert table.lines == (5, 7)


def test_groups_need_members() -> None:
    table = pd.DataFrame(
        {"group": ["HC", "HC", "MCI", None, float("nan")]}, index=list("abcde"), dtype=object
    )
    with pytest.raises(GroupTooSmall, match=r"'MCI'.*at least 2 members; found 1"):
        check_groups(table, "group")
    assert check_groups(table, "group", minimum=1) == {"HC": 2, "MCI": 1}
    with pytest.raises(UnknownName, match="Did you mean 'group'"):
        check_groups(table, "gruop")
    assert check_groups({"a": {"group": 1}, "b": {"group": 1}}, "group") == {1: 2}
