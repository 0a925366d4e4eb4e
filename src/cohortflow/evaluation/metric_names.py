"""Metric ids as names that MLflow accepts."""

from __future__ import annotations

import hashlib
import re

LONGEST = 250
_REFUSED = re.compile(r"[^A-Za-z0-9_.\- ]")


def mlflow_metric_name(metric: str, label: str = "") -> str:
    """``nsd@2mm`` of ``liver`` → ``nsd_2mm/liver``; without a label the metric alone.

    Characters that MLflow refuses become ``_``. A label that loses something, or a name longer than
    250 characters, ends in digits of its own, so that two labels never share a name.
    """
    name = _REFUSED.sub("_", metric).strip(" .") or "metric"
    if label:
        kept = _REFUSED.sub("_", label).strip(" .")
        name = f"{name}/{kept}" if kept == label else f"{name}/{kept}-{_digits(label)}"
    if len(name) > LONGEST:
        name = f"{name[: LONGEST - 9].rstrip('/ .')}-{_digits(metric + '/' + label)}"
    return name


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
