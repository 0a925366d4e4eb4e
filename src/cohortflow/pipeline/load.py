"""Find, read and validate a pipeline: a slug of the packaged ones, or a path."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cohortflow.errors import PipelineError, UnknownName, nearest
from cohortflow.pipeline.document import apply_settings, load_document
from cohortflow.pipeline.model import Pipeline
from cohortflow.pipeline.parse import parse_pipeline
from cohortflow.pipeline.stage import Stage

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}\Z")


def packaged_pipelines() -> dict[str, Path]:
    """Slug → file of every pipeline that comes with the package."""
    folder = Path(str(importlib.resources.files("pipelines")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_pipeline(
    name: str,
    settings: Sequence[str] = (),
    catalogue: Mapping[str, Stage] | None = None,
) -> Pipeline:
    """Load by slug or path and apply ``--set``; raises :class:`PipelineError` subclasses."""
    if catalogue is None:
        from cohortflow.stages import CATALOGUE

        catalogue = CATALOGUE
    path = Path(name)
    if not path.suffix:
        known = packaged_pipelines()
        if name not in known:
            raise UnknownName(f"no pipeline {name!r}", hint=nearest(name, known))
        path = known[name]
    if not path.is_file():
        raise PipelineError("no such pipeline file", where=name, hint="cohortflow list pipelines")
    if not _SLUG.match(path.stem):
        raise PipelineError(
            "a pipeline's file name is its slug", where=name, expected="lower-case words and dashes"
        )
    document = apply_settings(load_document(_text(path), path.name), settings)
    return parse_pipeline(document, path.stem, catalogue)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise PipelineError(
            "a pipeline file is text",
            where=path.name,
            expected="UTF-8",
            found=f"byte {error.start}",
        ) from error
