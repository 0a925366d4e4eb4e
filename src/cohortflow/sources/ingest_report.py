"""What an ingest did, told by subject."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cohortflow.cohort.ingests import IngestedSubject
from cohortflow.sources.discover import Recording, Tables


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did, by subject. ``number`` is that of the ingest now in force.

    ``changed``: its arrays are others than before. ``columns_changed``: its participants columns.
    ``absent``: of the cohort, not in this source. ``refused``: subject → code, message, hint.
    ``files``: those of no subject → new, changed or unchanged. ``refused_files``: name → error of
    one that cannot be read now, and stays as it was taken in.
    """

    number: int
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    columns_changed: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    refused: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    warnings: Mapping[str, list[dict[str, str]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    refused_files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Outcome:
    """Subjects before and after, and those that this ingest took up."""

    before: Mapping[str, IngestedSubject]
    after: Mapping[str, IngestedSubject]
    taken: frozenset[str]


def make_report(number: int, outcome: Outcome, notes: tuple[str, ...]) -> IngestReport:
    """Compare the subjects before and after."""
    before, after = outcome.before, outcome.after
    taken = [name for name in after if name in outcome.taken]
    good = [name for name in taken if after[name].error is None]
    known = {name: old for name, old in before.items() if old.error is None}
    same = {n for n in good if n in known and known[n].entries == after[n].entries}
    warnings = {n: [w for entry in after[n].entries.values() for w in entry.warnings] for n in good}
    return IngestReport(
        number=number,
        new=tuple(n for n in good if n not in known),
        changed=tuple(n for n in good if n in known and n not in same),
        unchanged=tuple(n for n in good if n in same),
        columns_changed=tuple(n for n, old in known.items() if after[n].columns != old.columns),
        absent=tuple(n for n in before if n not in outcome.taken),
        refused={n: error for n in taken if (error := after[n].error) is not None},
        warnings={n: told for n, told in warnings.items() if told},
        notes=notes,
    )


def notes(recordings: list[Recording], tables: Tables | None) -> tuple[str, ...]:
    """What a person should know about how the participants table was used."""
    people = tables.participants if tables else None
    if tables is None or people is None:
        return ()
    told = []
    if tables.in_source:
        told.append(f"participants taken from {people.table.name} of the source")
    shortened = [r.subject for r in recordings if r.from_table]
    if shortened:
        told.append(
            f"{len(shortened)} ids are those of the column {people.id_column!r}, with which the "
            f"names of the files begin (such as {shortened[0]})"
        )
    if people.dropped:
        told.append(
            f"columns left out because they identify people: {', '.join(people.dropped)}; "
            "a mapping of columns chooses otherwise"
        )
    without = len(people.ids - {r.subject for r in recordings} - {r.patient for r in recordings})
    if without:
        told.append(f"{without} participants of the table have no recording here")
    return tuple(told)
