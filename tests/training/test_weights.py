from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from cohortflow.errors import EntryCorrupt
from cohortflow.training.weights import fill_network, load_weights, save_weights
from tests.training.examples import card

ARRAYS = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.array([1.0, -0.0, np.pi]),
    "count": np.array(3),
}


def test_what_was_saved_comes_back():
    files = save_weights(ARRAYS, card())
    assert sorted(files) == ["card.json", "weights.safetensors"]
    arrays, read = load_weights(files["weights.safetensors"], files["card.json"])
    assert read == card()
    assert arrays.keys() == ARRAYS.keys()
    for name, values in ARRAYS.items():
        assert arrays[name].dtype == values.dtype
        assert arrays[name].tobytes() == values.tobytes()


def test_bytes_do_not_depend_on_the_order_or_layout_of_what_is_handed_over():
    turned = {name: np.asfortranarray(ARRAYS[name]) for name in sorted(ARRAYS, reverse=True)}
    assert save_weights(turned, card()) == save_weights(ARRAYS, card())


def test_the_card_is_plain_json_and_names_no_subject():
    text = json.loads(save_weights(ARRAYS, card())["card.json"])
    assert text["classes"] == ["HC", "MCI"]
    assert text["subjects_seen"] == {"HC": 3, "MCI": 4}


@pytest.mark.parametrize("cut", [0, 5, 60])
def test_torn_weights_are_named(cut: int):
    files = save_weights(ARRAYS, card())
    with pytest.raises(EntryCorrupt, match=r"weights\.safetensors"):
        load_weights(files["weights.safetensors"][:cut], files["card.json"])


@pytest.mark.parametrize("change", [{"card": 2}, {"surprise": 1}, {"classes": None}])
def test_a_card_that_is_none_is_named(change: dict):
    files = save_weights(ARRAYS, card())
    text = json.dumps(json.loads(files["card.json"]) | change).encode()
    with pytest.raises(EntryCorrupt, match=r"card\.json"):
        load_weights(files["weights.safetensors"], text)


def test_a_pickle_is_not_opened():
    torch_file = b"PK\x03\x04" + b"\x00" * 100
    with pytest.raises(EntryCorrupt):
        load_weights(torch_file, save_weights(ARRAYS, card())["card.json"])


@pytest.mark.parametrize(
    "arrays",
    [
        {"weight": np.zeros((2, 3), np.float32)},
        {"weight": np.zeros((2, 4), np.float32), "bias": np.zeros(2, np.float32)},
    ],
    ids=["a name is missing", "a shape differs"],
)
def test_weights_that_do_not_fit_are_refused(arrays: dict[str, np.ndarray]):
    with pytest.raises(EntryCorrupt, match="do not fit"):
        fill_network(torch.nn.Linear(3, 2), arrays)
