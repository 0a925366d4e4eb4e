"""The stage contract: a pure function with typed parameters and a statement of what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pydantic

from cohortflow.cohort.entry import Output
from cohortflow.recorder import MemoryRecorder, Recorder

Facts = Mapping[str, Any]
Scalar = str | int | float | bool | None


class Parameters(pydantic.BaseModel):
    """Base of every parameter model: frozen, unknown keys refused, no NaN or infinity.

    Fields are JSON values (numbers, strings, booleans, lists, mappings). A field named after an
    axis receives that axis' value.
    """

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )


@dataclass(frozen=True)
class Reads:
    """One input: the kinds it accepts, one entry or many.

    ``when(parameters)`` false switches the input off (it leaves the key). ``optional``: the stage
    runs without it where it is absent. ``across``: it is the other block of a pair, read from where
    the input of that name is; None on the diagonal, and where a step is over no pairs of blocks.
    """

    kinds: tuple[str, ...]
    many: bool = False
    optional: bool = False
    when: Callable[[Any], bool] | None = None
    across: str | None = None


@dataclass(frozen=True)
class Cost:
    """Projected need of one unit: peak memory and disk in bytes, time in seconds on one core."""

    memory_bytes: int = 64 * 2**20
    disk_bytes: int = 4096
    seconds: float = 0.01


@dataclass(frozen=True)
class Context:
    """What a stage is handed beside its inputs.

    ``columns``: subject → the participants columns the stage asked for. ``seed``: derived from the
    stage's ``seed`` parameter, its name and the subject, never from the variant. ``work``: a folder
    of its own that outlives a crash, for checkpoints; empty on the first attempt.
    """

    subject: str | None = None
    columns: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)
    seed: int = 0
    threads: int = 1
    recorder: Recorder = field(default_factory=MemoryRecorder)
    work: Path | None = None


StageFunction = Callable[..., Output]
"""``function(parameters, context, **inputs) -> Output``; an input is an Entry, a Many or None."""


@dataclass(frozen=True)
class Stage:
    """A stage of the catalogue.

    ``resolve(parameters, facts)`` replaces words such as ``shortest`` by values; ``facts`` maps
    each admitted subject to the facts of its ingested entry; parameters that only steer planning
    are put back to their defaults there, so that they stay out of the key. ``columns(parameters)``
    names the participants columns whose values the stage reads. ``trains``: writes weights and
    reads a frozen selection. ``scores``: subjects seen by the weights behind an input are refused.
    ``paired``: inputs that read many and are joined on subject. ``tolerance``: of its golden test,
    relative.
    """

    name: str
    version: int
    about: str
    parameters: type[Parameters]
    reads: Mapping[str, Reads]
    writes: str
    scope: Literal["subject", "cohort"]
    function: StageFunction
    resolve: Callable[[Any, Mapping[str, Facts]], Parameters] | None = None
    columns: Callable[[Any], Sequence[str]] | None = None
    cost: Callable[[Any, Sequence[Facts]], Cost] | None = None
    trains: bool = False
    scores: bool = False
    paired: tuple[str, ...] = ()
    threads: int | None = None
    retries: int = 1
    timeout_s: float = 3600.0
    tolerance: float = 0.0
    source: str = ""
