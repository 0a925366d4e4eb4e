"""A report that is computed again: equal where nobody touched it, different where somebody did."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load, save

from cohortflow.cohort.documents import encode_gzip, read_document
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.entry import Output
from cohortflow.cohort.ingests import IngestedFile
from cohortflow.errors import ExportTargetTaken, OtherCode, ReportDataChanged, ReportDataMissing
from cohortflow.reproduction import code
from cohortflow.reproduction.manifest import Manifest, Undone
from cohortflow.reproduction.marks import file_mark
from cohortflow.reproduction.outcome import Outcome, compare_results
from cohortflow.reproduction.verdicts import DIFFERS, EQUAL, Line
from flows.reproduce import reproduce
from tests.cli.conftest import CommandLine
from tests.reproduction.conftest import Study

Change = Callable[[bytes], bytes]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


# --- nobody touched it ----------------------------------------------------------------------------


def test_an_untouched_report_is_equal_and_nothing_is_taken_from_the_original(ran: Path) -> None:
    found = json.loads((ran / "out" / "reproduction.json").read_text())
    assert found["outcome"] == EQUAL
    assert found["taken_from_the_original"] == 0
    assert found["computed"] == 8 * 3 + 2 + 2
    assert found["carried_over"] == 8
    assert found["report"]["seeds"] == [0, 1]
    assert {one["verdict"] for one in found["numbers"]} == {EQUAL}
    left_out = {one["what"]: one["values"] for one in found["not_compared"]}
    assert left_out.keys() == {
        "section timings",
        "section provenance",
        "page, timings",
        "page, provenance",
        "page, what its subtitle, links and foot say of the run",
    }
    assert all(values > 5 for values in left_out.values())
    page = (ran / "out" / "reproduction.html").read_text()
    assert "28 results were computed in an empty cohort, none was taken from the original" in page


def test_every_table_of_the_report_is_among_what_was_compared(study: Study) -> None:
    names = {line.group for line in study.compare().lines}
    for section, content in study.report.sections.items():
        if section in ("timings", "provenance"):
            continue
        assert f"page, {section}" in names
        for block in content["blocks"]:
            if block["type"] in ("table", "figure"):
                assert f"{section}, {block['type']} {block['name']}" in names


def test_every_score_and_every_weights_file_is_compared(study: Study) -> None:
    stored = [line for line in study.compare().stored if line.values]
    assert sum(line.values for line in stored if "stored weights" in line.group) == 2 * 2
    assert sum(line.values for line in stored if "stored scores" in line.group) == 2 * 3


def test_a_stored_result_has_the_tolerance_of_its_own_step(study: Study) -> None:
    """Not the loosest of the pipeline: weights may differ by more than distances may."""
    own = {step.id: step.stage.tolerance for step in study.again.pipeline.steps}
    found = {line.group.split(", ")[-1]: line.tolerance for line in study.compare().stored}
    assert found == own
    assert len(set(own.values())) > 1


def test_the_original_is_only_read(ran: Path, study: Study) -> None:
    before = _files(study.folder / "cohort")
    study.compare()
    assert _files(study.folder / "cohort") == before
    again = open_files(ran / "again" / "cohort")
    assert again  # it has files of its own, none of them links to the original's
    assert not again & open_files(ran / "cohort")


# --- somebody touched it --------------------------------------------------------------------------


def _next_number(data: bytes) -> bytes:
    frame = pd.read_parquet(io.BytesIO(data))
    name = next(c for c in ("probability", "value") if c in frame)
    frame.loc[frame[name].first_valid_index(), name] += 0.25
    return _parquet(frame)


def _parquet(frame: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.to_parquet(out)
    return out.getvalue()


def _one_weight(data: bytes) -> bytes:
    arrays = {name: array.copy() for name, array in load(data).items()}
    name = max(arrays, key=lambda name: arrays[name].size)
    arrays[name].reshape(-1)[0] += np.float32(0.5)
    return save(arrays)


TAMPERED = [
    ("classify", "weights.safetensors", _one_weight),
    ("classify", "card.json", lambda data: data.replace(b'"HC"', b'"XX"', 1)),
    ("score", "cases.parquet", _next_number),
    ("score", "metrics.parquet", _next_number),
    ("score", "metrics.parquet", lambda data: data[:-20]),
]


@pytest.mark.parametrize("fixed", [True, False], ids=["digest-fixed", "digest-left"])
@pytest.mark.parametrize(("stage", "name", "change"), TAMPERED)
def test_one_stored_score_or_weight_that_was_changed_differs(
    study: Study, stage: str, name: str, change: Change, fixed: bool
) -> None:
    tamper(study.folder / "cohort", stage, name, change, fixed=fixed)
    outcome = study.compare()
    assert outcome.verdict == DIFFERS
    assert outcome.exit_code == 3
    unlike = _unlike(outcome)
    assert {line.group.split(", ")[-1] for line in unlike} == {stage}
    assert all(name in line.where for line in unlike)
    if change in (_one_weight, _next_number):
        assert len(unlike) == 1
        assert unlike[0].difference == pytest.approx(0.5 if change is _one_weight else 0.25)


def test_a_fact_in_a_record_that_was_changed_differs(study: Study) -> None:
    record = next((study.folder / "cohort" / "cohort").glob("score@*/entry.json"))
    document = json.loads(record.read_text())
    document["facts"]["accuracy"] = 0.987
    record.write_text(json.dumps(document))
    (line,) = _unlike(study.compare())
    assert line.where.endswith("facts, accuracy")
    assert line.original == 0.987


def test_a_stored_score_that_is_gone_differs(study: Study) -> None:
    next((study.folder / "cohort" / "cohort").glob("score@*/entry.json")).unlink()
    (line,) = _unlike(study.compare())
    assert (line.original, line.recomputed) == (27, 28)


def test_a_distance_that_was_changed_differs(study: Study) -> None:
    chunk = next(
        (study.folder / "cohort" / "subjects").glob("*/pairwise_rois@*/a-*/arrays/distance*/c/**/*")
    )
    while chunk.is_dir():
        chunk = next(chunk.iterdir())
    damage(chunk)
    unlike = _unlike(study.compare())
    assert unlike
    assert all("pairwise_rois" in line.group for line in unlike)


def _in_the_data(page: str) -> str:
    start = page.index('id="cohortflow-report"')
    place = re.compile(r'"n":(\d+)').search(page, start)
    assert place is not None
    return page[: place.start(1)] + str(int(place[1]) + 1) + page[place.end(1) :]


def _in_the_print(page: str) -> str:
    place = re.compile(r'<td class="num">(\d+)\.\d %</td>').search(page)
    assert place is not None
    return page[: place.start(1)] + "99" + page[place.end(1) :]


def _in_the_verdict(page: str) -> str:
    return page.replace("All 28 units stand done", "All 29 units stand done", 1)


def _a_row_less(page: str) -> str:
    start = page.index('<table id="table-steps">')
    row = page.index("<tr>", page.index("<tbody>", start))
    return page[:row] + page[page.index("</tr>", row) + 5 :]


def _a_script_more(page: str) -> str:
    return page.replace("</body>", "<script>1</script></body>")


@pytest.mark.parametrize(
    "change", [_in_the_data, _in_the_print, _in_the_verdict, _a_row_less, _a_script_more]
)
def test_a_report_in_which_a_number_was_changed_differs(
    study: Study, change: Callable[[str], str]
) -> None:
    before = study.page.read_text()
    study.page.write_text(change(before))
    assert study.page.read_text() != before
    outcome = study.compare()
    assert outcome.verdict == DIFFERS
    assert not [line for line in outcome.stored if line.verdict != EQUAL]


@pytest.mark.parametrize(
    ("member", "value"),
    [("seeds", [0]), ("axes", {"seed": [0]}), ("undone", None), ("steps", None)],
)
def test_a_manifest_that_was_changed_differs(study: Study, member: str, value: Any) -> None:
    def change(block: dict[str, Any]) -> None:
        manifest = block["manifest"]
        if member == "steps":
            manifest["steps"][0]["done"] += 1
        elif member == "undone":
            manifest["undone"].append(
                {"step": "score", "subject": None, "point": [], "state": "failed", "untried": False}
            )
        else:
            manifest[member] = value

    rewrite(study.page, change)
    assert study.compare().verdict == DIFFERS


ALONE: dict[str, tuple[dict[str, Any], set[tuple[str, str]]]] = {
    "axes": ({"axes": {"seed": [0]}}, {("declared", "axes")}),
    "seeds": ({"seeds": [0]}, {("declared", "seeds")}),
    "splits": ({"splits": {"paper": {"test": 0.5}}}, {("declared", "splits")}),
    "selections": ({"selections": []}, {("declared", "selections")}),
}


@pytest.mark.parametrize("member", ALONE)
def test_each_declaration_is_compared_by_itself(study: Study, member: str) -> None:
    whole = study.report.manifest
    changed, places = ALONE[member]
    lines = compare_results(whole.model_copy(update=changed), whole)
    assert {(line.group, line.where) for line in lines if line.verdict != EQUAL} == places
    assert {line.verdict for line in compare_results(whole, whole)} == {EQUAL}


def test_which_results_stand_is_compared_by_keys_and_by_states(study: Study) -> None:
    whole = study.report.manifest
    step = whole.steps[0]
    other = [step.model_copy(update={"keys": "0" * 32}), *whole.steps[1:]]
    (line,) = _differing(whole.model_copy(update={"steps": other}), whole)
    assert (line.group, line.where) == (f"results of {step.id}", "their keys")
    failed, blocked = (
        Undone(step=step.id, subject="s", point=[], state=state, untried=False)
        for state in ("failed", "blocked")
    )
    pair = [whole.model_copy(update={"undone": [one]}) for one in (failed, blocked)]
    (line,) = _differing(*pair)
    assert (line.group, line.where) == ("results not done", "which")


def _differing(one: Manifest, other: Manifest) -> list[Line]:
    return [line for line in compare_results(one, other) if line.verdict != EQUAL]


@pytest.mark.parametrize("fault", ["a file more", "a file less", "a warning more", "cut off"])
def test_a_record_that_was_changed_differs(study: Study, fault: str) -> None:
    record = next((study.folder / "cohort" / "cohort").glob("score@*/entry.json"))
    document = json.loads(record.read_text())
    if fault == "a file more":
        document["files"]["files/more.txt"] = document["files"]["files/cases.parquet"]
    elif fault == "a file less":
        del document["files"]["files/cases.parquet"]
    elif fault == "a warning more":
        document["warnings"] = [*document.get("warnings", []), {"code": "x", "message": "y"}]
    text = json.dumps(document)
    record.write_text(text[:-30] if fault == "cut off" else text)
    unlike = _unlike(study.compare())
    assert {line.group for line in unlike} == {"stored scores, score"}


def test_a_whole_reproduction_after_a_score_was_changed_ends_with_3(
    study: Study, cli: CommandLine
) -> None:
    cohort = study.folder / "cohort"
    tamper(cohort, "score", "cases.parquet", _next_number, fixed=True)
    before = _files(cohort)
    said = cli(
        "reproduce", study.page, "--cohort", cohort, "--out", study.folder / "out",
        "--cluster", "none",
    )  # fmt: skip
    assert said.code == 3
    assert "differs: stored scores, score" in said.out
    assert "(by 0.25)" in said.out
    assert "28 results were computed in an empty cohort, none was taken" in said.out
    assert "1 differ" in said.out
    assert _files(cohort) == before
    assert not list(cohort.parent.glob("cohortflow-scratch-*"))


def test_a_number_that_was_changed_in_the_data_alone_ends_with_3(
    study: Study, cli: CommandLine
) -> None:
    """One number of one table; the page around it, the manifest and the cohort are as they were."""
    changed: list[float] = []

    def more(block: dict[str, Any]) -> None:
        tables = block["sections"]["accuracy"]["blocks"]
        row = next(one for one in tables if one.get("name") == "accuracy")["rows"][0]
        changed.append(row["accuracy"]["mean"])
        row["accuracy"]["mean"] += 0.125

    shown = _around_the_data(study.page.read_text())
    rewrite(study.page, more)
    assert _around_the_data(study.page.read_text()) == shown
    out = study.folder / "new"
    said = cli(
        "reproduce", study.page, "--cohort", study.folder / "cohort", "--out", out,
        "--cluster", "none",
    )  # fmt: skip
    assert said.code == 3
    assert said.out.count("\ndiffers: ") == 2, "the number, and the outcome"
    assert "differs: accuracy, table accuracy, rows, 1, accuracy, mean" in said.out
    told = json.loads((out / "reproduction.json").read_text())
    assert told["outcome"] == DIFFERS
    (line,) = (one for one in told["numbers"] if one["verdict"] != EQUAL)
    assert (line["original"], line["recomputed"]) == (changed[0] + 0.125, changed[0])
    assert line["difference"] == pytest.approx(0.125)
    unlike = [name for name, part in told["parts"].items() if part["differs"]]
    assert unlike == ["values of the report"]


# --- what is refused ------------------------------------------------------------------------------


def test_other_code_is_refused_and_tried_only_when_asked(
    study: Study, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"version": "9.9", "digest": "f" * 64}
    rewrite(study.page, lambda block: block["manifest"].update(code=other))
    with pytest.raises(OtherCode, match=r"9\.9"):
        reproduce(study.request())
    outcome = study.compare()
    assert outcome.verdict == EQUAL
    assert outcome.other_code() == [("computed by", "9.9 (ffffffffffff)")]


def test_a_report_that_other_code_rendered_is_refused_too(study: Study) -> None:
    rewrite(study.page, lambda block: block["manifest"]["rendered_by"].update(digest="f" * 64))
    with pytest.raises(OtherCode, match="ffffffffffff"):
        reproduce(study.request())
    ((way, _),) = study.compare().other_code()
    assert way == "rendered by"


def test_other_packages_are_told_and_not_refused(study: Study) -> None:
    rewrite(study.page, lambda b: b["manifest"]["environment"]["packages"].update(numpy="1.0"))
    outcome = study.compare()
    assert outcome.verdict == EQUAL
    ((name, then, _),) = outcome.other_environment()
    assert (name, then) == ("numpy", "1.0")
    rewrite(study.page, lambda b: b["manifest"]["environment"].update(python="2.7"))
    assert {name for name, _, _ in study.compare().other_environment()} == {"numpy", "python"}


def test_recordings_that_changed_or_are_gone_are_refused_by_the_names_of_their_subjects(
    study: Study,
) -> None:
    subjects = sorted((study.folder / "cohort" / "subjects").iterdir())
    chunk = next(p for p in subjects[3].glob("series@*/a-*/arrays/series/c/**/*") if p.is_file())
    damage(chunk)
    with pytest.raises(ReportDataChanged) as changed:
        reproduce(study.request(keep=study.folder / "kept"))
    assert changed.value.found == subjects[3].name
    assert changed.value.exit_code == 5
    assert not (study.folder / "kept").exists()
    next(subjects[5].glob("series@*/entry.json")).unlink()
    with pytest.raises(ReportDataMissing) as missing:
        reproduce(study.request())
    assert missing.value.found == subjects[5].name


def test_a_recording_whose_record_was_fixed_too_is_refused(study: Study) -> None:
    subject = sorted((study.folder / "cohort" / "subjects").iterdir())[2]
    record = next(subject.glob("series@*/entry.json"))
    chunk = next(p for p in subject.glob("series@*/a-*/arrays/series/c/**/*") if p.is_file())
    damage(chunk)
    fix(record)
    with pytest.raises(ReportDataChanged, match="recordings of") as changed:
        reproduce(study.request())
    assert subject.name in changed.value.found


def test_a_participants_column_that_changed_is_refused(study: Study) -> None:
    storage = study.cohort.storage
    (path,) = (f"ingests/{name}" for name in storage.list("ingests"))
    document = read_document(storage, path)
    document["subjects"][4]["columns"]["group"] = "MCI2"
    storage.write(path, encode_gzip(document))
    with pytest.raises(ReportDataChanged, match="participants columns of") as changed:
        reproduce(study.request())
    assert document["subjects"][4]["id"] in changed.value.found


def test_a_selection_that_is_gone_or_was_changed_is_refused(study: Study) -> None:
    storage = study.cohort.storage
    ((path, _),) = storage.walk("selections")
    document = read_document(storage, path)
    document["subjects"].pop()
    storage.write(path, encode_gzip(document))
    with pytest.raises(ReportDataChanged, match="not as it was frozen"):
        reproduce(study.request())
    storage.delete(path)
    with pytest.raises(ReportDataMissing, match="trained on"):
        reproduce(study.request())


def test_weights_that_were_taken_in_are_refused_when_they_are_gone_or_others(study: Study) -> None:
    cohort, digest = study.cohort, "a" * 64
    ref, files = EntryRef(None, "sam", "b" * 64), {"weights.safetensors": b"1", "card.json": b"{}"}
    cohort.entries.commit(ref, "weights", Output(files=files), subjects=[])
    file = IngestedFile("sam", "weights", ref.key, digest, 1)
    storage = cohort.storage
    (path,) = (f"ingests/{name}" for name in storage.list("ingests"))
    storage.write(path, encode_gzip(replace(cohort.ingested, files={"sam": file}).to_json()))
    content = file_mark(file, cohort.entries.record(ref))
    told = {"name": "sam", "kind": "weights", "digest": digest, "content": content}
    for fault in ({"digest": "c" * 64}, {"content": "c" * 32}):
        rewrite(study.page, lambda b, fault=fault: b["manifest"].update(files=[told | fault]))
        with pytest.raises(ReportDataChanged, match="not the one"):
            reproduce(study.request())
    storage.delete(f"{ref.path}/entry.json")
    with pytest.raises(ReportDataMissing, match="is gone"):
        reproduce(study.request())


def test_a_selection_from_which_one_was_withdrawn_is_refused(study: Study) -> None:
    storage = study.cohort.storage
    ((path, _),) = storage.walk("selections")
    document = read_document(storage, path)
    storage.write(path, encode_gzip(document | {"withdrawn": 1}))
    with pytest.raises(ReportDataMissing, match="were withdrawn"):
        reproduce(study.request())


def test_a_folder_that_holds_something_is_not_computed_in(study: Study) -> None:
    with pytest.raises(ExportTargetTaken):
        reproduce(study.request(keep=study.folder))
    assert study.page.is_file()


# --- what leads to a person -----------------------------------------------------------------------


def test_no_path_and_no_host_stand_in_the_data(ran: Path) -> None:
    import platform

    page = (ran / "report.html").read_text()
    start = page.index('id="cohortflow-report"')
    block = json.loads(page[page.index(">", start) + 1 : page.index("</script>", start)])
    manifest = json.dumps(block["manifest"])
    assert str(ran) not in manifest
    assert platform.node() not in manifest
    assert "HC" not in json.dumps(block["manifest"]["subjects"])


def test_the_digest_of_the_code_is_of_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    one = code.source_digest(tmp_path)
    (tmp_path / "note.txt").write_text("no code")
    assert code.source_digest(tmp_path) == one
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    two = code.source_digest(tmp_path)
    (tmp_path / "b.py").write_text("x = 2")
    assert len({one, two, code.source_digest(tmp_path)}) == 3


# --- helpers --------------------------------------------------------------------------------------


def tamper(cohort: Path, stage: str, name: str, change: Change, *, fixed: bool) -> None:
    """Change one file of the first entry of a stage; ``fixed``: the digest in its record too."""
    record = sorted((cohort / "cohort").glob(f"{stage}@*/entry.json"))[0]
    file = next(record.parent.glob(f"a-*/files/{name}"))
    before = file.read_bytes()
    file.write_bytes(change(before))
    assert file.read_bytes() != before
    if fixed:
        fix(record)


def damage(file: Path) -> None:
    """Turn the last byte over."""
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 0xFF]))


def fix(record: Path) -> None:
    """Write the digests of the files as they are into an entry's record."""
    document = json.loads(record.read_text())
    for name in document["files"]:
        data = (record.parent / document["attempt"] / name).read_bytes()
        document["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    record.write_text(json.dumps(document))


def rewrite(page: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the data block of a report."""
    text = page.read_text()
    start = text.index(">", text.index('id="cohortflow-report"')) + 1
    end = text.index("</script>", start)
    block = json.loads(text[start:end])
    change(block)
    page.write_text(text[:start] + json.dumps(block).replace("<", "\\u003c") + text[end:])


def _around_the_data(page: str) -> str:
    """A report without its data block."""
    start = page.index('id="cohortflow-report"')
    return page[:start] + page[page.index("</script>", start) :]


def _unlike(outcome: Outcome) -> list[Line]:
    return [line for line in outcome.lines if line.verdict != EQUAL]


def _files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def open_files(folder: Path) -> set[int]:
    return {p.stat().st_ino for p in folder.rglob("*") if p.is_file()}
