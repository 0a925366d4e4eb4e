"""``where``: who is admitted, in one spelling.

``{"column": {name: [texts]}, "split": [parts], "unseen_by": [steps], "seen_by": [steps]}``; only
what was said is there.
"""

from __future__ import annotations

from typing import Any

from cohortflow.pipeline.checks import Settings, settings
from cohortflow.pipeline.document import Document, Path
from cohortflow.pipeline.model import Where

Scalar = str | int | float | bool
Names = str | list[str] | None


class _Where(Settings):
    column: dict[str, Scalar | list[Scalar]] | None = None
    split: Names = None
    unseen_by: Names = None
    seen_by: Names = None


def parse_where(value: Any, path: Path, document: Document) -> Where:
    """One spelling of a ``where``; parsing it again changes nothing."""
    if value is None:
        return {}
    said = settings(_Where, value, path, document, "where")
    found: dict[str, Any] = {}
    if said.column is not None:
        found["column"] = {
            name: [as_text(v) for v in (values if isinstance(values, list) else [values])]
            for name, values in said.column.items()
        }
    for word in ("split", "unseen_by", "seen_by"):
        names = getattr(said, word)
        if names is not None:
            found[word] = [names] if isinstance(names, str) else list(names)
    return found


def as_text(value: Any) -> str:
    """A cell of the participants table as it is compared: 70.0 is what a table makes of 70."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def narrowed(base: Where, own: Where) -> Where:
    """``own`` on top of ``base``: columns of both hold, a column named again is replaced."""
    merged = {**base, **own}
    if "column" in base and "column" in own:
        merged["column"] = {**base["column"], **own["column"]}
    return merged


def split_names(where: Where) -> list[str]:
    """Splits that a ``where`` names."""
    return [part.partition("/")[0] for part in where.get("split", ())]


def step_names(where: Where) -> list[str]:
    """Steps whose weights a ``where`` names."""
    return [*where.get("unseen_by", ()), *where.get("seen_by", ())]
