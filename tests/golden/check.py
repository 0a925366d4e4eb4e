"""Golden outputs of stages: changed numbers under an unchanged version fail.

A test computes a stage's output from a small fixed input and calls ``assert_golden(STAGE,
output)``. What is kept beside it, ``tests/golden/<stage>.json``, is text: the stage's version and
its numbers. Small arrays are kept whole, larger ones as 24 of their values and three sums.

When a stage is meant to give other numbers, raise its version and run

    python -m tests.golden.rewrite

which refuses to write changed numbers under the version that is already there.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cohortflow.cohort.entry import Output
from cohortflow.pipeline.stage import Stage

FOLDER = Path(__file__).parent
REWRITE = "COHORTFLOW_REWRITE_GOLDEN"
WHOLE = 64
SAMPLED = 24


def assert_golden(stage: Stage, output: Output, case: str = "", folder: Path = FOLDER) -> None:
    """Compare ``output`` with what is kept for ``stage`` (and ``case``), at ``stage.tolerance``.

    ``tolerance`` is relative, per array: to the largest magnitude in it.
    """
    path = folder / (f"{stage.name}-{case}.json" if case else f"{stage.name}.json")
    found = {"stage": stage.name, "version": stage.version, "output": summary(output)}
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    problems = differences(kept["output"], found["output"], stage.tolerance) if kept else []
    if os.environ.get(REWRITE):
        _rewrite(path, kept, found, problems)
        return
    assert kept is not None, f"{path.name} is missing: run python -m tests.golden.rewrite"
    assert kept["version"] == stage.version, (
        f"{path.name} holds version {kept['version']} of {stage.name}, this is {stage.version}: "
        "run python -m tests.golden.rewrite"
    )
    assert not problems, (
        f"{stage.name} gives other numbers under the unchanged version {stage.version}: raise it "
        "and run python -m tests.golden.rewrite\n" + "\n".join(problems)
    )


def _rewrite(path: Path, kept: Any, found: dict[str, Any], problems: list[str]) -> None:
    if kept and kept["version"] == found["version"]:
        assert not problems, f"raise the version of {found['stage']} first\n" + "\n".join(problems)
        return
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def summary(output: Output) -> dict[str, Any]:
    """JSON-able picture of an output: arrays, attributes, files, facts, warnings."""
    arrays = {} if output.dataset is None else dict(output.dataset.variables)
    attributes = {} if output.dataset is None else output.dataset.attrs
    return {
        "arrays": {
            str(name): {"dims": list(map(str, array.dims)), **_array(array.values)}
            for name, array in arrays.items()
        },
        "attributes": _plain(dict(attributes)),
        "files": {name: _file(name, data) for name, data in output.files.items()},
        "facts": _plain(dict(output.facts)),
        "warnings": [dict(warning) for warning in output.warnings],
    }


def _array(values: np.ndarray) -> dict[str, Any]:
    flat = np.asarray(values).ravel()
    about: dict[str, Any] = {"shape": list(np.shape(values))}
    if flat.dtype.kind not in "fiub":
        return about | {"dtype": "text", "values": [str(value) for value in flat]}
    about["dtype"] = str(flat.dtype)
    if len(flat) <= WHOLE:
        return about | {"values": _plain(flat.tolist())}
    numbers = flat.astype(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    ramp = np.linspace(-1.0, 1.0, len(numbers))
    # The ramp notices a permutation, which a plain sum does not.
    sums = [numbers.sum(), np.abs(numbers).sum(), (numbers * ramp).sum()]
    sample = flat[np.linspace(0, len(flat) - 1, SAMPLED).astype(int)]
    scale = float(np.abs(numbers).max(initial=0.0))
    means = [float(value) / max(len(numbers), 1) for value in sums]
    return about | {
        "values": _plain(sample.tolist()),
        "means": means,
        "scale": scale,
        "finite": len(numbers),
    }


def _file(name: str, data: bytes) -> Any:
    if name.endswith(".safetensors"):
        from safetensors.numpy import load

        return {key: _array(value) for key, value in sorted(load(data).items())}
    if name.endswith(".parquet"):
        import pandas as pd

        frame = pd.read_parquet(io.BytesIO(data))
        return {str(column): _array(frame[column].to_numpy()) for column in frame.columns}
    if name.endswith(".json"):
        return _plain(json.loads(data))
    return hashlib.sha256(data).hexdigest()


def _plain(value: Any) -> Any:
    """As it comes back from JSON; NaN and infinities as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def differences(kept: Any, found: Any, tolerance: float, where: str = "output") -> list[str]:
    """Where two summaries differ by more than ``tolerance``."""
    return list(_differences(kept, found, tolerance, where, scale=None))


def _differences(
    kept: Any, found: Any, tolerance: float, where: str, scale: float | None
) -> Iterator[str]:
    if isinstance(kept, dict) and isinstance(found, dict):
        if "values" in kept and "shape" in kept:
            scale = kept.get("scale", _largest(kept["values"]))
        for name in sorted(kept.keys() | found.keys()):
            if name not in kept or name not in found:
                yield f"{where}.{name}: only {'kept' if name in kept else 'found'}"
            else:
                yield from _differences(
                    kept[name], found[name], tolerance, f"{where}.{name}", scale
                )
    elif isinstance(kept, list) and isinstance(found, list) and len(kept) == len(found):
        for i, (old, new) in enumerate(zip(kept, found, strict=True)):
            yield from _differences(old, new, tolerance, f"{where}[{i}]", scale)
    elif _is_float(kept) and _is_float(found):
        allowed = tolerance * (abs(kept) if scale is None else scale)
        if abs(kept - found) > allowed:
            yield f"{where}: kept {kept!r}, found {found!r}, allowed difference {allowed:g}"
    elif kept != found or type(kept) is not type(found):
        yield f"{where}: kept {kept!r}, found {found!r}"


def _largest(values: list[Any]) -> float:
    return max((abs(value) for value in values if _is_float(value)), default=0.0)


def _is_float(value: Any) -> bool:
    return isinstance(value, float)
