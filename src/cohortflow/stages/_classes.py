"""The class of a subject, from the participants table."""

from __future__ import annotations

from collections.abc import Sequence

from cohortflow.errors import InputError, ParticipantMissing
from cohortflow.pipeline.stage import Context


def label_of(context: Context, subject: str, column: str) -> str:
    """The class of a subject; :class:`ParticipantMissing` where the table has none."""
    value = context.columns.get(subject, {}).get(column)
    if value is None:
        raise ParticipantMissing(
            f"no value in the participants column {column!r}",
            where=subject,
            hint="Ingest the participants table again with this column filled.",
        )
    return str(value)


def known_label(context: Context, subject: str, column: str, classes: Sequence[str]) -> str:
    """The same, of a subject that is not trained on; its class must be one that is."""
    label = label_of(context, subject, column)
    if label not in classes:
        raise InputError(
            "the subject's class is none that the weights were trained on",
            where=subject,
            expected=", ".join(classes),
            found=label,
            hint="Admit the same classes to both steps.",
        )
    return label
