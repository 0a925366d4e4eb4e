"""Forty and more planted texts, and every place where something is told: none is found."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from cohortflow.cohort.cohort import create_cohort, open_cohort
from cohortflow.cohort.entry import Entry
from cohortflow.errors import UnsafeIdentifier
from cohortflow.pipeline.stage import Context, Parameters
from cohortflow.sources import refused
from cohortflow.sources.ingest import IngestOptions, ingest
from cohortflow.stages import CATALOGUE
from tests.cli.conftest import CommandLine
from tests.deidentification.canaries import CANARIES, CT, MATRIX, write_source
from tests.deidentification.sinks import found, told
from tests.hostile.seeds import nrrd
from tests.sources.images.dicom_files import write_series

GOOD = {"ct1", "mr1", "nr1", "mh1", "pic1", "hd1", "np1"}
PIPELINE = """
title: Every image at one spacing
inputs: {image: volume}
steps:
  - resample: {spacing_mm: [2.0, 2.0, 2.0]}
  - preview: {reads: {image: resample}, black: 0.0, white: 800.0}
report: [subjects, quality, methods]
"""


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    assert len(CANARIES) >= 40
    assert len(set(CANARIES.values())) == len(CANARIES)
    whole = "\n".join(found([tmp_path], CANARIES))
    for what in CANARIES:
        assert f": {what}" in whole, f"{what} was not planted"
    assert source.is_dir()


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("COHORTFLOW_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_nothing_planted_is_told(
    cli: CommandLine, home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_source(tmp_path)
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    (table,) = source.parent.glob("*.tsv")
    study = tmp_path / "study"
    study.mkdir()
    cohort, pipeline = study / "cohort", study / "every-image.yaml"
    pipeline.write_text(PIPELINE)
    said = [cli("ingest", source, cohort, "--participants", table)]
    assert said[0].code == 3
    subjects = open_cohort(cohort).ingested.subjects
    assert {name for name, subject in subjects.items() if subject.error is None} == GOOD
    codes = [subject.error["code"] for subject in subjects.values() if subject.error]
    assert codes.count("identifies-person") == 2
    said.append(cli("run", pipeline, cohort))
    assert said[1].code == 3, "refused subjects and pictures fail"
    failing = ["--set", "resample.spacing_mm=[1e-5, 1e-5, 1e-5]"]
    said.append(cli("run", pipeline, cohort, *failing))
    said += [cli("run", "ct-resample", cohort), cli("status", cohort, "--json")]
    said += [cli("report", cohort, "--pipeline", "every-image"), cli("fsck", cohort, "--deep")]
    for format_ in ("nifti", "bids", "ome-zarr"):
        said.append(
            cli("export", cohort, study / f"out-{format_}", "--as", format_, "--entry", "image")
        )
    said.append(cli("ingest", "-", cohort))
    states = json.loads(said[4].out)["counts"]
    assert states["done"] > 0
    assert not told([text for one in said for text in (one.out, one.err)], CANARIES)
    assert not told([caplog.text], CANARIES)
    assert not found([study], CANARIES)
    # One private file alone may say where everything came from.
    assert found([home], CANARIES)
    assert not found([home], CANARIES, but="/source")
    private = [p for p in home.rglob("*") if p.is_file() and "/source" in p.as_posix()]
    assert all(p.stat().st_mode & 0o077 == 0 for p in private)
    assert os.path.getsize(private[0]) > 0


@pytest.mark.parametrize("chosen", [False, True])
def test_an_id_chosen_on_purpose_may_be_the_patients(
    chosen: bool, tmp_path: Path, home: Path
) -> None:
    from tests.hostile.seeds import dicom
    from tests.sources.images.dicom_files import save

    for folder, person in (("Doe^John", ""), ("p-4711", "4711"), ("Smith_M", "Smith^Mary"),
                           ("иван", "Иван"), ("fine", "Other^Person")):  # fmt: skip
        (tmp_path / "source" / folder).mkdir(parents=True)
        who = {"PatientID" if person.isdigit() else "PatientName": person or folder}
        dataset = dicom(SpecificCharacterSet="ISO_IR 192", **who)
        save(dataset, tmp_path / "source" / folder / "a.dcm")
    options = IngestOptions(subject_from="folder") if chosen else IngestOptions()
    report = ingest(create_cohort(tmp_path / "cohort"), tmp_path / "source", options)
    if chosen:
        assert not report.refused
        return
    assert report.new == ("fine",)
    assert {e["code"] for e in report.refused.values()} == {"identifies-person"}
    assert all(name.startswith("file-") for name in report.refused)
    names = {name: name for name in ("Doe^John", "4711", "Smith_M", "иван")}
    assert not found([tmp_path / "cohort"], names)


def test_a_stage_may_quote_all_that_it_sees(
    cli: CommandLine, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error, traceback and log are kept: what leads back to a person never came so far."""

    def quotes(parameters: Parameters, context: Context, image: Entry, **_: Entry) -> None:
        values = {**vars(image), "columns": context.columns, "attributes": image.dataset.attrs}
        context.recorder.warning("seen", f"{values}")
        raise ValueError(f"{image.dataset} cannot be {values}")

    monkeypatch.setitem(CATALOGUE, "resample", replace(CATALOGUE["resample"], function=quotes))
    source, study = write_source(tmp_path), tmp_path / "study"
    (table,) = source.parent.glob("*.tsv")
    study.mkdir()
    (study / "every-image.yaml").write_text(PIPELINE)
    said = [cli("ingest", source, study / "cohort", "--participants", table)]
    said.append(cli("run", study / "every-image.yaml", study / "cohort", "--cluster", "none"))
    said += [cli("status", study / "cohort", "--json"), cli("report", study / "cohort")]
    texts = [text for one in said for text in (one.out, one.err)]
    assert "cannot be" in "".join(texts), "the stage was asked, and its words are told"
    assert not told(texts, CANARIES)
    assert not found([study], CANARIES)


def test_a_refused_name_is_kept_where_every_header_was_compared(tmp_path: Path, home: Path) -> None:
    from tests.hostile.seeds import dicom
    from tests.sources.images.dicom_files import save

    source = tmp_path / "source"
    for name, person in (("tilted", "Doe^John"), ("Doe_John", "Doe^John"), ("sub-damaged", "")):
        (source / name).mkdir(parents=True)
        save(dicom(PatientName=person, PixelSpacing=[0, 0]), source / name / "a.dcm")
    (source / "sub-damaged" / "a.dcm").write_bytes(b"no header")
    (source / "Meier").mkdir()
    (source / "Meier" / "a.dcm").write_bytes(b"no header")
    cohort = create_cohort(tmp_path / "cohort")
    report = ingest(cohort, source)
    kept = {name for name in report.refused if not name.startswith("file-")}
    assert kept == {"tilted", "sub-damaged"}
    assert not found([tmp_path / "cohort"], {"one": "Doe_John", "other": "Meier"})
    (source / "Meier" / "a.dcm").write_bytes((source / "tilted" / "a.dcm").read_bytes())
    save(dicom(PatientName="Doe^John"), source / "Meier" / "a.dcm")
    report = ingest(cohort, source)
    assert report.new == ("Meier",)
    assert sum(name.startswith("file-") for name in report.refused) == 1, "mended, it has its name"
    (source / "Meier" / "a.dcm").write_bytes(b"no header")
    assert "Meier" in ingest(cohort, source).refused, "it was compared when it was read"


def test_two_files_of_one_digest_end_the_ingest(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refused, "placeholder", lambda path: "file-0123456789abcdef")
    for name in ("Meier", "Smith"):
        (tmp_path / "source" / name).mkdir(parents=True)
        (tmp_path / "source" / name / "a.dcm").write_bytes(b"no header")
    with pytest.raises(UnsafeIdentifier, match="one digest"):
        ingest(create_cohort(tmp_path / "cohort"), tmp_path / "source")


def test_a_name_is_refused_before_a_fault_of_its_series(tmp_path: Path, home: Path) -> None:
    """A refused subject keeps its id: it must not be one that says who it is."""
    write_series(
        tmp_path / "source" / "Doe_John",
        CT,
        MATRIX,
        edit=lambda z, d: (
            setattr(d, "PatientName", "Doe^John"),
            setattr(d, "PixelSpacing", [0, 0]),
        ),
    )
    report = ingest(create_cohort(tmp_path / "cohort"), tmp_path / "source")
    assert [e["code"] for e in report.refused.values()] == ["identifies-person"]
    assert not found([tmp_path / "cohort"], {"name": "Doe_John"})


def test_an_entry_is_not_named_after_a_person(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "source" / "sub1"
    for name in ("ct-smith", "pet"):
        (folder).mkdir(parents=True, exist_ok=True)
        data = nrrd(data=None).replace(b"\n\n", b"\n0010|0010:=Smith^Mary\n\n", 1)
        (folder / f"{name}.nrrd").write_bytes(data)
    report = ingest(create_cohort(tmp_path / "cohort"), tmp_path / "source")
    assert report.new == ("sub1",)
    entries = open_cohort(tmp_path / "cohort")["sub1"].keys()
    assert entries == ["image_ct", "image_pet"]
    assert not found([tmp_path / "cohort"], {"name": "smith"})
