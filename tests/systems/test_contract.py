"""What every published method owes: the same checks over all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from cohortflow.errors import BadParameter, UnknownName
from cohortflow.nn.initialisation import count_parameters
from cohortflow.recorder import MemoryRecorder
from cohortflow.systems import SYSTEMS, build_network
from cohortflow.training.determinism import deterministic
from cohortflow.training.fit import TrainingSettings, fit
from cohortflow.training.weights import fill_network, load_weights, network_arrays, save_weights
from tests.training.examples import card


@dataclass(frozen=True)
class Case:
    """A buildable form of a system, the shape of one input, and its number of parameters."""

    system: str
    options: dict[str, Any]
    shape: tuple[int, ...]
    parameters: int
    outputs: int = 2
    about: str = ""

    def build(self, seed: int = 0) -> torch.nn.Module:
        with deterministic(seed):
            return build_network(self.system, **self.options)

    def batch(self, count: int = 4) -> torch.Tensor:
        values = np.random.default_rng(3).normal(size=(count, *self.shape))
        return torch.from_numpy(values.astype(np.float32))


CASES = [
    Case(
        "mci-persistent-homology",
        {"regions": 9, "classes": 2, "dropout": 0.2, "model": "fusion_cnn"},
        (1, 9, 9),
        392_320 + 256 * 82 + 76_066,
        about="fusion_cnn",
    ),
    Case(
        "mci-persistent-homology",
        {"regions": 9, "classes": 2, "model": "densenet121"},
        (1, 9, 9),
        6_953_856 + 2 * 1024 + 2,
        about="densenet121",
    ),
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case.system}-{case.about}")
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def test_every_system_is_checked_here():
    assert {case.system for case in CASES} == set(SYSTEMS)


def test_counts_its_parameters(case: Case):
    assert count_parameters(case.build()) == case.parameters


def test_maps_a_batch_to_logits(case: Case):
    network = case.build().eval()
    with torch.no_grad():
        logits = network(case.batch(3))
    assert logits.shape == (3, case.outputs)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


def test_gradient_reaches_every_parameter(case: Case):
    network = case.build().train()
    with deterministic(0):
        loss = torch.nn.functional.cross_entropy(network(case.batch()), torch.arange(4) % 2)
        loss.backward()
    silent = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    assert silent == []


def test_a_tiny_training_lowers_the_loss_the_same_way_each_time(case: Case):
    def train() -> tuple[tuple[float, ...], dict[str, np.ndarray]]:
        network = case.build(seed=5)
        data = (case.batch(), torch.arange(4) % 2)
        settings = TrainingSettings(epochs=4, batch_size=4, learning_rate=1e-3, seed=5)
        loss = torch.nn.CrossEntropyLoss()
        return fit(network, data, loss, settings, MemoryRecorder()).losses, network_arrays(network)

    losses, arrays = train()
    assert losses[-1] < losses[0]
    again, others = train()
    assert losses == again
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, others[name], err_msg=name)


def test_another_seed_gives_other_weights(case: Case):
    one, other = network_arrays(case.build(0)), network_arrays(case.build(1))
    assert any(not np.array_equal(one[name], other[name]) for name in one)


def test_rebuilt_from_its_card_it_answers_as_before(case: Case):
    network = case.build(2).eval()
    files = save_weights(
        network_arrays(network), card(system=case.system, options=dict(case.options))
    )
    arrays, read = load_weights(files["weights.safetensors"], files["card.json"])
    rebuilt = build_network(read.system, **read.options)
    fill_network(rebuilt, arrays)
    with torch.no_grad():
        torch.testing.assert_close(rebuilt(case.batch()), network(case.batch()), rtol=0.0, atol=0.0)


def test_an_unknown_system_suggests_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'mci-persistent-homology'"):
        build_network("mci-persistant-homology")


@pytest.mark.parametrize(
    "options", [{"regions": 1}, {"regions": 5, "classes": 1}, {"regions": 5, "model": "resnet"}]
)
def test_options_that_build_nothing_are_refused(options: dict[str, Any]):
    with pytest.raises(BadParameter):
        build_network("mci-persistent-homology", **options)
