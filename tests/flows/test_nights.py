"""Seven nights of one cohort: what each computes and why, what its index says, what stays put."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cohortflow.cohort.maintenance import forget
from cohortflow.stages import CATALOGUE
from tasks.engine import LocalEngine
from tests.flows import light_stages
from tests.flows.nights import SUBJECTS, Night, Study

TRAINED = 9
"""Three quarters of twelve."""


@dataclass
class Played:
    """All nights, in the order they came."""

    first: Night
    newcomers: Night
    corrected: Night
    changed: Night
    withdrawn: Night
    idle: Night
    caught_up: Night
    away: Night
    trained_on: list[str]
    lines: list[dict[str, Any]]
    pages: list[str]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    study = Study(tmp_path_factory.mktemp("nights"))
    with pytest.MonkeyPatch.context() as patch:
        for name, stage in light_stages.CATALOGUE.items():
            patch.setitem(CATALOGUE, name, stage)
        patch.setenv("COHORTFLOW_TRACKING", "off")
        patch.setenv("COHORTFLOW_TRACE", str(study.trace))
        nights: dict[str, Any] = {"first": study.first()}
        (frozen,) = study.cohort.selections.all()
        trained_on = [row["subject"] for row in frozen.subjects]
        study.add(13, 14)
        nights["newcomers"] = study.night()
        study.correct("sub-01", "HC", "MCI")
        nights["corrected"] = study.night()
        study.record_again("sub-02")
        nights["changed"] = study.night()
        forget(study.cohort, "sub-03")
        nights["withdrawn"] = study.night()
        with pytest.MonkeyPatch.context() as idle:
            idle.setattr(LocalEngine, "_start", _refuse_to_start)
            nights["idle"] = study.night(cluster="local")
        # Two days without a night between them.
        study.add(15)
        study.correct("sub-14", "MCI", "HC")
        nights["caught_up"] = study.night()
        study.source.rename(study.folder / "unplugged")
        nights["away"] = study.night()
        yield Played(**nights, trained_on=trained_on, lines=study.lines(), pages=study.pages)


def _refuse_to_start(*_: object) -> None:
    raise AssertionError("a night with nothing new starts no workers")


def test_the_first_run_freezes_whom_it_trains_on(played: Played) -> None:
    night = played.first
    assert (night.index.number, dict(night.states())) == (1, {"done": 29})
    assert night.n("tally") == {(SUBJECTS, 0)}
    assert night.n("learn") == {(TRAINED, 0)}
    assert night.n("judge") == {(SUBJECTS - TRAINED, 0)}
    assert {"sub-01", "sub-02", "sub-03"} < set(played.trained_on), "what later nights speak of"
    assert night.since_trained() == {"new": 0, "changed": 0, "corrected": 0, "withdrawn": 0}


def test_newcomers_cost_themselves_and_the_reductions(played: Played) -> None:
    night = played.newcomers
    both = ["sub-13", "sub-14"]
    assert night.reasons == {
        "average": (2, "new"),
        "square": (2, "new"),
        "tally": (1, "input tables changed (12→14 subjects)"),
        "judge": (2, "input tables changed (3→5 subjects)"),
    }
    assert night.computed == {
        "average": both,
        "square": both,
        "tally": ["None"],
        "judge": ["None", "None"],
    }
    assert (night.index.number, dict(night.states())) == (2, {"done": 33})
    assert (night.n("tally"), night.n("judge")) == ({(14, 0)}, {(5, 0)})
    assert night.scored == {0: 5, 1: 5}
    assert night.since_trained() == {"new": 2, "changed": 0, "corrected": 0, "withdrawn": 0}


def test_a_corrected_diagnosis_runs_what_reads_the_column(played: Played) -> None:
    night = played.corrected
    assert night.reasons == {"tally": (1, "participants column group changed")}
    assert night.computed == {"tally": ["None"]}
    assert (night.index.number, dict(night.states())) == (3, {"done": 33})
    assert night.n("tally") == {(14, 0)}
    assert night.since_trained() == {"new": 2, "changed": 0, "corrected": 1, "withdrawn": 0}


def test_a_changed_recording_runs_what_stands_on_it(played: Played) -> None:
    night = played.changed
    assert night.reasons == {
        "average": (1, "input series changed"),
        "square": (1, "input averages changed"),
        "tally": (1, "input tables changed"),
    }
    assert night.computed == {
        "average": ["sub-02"],
        "square": ["sub-02"],
        "tally": ["None"],
    }
    assert (night.index.number, dict(night.states())) == (4, {"done": 33})
    assert night.since_trained() == {"new": 2, "changed": 1, "corrected": 1, "withdrawn": 0}


def test_a_withdrawn_subject_leaves_the_reductions_and_no_trace(played: Played) -> None:
    night = played.withdrawn
    assert night.reasons == {"tally": (1, "input tables changed (14→13 subjects)")}
    assert night.computed == {"tally": ["None"]}
    assert dict(night.states()) == {"done": 31}
    assert night.index.number == 9, "forgetting wrote the four indexes before it anew, 5 to 8"
    assert "sub-03" not in {row.subject for row in night.rows}
    assert (night.n("tally"), night.n("judge")) == ({(13, 0)}, {(5, 0)})
    assert night.since_trained() == {"new": 2, "changed": 1, "corrected": 1, "withdrawn": 1}


def test_a_night_with_nothing_new_computes_nothing_and_starts_no_workers(played: Played) -> None:
    night = played.idle
    assert (night.reasons, night.computed) == ({}, {})
    assert (night.index.number, dict(night.states())) == (10, {"done": 31})
    assert not night.result.changed
    assert night.index.claim["ingest"] == played.withdrawn.index.claim["ingest"]
    assert [row.key for row in night.rows] == [row.key for row in played.withdrawn.rows]
    assert night.result.report == played.withdrawn.result.report, "the report stands"


def test_a_missed_night_is_caught_up_once(played: Played) -> None:
    night = played.caught_up
    assert night.reasons == {
        "average": (1, "new"),
        "square": (1, "new"),
        "tally": (1, "input tables changed (13→14 subjects)"),
        "judge": (2, "input tables changed (5→6 subjects)"),
    }
    assert night.computed == {
        "average": ["sub-15"],
        "square": ["sub-15"],
        "tally": ["None"],
        "judge": ["None", "None"],
    }
    assert (night.index.number, dict(night.states())) == (11, {"done": 33})
    assert night.scored == {0: 6, 1: 6}
    assert night.since_trained() == {"new": 3, "changed": 1, "corrected": 1, "withdrawn": 1}


def test_where_the_source_is_away_what_stands_is_run_all_the_same(played: Played) -> None:
    night = played.away
    assert night.problem == "no-such-source"
    assert (night.computed, dict(night.states())) == ({}, {"done": 33})
    assert night.index.number == 12


def test_the_page_of_the_runs_tells_every_night(played: Played) -> None:
    """Who came and what it cost, though the indexes and lists of then were written anew."""
    told = dict(zip(["first", *NIGHTS], played.lines, strict=True))
    assert [line["ran"] for line in played.lines] == [29, 7, 1, 3, 1, 0, 5, 0]
    assert [line["subjects"] for line in played.lines] == [12, 14, 14, 14, 13, 13, 14, 14]
    assert [line["withdrawn"] for line in played.lines] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert told["newcomers"]["n"] == {"tally": [14, 14], "judge": [5, 5]}
    assert told["withdrawn"]["n"] == {"tally": [13, 13], "judge": [5, 5]}
    assert {line["failed"] for line in played.lines} == {0}


def test_the_page_names_who_is_new_and_never_who_was_withdrawn(played: Played) -> None:
    pages = dict(zip(["first", *NIGHTS], played.pages, strict=True))
    assert "new 2 sub-13, sub-14" in pages["newcomers"]
    assert "corrected 1 sub-01" in pages["corrected"]
    assert "changed 1 sub-02" in pages["changed"]
    assert "withdrawn 1" in pages["withdrawn"]
    assert not [name for name in NIGHTS[3:] if "sub-03" in pages[name]]
    assert "Nothing is new: no subject came, left or changed." in pages["idle"]
    assert "new 1 sub-15" in pages["caught_up"]
    assert "corrected 1 sub-14" in pages["caught_up"]
    assert "input tables changed (13→14 subjects)" in pages["caught_up"]
    assert "2 new, 1 changed, 1 corrected, 1 withdrawn" in pages["withdrawn"], (
        "since it was trained"
    )


def test_the_model_says_when_it_was_trained_also_after_its_index_was_written_anew(
    played: Played,
) -> None:
    (before,) = played.first.status["selections"]
    (after,) = played.away.status["selections"]
    assert (before["weights"], before["index"]) == (2, 1)
    assert (after["weights"], after["index"]) == (2, 5)
    assert after["trained"] == before["trained"]


NIGHTS = ["newcomers", "corrected", "changed", "withdrawn", "idle", "caught_up", "away"]


@pytest.mark.parametrize("name", NIGHTS)
def test_no_night_trains_and_the_selection_stays_as_frozen(played: Played, name: str) -> None:
    night: Night = getattr(played, name)
    assert "learn" not in night.computed
    ((_, digest, subjects),) = night.selections
    ((_, frozen, _),) = played.first.selections
    gone = NIGHTS.index(name) >= NIGHTS.index("withdrawn")
    assert (digest, subjects) == (frozen, TRAINED - gone)
    weights = [row.key for row in night.rows if row.step == "learn"]
    assert weights == [row.key for row in played.first.rows if row.step == "learn"]


@pytest.mark.parametrize("name", NIGHTS)
def test_a_night_costs_what_its_plan_said_and_nothing_else(played: Played, name: str) -> None:
    night: Night = getattr(played, name)
    ran = {step: len(subjects) for step, subjects in night.computed.items()}
    assert ran == {step: units for step, (units, _) in night.reasons.items()}
    counted = {timing.step: timing.units for timing in night.result.timings if timing.units}
    assert counted == ran
    versions = {"average": 1, "square": 2, "tally": 1, "learn": 1, "judge": 1}
    assert night.versions == versions
    made_here = {row.key for row in night.rows if row.made_in == night.index.number}
    assert len(made_here) == sum(ran.values())
