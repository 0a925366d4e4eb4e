"""Files of no subject in a pipeline: declared, read, part of the key, and of nobody's lineage."""

from __future__ import annotations

import pytest

from cohortflow.errors import (
    AmbiguousInput,
    BadParameter,
    FileMissing,
    KindMismatch,
    PipelineError,
    UnknownName,
)
from cohortflow.pipeline.unit import Unit
from tests.pipeline.world import World, parse, pending, scans, states, unit_of, units, who

HEAD = "inputs: {image: volume, label: label_map}\n"
WEIGHTS = HEAD + "files: {sam: weights}\nsteps: [resample, segment, smooth]\n"
TABLE = HEAD + "files: {atlas: table}\nsteps: [resample, rename]\n"


def world(text: str, n: int = 3, **files: str) -> World:
    made = World(text, scans(n, group=["HC", "MCI"]))
    for name, kind in files.items():
        made.take_in(name, kind)
    return made


def refused(text: str, error: type[Exception], *words: str, **files: str) -> None:
    with pytest.raises(error) as caught:
        world(text, **files).plan()
    for word in words:
        assert word in str(caught.value)


def reasons(found: World) -> dict[tuple[str, str | None], str]:
    return {(u.step, u.subject): u.reason for u in pending(found.plan())}


# --- declaring ------------------------------------------------------------------------------------


def test_a_file_names_a_kind_in_short_or_at_length() -> None:
    short = parse(WEIGHTS).files["sam"]
    long = parse(WEIGHTS.replace("sam: weights", "sam: {kind: weights, optional: true}"))
    assert (short.kind, short.optional) == ("weights", False)
    assert (long.files["sam"].kind, long.files["sam"].optional) == ("weights", True)


@pytest.mark.parametrize(
    ("files", "error", "word"),
    [
        ("sam: weigths", KindMismatch, "Did you mean 'weights'?"),
        ("sam: volume", KindMismatch, "expected table or weights"),
        ("sam: {kind: weights, match: x}", UnknownName, "'match'"),
        ("sam: {kind: weights, optional: often}", BadParameter, "optional"),
        ("sam: {optional: true}", BadParameter, "kind"),
        ("sam: 3", PipelineError, "names a kind"),
        ("my-sam: weights", PipelineError, "cannot name a file"),
        ("image: weights", PipelineError, "an input has it"),
        ("segment: weights", PipelineError, "stands twice"),
    ],
)
def test_a_faulty_declaration_is_named_with_its_line(
    files: str, error: type[PipelineError], word: str
) -> None:
    with pytest.raises(error) as caught:
        parse(HEAD + f"files:\n  {files}\nsteps:\n  - segment\n")
    assert word in str(caught.value)
    assert "world.yaml:" + ("5" if files.startswith("segment") else "3") in str(caught.value)


def test_the_section_is_a_mapping_and_a_misspelt_one_is_named() -> None:
    with pytest.raises(PipelineError, match="files is a mapping"):
        parse(HEAD + "files: [sam]\nsteps: [smooth]\n")
    with pytest.raises(UnknownName, match="Did you mean 'files'"):
        parse(HEAD + "fils: {sam: weights}\nsteps: [smooth]\n")


# --- binding --------------------------------------------------------------------------------------


def source(found: World, step: str, name: str, **labels: object) -> Unit:
    read = units(found.plan(), step, **labels)[0].inputs[name]
    assert isinstance(read, Unit)
    return read


def test_a_step_reads_a_file_by_its_kind() -> None:
    read = source(world(WEIGHTS, sam="weights"), "segment", "weights")
    assert (read.step, read.subject, read.ref.path.split("@")[0]) == ("sam", None, "cohort/sam")


def test_the_nearest_step_above_comes_before_a_file() -> None:
    text = HEAD + "files: {sam: weights}\nsteps: [learn, segment]\n"
    assert source(world(text, sam="weights"), "segment", "weights").step == "learn"


def test_reads_names_a_file() -> None:
    text = HEAD + "files: {sam: weights}\nsteps: [learn, segment: {reads: {weights: sam}}]\n"
    assert source(world(text, sam="weights"), "segment", "weights").step == "sam"


def test_a_misspelt_read_names_the_nearest_file() -> None:
    text = HEAD + "files: {sam: weights}\nsteps:\n  - segment: {reads: {weights: samm}}\n"
    refused(text, UnknownName, "world.yaml:4", "Did you mean 'sam'?", sam="weights")


def test_a_read_of_another_kind_names_both() -> None:
    text = (
        HEAD + "files: {atlas: table}\nsteps:\n  - learn\n  - segment: {reads: {weights: atlas}}\n"
    )
    refused(text, KindMismatch, "expected weights", "found table", atlas="table")


def test_two_files_of_a_kind_must_be_told_apart() -> None:
    text = HEAD + "files: {sam: weights, med: weights}\nsteps:\n  - segment\n"
    refused(text, AmbiguousInput, "'sam', 'med'", "reads:", sam="weights", med="weights")


def test_a_file_and_an_input_of_a_kind_must_be_told_apart() -> None:
    text = "inputs: {label: label_map, names: table}\nfiles: {atlas: table}\nsteps:\n  - rename\n"
    refused(text, AmbiguousInput, "'names', 'atlas'", atlas="table")


def test_an_axis_chooses_among_files() -> None:
    text = (
        HEAD
        + """
files: {sam: weights, med: weights}
axes: {variant: {a: {}, b: {set: {segment.reads.weights: med}}}}
steps: [segment: {over: [variant], reads: {weights: sam}}]
"""
    )
    found = world(text, sam="weights")
    found.take_in("med", "weights", 2)
    assert source(found, "segment", "weights", variant="a").step == "sam"
    assert source(found, "segment", "weights", variant="b").step == "med"
    keys = {unit.key for unit in found.plan().tables["segment"].units()}
    assert len(keys) == 6, "other weights, other results"


# --- not taken in ---------------------------------------------------------------------------------


def test_a_file_never_taken_in_is_named_before_anything_runs() -> None:
    refused(
        WEIGHTS, FileMissing, "world.yaml:2", "'sam'", "weights", "found no file",
        "cohortflow ingest - COHORT --file sam=PATH",
    )  # fmt: skip
    refused(WEIGHTS, FileMissing, "found med", med="weights")
    assert FileMissing.exit_code == 5


def test_a_file_of_another_kind_than_declared_names_both() -> None:
    refused(WEIGHTS, KindMismatch, "world.yaml:2", "expected weights", "found table", sam="table")


def test_an_optional_file_that_is_absent_leaves_its_readers_absent() -> None:
    text = WEIGHTS.replace("sam: weights", "sam: {kind: weights, optional: true}")
    found = world(text)
    plan = found.run()
    assert states(plan, "segment") == {}
    assert set(states(plan, "smooth").values()) == {"done"}, "what does not need it goes on"
    found.take_in("sam", "weights")
    assert reasons(found) == {("segment", f"sub-0{n}"): "new" for n in (1, 2, 3)}


def test_absence_goes_on_below_also_over_the_cohort() -> None:
    text = (
        HEAD + "files: {atlas: {kind: table, optional: true}}\n"
        "steps: [list_names, rename: {reads: {names: list_names}}]\n"
    )
    plan = world(text).run()
    assert (states(plan, "list_names"), states(plan, "rename")) == ({}, {})
    assert len(states(world(text, atlas="table").run(), "rename")) == 3


def test_a_stage_that_can_do_without_runs_without() -> None:
    text = HEAD + "files: {atlas: {kind: table, optional: true}}\nsteps: [annotate]\n"
    found = world(text)
    plan = found.run()
    assert unit_of(plan, "annotate", "sub-01").input_digests.keys() == {"image"}
    found.take_in("atlas", "table")
    assert reasons(found)[("annotate", "sub-01")] == "input names added"


# --- keys and reasons -----------------------------------------------------------------------------


def test_a_changed_file_runs_exactly_what_reads_it() -> None:
    text = (
        HEAD + "files: {sam: weights, atlas: table}\nsteps: [resample, segment, rename, smooth]\n"
    )
    found = world(text, sam="weights", atlas="table")
    found.run()
    assert reasons(found) == {}
    found.take_in("atlas", "table", "another")
    assert reasons(found) == {("rename", f"sub-0{n}"): "file atlas changed" for n in (1, 2, 3)}
    found.run()
    found.take_in("sam", "weights", "another")
    assert reasons(found) == {
        (step, f"sub-0{n}"): reason
        for n in (1, 2, 3)
        for step, reason in (
            ("segment", "file sam changed"),
            ("rename", "input label changed"),
        )
    }
    found.take_in("sam", "weights")
    found.take_in("atlas", "table")
    assert reasons(found) == {}, "the first results still stand"


def test_a_file_that_nobody_reads_changes_nothing() -> None:
    found = world(TABLE, atlas="table", sam="weights")
    found.run()
    found.take_in("sam", "weights", "another")
    assert reasons(found) == {}


def test_the_same_file_under_another_name_is_the_same_result() -> None:
    found = world(WEIGHTS, sam="weights", med="weights")
    found.run()
    found.rewrite(WEIGHTS.replace("sam:", "med:"))
    assert reasons(found) == {}


# --- what weights from elsewhere have seen --------------------------------------------------------


def test_weights_from_elsewhere_saw_nobody_and_are_named_as_behind_it() -> None:
    found = world(WEIGHTS, sam="weights")
    unit = unit_of(found.plan(), "segment", "sub-01")
    assert (unit.saw, unit.members) == (frozenset(), ("sub-01",))
    assert unit.weights == (found.cohort.ingested.files["sam"].key,)


def test_unseen_by_admits_everybody_where_the_weights_are_from_elsewhere() -> None:
    text = (
        HEAD + "files: {sam: weights}\nsteps: [regrid_labels: {id: truth}, segment, score: "
        "{reads: {prediction: segment, reference: truth}, where: {unseen_by: %s}}]\n"
    )
    everybody = {"sub-01", "sub-02", "sub-03"}
    assert who(world(text % "segment", sam="weights").plan(), "score") == everybody
    assert who(world(text % "sam", sam="weights").plan(), "score") == everybody
    table = text.replace("sam: weights", "sam: weights, atlas: table") % "atlas"
    refused(table, PipelineError, "'atlas', which saw nobody", sam="weights", atlas="table")


TUNE = HEAD + "files: {sam: weights}\nsteps: [resample, tune, segment]\n"


def test_a_training_from_such_weights_saw_its_own_subjects_only() -> None:
    found = world(TUNE, sam="weights")
    plan = found.run()
    unit = unit_of(plan, "tune")
    assert set(unit.members) == {"sub-01", "sub-02", "sub-03"}
    assert unit.saw == {*unit.members, *(f"patient:{m}" for m in unit.members)}
    assert unit.weights == (found.cohort.ingested.files["sam"].key,)
    assert unit.input_digests["start"] == unit.weights[0]


def test_other_weights_to_start_from_are_another_question() -> None:
    found = world(TUNE, sam="weights")
    before = unit_of(found.run(), "tune").selection
    found.take_in("sam", "weights", "another")
    plan = found.plan()
    tuned = unit_of(plan, "tune")
    assert tuned.selection != before
    assert "file sam changed" in tuned.reason
    assert states(found.plan(train=False), "tune") == {None: "blocked"}, "not at night"


def test_features_of_another_encoder_are_another_question() -> None:
    """Else a head trained on the features of the old weights would be given those of the new."""
    text = HEAD + "files: {sam: weights}\nsteps: [encode, train_head]\n"
    found = world(text, sam="weights")
    before = unit_of(found.run(), "train_head")
    found.take_in("sam", "weights", "another")
    after = unit_of(found.plan(), "train_head")
    assert after.selection != before.selection
    assert after.state == "pending"
