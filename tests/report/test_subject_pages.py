"""Pages of subjects: what they show, in which order, and which of them a night makes again."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohortflow.cohort.entry import Output
from cohortflow.cohort.gc import subject_pages
from cohortflow.errors import EntryCorrupt
from cohortflow.report.outliers import centre
from cohortflow.report.subjects.keeping import keep_pages, read_lines
from cohortflow.report.subjects.numbers import Number, numbers_of, with_nothing_said
from cohortflow.report.subjects.spread import FLAGGED, Spread
from tests.report.pages import text_of
from tests.report.subjects import ERROR, many, scores, storage, study

PAGES = subject_pages("organs")


def page(folder: Path, subject: str) -> str:
    return storage(folder).read(f"{PAGES}/{subject}.html").decode()


def links(html: str) -> dict[str, str]:
    (beside,) = re.findall(r'<p class="links"[^>]*>(.*?)</p>', html)
    return {name: to for to, name in re.findall(r'<a href="([^"]+)">([^<]+)</a>', beside)}


def test_what_failed_then_what_was_missed_then_the_farthest_out_come_first(tmp_path: Path) -> None:
    dice = many(12) | {"low": 0.1, "best": 0.999, "missed": None}
    source = study(dice, failed=["tilted"], refused=["broken"])
    book = keep_pages(storage(tmp_path), source)
    assert [row.subject for row in book.rows[:4]] == ["broken", "tilted", "missed", "low"]
    assert book.rows[3].reason.startswith("dice of liver 0.1")
    by_id = {row.subject: row for row in book.rows}
    assert by_id["missed"].flagged == 1
    assert by_id["missed"].reason.startswith("dice of liver: nothing was predicted")
    assert by_id["best"].score == 0.0, "a Dice above the others is no fault"
    assert book.known == 15


def test_what_everybody_misses_tells_nobody_apart(tmp_path: Path) -> None:
    source = study(dict.fromkeys(many(8), None))
    for n, (subject, value) in enumerate((many(8) | {"sub-0005": 0.1}).items()):
        source.add("score", "scores", scores(value), subject=subject, point={"model": f"{n > 99}"})
    book = keep_pages(storage(tmp_path), source)
    assert {row.flagged for row in book.rows} == {1}
    assert book.rows[0].subject == "sub-0005"


def test_a_structure_that_was_missed_among_few_is_not_called_far_out_alone(tmp_path: Path) -> None:
    keep_pages(storage(tmp_path), study({"a": 0.9, "b": None}))
    said = text_of(page(tmp_path, "b"))
    assert "Outliers are not sought among 2 subjects" in said
    assert re.search(r"Far out, missed or invented\s+[1-9]", said)


def test_a_page_says_where_its_numbers_stand(tmp_path: Path) -> None:
    dice = {f"s{n}": 0.5 + n / 100 for n in range(9)} | {"odd": 0.2}
    source = study(dice)
    keep_pages(storage(tmp_path), source)
    told = text_of(page(tmp_path, "odd"))
    values = [float(value) for value in dice.values() if value is not None]
    low, median, high = np.percentile(values, [25, 50, 75])
    middle, sd = centre(values)
    row = (
        f"dice of liver 0.2 — {median:.4g} {low:.4g} to {high:.4g} 1 / 10 {(0.2 - middle) / sd:.4g}"
    )
    assert row in told.replace("−", "-")
    assert "prediction" in told, "a legend of the outlines"
    assert page(tmp_path, "odd").count("<image ") == 3


def test_a_failed_subject_says_why_and_how_to_try_again(tmp_path: Path) -> None:
    keep_pages(storage(tmp_path), study(many(6), failed=["tilted"], refused=["broken"]))
    told = text_of(page(tmp_path, "tilted"))
    assert "gantry-tilt look: tilted by 7° Untilt it. — cohortflow replay C 0123" in told
    assert "0 of 1 units stand done; 1 failed." in told
    assert "Refused when it was taken in" in text_of(page(tmp_path, "broken"))
    assert ERROR["hint"] in text_of(page(tmp_path, "broken"))


@pytest.mark.parametrize("state", ["failed", "quarantined", "blocked", "pending"])
def test_what_broke_in_any_way_makes_a_bad_page_and_comes_first(tmp_path: Path, state: str) -> None:
    source = study(many(6))
    source.change("look", 5, state=state, error=ERROR)
    book = keep_pages(storage(tmp_path), source)
    broken = state != "pending"
    assert {row.subject: row.broken for row in book.rows}["sub-0005"] == broken
    assert (book.rows[0].subject == "sub-0005") == broken
    tone = "bad" if broken else "open"
    assert f'class="verdict {tone}"' in page(tmp_path, "sub-0005")


def test_pages_lead_to_each_other_and_back(tmp_path: Path) -> None:
    book = keep_pages(storage(tmp_path), study(many(5) | {"Zoë 1": 0.1}))
    order = [row.subject for row in book.rows]
    assert order[0] == "Zoë 1"
    assert book.rows[0].address == "Zo%C3%AB%201.html"
    first, second = (links(page(tmp_path, subject)) for subject in order[:2])
    assert first[f"Next: {order[1]}"] == f"{order[1]}.html"
    assert second["Previous: Zoë 1"] == "Zo%C3%AB%201.html"
    assert not any(name.startswith("Previous") for name in first)
    assert first["All subjects"] == "../subjects.html"
    assert first["The cohort"] == "../../cohort.html"


def test_one_file_that_loads_nothing(tmp_path: Path) -> None:
    keep_pages(storage(tmp_path), study(many(3)))
    html = page(tmp_path, "sub-0001")
    assert not re.search(r"(src|href)=\"(https?:)?//", html)
    assert "default-src &#39;none&#39;" in html
    assert html.count('<meta name="cohortflow-save" content="">') == 1
    assert page(tmp_path, "sub-0001") == html


def test_a_second_time_nothing_is_made(tmp_path: Path) -> None:
    store = storage(tmp_path)
    assert keep_pages(store, study(many(20))).made == 20
    written: list[str] = []
    store.write = lambda path, data: written.append(path)  # type: ignore[method-assign]
    assert keep_pages(store, study(many(20))).made == 0
    assert written == []


def test_newcomers_cost_their_pages_and_those_of_their_neighbours(tmp_path: Path) -> None:
    store = storage(tmp_path)
    keep_pages(store, study(many(60)))
    # Units of the fake are told apart by their number: those that were there keep theirs.
    book = keep_pages(store, study(many(60) | {"new-1": 0.83012, "new-2": 0.3}))
    assert book.made <= 2 + 4
    assert {"new-1", "new-2"} <= read_lines(store, "organs").keys()
    told = text_of(store.read(f"{PAGES}/sub-0003.html").decode())
    assert "/ 60" in told, "set beside the spread that it was made with"


def test_another_spread_makes_every_page_again(tmp_path: Path) -> None:
    store = storage(tmp_path)
    keep_pages(store, study(many(20)))
    book = keep_pages(store, study(many(20) | {f"new-{n}": 0.5 for n in range(5)}))
    assert book.made == 25


def test_a_changed_state_changes_one_page(tmp_path: Path) -> None:
    store = storage(tmp_path)
    source = study(many(20))
    keep_pages(store, source)
    source.change("look", 7, warnings=[{"code": "thin", "message": "a thin slab"}])
    assert keep_pages(store, source).made == 1
    assert "thin: a thin slab" in text_of(page(tmp_path, "sub-0007"))


def test_pages_of_nobody_go_and_a_page_that_is_gone_comes_back(tmp_path: Path) -> None:
    store = storage(tmp_path)
    keep_pages(store, study(many(12)))
    store.write(f"{PAGES}/gone.html", b"who?")
    store.delete(f"{PAGES}/sub-0004.html")
    assert keep_pages(store, study(many(12))).made == 1
    assert store.exists(f"{PAGES}/sub-0004.html")
    assert not store.exists(f"{PAGES}/gone.html")


@pytest.mark.parametrize(
    "damage", [b"", b"{}", b'{"schema": 99}', b'{"schema": 1}', b"\x1f\x8b broken"]
)
def test_a_damaged_ledger_makes_pages_again(tmp_path: Path, damage: bytes) -> None:
    store = storage(tmp_path)
    keep_pages(store, study(many(3)))
    store.write(f"{PAGES}/pages.json.gz", damage)
    assert keep_pages(store, study(many(3))).made == 3


def test_one_result_that_cannot_be_read_costs_one_page_its_numbers(tmp_path: Path) -> None:
    source = study(many(8))
    broken = source.units(step="score")[2]
    entry = source.entry

    def read(unit: object) -> object:
        if unit is broken:
            raise EntryCorrupt("damaged", where="score@1")
        return entry(unit)  # type: ignore[arg-type]

    source.entry = read  # type: ignore[method-assign, assignment]
    book = keep_pages(storage(tmp_path), source)
    assert book.rows[0].subject == "sub-0002"
    assert "entry-corrupt" in book.rows[0].reason


def test_what_is_kept_of_numbers_is_read_back(tmp_path: Path) -> None:
    """Other results are asked for nothing: the second time numbers come from the ledger."""
    store = storage(tmp_path)
    dice = many(8) | {"missed": None, "zero": 0.0}
    first = keep_pages(store, study(dice))
    source = study(dice)
    source.entry = None  # type: ignore[method-assign, assignment]
    again = keep_pages(store, source)
    assert again.rows == first.rows
    assert again.made == 0


def test_few_subjects_have_no_outliers(tmp_path: Path) -> None:
    book = keep_pages(storage(tmp_path), study({"a": 0.1, "b": 0.9, "c": 0.9}))
    assert {row.score for row in book.rows} == {0.0}
    assert "Outliers are not sought among 3 subjects" in text_of(page(tmp_path, "a"))
    alone = keep_pages(storage(tmp_path / "other"), study({"a": 0.1}))
    assert len(alone.rows) == 1
    assert keep_pages(storage(tmp_path / "none"), study({})).rows == []


def test_a_label_that_most_have_is_counted_as_nothing_where_it_is_not() -> None:
    def labels(*values: int) -> list[Number]:
        return [Number(f"label {value}", 5.0, "ml", countable=True) for value in values]

    everyone = {"a": labels(1, 2), "b": labels(1, 2), "c": labels(1, 7), "no map": []}
    filled = with_nothing_said(everyone)
    assert [(n.name, n.value) for n in filled["c"]] == [
        ("label 1", 5.0),
        ("label 7", 5.0),
        ("label 2", 0.0),
    ]
    assert [n.name for n in filled["a"]] == ["label 1", "label 2"], "7 is not usual"
    assert filled["no map"] == []


def test_numbers_of_a_missed_organ() -> None:
    source = study({"a": None})
    numbers = {n.name: n for n in numbers_of(source, source.units())}
    dice = numbers["dice of liver"]
    assert (dice.value, dice.reason, dice.flagged, dice.better) == (
        None,
        "nothing was predicted",
        True,
        "higher",
    )
    assert numbers["volume/reference of liver"].better == "none"
    assert Spread.of([numbers.values()]).outlying(dice) == FLAGGED


def test_a_spread_tells_of_another_while_little_has_moved() -> None:
    def spread(*values: float) -> Spread:
        return Spread({"a": sorted(values)})

    base = [float(n) for n in range(100)]
    assert spread(*base).still_tells(spread(*base, 50.0))
    assert not spread(*base).still_tells(spread(*base, *([50.0] * 6)))
    assert not spread(*base).still_tells(spread(*(v + 4 for v in base)))
    assert not spread(*base).still_tells(Spread({"a": base, "b": base}))
    assert spread(*base).still_tells(Spread({"a": base, "b": [1.0]})), "one has a label of its own"


def of_slices(*slices: tuple[float | None, str]) -> Number:
    told = {"label": 1, "name": "1", "unit": "1", "metric": "dice", "worst": 0.0}
    rows = [
        {**told, "slice": i, "value": value, "state": state, "reason": f"it is {state}"}
        for i, (value, state) in enumerate(slices)
    ]
    target = io.BytesIO()
    pd.DataFrame(rows).to_parquet(target)
    source = study({})
    source.add("score", "scores", Output(files={"metrics.parquet": target.getvalue()}), subject="a")
    (number,) = numbers_of(source, source.units())
    return number


def test_of_slices_the_mean_is_told() -> None:
    number = of_slices((0.0, "missed"), (0.9, "measured"), (None, "absent"))
    assert (number.name, number.value) == ("dice of label 1, mean over slices", 0.45)
    assert (number.flagged, number.reason) == (False, "")


@pytest.mark.parametrize("state", ["missed", "invented", "failed"])
def test_what_is_lost_in_each_slice_is_lost(state: str) -> None:
    number = of_slices((None, "absent"), (0.0, state), (0.0, state))
    assert (number.value, number.flagged, number.reason) == (0.0, True, f"it is {state}")
    nowhere = of_slices((None, "absent"), (None, "absent"))
    assert (nowhere.value, nowhere.flagged, nowhere.reason) == (None, False, "it is in no slice")


def test_an_infinite_slice_is_not_left_out_of_a_mean() -> None:
    told = {
        "label": 1,
        "name": "1",
        "unit": "count",
        "metric": "betti-error/0",
        "state": "measured",
    }
    values = [{"slice": 0, "value": 2.0}, {"slice": 1, "value": math.inf}]
    counts = [{**told, "metric": "voxels/tp", "slice": 0, "value": 9.0}]
    target = io.BytesIO()
    pd.DataFrame([*({**told, **one} for one in values), *counts]).to_parquet(target)
    source = study({})
    source.add("score", "scores", Output(files={"metrics.parquet": target.getvalue()}), subject="a")
    (number,) = numbers_of(source, source.units())
    assert number.value is None
    assert number.reason == "infinite in 1 of 2 slices"
