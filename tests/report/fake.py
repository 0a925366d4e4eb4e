"""A run that was never stored: AR(1) series and small computations behind the report's protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.spatial.distance import pdist, squareform
from scipy.stats import false_discovery_control, mannwhitneyu

from cohortflow.cohort.entry import Entry, Output
from cohortflow.evaluation.cases import Case, Cases, write_cases
from cohortflow.evaluation.classification import classification_metrics
from cohortflow.evaluation.measurement import write_measurements
from cohortflow.report import ReportUnit
from cohortflow.report.source import StepTimes, UnitTime
from cohortflow.report.subjects.book import SubjectBook

NETWORKS = ("DMN", "FP")
DEGREES = (0, 1)
SEEDS = (0, 1)
FOLDS = (0, 1)


@dataclass
class FakeSource:
    pipeline: dict[str, Any]
    participants: pd.DataFrame
    refused: Sequence[Mapping[str, Any]]
    environment: dict[str, Any]
    all_units: list[ReportUnit] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    ingested: list[dict[str, Any]] = field(default_factory=list)
    timings: list[StepTimes] = field(default_factory=list)
    subjects: SubjectBook | None = None

    def units(self, step: str | None = None, stage: str | None = None) -> list[ReportUnit]:
        return [
            unit
            for unit in self.all_units
            if step in (None, unit.step) and stage in (None, unit.stage)
        ]

    def entry(self, unit: ReportUnit) -> Entry:
        return self.entries[unit.key]

    def unit_time(self, unit: ReportUnit) -> UnitTime | None:
        return UnitTime("2026-01-02T03:04:05", 7) if unit.state == "done" else None

    def add(
        self,
        step: str,
        kind: str,
        output: Output | None,
        *,
        subject: str | None = None,
        point: dict[str, Any] | None = None,
        **more: Any,
    ) -> ReportUnit:
        stage = next(s["stage"] for s in self.pipeline["steps"] if s["id"] == step)
        unit = ReportUnit(
            step=step,
            stage=stage,
            kind=kind,
            subject=subject,
            point=point or {},
            key=f"{len(self.all_units):064x}",
            state="done" if output is not None else "failed",
            facts=dict(output.facts) if output else {},
            warnings=list(output.warnings) if output else [],
        )
        unit = replace(unit, **more)
        self.all_units.append(unit)
        if output is not None:
            self.entries[unit.key] = Entry.in_memory(kind, output, subject=subject)
        return unit

    def change(self, step: str, number: int, **fields: Any) -> None:
        """Change fields of the n-th unit of a step."""
        unit = self.units(step=step)[number]
        self.all_units[self.all_units.index(unit)] = replace(unit, **fields)

    def without(self, *stages: str) -> FakeSource:
        """The same run in which these stages never ran."""
        kept = [unit for unit in self.all_units if unit.stage not in stages]
        return replace(self, all_units=kept)


def region_frame(regions: int) -> tuple[np.ndarray, np.ndarray]:
    networks = np.array([NETWORKS[0] if r < 7 else NETWORKS[1] for r in range(regions)])
    names = np.array([f"region {r} of {network}" for r, network in enumerate(networks)])
    return names, networks


def make_source(subjects: int = 16, regions: int = 12, samples: int = 60) -> FakeSource:
    """Half HC, half MCI; regions 1, 2 and 8 of MCI are faster; two networks, two degrees."""
    rng = np.random.default_rng(7)
    names = [f"sub-{i:02d}" for i in range(1, subjects + 1)]
    groups = ["HC" if i % 2 == 0 else "MCI" for i in range(subjects)]
    people = pd.DataFrame(
        {"group": groups, "site": ["A" if i < subjects // 2 else "B" for i in range(subjects)]},
        index=pd.Index(names, name="id"),
    )
    source = FakeSource(_pipeline(regions), people, [], _environment())
    region, network = region_frame(regions)
    per_subject: dict[str, np.ndarray] = {}
    spreads: list[list[np.ndarray]] = []
    for name, group in zip(names, groups, strict=True):
        series = _ar1(rng, regions, samples, group == "MCI")
        bars = [[_bars(rng, series[r], degree) for r in range(regions)] for degree in DEGREES]
        spreads.append([np.array([b.sum() for b in per_region]) for per_region in bars])
        labels = {"valid": np.ones(regions, bool), "network": network, "region": region}
        _add_series(source, name, series, labels)
        _add_diagrams(source, name, bars, labels)
        per_subject[name] = _add_pairs(source, name, spreads[-1], labels)
        correlation = np.corrcoef(series)
        source.add(
            "correlation",
            "connectivity",
            Output(_frame(labels, connectivity=(("roi_i", "roi_j"), correlation))),
            subject=name,
        )
        facts = {"rois": regions, "samples": samples, "tr_s": 2.0, "constant_regions": []}
        source.ingested.append({"subject": name, "entry": "series", "facts": facts, "warnings": []})
    _add_subject_pairs(source, names, np.array(spreads), groups)
    _add_maps(source, per_subject, groups, region, network)
    _add_scores(source, rng, names, groups)
    source.timings = step_times(subjects, regions)
    return source


def step_times(subjects: int, regions: int) -> list[StepTimes]:
    """Diagrams of this run, distances of an earlier one, standardised by nobody knows which."""
    clouds = {"clouds": subjects * regions}
    distances = {"distances": 4 * subjects * regions}
    return [
        StepTimes("standardise", subjects),
        StepTimes(
            "diagrams", subjects, subjects, 3, here=True, units=subjects + 1, failed=1, wall_s=2.0,
            unit_s=4.0, work=clouds, peak_memory_bytes=300 * 2**20, workers=2, threads=2,
        ),
        StepTimes(
            "pairwise_rois", subjects, subjects - 1, 2, units=subjects, failed=0, wall_s=0.5,
            unit_s=0.8, work=distances, peak_memory_bytes=400 * 2**20, workers=4, threads=1,
        ),
    ]  # fmt: skip


def _pipeline(regions: int) -> dict[str, Any]:
    axes = {"comparison": ["hc_mci"], "network": list(NETWORKS), "degree": list(DEGREES)}
    axes |= {"fold": list(FOLDS), "seed": list(SEEDS), "roi": list(range(regions))}
    cell = ["comparison", "network", "degree"]
    steps = [
        ("standardise", "standardise", {"length": 60, "mixed_tr": "refuse"}, []),
        ("diagrams", "diagrams", {"dimension": 3, "lag": 1, "max_degree": 1}, []),
        ("pairwise_rois", "pairwise_rois", {"order": 1.0, "ground_norm": "linf"}, []),
        ("pairwise_subjects", "pairwise_subjects", {"order": 1.0}, ["comparison", "roi"]),
        ("rank_sum_map", "rank_sum_map", {"alpha": 0.01}, cell),
        ("correlation", "correlation", {}, []),
        ("score", "score", {}, [*cell, "fold", "seed"]),
        ("score_correlation", "score", {}, ["comparison", "network", "fold", "seed"]),
    ]
    return {
        "slug": "mci-persistent-homology",
        "title": "Persistent homology of resting-state series",
        "text": "title: Persistent homology of resting-state series\nsteps: [diagrams]\n",
        "report": [
            "example_subject",
            "pair_maps",
            "p_plots",
            "accuracy",
            "published",
            "methods",
        ],
        "steps": [
            {
                "id": id,
                "stage": stage,
                "version": 1,
                "about": f"what {stage} does",
                "source": f"Source of {stage}, 2024, equation 2",
                "parameters": parameters,
                "over": over,
            }
            for id, stage, parameters, over in steps
        ],
        "axes": axes,
    }


def _environment() -> dict[str, Any]:
    return {
        "versions": {"cohortflow": "0.1.0", "numpy": np.__version__},
        "python": "3.11",
        "platform": "test",
        "seed": 0,
        "cohort": "c0ffee",
        "index": 3,
        "created": "2026-01-02T03:04:05Z",
        "command": "cohortflow run mci-persistent-homology cohort",
    }


def _ar1(rng: np.random.Generator, regions: int, samples: int, patient: bool) -> np.ndarray:
    phi = np.full(regions, 0.85)
    if patient:
        phi[[1, 2, 8]] = 0.2
    series = np.zeros((regions, samples))
    for t in range(1, samples):
        series[:, t] = phi * series[:, t - 1] + rng.normal(size=regions)
    series -= series.mean(axis=1, keepdims=True)
    return series / series.std(axis=1, keepdims=True)


def _bars(rng: np.random.Generator, series: np.ndarray, degree: int) -> np.ndarray:
    """Bars in the shape of real ones: born at zero in degree 0, later above."""
    cloud = np.stack([series[:-2], series[1:-1], series[2:]], axis=1)
    gaps = np.sort(np.linalg.norm(np.diff(cloud, axis=0), axis=1))
    if degree == 0:
        return np.stack([np.zeros_like(gaps), gaps], axis=1)
    born = gaps[::6]
    return np.stack([born, born + rng.exponential(0.1, len(born))], axis=1)


def _frame(labels: Mapping[str, np.ndarray], **variables: Any) -> xr.Dataset:
    named = {name: (("roi",), values) for name, values in labels.items()}
    return xr.Dataset({**variables, **named})


def _add_series(source: FakeSource, name: str, series: np.ndarray, labels: Any) -> None:
    dataset = _frame(labels, series=(("roi", "time"), series))
    dataset.attrs["tr_s"] = 2.0
    source.add("standardise", "roi_series", Output(dataset), subject=name)


def _add_diagrams(source: FakeSource, name: str, bars: Any, labels: Any) -> None:
    variables: dict[str, Any] = {}
    for degree, per_region in enumerate(bars):
        offsets = np.cumsum([0, *(len(b) for b in per_region)])
        dims = (f"bar_{degree}", "birth_death")
        variables[f"birth_death_{degree}"] = (dims, np.concatenate(per_region))
        variables[f"offset_{degree}"] = (("roi_edge",), offsets.astype(np.int64))
    source.add("diagrams", "diagrams", Output(_frame(labels, **variables)), subject=name)


def _add_pairs(source: FakeSource, name: str, spreads: Any, labels: Any) -> np.ndarray:
    distance = np.stack([squareform(pdist(total[:, None])) for total in spreads])
    across = labels["network"][:, None] != labels["network"][None, :]
    distance[:, across] = np.nan
    dataset = _frame(labels, distance=(("degree", "roi_i", "roi_j"), distance))
    source.add("pairwise_rois", "distance_matrix", Output(dataset), subject=name)
    return distance


def _add_subject_pairs(
    source: FakeSource, names: list[str], spreads: np.ndarray, groups: list[str]
) -> None:
    for roi in range(spreads.shape[2]):
        matrices = [squareform(pdist(spreads[:, k, roi][:, None])) for k in range(len(DEGREES))]
        dataset = xr.Dataset(
            {
                "distance": (("degree", "subject_i", "subject_j"), np.stack(matrices)),
                "subject": (("subject",), np.array(names)),
            },
            attrs={"region": f"region {roi} of {NETWORKS[0] if roi < 7 else NETWORKS[1]}"},
        )
        point = {"comparison": "hc_mci", "roi": roi}
        source.add(
            "pairwise_subjects", "distance_matrix", Output(dataset), point=point, n=len(names)
        )


def _add_maps(
    source: FakeSource,
    per_subject: Mapping[str, np.ndarray],
    groups: list[str],
    region: np.ndarray,
    network: np.ndarray,
) -> None:
    stack = np.stack(list(per_subject.values()))
    patient = np.array(groups) == "MCI"
    for name in NETWORKS:
        inside = np.flatnonzero(network == name)
        for degree in DEGREES:
            values = stack[:, degree][:, inside][:, :, inside]
            n = len(inside)
            p, effect, q = np.ones((n, n)), np.zeros((n, n)), np.ones((n, n))
            rows, columns = np.triu_indices(n, 1)
            tests = []
            for i, j in zip(rows, columns, strict=True):
                first, second = values[~patient, i, j], values[patient, i, j]
                test = mannwhitneyu(first, second, method="asymptotic")
                tests.append(test.pvalue)
                effect[i, j] = effect[j, i] = 2 * test.statistic / (len(first) * len(second)) - 1
            p[rows, columns] = p[columns, rows] = tests
            q[rows, columns] = q[columns, rows] = false_discovery_control(tests)
            dims = ("roi_i", "roi_j")
            dataset = xr.Dataset(
                {
                    "p_value": (dims, p),
                    "q_value": (dims, q),
                    "effect": (dims, effect),
                    "region": (("roi",), region[inside]),
                },
                attrs={
                    "alpha": 0.01,
                    "first": "HC",
                    "second": "MCI",
                    "n": {"HC": int((~patient).sum()), "MCI": int(patient.sum())},
                    "left_out": [],
                },
            )
            point = {"comparison": "hc_mci", "network": name, "degree": degree}
            source.add("rank_sum_map", "pair_map", Output(dataset), point=point, n=len(groups))


def _add_scores(
    source: FakeSource, rng: np.random.Generator, names: list[str], groups: list[str]
) -> None:
    for step, degrees, skill in (("score", DEGREES, 2.0), ("score_correlation", (None,), 0.0)):
        for name in NETWORKS:
            for degree in degrees:
                for seed in SEEDS:
                    positive = np.array(groups) == "MCI"
                    logit = skill * (positive - 0.5) * 2 + rng.normal(size=len(names))
                    table = pd.DataFrame(
                        {
                            "subject": names,
                            "truth": groups,
                            "prediction": np.where(logit > 0, "MCI", "HC"),
                            "probability": 1 / (1 + np.exp(-logit)),
                        }
                    )
                    point: dict[str, Any] = {"comparison": "hc_mci", "network": name}
                    if degree is not None:
                        point["degree"] = degree
                    _add_folds(source, step, table, point | {"seed": seed})


def _add_folds(source: FakeSource, step: str, table: pd.DataFrame, point: dict[str, Any]) -> None:
    for fold in FOLDS:
        half = len(table) // 2
        part = table.iloc[fold * half : (fold + 1) * half]
        cases = Cases(
            tuple(
                Case(row.subject, row.truth, row.prediction, float(row.probability), "scored")
                for row in part.itertuples()
            ),
            ("HC", "MCI"),
            "MCI",
        )
        rows = write_measurements(classification_metrics(cases))
        files = {"cases.parquet": write_cases(cases), "metrics.parquet": rows}
        source.add(step, "scores", Output(files=files), point=point | {"fold": fold}, n=len(part))
