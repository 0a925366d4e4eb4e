from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from cohortflow.nn.densenet import DenseNet121
from cohortflow.nn.initialisation import count_parameters
from cohortflow.systems import build_network
from cohortflow.training.determinism import deterministic

# Regions of the six networks of the Dosenbach atlas, and parameters counted by hand:
# convolutions 392,320; flattened entries 256 (n² + 1); head 76,066.
COUNTS = {18: 551_586, 21: 581_538, 22: 592_546, 32: 730_786, 33: 747_426, 34: 764_578}


@pytest.mark.parametrize(("regions", "parameters"), COUNTS.items())
def test_parameter_counts_of_the_six_networks(regions: int, parameters: int):
    network = build_network("mci-persistent-homology", regions=regions)
    assert count_parameters(network) == parameters
    assert parameters == 392_320 + 256 * (regions**2 + 1) + 76_066


def test_densenet_has_the_published_number_of_parameters():
    network = DenseNet121(in_channels=3, classes=1000)
    assert count_parameters(network.features) == 6_953_856
    assert count_parameters(network) == 7_978_856


def test_fusion_cnn_does_what_is_written():
    """The forward pass, spelled out layer by layer on the same weights."""
    with deterministic(1):
        network = build_network("mci-persistent-homology", regions=7, classes=3).eval()
        x = torch.randn(4, 1, 7, 7)
    weights = list(network.parameters())
    convolutions = [tuple(weights[i : i + 2]) for i in range(0, 10, 2)]
    dense = [tuple(weights[i : i + 2]) for i in range(10, 20, 2)]
    image = x
    for number, (weight, bias) in enumerate(convolutions):
        image = functional.relu(functional.conv2d(image, weight, bias, padding=1))
        if number == 2:
            image = functional.max_pool2d(image, 2)
    entries = functional.relu(functional.linear(x.reshape(4, 49), *dense[0]))
    joined = torch.cat([image.mean(dim=(2, 3)), entries], dim=1)
    assert joined.shape == (4, 512)
    for weight, bias in dense[1:4]:
        joined = functional.relu(functional.linear(joined, weight, bias))
    expected = functional.linear(joined, *dense[4])
    with torch.no_grad():
        torch.testing.assert_close(network(x), expected, rtol=1e-5, atol=1e-6)
    assert [len(weight) for weight, _ in dense] == [256, 128, 64, 32, 3]
    assert [len(weight) for weight, _ in convolutions] == [16, 32, 64, 128, 256]


def test_dropout_acts_in_training_only():
    x = torch.ones(1, 1, 6, 6)
    with torch.no_grad(), deterministic(0):
        # The seed covers the weights too: of some, dropout leaves nothing twice.
        network = build_network("mci-persistent-homology", regions=6, dropout=0.5)
        network.train()
        assert not torch.equal(network(x), network(x))
        network.eval()
        assert torch.equal(network(x), network(x))


def test_he_initialisation_has_its_standard_deviation_and_no_bias():
    with deterministic(0):
        network = build_network("mci-persistent-homology", regions=40)
    weight = network.entry_branch[1].weight
    assert weight.std().item() == pytest.approx((2 / 1600) ** 0.5, rel=0.02)
    assert all((p == 0).all() for n, p in network.named_parameters() if n.endswith("bias"))


def test_densenet_sees_the_matrix_enlarged_by_nearest_neighbour():
    network = build_network("mci-persistent-homology", regions=4, model="densenet121").eval()
    seen: list[torch.Tensor] = []
    network.densenet.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    with torch.no_grad():
        network(x)
    (image,) = seen
    assert image.shape == (1, 3, 128, 128)
    expected = x[0, 0].repeat_interleave(32, 0).repeat_interleave(32, 1)
    for channel in range(3):
        torch.testing.assert_close(image[0, channel], expected, rtol=0.0, atol=0.0)
