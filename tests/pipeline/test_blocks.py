from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import pytest

from cohortflow.errors import AxisError, PipelineError, UnknownName
from cohortflow.pipeline.unit import Unit
from cohortflow.stages import CATALOGUE
from tests.pipeline.world import World, keys, pending, points, recording, unit_of, units

TEXT = """
title: tiles
inputs: {series: roi_series}
axes:
  side: {both: {where: {column: {group: [HC, MCI]}}}, late: {where: {column: {late: ["yes"]}}}}
  roi: {from: series}
  tile: {pairs: block}
  block: {subjects: 3}
steps:
  - standardise
  - diagrams
  - by_roi: {over: [side, block]}
  - pairwise_subjects: {over: [side, roi, tile]}
"""


def people(first: int, last: int) -> list[Any]:
    """``late`` are those from the seventh on: nobody of the first two blocks."""
    return [
        recording(f"sub-{i:02d}", group=("HC", "MCI")[i % 2], late="yes" if i > 6 else "no")
        for i in range(first, last + 1)
    ]


def world(text: str = TEXT, subjects: int = 8) -> World:
    return World(text, people(1, subjects), catalogue=CATALOGUE)


def test_subjects_are_cut_by_their_numbers():
    plan = world().plan()
    blocks = {
        unit.labels[1]: [point["subject"] for point in points(unit, "diagrams")]
        for unit in units(plan, "by_roi", side="both")
    }
    assert blocks == {
        0: ["sub-01", "sub-02", "sub-03"],
        1: ["sub-04", "sub-05", "sub-06"],
        2: ["sub-07", "sub-08"],
    }


def test_a_block_of_nobody_is_absent_and_so_are_its_tiles():
    plan = world().plan()
    assert [unit.labels for unit in units(plan, "by_roi", side="late")] == [("late", 2)]
    tiles = {unit.labels[2] for unit in units(plan, "pairwise_subjects", side="late")}
    assert tiles == {"2-2"}


def test_each_unordered_pair_of_blocks_is_a_tile_that_reads_both():
    plan = world().plan()
    found = units(plan, "pairwise_subjects", side="both", roi=4)
    assert [u.labels[2] for u in found] == [
        f"{i}-{j}" for i, j in combinations_with_replacement(range(3), 2)
    ]
    for unit in found:
        first, _, second = str(unit.labels[2]).partition("-")
        assert unit.inputs["diagrams"] is unit_of(plan, "by_roi", side="both", block=int(first))
        if first == second:
            assert set(unit.inputs) == {"diagrams"}
        else:
            assert unit.inputs["others"] is unit_of(plan, "by_roi", side="both", block=int(second))
        blocks = {int(first), int(second)}
        assert unit.members == tuple(f"sub-{i:02d}" for i in range(1, 9) if (i - 1) // 3 in blocks)


def test_newcomers_change_the_tiles_of_their_block_only():
    cohort = world()
    before = keys(cohort.run(), "pairwise_subjects")
    cohort.ingest(*people(9, 10))  # one fills the third block, one begins the fourth
    after = cohort.plan()
    again = {unit.labels[2] for unit in pending(after) if unit.step == "pairwise_subjects"}
    assert again == {"0-2", "1-2", "2-2", "0-3", "1-3", "2-3", "3-3"}
    for place, key in keys(after, "pairwise_subjects").items():
        assert (before.get(place) == key) == (place[1][2] in ("0-0", "0-1", "1-1"))
    (kept,) = {u.reason for u in units(after, "pairwise_subjects", side="both", roi=0, tile="0-2")}
    assert kept == "input others changed"


def test_a_subject_keeps_its_block_when_another_one_goes():
    cohort = world()
    before = keys(cohort.run(), "pairwise_subjects")
    cohort.withdraw("sub-02")
    after = keys(cohort.plan(), "pairwise_subjects")
    same = {place[1][2] for place, key in after.items() if before[place] == key}
    assert same == {"1-1", "1-2", "2-2"}


def test_the_size_of_the_blocks_can_be_set_and_one_block_has_the_keys_of_no_blocks():
    whole = TEXT.replace("over: [side, block]", "over: [side]").replace("roi, tile]", "roi]")
    one = World(TEXT, people(1, 8), catalogue=CATALOGUE, settings=["axes.block.subjects=9"])
    plain = keys(world(whole).plan(), "pairwise_subjects")
    for (subject, labels), key in keys(one.plan(), "pairwise_subjects").items():
        assert labels[2] == "0-0"
        assert plain[subject, labels[:2]] == key


def test_a_point_narrows_to_a_tile():
    plan = world().plan(at={"tile": ["0-2"], "roi": ["1"], "side": ["both"]})
    asked: list[Unit] = [u for u in pending(plan) if u.asked and u.step == "pairwise_subjects"]
    assert [unit.labels for unit in asked] == [("both", 1, "0-2")]


@pytest.mark.parametrize(
    ("find", "write", "error", "says"),
    [
        ("{subjects: 3}", "{subjects: 0}", AxisError, "numbers a block spans"),
        ("{subjects: 3}", "{subjects: many}", AxisError, "numbers a block spans"),
        ("{pairs: block}", "{pairs: side}", UnknownName, "axis of blocks"),
        ("[side, roi, tile]", "[side, roi]", AxisError, "has one for each block"),
        ("[side, roi, tile]", "[side, roi, block]", None, ""),
        ("[side, roi, tile]", "[side, roi, tile, block]", PipelineError, "pairs"),
        ("over: [side, block]", "over: [side]", AxisError, "'tile' can change nothing"),
        ("- standardise", "- standardise: {over: [block]}", AxisError, "can change nothing"),
        ("{over: [side, block]}", "{over: [side, tile]}", AxisError, "'tile' can change nothing"),
        (
            "{over: [side, roi, tile]}",
            "{over: [side, roi, tile], reads: {others: by_roi}}",
            UnknownName,
            "others",
        ),
    ],
)
def test_what_makes_no_sense_is_named(
    find: str, write: str, error: type[Exception] | None, says: str
):
    assert find in TEXT
    if error is None:  # only the tiles on the diagonal
        found = world(TEXT.replace(find, write)).plan()
        assert len(units(found, "pairwise_subjects", side="both", roi=0)) == 3
        return
    with pytest.raises(error, match=says):
        world(TEXT.replace(find, write)).plan()
