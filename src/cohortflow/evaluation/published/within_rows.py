"""Relations between the numbers of one printed row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cohortflow.evaluation.published import relations as r
from cohortflow.evaluation.published.ranges import (
    EPSILON,
    Broken,
    Found,
    Range,
    differs,
    numbers_of,
    share_of,
    shown,
    weighted_mean,
)
from cohortflow.evaluation.published.tables import PublishedTable
from cohortflow.evaluation.published.units import UNITS


def mean(relation: r.Mean, rows: Any, table: Any, paper: Any) -> Found:
    weights = relation.weights or [1.0] * len(relation.of)
    for row in rows:
        numbers, mean = numbers_of(row, relation.of), row.numbers[relation.column]
        if numbers is None or mean is None:
            continue
        allowed = weighted_mean(numbers, weights)
        if differs(mean, allowed, relation.slack):
            told = shown(allowed.middle, mean)
            about = f"{mean.text} is printed as the mean of columns whose mean is {told}"
            yield Broken(row, relation.column, about, tuple(relation.of))


def harmonic(relation: r.Harmonic, rows: Any, table: PublishedTable, paper: Any) -> Found:
    per = UNITS[table.units[relation.column]][1]
    for row in rows:
        shares = [share_of(row, table, column) for column in relation.of]
        away = [share_of(row, table, column) for column in relation.complements]
        printed = row.numbers[relation.column]
        if printed is None or None in (*shares, *away):
            continue
        parts = [*shares, *(Range(1 - one.high, 1 - one.low) for one in away if one)]
        low = _harmonic_mean([one.low for one in parts if one])
        high = _harmonic_mean([one.high for one in parts if one])
        allowed = Range(0.0 if relation.averaged else low * per, high * per)
        if differs(printed, allowed, relation.slack):
            told = shown((low + high) / 2 * per, printed)
            most = "at most " if relation.averaged else ""
            about = f"{printed.text} is printed where {_and(relation)} give {most}{told}"
            yield Broken(row, relation.column, about, (*relation.of, *relation.complements))


def _and(relation: r.Harmonic) -> str:
    return ", ".join((*relation.of, *relation.complements))


def _harmonic_mean(values: Sequence[float]) -> float:
    if min(values) <= 0:
        return 0.0
    return len(values) / sum(1 / value for value in values)


def overlap(relation: r.Overlap, rows: Any, table: PublishedTable, paper: Any) -> Found:
    per = UNITS[table.units[relation.iou]][1]
    for row in rows:
        dice, iou = share_of(row, table, relation.dice), row.numbers[relation.iou]
        if dice is None or iou is None:
            continue
        least, most = dice.low / (2 - dice.low), dice.high / (2 - dice.high)
        top = most if relation.pooled else dice.high
        if differs(iou, Range(least * per, top * per), relation.slack):
            told = shown((least + most) / 2 * per, iou)
            rule = "gives" if relation.pooled else "allows no less than"
            about = f"{iou.text} is printed where the {relation.dice} beside it {rule} {told}"
            yield Broken(row, relation.iou, about, (relation.dice,))


def total(relation: r.Sum, rows: Any, table: Any, paper: Any) -> Found:
    for row in rows:
        numbers, total = numbers_of(row, relation.of), row.numbers[relation.column]
        if numbers is None or total is None:
            continue
        exact = sum(number.value for number in numbers)
        off = 0.0 if relation.exact else sum(number.half_width for number in numbers)
        wide = relation.slack + off + (0.0 if relation.exact else total.half_width) + EPSILON
        if abs(total.value - exact) > wide:
            about = f"{total.text} is printed where {' + '.join(relation.of)} is {exact:g}"
            yield Broken(row, relation.column, about, tuple(relation.of))


def part(relation: r.Share, rows: Any, table: PublishedTable, paper: Any) -> Found:
    per = UNITS[table.units[relation.column]][1]
    for row in rows:
        numbers, part = numbers_of(row, relation.of), row.numbers[relation.part]
        printed = row.numbers[relation.column]
        if numbers is None or part is None or printed is None:
            continue
        value = per * part.value / sum(number.value for number in numbers)
        if differs(printed, Range(value, value), relation.slack):
            told = shown(value, printed)
            about = f"{printed.text} is printed where {relation.part} is {told} of the whole"
            yield Broken(row, relation.column, about, (relation.part, *relation.of))


def counts(relation: r.Counts, rows: Any, table: PublishedTable, paper: Any) -> Found:
    for row in rows:
        for column in relation.columns:
            printed, per = row.numbers[column], UNITS[table.units[column]][1]
            if printed is None:
                continue
            near = [per * round(printed.value / per * n) / n for n in relation.n]
            if all(differs(printed, Range(one, one), relation.slack) for one in near):
                sizes = ", ".join(map(str, relation.n))
                yield Broken(row, column, f"{printed.text} is no whole count of {sizes} cases")


def rates(relation: r.Rates, rows: Any, table: PublishedTable, paper: Any) -> Found:
    per = UNITS[table.units[relation.accuracy]][1]
    share = relation.positives
    for row in rows:
        sensitivity = share_of(row, table, relation.sensitivity)
        specificity = share_of(row, table, relation.specificity)
        printed = row.numbers[relation.accuracy]
        if printed is None or sensitivity is None or specificity is None:
            continue
        low = share * sensitivity.low + (1 - share) * specificity.low
        high = share * sensitivity.high + (1 - share) * specificity.high
        if differs(printed, Range(per * low, per * high), relation.slack):
            told = shown(per * (low + high) / 2, printed)
            about = f"{printed.text} is printed where sensitivity and specificity give {told}"
            beside = (relation.sensitivity, relation.specificity)
            yield Broken(row, relation.accuracy, about, beside)


def peak(relation: r.Peak, rows: Any, table: Any, paper: Any) -> Found:
    for row in rows:
        psnr, rmse = row.numbers[relation.psnr], row.numbers[relation.rmse]
        if psnr is None or rmse is None:
            continue
        value = 20 * math.log10(relation.range / rmse.value)
        if differs(psnr, Range(value, value), relation.slack):
            told = shown(value, psnr)
            about = f"{psnr.text} dB is printed where {relation.rmse} gives {told}"
            yield Broken(row, relation.psnr, about, (relation.rmse,))
