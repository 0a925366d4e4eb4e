"""What a step's timing adds up from the outcomes of its units."""

from __future__ import annotations

from tasks.request import StepTiming


def test_a_timing_adds_up_its_units() -> None:
    timing = StepTiming("pairwise_rois", units=4)
    timing.take(
        {"state": "done", "seconds": 2.0, "work": {"distances": 30}, "peak_memory_bytes": 70}
    )
    timing.take(
        {"state": "done", "seconds": 1.5, "work": {"distances": 12}, "peak_memory_bytes": 90}
    )
    timing.take({"state": "failed", "seconds": 0.5, "peak_memory_bytes": 80})
    lost = {"state": "failed", "seconds": 3.0, "by": "engine"}
    timing.take(lost)
    assert (timing.done, timing.failed) == (2, 2)
    assert timing.unit_s == 7.0
    assert timing.work == {"distances": 42}
    assert timing.peak_memory_bytes == 90
