"""Only where the file system is known to keep names in order is a folder's sync left out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cohortflow.cohort import file_systems
from cohortflow.cohort.file_systems import file_system, names_follow

LINE = "31 1 {device} / /home rw,relatime shared:1 - {kind} /dev/sda1 rw\n"


def mounted(folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str, minor: int = 0) -> None:
    device = folder.stat().st_dev
    text = LINE.format(device="999:1", kind="ext4") + LINE.format(
        device=f"{os.major(device)}:{os.minor(device) + minor}", kind=kind
    )
    (folder / "mountinfo").write_text(text)
    monkeypatch.setattr(file_systems, "_MOUNTS", folder / "mountinfo")


@pytest.mark.parametrize(
    ("kind", "follow"),
    [("ext4", True), ("xfs", True), ("btrfs", False), ("nfs4", False), ("fuse.sshfs", False)],
)
def test_by_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, follow: bool) -> None:
    mounted(tmp_path, monkeypatch, kind)
    assert file_system(str(tmp_path)) == kind
    assert names_follow(str(tmp_path)) is follow


def test_what_is_not_known_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(tmp_path, monkeypatch, "ext4", minor=1)
    assert not names_follow(str(tmp_path))
    assert not names_follow(str(tmp_path / "absent"))
    monkeypatch.setattr(file_systems, "_MOUNTS", tmp_path / "absent")
    assert not names_follow(str(tmp_path))


def test_the_same_as_df_says(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        assert file_system(str(tmp_path)) is None
        return
    said = subprocess.run(
        ["df", "--output=fstype", str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert file_system(str(tmp_path)) == said.stdout.split()[-1]
