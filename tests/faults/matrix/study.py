"""The cohort and the pipeline of every cell, and what an undisturbed run makes of them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cohortflow.cohort.cohort import Cohort, create_cohort, open_cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.entry import Output
from cohortflow.cohort.ingests import IngestedEntry, IngestedSubject
from tests.faults.matrix import misbehave, stages
from tests.faults.matrix.running import ROOT, Run

SUBJECTS = [f"sub-{number:02d}" for number in range(1, 9)]
WORKERS = 2
STEPS = {
    "subjects": "clean",
    "reduction": "gather",
    "training": "learn",
    "scoring": "apply",
}
"""Kind of step → the step of that kind."""
PIPELINE = """
title: Four kinds of step
inputs: {text: table}
splits: {paper: {test: 0.5}}
axes:
  word: [a, b, c]
  seed: [0, 1, 2]
steps:
  - clean
  - gather: {over: [word]}
  - learn: {over: [seed], reads: {features: clean}, where: {split: paper/train}}
  - apply: {over: [seed], reads: {features: clean, weights: learn}, where: {unseen_by: learn}}
report: []
"""

Digests = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Undisturbed:
    """What the same run makes where nothing happens: folder, digests, units by step."""

    folder: Path
    digests: Digests
    units: dict[str, list[str]]


def make_study(folder: Path, names: Sequence[str] = SUBJECTS) -> None:
    """``folder/cohort`` with its recordings ingested, and two names for one pipeline."""
    cohort = create_cohort(folder / "cohort")
    subjects: list[Any] = []
    for subject in names:
        key = hashlib.sha256(subject.encode()).hexdigest()
        ref = EntryRef(subject, "text", key)
        text = f"the recording of {subject}".encode()
        cohort.entries.commit(ref, "table", Output(files={stages.FILE: text}), subjects=[subject])
        entries = {"text": IngestedEntry("text", "table", "text", key)}
        subjects.append(IngestedSubject(subject, entries=entries))
    cohort.ingests.append(subjects, {})
    for name in ("four-steps", "the-same"):
        (folder / f"{name}.yaml").write_text(PIPELINE)


def digests(cohort: Path) -> Digests:
    """Path of every committed entry → sha256 of each of its files, as they are on the disk."""
    found: Digests = {}
    for record in sorted(cohort.glob("**/entry.json")):
        document = json.loads(record.read_text())
        folder = record.parent / document["attempt"]
        found[str(record.parent.relative_to(cohort))] = {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.glob("**/*"))
            if path.is_file()
        }
    return found


def whole(cohort: Cohort) -> list[str]:
    """What is wrong with any entry that stands committed."""
    problems = []
    root = cohort.storage.local_path("")
    assert root is not None
    for record in sorted(root.glob("**/entry.json")):
        document = json.loads(record.read_text())
        ref = EntryRef(document["subject"], document["stage"], document["key"])
        problems += cohort.entries.verify(ref)
    return problems


def traced(trace: Path, event: str = "start") -> list[tuple[str, str]]:
    """(step, unit) of every start or end, in order."""
    if not trace.exists():
        return []
    rows = [line.split("\t") for line in trace.read_text().splitlines()]
    return [(row[1], row[2]) for row in rows if row[0] == event]


def repeated(trace: Path) -> Counter[tuple[str, str]]:
    """Units started more than once, and how often."""
    return Counter({unit: n for unit, n in Counter(traced(trace)).items() if n > 1})


@cache
def code_mark() -> str:
    """Digest of the code under test, and of the stages it runs."""
    mark = hashlib.sha256(sys.version.encode())
    ours = [Path(__file__).with_name(f"{name}.py") for name in ("stages", "study", "misbehave")]
    for package in ("src/cohortflow", "tasks", "flows"):
        ours += sorted((ROOT / package).rglob("*.py"))
    for path in ours:
        mark.update(path.read_bytes())
    return mark.hexdigest()[:12]


@cache
def undisturbed() -> Undisturbed:
    """Run once without any fault; kept in the temporary folder for other processes and runs."""
    name = f"cohortflow-undisturbed-{os.getuid()}-{code_mark()}"
    kept = Path(tempfile.gettempdir()) / name
    if not kept.exists():
        making = Path(tempfile.mkdtemp(prefix="cohortflow-undisturbed-"))
        make_study(making)
        shutil.copytree(making / "cohort", making / "before")
        no_hurry = {misbehave.TIMEOUT: "600"}
        run = Run(making, making / "cohort", name="undisturbed", environment=no_hurry)
        code = run.wait(400)
        if code != 0:
            raise AssertionError(f"the undisturbed run ended with {code}: {run.said()}")
        try:
            making.rename(kept)
        except OSError:  # another process was first
            shutil.rmtree(making)
    units: dict[str, list[str]] = {}
    for step, who in traced(kept / "trace"):
        units.setdefault(step, []).append(who)
    return Undisturbed(kept, digests(kept / "cohort"), {s: sorted(u) for s, u in units.items()})


def fresh(folder: Path) -> Path:
    """The cohort as it is before any run, in a folder of its own."""
    kept = undisturbed().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("four-steps", "the-same"):
        shutil.copy(kept / f"{name}.yaml", folder)
    shutil.copytree(kept / "before", folder / "cohort")
    return folder / "cohort"


def rows(cohort: Path, slug: str) -> Sequence[Any]:
    """The rows of the newest index."""
    return open_cohort(cohort).run(slug).rows
