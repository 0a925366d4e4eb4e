"""Methods text, citations and provenance, written from what really ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cohortflow.report.blocks import Block, Column, Note, Section, Table, Text
from cohortflow.report.source import ReportSource, states

DECISIONS: Mapping[str, Mapping[str, str]] = {
    "standardise": {
        "length": "series are cropped to one length, because the number of bars grows with it",
        "mixed_tr": "whether recordings with different repetition times may stand side by side",
    },
    "diagrams": {
        "dimension": "coordinates of each point of the delay embedding",
        "lag": "samples between two coordinates",
    },
    "pairwise_rois": {
        "order": "exponent q of the Wasserstein distance; the paper leaves it symbolic",
        "ground_norm": "distance between two bars; the paper's equation says L∞ (linf)",
    },
    "pairwise_subjects": {
        "order": "exponent q of the Wasserstein distance; the paper leaves it symbolic",
        "ground_norm": "distance between two bars; the paper's equation says L∞ (linf)",
    },
    "rank_sum_map": {"alpha": "level of each single test, before any correction"},
}
"""Choices a reader would ask about: what the parameter decides, by stage and parameter."""


def methods(source: ReportSource) -> Section:
    """What was taken in from elsewhere, a paragraph per step that ran, then its parameters."""
    blocks: list[Block] = [Text(_file_sentence(file)) for file in source.pipeline.get("files", ())]
    rows: list[dict[str, Any]] = []
    for step in source.pipeline["steps"]:
        counts = states(source.units(step=step["id"]))
        if not counts.get("done"):
            blocks.append(Note(f"{step['id']}: declared, and nothing of it stands done.", "absent"))
            continue
        blocks.append(Text(_sentence(step, counts["done"])))
        rows += _parameter_rows(step)
    if rows:
        columns = [
            Column("step", "Step", "code"),
            Column("parameter", "Parameter", "code"),
            Column("value", "Value", "command"),
            Column("about", "What it decides", "prose"),
        ]
        blocks.append(Table("parameters", "Parameters as they ran", columns, rows, folded=True))
    return Section("methods", "Methods", blocks)


def _sentence(step: Mapping[str, Any], done: int) -> str:
    about = str(step.get("about") or step["stage"]).strip().rstrip(".")
    parts = [f"{step['id']} ({step['stage']}, version {step.get('version', '?')}): {about}."]
    decided = DECISIONS.get(str(step["stage"]), {})
    chosen = [
        f"{name} = {chosen_text(step, name)}"
        for name in decided
        if name in step.get("parameters", {})
    ]
    if chosen:
        parts.append("Chosen: " + ", ".join(chosen) + ".")
    over = ", ".join(step.get("over", ()))
    count = "1 result" if done == 1 else f"{done:,} results"
    parts.append(count + (f", over {over}." if over else "."))
    return " ".join(parts)


def _file_sentence(file: Mapping[str, Any]) -> str:
    sentence = f"{file['name']} ({file['kind']}) belongs to no subject and was taken in as a file"
    if not file["digest"]:
        return f"{sentence}; which one, is not known any more."
    sentence += f" of {file['bytes']:,} bytes, SHA-256 {file['digest']}."
    if file["kind"] == "weights":
        sentence += (
            " What these weights were trained on is not known: recordings of this cohort may have "
            "been among it."
        )
    return sentence


def _parameter_rows(step: Mapping[str, Any]) -> list[dict[str, Any]]:
    decided = DECISIONS.get(str(step["stage"]), {})
    return [
        {
            "step": step["id"],
            "parameter": name,
            "value": chosen_text(step, name),
            "about": decided.get(name, ""),
        }
        for name in step.get("parameters", {})
    ]


def chosen_text(step: Mapping[str, Any], name: str) -> str:
    """A value as it ran, with the word that was resolved to it: ``176 (shortest)``."""
    value = step["parameters"][name]
    asked = step.get("declared", {}).get(name, value)
    return value_text(value) if asked == value else f"{value_text(value)} ({value_text(asked)})"


def value_text(value: Any) -> str:
    return (
        str(value).lower() if isinstance(value, bool) else "none" if value is None else f"{value}"
    )


def citations(source: ReportSource) -> Section:
    """The sources that the stages which ran name, each once."""
    used: dict[str, list[str]] = {}
    for step in source.pipeline["steps"]:
        text = str(step.get("source") or "").strip()
        if text and states(source.units(step=step["id"])).get("done"):
            used.setdefault(text, []).append(step["id"])
    blocks: list[Block]
    if used:
        columns = [Column("source", "Source"), Column("steps", "Used by", "names")]
        rows = [{"source": text, "steps": steps} for text, steps in used.items()]
        blocks = [Table("citations", "Sources of the methods that ran", columns, rows)]
    else:
        blocks = [Note("No stage that ran names a source.", "absent")]
    return Section("citations", "Citations", blocks)


def provenance(source: ReportSource) -> Section:
    """Versions, seed, cohort and index: what is needed to run this again."""
    rows: list[dict[str, Any]] = []
    for name, value in source.environment.items():
        if isinstance(value, Mapping):
            rows += [
                {"what": f"{name}: {key}", "value": str(v)} for key, v in sorted(value.items())
            ]
        elif value is not None:
            rows.append({"what": name, "value": str(value)})
    columns = [Column("what", "What"), Column("value", "Value", "command")]
    table = Table("environment", "Where and with what this was computed", columns, rows)
    blocks: list[Block] = [table]
    if source.pipeline.get("text"):
        blocks.append(Text("The pipeline file as it was read stands in report.json and below."))
    return Section("provenance", "Provenance", blocks)
