"""Atlases: the Dosenbach networks, tables, CC200's labels, networks by nearest coordinate."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cohortflow.errors import (
    EmptyInput,
    NotANumber,
    RegionCountMismatch,
    UnknownName,
    UsageError,
)
from cohortflow.sources.atlases import (
    Atlas,
    atlas_named,
    dosenbach160,
    read_atlas,
    with_nearest_networks,
    with_networks_from,
)

CC200 = """ROI number, volume, center of mass,Dosenbach,AAL
1, 162, (-39.6;-85.4;1.4),["None": 0.91],["Occipital_Mid_L": 0.81]["Occipital_Inf_L": 0.19]
2, 269, (-49.7;-60.8;23.2),["None": 0.94],["Angular_L": 0.49]["Temporal_Mid_L": 0.45]
"""


def test_dosenbach_counts_order_and_named_regions() -> None:
    atlas = dosenbach160()
    counts = Counter(atlas.networks)
    assert counts == {"DMN": 34, "CO": 32, "FP": 21, "OP": 22, "SM": 33, "CB": 18}
    assert list(dict.fromkeys(atlas.networks)) == ["DMN", "CO", "FP", "OP", "SM", "CB"]
    assert sorted(atlas.number) == list(range(1, 161))
    assert atlas.xyz_mm is not None
    at = {label: (net, *xyz) for label, net, xyz in _rows(atlas)}
    assert at["post cingulate 108"] == ("DMN", -5, -52, 17)
    assert at["inf cerebellum 121"] == ("CB", -25, -60, -34)
    assert at["IPL 96"] == ("FP", 54, -44, 43)
    assert at["occipital 106"] == ("OP", -18, -50, 1)
    assert at["post cingulate 80"] == ("CO", -4, -31, -4)
    assert at["pre-SMA 41"] == ("SM", 10, 5, 51)
    dmn = [n for n, network in zip(atlas.number, atlas.networks, strict=True) if network == "DMN"]
    assert dmn[:8] == [14, 134, 5, 124, 117, 84, 91, 72]
    assert dmn[-5:] == [13, 11, 7, 6, 1]


def _rows(atlas: Atlas) -> list[tuple[str, str, tuple[float, ...]]]:
    assert atlas.xyz_mm is not None
    return [
        (label, network, tuple(xyz))
        for label, network, xyz in zip(atlas.labels, atlas.networks, atlas.xyz_mm, strict=True)
    ]


def test_cc200_label_table_takes_networks_of_the_nearest_coordinate(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(CC200)
    atlas = atlas_named(f"cc200={tmp_path / 'labels.csv'}")
    assert atlas is not None
    assert (atlas.name, atlas.labels, atlas.number) == ("cc200", ("1", "2"), (1, 2))
    np.testing.assert_array_equal(atlas.xyz_mm, [[-39.6, -85.4, 1.4], [-49.7, -60.8, 23.2]])
    reference = dosenbach160()
    assert reference.xyz_mm is not None
    for xyz, network in zip(np.asarray(atlas.xyz_mm), atlas.networks, strict=True):
        apart = [float(np.linalg.norm(xyz - other)) for other in reference.xyz_mm]
        assert network == reference.networks[int(np.argmin(apart))]


def test_of_equally_near_coordinates_the_lowest_number_counts() -> None:
    here = Atlas("here", ("a",), (1,), xyz_mm=np.array([[0.0, 0, 0]]))
    there = Atlas(
        "there", ("p", "q", "r"), (30, 9, 10), ("P", "Q", "R"), np.array([[1.0, 0, 0]] * 3)
    )
    assert with_nearest_networks(here, there).network == ("Q",)
    with pytest.raises(UsageError, match="coordinates"):
        with_nearest_networks(replace(here, xyz_mm=None), there)


def test_any_table_by_its_headers(tmp_path: Path) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text("Region\tnetwork\tX\ty\tZ\nleft\tDMN\t1\t2\t3\nright\tSM\t4\t5\t6\n")
    atlas = atlas_named(str(path))
    assert atlas is not None
    assert atlas.labels == ("left", "right")
    assert atlas.networks == ("DMN", "SM")
    np.testing.assert_array_equal(atlas.xyz_mm, [[1, 2, 3], [4, 5, 6]])
    path.write_text("number\tname\n3\tvmPFC\n1\tvmPFC\n")
    bare = atlas_named(str(path))
    assert bare is not None
    assert bare.labels == ("vmPFC 3", "vmPFC 1")
    assert bare.networks == ("all", "all")
    assert atlas_named("none") is None


def test_networks_from_a_table(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(CC200)
    (tmp_path / "networks.csv").write_text("number,network\n2,B\n1,A\n3,C\n")
    atlas = atlas_named(f"cc200={tmp_path / 'labels.csv'}", tmp_path / "networks.csv")
    assert atlas is not None
    assert atlas.network == ("A", "B")
    (tmp_path / "networks.csv").write_text("number,network\n2,B\n")
    with pytest.raises(RegionCountMismatch, match="region 1"):
        with_networks_from(atlas, tmp_path / "networks.csv")


def test_faulty_tables_are_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    faults: list[tuple[str, type[Exception], str]] = [
        ("number,x,y,z\n1,1,2,3\n2,1,two,3\n", NotANumber, "line 3"),
        ("number,center of mass\n1,(1;2)\n", NotANumber, "line 2"),
        ("number,name\n1,a\n1,b\n", UsageError, "twice"),
        ("number,name\nnan,a\n", NotANumber, "line 2"),
        ("x,y,z\n1,2,3\n", UnknownName, "label"),
        ("number,x,y,z\n", EmptyInput, "no regions"),
    ]
    for text, fault, words in faults:
        path.write_text(text)
        with pytest.raises(fault, match=words):
            read_atlas(path)
    with pytest.raises(UnknownName, match="dosenbach160, cc200=PATH"):
        atlas_named("dosenbach")


def test_rows_of_a_series_go_by_number_by_label_or_by_position() -> None:
    atlas = Atlas("t", ("b 30", "a 9", "c 10"), (30, 9, 10))
    by_number, said = atlas.order_of(["9", "10", "30"], 3, "s")
    assert (by_number.tolist(), said) == ([2, 0, 1], False)
    by_label, said = atlas.order_of(["a 9", "b 30", "c 10"], 3, "s")
    assert (by_label.tolist(), said) == ([1, 0, 2], False)
    unnamed, said = atlas.order_of(None, 3, "s")
    assert (unnamed.tolist(), said) == ([2, 0, 1], False)
    strange, said = atlas.order_of(["u", "v", "w"], 3, "s")
    assert (strange.tolist(), said) == ([2, 0, 1], True)
    with pytest.raises(RegionCountMismatch, match=r"s: .*3 regions of t; found 4 regions"):
        atlas.order_of(None, 4, "s")


def test_the_digest_is_of_the_content() -> None:
    atlas = Atlas("t", ("a", "b"), (1, 2), ("N", "N"), np.zeros((2, 3)))
    assert replace(atlas, name="other").digest == atlas.digest
    assert replace(atlas, network=("N", "M")).digest != atlas.digest
    assert replace(atlas, xyz_mm=None).digest != atlas.digest
