"""Keys: one spelling of everything that a result is a function of."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow.errors import BadParameter
from cohortflow.pipeline.keys import canonical, derived_seed, digest, unit_key

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_composed_and_decomposed_text_are_one() -> None:
    assert digest({"site": "Zürich"}) == digest({"site": "Zu\u0308rich"})
    assert digest({"Zürich": 1}) == digest({"Zu\u0308rich": 1})


def test_there_is_one_zero() -> None:
    assert digest([0.0]) == digest([-0.0])
    assert math.copysign(1, canonical(-0.0)) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", object()])
def test_what_no_key_can_hold(value: object) -> None:
    with pytest.raises(BadParameter):
        digest({"a": [value]})


def test_order_of_a_mapping_does_not_matter_but_of_a_list() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])


def test_a_flag_is_no_number() -> None:
    assert digest({"a": True}) != digest({"a": 1})
    assert digest({"a": None}) != digest({"a": False})


@given(JSON)
def test_canonical_is_idempotent(value: object) -> None:
    once = canonical(value)
    assert canonical(once) == once
    assert digest(value) == digest(once)


def test_everything_read_enters_the_key() -> None:
    base = {"recipe": "r", "subject": "s", "inputs": {"image": "i", "label": "l"}, "columns": "c"}
    key = unit_key(**base)
    assert len(key) == 64
    changes = [
        {"recipe": "r2"},
        {"subject": "s2"},
        {"subject": None},
        {"inputs": {"image": "i"}},
        {"inputs": {"image": "l", "label": "i"}},
        {"columns": ""},
    ]
    others = {unit_key(**{**base, **change}) for change in changes}
    assert len(others | {key}) == len(changes) + 1


def test_order_of_inputs_does_not_matter() -> None:
    assert unit_key("r", "s", {"a": "1", "b": "2"}, "") == unit_key(
        "r", "s", {"b": "2", "a": "1"}, ""
    )


def test_seeds_differ_by_every_part_and_fit_63_bits() -> None:
    seeds = {
        derived_seed(0, seed, stage, subject)
        for seed in (0, 1)
        for stage in "ab"
        for subject in "xy"
    }
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derived_seed(0, 1, "a", None) == derived_seed(0, 1, "a", None)
