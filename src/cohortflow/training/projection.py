"""What a training will need, before it starts: measured on one core, rounded up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cohortflow.pipeline.stage import Cost, Facts
from cohortflow.training.classifiers import ModelName

_TORCH_BYTES = 450 * 2**20
_SKLEARN_BYTES = 400 * 2**20
_DENSENET_PIXELS = 128 * 128


def network_size(facts: Sequence[Facts], network: str) -> int:
    """Regions of ``network`` as ingest knows them; all regions where it does not."""
    sizes = []
    for one in facts:
        networks = one.get("networks")
        size = networks.get(network) if isinstance(networks, Mapping) else None
        sizes.append(int(size or one.get("rois") or 40))
    return max(sizes, default=40)


def training_need(
    model: ModelName, subjects: int, regions: int, epochs: int, batch_size: int, trees: int = 500
) -> Cost:
    """Peak memory, size of the weights, and seconds on one core."""
    matrices = 24 * subjects * regions**2
    batch = min(batch_size, max(subjects, 1))
    steps = subjects * epochs
    if model == "random_forest":
        nodes = trees * max(subjects // 2, 3)
        seconds = 2.0 + trees * (0.002 + 1e-5 * subjects)
        return Cost(_SKLEARN_BYTES + matrices + 200 * nodes, 48 * nodes + 65536, seconds)
    if model == "densenet121":
        memory = _TORCH_BYTES + matrices + 16 * 7_000_000 + batch * 4500 * _DENSENET_PIXELS
        return Cost(memory, 4 * 7_500_000, 3.0 + 0.25 * steps)
    parameters = 470_000 + 256 * regions**2
    memory = _TORCH_BYTES + matrices + 32 * parameters + batch * 1600 * regions**2
    return Cost(memory, 4 * parameters + 65536, 3.0 + steps * (2e-4 + 1e-5 * regions**2))
