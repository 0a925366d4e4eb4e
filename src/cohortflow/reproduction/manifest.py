"""What a report says of how it was computed; anyone may write one, so every member is checked."""

from __future__ import annotations

from typing import Annotated, Any

import pydantic

from cohortflow.cohort.ingests import unsafe

SCHEMA = 1

_Short = Annotated[str, pydantic.Field(max_length=500)]
_Name = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
_Slug = Annotated[str, pydantic.Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$")]
_Sha256 = Annotated[str, pydantic.Field(pattern=r"^[0-9a-f]{64}$")]
_Mark = Annotated[str, pydantic.Field(pattern=r"^[0-9a-f]{32}$")]
_Count = Annotated[int, pydantic.Field(ge=0, le=10**9)]
Label = str | int | float | bool | None


def _study_id(name: str) -> str:
    problem = unsafe(name)
    if problem:
        raise ValueError(f"a study id that {problem}")
    return name


_StudyId = Annotated[str, pydantic.AfterValidator(_study_id)]


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )


class Code(_Model):
    """Version of the package and digest of its own source."""

    version: _Short
    digest: _Sha256


class Environment(_Model):
    """What computed: packages by name, and the machine without its name."""

    python: _Short
    platform: _Short
    machine: _Short
    processor: _Short
    packages: dict[_Name, _Short]


class Engine(_Model):
    """How many units ran at a time, and the threads of each."""

    workers: _Count
    threads: Annotated[int, pydantic.Field(ge=1, le=4096)]


class PipelineFile(_Model):
    """The file as it was read, and what ``--set`` changed in it."""

    slug: _Slug
    text: Annotated[str, pydantic.Field(max_length=2**20)]
    settings: Annotated[
        list[Annotated[str, pydantic.Field(max_length=2**16)]], pydantic.Field(max_length=1000)
    ]


class SubjectMark(_Model):
    """A subject and digests of what it brought: its recordings, and its row of participants.

    Both digests cover those of the recordings' own files, which nobody knows who has not got them:
    an age or a group cannot be found by trying all there are.
    """

    id: _StudyId
    recordings: _Mark
    columns: _Mark
    refused: _Short = ""


class FileMark(_Model):
    """A file of no subject: weights, an atlas."""

    name: _Name
    kind: _Name
    digest: _Sha256
    content: _Mark


class SelectionMark(_Model):
    """A frozen selection, which a training step read: its number, the digest of its content."""

    question: _Short
    number: Annotated[int, pydantic.Field(ge=1, le=999_999)]
    digest: _Sha256
    step: _Short
    members: _Count


class StepMark(_Model):
    """A step: stage and version, how far its floats may differ, and a digest of the keys done."""

    id: _Name
    stage: _Name
    version: _Count
    tolerance: Annotated[float, pydantic.Field(ge=0, le=1)]
    done: _Count
    keys: _Mark


class Undone(_Model):
    """A unit that did not stand done: where it is, and its state."""

    step: _Name
    subject: _StudyId | None
    point: list[str | int]
    state: _Name
    untried: bool


class Earlier(_Model):
    """Other code that computed results which stood before the run."""

    code: Code | None
    results: _Count


class Manifest(_Model):
    """All that is needed to compute a report again, and to know that it is the same.

    ``code``: of the run; ``rendered_by``: of the report. ``seeds`` and ``splits`` follow from the
    pipeline and stand here to be read.
    """

    cohort: _Short
    index: _Count
    run: _Short
    ingest: _Count
    created: _Short
    pipeline: PipelineFile
    axes: dict[_Name, list[Label]]
    seeds: list[Label]
    splits: dict[_Name, dict[str, Any]]
    subjects: list[SubjectMark]
    files: list[FileMark]
    selections: list[SelectionMark]
    steps: list[StepMark]
    undone: list[Undone]
    earlier: list[Earlier]
    code: Code
    rendered_by: Code
    environment: Environment
    engine: Engine

    @pydantic.model_validator(mode="after")
    def _no_name_twice(self) -> Manifest:
        for what in ("subjects", "files", "steps"):
            names = [getattr(one, "id", "") or one.name for one in getattr(self, what)]
            if len(set(names)) != len(names):
                raise ValueError(f"a name that stands twice among {what}")
        return self
