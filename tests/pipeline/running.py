"""Stages that really run, on text in files: for runs whose units are executed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.entry import Entry, Many, Output
from cohortflow.cohort.ingests import IngestedEntry, IngestedSubject
from cohortflow.errors import UndefinedResult
from cohortflow.pipeline.stage import Context, Parameters, Reads, Stage
from tests.pipeline.world import digest

FILE = "table.parquet"


class Said(Parameters):
    word: str = ""


def shout(parameters: Said, context: Context, table: Entry) -> Output:
    text = table.read_file(FILE)
    if b"broken" in text:
        raise UndefinedResult("the text is broken", where=str(context.subject))
    return Output(files={FILE: text.upper() + parameters.word.encode()})


def merge(parameters: Said, context: Context, tables: Many) -> Output:
    texts = [item.entry.read_file(FILE) for item in tables]
    missing = ",".join(str(point["subject"]) for point in tables.missing)
    return Output(files={FILE: b" ".join(texts) + missing.encode() + parameters.word.encode()})


def learn(parameters: Said, context: Context, tables: Many) -> Output:
    seen = " ".join(sorted(str(item.point["subject"]) for item in tables))
    return Output(files={"weights.safetensors": seen.encode(), "card.json": b"{}"})


CATALOGUE: Mapping[str, Stage] = {
    "shout": Stage(
        name="shout", version=1, about="upper case", parameters=Said, writes="table",
        reads={"table": Reads(("table",))}, scope="subject", function=shout,
    ),
    "merge": Stage(
        name="merge", version=1, about="all in one", parameters=Said, writes="table",
        reads={"tables": Reads(("table",), many=True)}, scope="cohort", function=merge,
    ),
    "learn": Stage(
        name="learn", version=1, about="who was there", parameters=Said, writes="weights",
        reads={"tables": Reads(("table",), many=True)}, scope="cohort", function=learn,
        trains=True, threads=1,
    ),
}  # fmt: skip


def ingest_texts(cohort: Cohort, texts: Mapping[str, str]) -> None:
    """Subjects whose only entry is a text."""
    subjects: list[Any] = []
    for subject, text in texts.items():
        ref = EntryRef(subject, "text", digest(subject, text))
        cohort.entries.commit(ref, "table", Output(files={FILE: text.encode()}), subjects=[subject])
        entry = IngestedEntry("text", "table", "text", ref.key)
        subjects.append(IngestedSubject(subject, columns={"group": "HC"}, entries={"text": entry}))
    cohort.ingests.append(subjects, {})
