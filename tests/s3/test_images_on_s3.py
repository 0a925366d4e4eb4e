"""NIfTI and DICOM into a bucket, and back: as on a disk, voxel for voxel and byte for byte."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from cohortflow.cohort.cohort import Cohort, create_cohort, open_cohort
from cohortflow.cohort.maintenance import fsck
from cohortflow.errors import EntryCorrupt, EntryMissing
from cohortflow.phantoms.canary import Canary, oriented_grid
from cohortflow.sources.ingest import ingest
from tests.sources.images.dicom_files import write_series

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
GRID = oriented_grid("LPS", shape=(90, 160, 170), spacing_mm=(3.0, 0.8, 0.8), degrees=(9, -5, 3))
CANARY = Canary.within(GRID)
REVERSED = np.eye(4)[[2, 1, 0, 3]]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A scan with its label map, and the same voxels as a series of DICOM."""
    source = tmp_path / "source"
    (source / "nifti").mkdir(parents=True)
    image, labels = CANARY.image(GRID), CANARY.labels(GRID)
    affine = GRID.matrix @ REVERSED
    nibabel.save(nibabel.Nifti1Image(image.T, affine), source / "nifti" / "ct.nii.gz")
    nibabel.save(nibabel.Nifti1Image(labels.T, affine), source / "nifti" / "ct_label.nii.gz")
    write_series(source / "dicom", np.round(image).astype(np.int16), GRID.matrix)
    return source


def objects(cohort: Cohort) -> dict[str, bytes]:
    """What entries hold, without the names of attempts, which are drawn."""
    found = {}
    for path, _ in cohort.storage.walk("subjects"):
        if not path.endswith("entry.json"):
            folder, _, rest = path.partition("/a-")
            found[f"{folder}/{rest.partition('/')[2]}"] = cohort.storage.read(path)
    return found


@pytest.mark.usefixtures("server")
def test_what_was_ingested_is_read_back(source: Path, tmp_path: Path, bucket: str) -> None:
    url = f"s3://{bucket}/images"
    report = ingest(create_cohort(url), source)
    assert (set(report.new), report.refused) == ({"nifti", "dicom"}, {})
    cohort = open_cohort(url)
    image = CANARY.image(GRID)
    assert np.array_equal(cohort["nifti"]["image"]["image"], image)
    assert np.array_equal(cohort["nifti"]["label"]["label"], CANARY.labels(GRID))
    series = cohort["dicom"]["image"]
    assert np.array_equal(series["image"], np.round(image))
    np.testing.assert_allclose(series.attrs["index_to_world"], GRID.matrix, atol=1e-4)
    assert np.array_equal(series["image"][7:9, ::3, [4, 2]], np.round(image)[7:9, ::3, [4, 2]])
    beside = create_cohort(tmp_path / "cohort")
    ingest(beside, source)
    assert objects(cohort) == objects(beside), "the same bytes as on a disk"
    assert not fsck(cohort, deep=True)
    assert not ingest(cohort, source).new, "a night without news"


@pytest.mark.usefixtures("server")
def test_a_chunk_that_is_gone_or_another_is_named(source: Path, bucket: str) -> None:
    cohort = create_cohort(f"s3://{bucket}/images")
    ingest(cohort, source)
    chunk = next(path for path, _ in cohort.storage.walk("subjects/dicom") if "image/c/" in path)
    data = bytearray(cohort.storage.read(chunk))
    data[len(data) // 2] ^= 1
    cohort.storage.write(chunk, bytes(data))
    with pytest.raises(EntryCorrupt, match="checksum"):
        cohort["dicom"]["image"].load()
    cohort.storage.delete(chunk)
    with pytest.raises(EntryMissing):
        cohort["dicom"]["image"].load()
    assert np.array_equal(cohort["nifti"]["image"]["image"], CANARY.image(GRID))
