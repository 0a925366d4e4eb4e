from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest
from safetensors.numpy import load

from cohortflow.cohort.entry import Item, Many, Output
from cohortflow.errors import (
    BadParameter,
    EmptyInput,
    GroupTooSmall,
    InputError,
    MissingValues,
    ParticipantMissing,
    RegionCountMismatch,
    UnknownName,
)
from cohortflow.pipeline.stage import Context
from cohortflow.stages import score
from cohortflow.stages.classify import STAGE
from cohortflow.training.weights import load_weights
from tests.golden.check import assert_golden
from tests.stages.examples import as_entry, run
from tests.stages.matrix_examples import Matrices
from tests.training.test_fit import Interrupting, Interruption

PARAMETERS: dict[str, Any] = {"network": "A", "degree": 2, "epochs": 3}


@pytest.fixture(scope="module")
def matrices() -> Matrices:
    return Matrices()


def card_of(output: Output) -> dict[str, Any]:
    return json.loads(output.files["card.json"])


def test_golden(matrices: Matrices):
    """Card, losses and the shapes of the weights: single weights differ between processors."""
    output = run(STAGE, PARAMETERS, matrices.context(seed=7), matrices=matrices.many)
    arrays = load(output.files["weights.safetensors"])
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    kept = Output(
        files={"card.json": output.files["card.json"]}, facts={**output.facts, "shapes": shapes}
    )
    assert_golden(STAGE, kept)


def test_the_card_says_what_the_weights_are(matrices: Matrices):
    output = run(STAGE, PARAMETERS, matrices.context(seed=7), matrices=matrices.many)
    card = card_of(output)
    assert card["classes"] == ["HC", "MCI"]
    assert card["subjects_seen"] == {"HC": 6, "MCI": 6}
    assert (card["network"], card["degree"], card["seed"]) == ("A", 2, 7)
    assert card["regions"] == ["r0", "r1", "r2", "r3", "r4"]
    block = np.stack([e.dataset["distance"].values[1, :5, :5] for e in matrices.entries.values()])
    assert card["input_mean"] == pytest.approx(block.mean())
    assert card["input_sd"] == pytest.approx(block.std())
    assert len(card["training"]["losses"]) == 3
    assert output.facts["loss_first"] == card["training"]["losses"][0]
    assert output.facts["parameters"] == card["parameters"] == 392_320 + 256 * 26 + 76_066
    assert "sub-0" not in output.files["card.json"].decode()


@pytest.mark.parametrize("model", ["fusion_cnn", "random_forest"])
def test_equal_input_gives_equal_bytes_and_another_seed_others(matrices: Matrices, model: str):
    parameters = {**PARAMETERS, "model": model, "trees": 20}

    def files(seed: int) -> dict[str, bytes]:
        context = matrices.context(seed=seed)
        return dict(run(STAGE, parameters, context, matrices=matrices.many).files)

    assert files(1) == files(1)
    assert files(1)["weights.safetensors"] != files(2)["weights.safetensors"]


def test_a_restart_from_the_work_folder_ends_in_the_same_bytes(matrices: Matrices, tmp_path: Path):
    parameters = PARAMETERS | {"epochs": 13}
    undisturbed = run(STAGE, parameters, matrices.context(), matrices=matrices.many)
    context = matrices.context(work=tmp_path, recorder=Interrupting(12))
    with pytest.raises(Interruption):
        run(STAGE, parameters, context, matrices=matrices.many)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    again = run(STAGE, parameters, matrices.context(work=tmp_path), matrices=matrices.many)
    assert again.files == undisturbed.files
    assert again.facts == undisturbed.facts


def test_a_subject_lacking_a_region_leaves_only_that_network():
    matrices = Matrices(sub_03=[6])
    kept = run(STAGE, PARAMETERS, matrices.context(), matrices=matrices.many)
    assert kept.facts["left_out"] == []
    left = run(STAGE, PARAMETERS | {"network": "B"}, matrices.context(), matrices=matrices.many)
    assert left.facts["left_out"] == ["sub-03"]
    assert left.facts["n"] == {"HC": 6, "MCI": 5}
    (warning,) = left.warnings
    assert warning["code"] == "left-out"
    assert "sub-03: no valid series in r6" in warning["message"]


def test_failed_subjects_of_the_selection_are_named(matrices: Matrices):
    items = Many(matrices.many.items, missing=[{"subject": "sub-77"}])
    output = run(STAGE, PARAMETERS, matrices.context(), matrices=items)
    assert output.facts["missing"] == ["sub-77"]
    assert "sub-77" in output.warnings[0]["message"]


@pytest.mark.parametrize(
    "groups",
    [["HC"] * 6, ["HC"] * 5 + ["MCI"], []],
    ids=["one class", "a class of one", "nobody"],
)
def test_too_small_groups_are_refused(groups: list[str]):
    matrices = Matrices(len(groups))
    for subject, group in zip(matrices.columns, groups, strict=True):
        matrices.columns[subject]["group"] = group
    with pytest.raises(GroupTooSmall, match="two classes"):
        run(STAGE, PARAMETERS, matrices.context(), matrices=matrices.many)


def test_a_class_too_small_by_those_left_out_names_them():
    matrices = Matrices(4, sub_01=[0])
    with pytest.raises(GroupTooSmall, match=r"MCI 1 \(left out: sub-01\)"):
        run(STAGE, PARAMETERS, matrices.context(), matrices=matrices.many)


def test_a_subject_without_a_class_is_named(matrices: Matrices):
    context = Context(columns={**matrices.columns, "sub-04": {"group": None}})
    with pytest.raises(ParticipantMissing, match="sub-04"):
        run(STAGE, PARAMETERS, context, matrices=matrices.many)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"network": "DMN"}, UnknownName, "Known: A, B"),
        ({"degree": 1}, BadParameter, r"one of \[0, 2\]"),
        ({"degree": None}, BadParameter, r"one of \[0, 2\]"),
    ],
)
def test_a_point_that_the_matrices_have_not_is_an_error(
    matrices: Matrices, change: dict, error: type, text: str
):
    with pytest.raises(error, match=text):
        run(STAGE, PARAMETERS | change, matrices.context(), matrices=matrices.many)


def test_connectivity_is_classified_without_a_degree(matrices: Matrices):
    parameters = {"network": "B", "epochs": 2}
    output = run(STAGE, parameters, matrices.context(), matrices=matrices.connectivity)
    assert card_of(output)["input_kind"] == "connectivity"
    with pytest.raises(BadParameter, match="no homology degree"):
        run(STAGE, PARAMETERS, matrices.context(), matrices=matrices.connectivity)


def test_other_regions_in_one_subject_are_named():
    matrices = Matrices()
    matrices.entries["sub-05"].dataset["region"][1] = "zz"
    with pytest.raises(RegionCountMismatch, match="sub-05"):
        run(STAGE, PARAMETERS, matrices.context(), matrices=matrices.many)


def test_a_hole_between_valid_regions_is_named():
    matrices = Matrices()
    matrices.entries["sub-05"].dataset["distance"][1, 0, 1] = np.nan
    with pytest.raises(MissingValues, match="sub-05"):
        run(STAGE, PARAMETERS, matrices.context(), matrices=matrices.many)


def test_equal_matrices_everywhere_are_still_an_input():
    """Empty diagrams give a matrix of zeros."""
    matrices = Matrices()
    for entry in matrices.entries.values():
        entry.dataset["distance"][1, :5, :5] = 0.0
    output = run(STAGE, PARAMETERS, matrices.context(), matrices=matrices.many)
    assert card_of(output)["input_sd"] == 1.0
    assert np.isfinite(output.facts["loss_last"])


@pytest.mark.parametrize(
    "change",
    [{"epochs": 0}, {"dropout": 1.0}, {"model": "svm"}, {"degree": -1}, {"epoch": 5}, {"seed": -1}],
)
def test_bad_parameters_are_refused(change: dict):
    with pytest.raises(pydantic.ValidationError):
        STAGE.parameters(**PARAMETERS | change)


def test_the_weights_are_safetensors_that_load_without_us(matrices: Matrices):
    output = run(STAGE, PARAMETERS, matrices.context(), matrices=matrices.many)
    arrays, card = load_weights(output.files["weights.safetensors"], output.files["card.json"])
    assert sum(array.size for array in arrays.values()) == card.parameters


def test_need_grows_with_epochs_subjects_and_regions():
    def need(subjects: int, **change: Any):
        facts = [{"rois": 160, "networks": {"A": change.pop("regions", 20)}}] * subjects
        return STAGE.cost(STAGE.parameters(**PARAMETERS | change), facts)

    base = need(20)
    assert need(20, epochs=30).seconds > base.seconds
    assert need(200).seconds > base.seconds
    assert need(20, regions=60).memory_bytes > base.memory_bytes
    assert need(20, model="densenet121").seconds > base.seconds
    assert need(0).memory_bytes > 2**28


# --- monitoring -----------------------------------------------------------------------------------

MONITORED = PARAMETERS | {"monitor": True, "epochs": 4}


@pytest.fixture(scope="module")
def held_out() -> Matrices:
    return Matrices(6, first=20)


def both(first: Matrices, second: Matrices, **options: Any) -> Context:
    return Context(columns={**first.columns, **second.columns}, seed=7, **options)


def monitor(
    matrices: Matrices, others: Matrices, change: dict[str, Any] | None = None, **context: Any
) -> Output:
    return run(
        STAGE,
        MONITORED | (change or {}),
        both(matrices, others, **context),
        matrices=matrices.many,
        monitor=others.many,
    )


def test_golden_monitored(matrices: Matrices, held_out: Matrices):
    """The curve from the third epoch on: before,
    a probability near one half may fall either way."""
    output = monitor(matrices, held_out)
    card, facts = card_of(output), dict(output.facts)
    card["training"]["monitor"]["correct"] = card["training"]["monitor"]["correct"][2:]
    facts["monitor"] = facts["monitor"] | {"correct": facts["monitor"]["correct"][2:]}
    kept = Output(files={"card.json": json.dumps(card).encode()}, facts=facts)
    assert_golden(STAGE, kept, case="monitor")


def test_monitoring_changes_no_byte_of_the_weights(matrices: Matrices, held_out: Matrices):
    plain = run(STAGE, PARAMETERS | {"epochs": 4}, both(matrices, held_out), matrices=matrices.many)
    watched = monitor(matrices, held_out)
    assert watched.files["weights.safetensors"] == plain.files["weights.safetensors"]
    card, without = card_of(watched), card_of(plain)
    curve = card["training"].pop("monitor")
    assert card == without
    assert curve == {"n": 6, "correct": watched.facts["monitor"]["correct"]}
    assert len(curve["correct"]) == 4
    assert "sub-2" not in watched.files["card.json"].decode()


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_each_point_of_the_curve_is_the_score_of_that_epoch(
    matrices: Matrices, held_out: Matrices, epochs: int
):
    curve = monitor(matrices, held_out).facts["monitor"]["correct"]
    stopped = run(
        STAGE, PARAMETERS | {"epochs": epochs}, both(matrices, held_out), matrices=matrices.many
    )
    scored = run(
        score.STAGE,
        {"network": "A", "degree": 2},
        both(matrices, held_out),
        matrices=held_out.many,
        weights=as_entry(STAGE, stopped),
    )
    assert curve[epochs - 1] == scored.facts["correct"]


def test_a_restart_keeps_the_curve_whole(matrices: Matrices, held_out: Matrices, tmp_path: Path):
    longer = {"epochs": 13}
    undisturbed = monitor(matrices, held_out, longer)
    with pytest.raises(Interruption):
        monitor(matrices, held_out, longer, work=tmp_path, recorder=Interrupting(12))
    again = monitor(matrices, held_out, longer, work=tmp_path)
    assert again.files == undisturbed.files
    assert again.facts == undisturbed.facts


def test_a_missing_subject_is_wrong_at_every_epoch_and_a_left_out_one_not_counted(
    matrices: Matrices,
):
    others = Matrices(6, first=20, sub_23=[0])
    whole = monitor(matrices, Matrices(6, first=20)).facts["monitor"]
    found = run(
        STAGE,
        MONITORED,
        both(matrices, others),
        matrices=matrices.many,
        monitor=Many(others.many.items, missing=[{"subject": "sub-99"}]),
    )
    facts = found.facts["monitor"]
    assert (facts["left_out"], facts["missing"]) == (["sub-23"], ["sub-99"])
    assert facts["subjects"] == ["sub-20", "sub-21", "sub-22", "sub-24", "sub-25"]
    assert (facts["n"], whole["n"]) == (6, 6)
    lost = np.array(whole["correct"]) - np.array(facts["correct"])
    assert set(lost) <= {0, 1}
    assert "sub-23" in found.warnings[0]["message"]


def test_a_subject_is_not_trained_on_and_monitored(matrices: Matrices, held_out: Matrices):
    again = Many([*held_out.many.items, Item({"subject": "sub-03"}, matrices.entries["sub-03"])])
    with pytest.raises(BadParameter, match=r"trained on and monitored.*sub-03"):
        run(STAGE, MONITORED, both(matrices, held_out), matrices=matrices.many, monitor=again)


@pytest.mark.parametrize("nobody", [None, Many([])])
def test_nobody_to_monitor_is_an_error(matrices: Matrices, nobody: Many | None):
    with pytest.raises(EmptyInput, match="nobody to monitor"):
        run(STAGE, MONITORED, matrices.context(), matrices=matrices.many, monitor=nobody)


def test_monitored_subjects_have_the_same_classes_and_regions(matrices: Matrices):
    others = Matrices(6, first=20)
    others.columns["sub-22"]["group"] = "LMCI"
    with pytest.raises(InputError, match=r"sub-22.*HC, MCI.*LMCI"):
        monitor(matrices, others)
    others = Matrices(6, first=20)
    for entry in others.entries.values():
        entry.dataset["region"][2] = "zz"
    with pytest.raises(RegionCountMismatch, match="zz"):
        monitor(matrices, others)


def test_a_forest_has_no_epochs_to_monitor():
    with pytest.raises(pydantic.ValidationError, match="random_forest has no epochs to monitor"):
        STAGE.parameters(**MONITORED | {"model": "random_forest"})
    assert STAGE.parameters(**PARAMETERS | {"model": "random_forest"}).monitor is False
