from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cohortflow.cohort.cohort import create_cohort
from cohortflow.cohort.source_map import SourceFile, SourceMap
from cohortflow.errors import EntryCorrupt

FILE = SourceFile("/data/NAME_1.1D", 100, 1.5, "NAME_1.1D")


def test_rows_and_options_are_kept_privately(tmp_path: Path) -> None:
    source_map = SourceMap("some-id", tmp_path)
    assert source_map.subjects == {}
    source_map.update({"sub-01": [FILE]}, {"source": "/data"})
    again = SourceMap("some-id", tmp_path)
    assert again.subjects == {"sub-01": [FILE]}
    assert again.files("sub-01") == [FILE]
    assert again.options == {"source": "/data"}
    assert stat.S_IMODE(again.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(again.path.parent.stat().st_mode) == 0o700


def test_an_update_leaves_the_others(tmp_path: Path) -> None:
    source_map = SourceMap("some-id", tmp_path)
    source_map.update({"a": [FILE], "b": [FILE]}, {"source": "/data"})
    source_map.update({"a": []})
    assert source_map.subjects == {"a": [], "b": [FILE]}
    assert source_map.options == {"source": "/data"}
    assert source_map.remove(["b", "nobody"]) == ["b"]
    assert source_map.subjects == {"a": []}


def test_it_never_lies_in_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHORTFLOW_HOME", str(tmp_path / "home"))
    cohort = create_cohort(tmp_path / "cohort")
    cohort.source_map.update({"sub-01": [FILE]})
    assert cohort.id in cohort.source_map.path.name
    assert (tmp_path / "home") in cohort.source_map.path.parents
    for path, _ in cohort.storage.walk(""):
        assert b"NAME_1" not in cohort.storage.read(path)


def test_a_damaged_map_is_named(tmp_path: Path) -> None:
    source_map = SourceMap("some-id", tmp_path)
    source_map.update({"sub-01": [FILE]})
    source_map.path.write_text("{")
    with pytest.raises(EntryCorrupt, match="ingest again"):
        source_map.files("sub-01")
