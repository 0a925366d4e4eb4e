"""The training loop: repeatable, resumable bit by bit, honest about a loss that is no number."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cohortflow.errors import EmptyInput, EntryCorrupt, UndefinedResult
from cohortflow.recorder import MemoryRecorder
from cohortflow.systems import build_network
from cohortflow.training import checkpoint
from cohortflow.training.determinism import deterministic
from cohortflow.training.fit import Training, TrainingSettings, Watch, fit
from cohortflow.training.weights import network_arrays
from tests.training.examples import matrices

SETTINGS = TrainingSettings(epochs=7, batch_size=5, seed=11, checkpoint_every=2)
LOSS = torch.nn.CrossEntropyLoss()


class Interruption(Exception):
    pass


class Interrupting(MemoryRecorder):
    """Stops the training once epoch ``at`` was reported, as a kill would."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def progress(self, done: int, total: int) -> None:
        super().progress(done, total)
        if done == self.at:
            raise Interruption


def data() -> tuple[torch.Tensor, torch.Tensor]:
    values, labels = matrices()
    return torch.from_numpy(values.astype(np.float32)[:, None]), torch.from_numpy(labels)


def train(
    work: Path | None = None,
    recorder: MemoryRecorder | None = None,
    settings: TrainingSettings = SETTINGS,
    watch: Watch | None = None,
) -> tuple[Training, dict[str, np.ndarray]]:
    with deterministic(settings.seed):
        network = build_network("mci-persistent-homology", regions=6, dropout=0.3)
    training = fit(network, data(), LOSS, settings, recorder or MemoryRecorder(), work, watch)
    return training, network_arrays(network)


@pytest.fixture(scope="module")
def undisturbed() -> tuple[Training, dict[str, np.ndarray]]:
    return train()


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].tobytes() == values.tobytes(), name


def test_learns_and_tells_the_curve(undisturbed):
    training, _ = undisturbed
    recorder = MemoryRecorder()
    train(recorder=recorder)
    assert training.losses[-1] < training.losses[0]
    assert recorder.curves["loss"] == list(enumerate(training.losses, start=1))
    assert recorder.last_progress == (7, 7)


def test_the_state_outside_has_no_say_and_is_put_back(undisturbed):
    torch.manual_seed(999)
    before = (torch.get_rng_state(), torch.get_num_threads())
    _, arrays = train()
    assert_same(arrays, undisturbed[1])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]
    assert not torch.are_deterministic_algorithms_enabled()


def test_trainings_in_threads_of_one_process_do_not_disturb_each_other(undisturbed):
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: train(), range(2)))
    for _, arrays in results:
        assert_same(arrays, undisturbed[1])


@pytest.mark.parametrize("at", range(1, 8))
def test_a_restart_ends_as_if_never_interrupted(at: int, tmp_path: Path, undisturbed):
    with pytest.raises(Interruption):
        train(tmp_path, Interrupting(at))
    recorder = MemoryRecorder()
    training, arrays = train(tmp_path, recorder)
    # An epoch is reported before its checkpoint, so a checkpoint due at `at` was not written.
    assert training.resumed_after == (at - 1) // 2 * 2
    assert training.losses == undisturbed[0].losses
    assert recorder.curves["loss"] == list(enumerate(training.losses, start=1))
    assert_same(arrays, undisturbed[1])


def test_interrupted_again_and_again_it_still_ends_the_same(tmp_path: Path, undisturbed):
    for at in (3, 5, 7):
        with pytest.raises(Interruption):
            train(tmp_path, Interrupting(at))
    assert_same(train(tmp_path)[1], undisturbed[1])


def test_a_finished_training_is_not_repeated(tmp_path: Path, undisturbed):
    train(tmp_path)
    training, arrays = train(tmp_path)
    assert training.resumed_after == SETTINGS.epochs
    assert_same(arrays, undisturbed[1])


def test_how_often_checkpoints_are_written_changes_nothing(tmp_path: Path, undisturbed):
    _, arrays = train(tmp_path, settings=replace(SETTINGS, checkpoint_every=1))
    assert_same(arrays, undisturbed[1])


def test_a_write_cut_short_leaves_the_checkpoint_before(
    tmp_path: Path, undisturbed, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(Interruption):
        train(tmp_path, Interrupting(3))
    before = (tmp_path / checkpoint.FILE_NAME).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            train(tmp_path)
    assert (tmp_path / checkpoint.FILE_NAME).read_bytes() == before
    training, arrays = train(tmp_path)
    assert training.resumed_after == 2
    assert_same(arrays, undisturbed[1])


@pytest.mark.parametrize("kept", [0, 7, 1000])
def test_a_torn_checkpoint_is_an_error_that_names_it(tmp_path: Path, kept: int):
    train(tmp_path)
    path = tmp_path / checkpoint.FILE_NAME
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(EntryCorrupt, match=r"checkpoint\.safetensors.*work folder"):
        train(tmp_path)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path):
    train(tmp_path)
    with pytest.raises(EntryCorrupt, match="another training"):
        train(tmp_path, settings=replace(SETTINGS, learning_rate=0.01))


def test_a_loss_that_is_no_number_ends_the_training():
    with pytest.raises(UndefinedResult, match="epoch"):
        train(settings=replace(SETTINGS, learning_rate=1e30, epochs=20))


def test_nothing_to_train_on_is_an_error():
    network = torch.nn.Linear(2, 2)
    nothing = (torch.empty(0, 2), torch.empty(0, dtype=torch.int64))
    with pytest.raises(EmptyInput):
        fit(network, nothing, LOSS, SETTINGS, MemoryRecorder())


# --- watching -------------------------------------------------------------------------------------


def meddle(network: torch.nn.Module) -> float:
    """Draws random numbers, asks the network, and leaves it in inference mode."""
    torch.rand(3)
    assert not torch.is_grad_enabled()
    assert not network.training
    return network(data()[0][:4]).sum().item()


WATCH = Watch("answer", meddle)


def test_what_is_watched_changes_no_weight(undisturbed):
    recorder = MemoryRecorder()
    training, arrays = train(recorder=recorder, watch=WATCH)
    assert_same(arrays, undisturbed[1])
    assert training.losses == undisturbed[0].losses
    assert len(set(training.watched)) == SETTINGS.epochs
    assert recorder.curves["answer"] == list(enumerate(training.watched, start=1))
    assert undisturbed[0].watched == ()


def test_a_network_that_counts_its_inputs_counts_no_watched_one():
    """Batch normalisation keeps running statistics, which inference must not move."""

    def trained(watch: Watch | None) -> dict[str, np.ndarray]:
        with deterministic(3):
            network = torch.nn.Sequential(
                torch.nn.Flatten(), torch.nn.BatchNorm1d(36), torch.nn.Linear(36, 2)
            )
        fit(network, data(), LOSS, SETTINGS, MemoryRecorder(), watch=watch)
        return network_arrays(network)

    assert_same(trained(WATCH), trained(None))


@pytest.mark.parametrize("at", [1, 3, 4, 7])
def test_a_restart_keeps_the_watched_curve_whole(at: int, tmp_path: Path):
    whole, weights = train(watch=WATCH)
    with pytest.raises(Interruption):
        train(tmp_path, Interrupting(at), watch=WATCH)
    recorder = MemoryRecorder()
    training, arrays = train(tmp_path, recorder, watch=WATCH)
    assert training.resumed_after == (at - 1) // 2 * 2
    assert training.watched == whole.watched
    assert recorder.curves["answer"] == list(enumerate(whole.watched, start=1))
    assert_same(arrays, weights)


def test_a_checkpoint_that_watched_nothing_cannot_continue_a_curve(tmp_path: Path):
    train(tmp_path)
    with pytest.raises(EntryCorrupt, match="another training"):
        train(tmp_path, watch=WATCH)
