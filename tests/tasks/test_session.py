"""Runs of a session in the test's own process: what they settle, and what the index says after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cohortflow.cohort.cohort import Cohort, create_cohort
from cohortflow.cohort.run_view import RunView
from tasks.request import RunRequest, RunResult
from tasks.session import Session
from tests.pipeline.running import CATALOGUE, FILE, ingest_texts
from tests.pipeline.world import parse

TEXT = """
inputs: {text: table}
steps: [shout, merge: {reads: {tables: shout}}]
"""


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    made = create_cohort(tmp_path / "cohort")
    ingest_texts(made, {"a": "one ", "b": "two ", "c": "three "})
    return made


def run(cohort: Cohort, *settings: str, text: str = TEXT, **options: Any) -> RunResult:
    request = RunRequest("world", cohort.url, settings=settings, cluster="none", **options)
    pipeline = parse(text, CATALOGUE, settings)
    with Session(request, pipeline=pipeline, catalogue="tests.pipeline.running:CATALOGUE") as one:
        one.begin()
        for step in one.pipeline.steps:
            for units in one.batches(step.id):
                one.run_batch(step.id, units)
            one.close_step(step.id)
        return one.finish()


def merged(cohort: Cohort) -> bytes:
    return RunView(cohort, "world")["cohort"]["merge"].entry().read_file(FILE)


def states(cohort: Cohort) -> dict[tuple[str, str | None], str]:
    return {(row.step, row.subject): row.state for row in RunView(cohort, "world").rows}


def test_a_run_settles_all_and_a_second_one_does_nothing(cohort: Cohort) -> None:
    first = run(cohort)
    assert (first.exit_code, first.counts, first.changed) == (0, {"done": 4}, True)
    assert merged(cohort) == b"ONE  TWO  THREE "
    second = run(cohort)
    assert (second.exit_code, second.changed) == (0, False)
    assert [timing.units for timing in second.timings] == [0, 0]


def test_a_failed_subject_ends_with_code_3_and_is_named_to_the_reduction(cohort: Cohort) -> None:
    ingest_texts(cohort, {"a": "one ", "b": "broken", "c": "three "})
    assert run(cohort).exit_code == 3
    assert merged(cohort) == b"ONE  THREE b"
    again = run(cohort)
    assert again.exit_code == 3, "what was asked for stands failed, tried today or not"
    assert [timing.units for timing in again.timings] == [0, 0]


def test_an_entry_gone_is_noticed_by_its_reader_and_made_again_by_the_next_run(
    cohort: Cohort,
) -> None:
    """The index is trusted; so a reader that finds an entry gone must take it back."""
    run(cohort)
    (lost,) = [r for r in RunView(cohort, "world").rows if (r.step, r.subject) == ("shout", "b")]
    cohort.storage.delete(lost.ref.path)
    found = run(cohort, "merge.word=end")
    assert found.exit_code == 3
    assert states(cohort)[("shout", "b")] == "pending"
    healed = run(cohort, "merge.word=end")
    assert (healed.exit_code, healed.counts) == (0, {"done": 4})
    assert [timing.done for timing in healed.timings] == [1, 1]
    assert merged(cohort) == b"ONE  TWO  THREE end"


def test_a_run_of_some_subjects_leaves_the_rest_in_the_index(cohort: Cohort) -> None:
    part = run(cohort, subjects=("b",))
    assert (part.exit_code, part.counts) == (0, {"done": 1})
    assert states(cohort) == {
        ("shout", "a"): "pending",
        ("shout", "b"): "done",
        ("shout", "c"): "pending",
        ("merge", None): "pending",
    }
    run(cohort)
    assert set(states(cohort).values()) == {"done"}
    ingest_texts(cohort, {"a": "one ", "b": "zwei ", "c": "three "})
    again = run(cohort, subjects=("b",))
    assert again.counts == {"done": 2}, "the subject, and the reduction that has all it reads"
    assert merged(cohort) == b"ONE  ZWEI  THREE "
    assert set(states(cohort).values()) == {"done"}


FOLDS = """
inputs: {text: table}
splits: {cv: {folds: 2, by: subject}}
axes: {fold: {split: cv}, comparison: {all: {}, some: {where: {column: {group: [HC]}}}}}
steps: [shout, learn: {over: [comparison, fold], where: {split: cv/train}}]
"""


def seen(cohort: Cohort, comparison: str) -> list[set[str]]:
    """Whom the weights of each fold saw."""
    weights = RunView(cohort, "world")["cohort"]["learn"]
    return [
        set(
            weights.entry(comparison=comparison, fold=fold)
            .read_file("weights.safetensors")
            .decode()
            .split()
        )
        for fold in (0, 1)
    ]


def test_the_folds_of_a_split_are_frozen_together_whichever_is_asked_for(cohort: Cohort) -> None:
    """A newcomer between two folds must not make one subject train, or test, in both of them."""
    run(cohort, text=FOLDS, at={"fold": ("0",), "comparison": ("all",)})
    assert len(cohort.selections.all()) == 2, "both folds of this comparison, none of the other"
    texts = {name: f"{name} " for name in "abcdefgh"}
    ingest_texts(cohort, texts)
    assert run(cohort, text=FOLDS).exit_code == 0
    first, second = seen(cohort, "all")
    assert first | second == {"a", "b", "c"}
    assert not first & second
    first, second = seen(cohort, "some")
    assert first | second == set(texts), "another question, frozen when it was first asked"
    assert not first & second
