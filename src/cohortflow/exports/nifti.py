"""NIfTI: ``.nii.gz`` with one matrix in both its forms, millimetres, the entry's dtype, no text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from cohortflow.exports.image import Image, export_image, require_world
from cohortflow.exports.selection import Item
from cohortflow.exports.writer import Files, Writer
from cohortflow.geometry import Grid, array_to_nifti, nifti_affine

_LEVEL = 2
"""Of isal's deflate: near zlib's level 6 in size, several times as fast."""
_SCANNER = 1
_LONGEST_AXIS = 2**15 - 1
_MM = 5e-5


class NiftiWriter(Writer):
    """One ``.nii.gz`` per volume or label map; channels come as the fourth axis."""

    kinds: ClassVar = frozenset({"volume", "label_map"})
    libraries: ClassVar = ("nibabel", "isal")

    def write(self, bundle: Sequence[Item]) -> Files:
        (item,) = bundle
        image = export_image(item.open(), self.options.grid)
        require_world(image, self.options.allow_index_space)
        return Files({f"{item.stem()}.nii.gz": nifti_gz(image)}, notes=nifti_notes(item, image))


def nifti_notes(item: Item, image: Image) -> list[str]:
    """What a reader of the file cannot know from it."""
    notes = []
    if image.grid.index_to_world is None:
        notes.append(f"{item.stem()}: of unknown spacing; the 1 in the file is no millimetre")
    elif image.grid.is_sheared:
        notes.append(f"{item.stem()}: axes not at right angles; only the sform holds that")
    if image.not_undone:
        notes.append(f"{item.stem()}: intensities after {', '.join(image.not_undone)}")
    if image.array.dtype == np.float16:
        notes.append(f"{item.stem()}: float16, which NIfTI has not, as float32")
    return notes


def nifti_gz(image: Image) -> bytes:
    """The file, compressed; the same bytes for the same voxels."""
    from isal import igzip

    packed: bytes = igzip.compress(
        _nifti(image.array, image.grid).to_bytes(), compresslevel=_LEVEL, mtime=0
    )
    return packed


def _nifti(array: npt.NDArray[Any], grid: Grid) -> Any:
    import nibabel

    turned = array_to_nifti(array)
    if turned.dtype == np.float16:
        turned = turned.astype(np.float32)
    elif not turned.dtype.isnative:
        turned = turned.astype(turned.dtype.newbyteorder("="))
    affine = None if grid.index_to_world is None else nifti_affine(grid)
    large = max(turned.shape) > _LONGEST_AXIS or (affine is not None and _rounds_away(grid, affine))
    family: Any = nibabel.Nifti2Image if large else nibabel.Nifti1Image
    if affine is None:
        image = family(turned, np.eye(4), dtype=turned.dtype)
        image.set_sform(None, 0)
        image.set_qform(None, 0)
        return image
    image = family(turned, affine, dtype=turned.dtype)
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(affine, _SCANNER)
    image.set_qform(None if grid.is_sheared else affine, 0 if grid.is_sheared else _SCANNER)
    return image


def _rounds_away(grid: Grid, affine: npt.NDArray[np.float64]) -> bool:
    """Whether the single precision of NIfTI-1 moves a voxel; NIfTI-2 then holds it."""
    off = np.abs(affine - affine.astype(np.float32))[:3]
    return bool((off @ [*grid.shape[::-1], 1.0]).max() > _MM)
