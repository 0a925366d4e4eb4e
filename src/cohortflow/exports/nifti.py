"""NIfTI: ``.nii.gz`` with one matrix in both its forms, millimetres, the entry's dtype, no text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from cohortflow.exports.image import Image, export_image, intensity_notes, require_world
from cohortflow.exports.selection import Item
from cohortflow.exports.writer import Files, Writer
from cohortflow.geometry import Grid, array_to_nifti, nifti_affine

_LEVEL = 2
"""Of isal's deflate: near zlib's level 6 in size, several times as fast."""
_GZIP = 31
_PIECE = 2**24
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
    notes = intensity_notes(item.stem(), image)
    if image.grid.index_to_world is None:
        notes.append(f"{item.stem()}: of unknown spacing; the 1 in the file is no millimetre")
    elif image.grid.is_sheared:
        notes.append(f"{item.stem()}: axes not at right angles; only the sform holds that")
    if image.array.dtype == np.float16:
        notes.append(f"{item.stem()}: float16, which NIfTI has not, as float32")
    return notes


def nifti_gz(image: Image) -> bytes:
    """The file, compressed; the same bytes for the same voxels.

    (z, y, x) with x fastest is NIfTI's own order, so that voxels are read where they stand.
    """
    from isal import isal_zlib

    array = np.ascontiguousarray(image.array)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    packer = isal_zlib.compressobj(_LEVEL, wbits=_GZIP)  # of gzip's header: no name, no time
    parts = [packer.compress(nifti_header(array, image.grid))]
    voxels = array.reshape(-1).view(np.uint8)
    for start in range(0, voxels.size, _PIECE):
        parts.append(packer.compress(voxels[start : start + _PIECE]))
    return b"".join([*parts, packer.flush()])


def nifti_header(array: npt.NDArray[Any], grid: Grid) -> bytes:
    """All that stands before the voxels of an array (z, y, x) or (channel, z, y, x)."""
    import nibabel

    shape = array_to_nifti(array).shape
    affine = None if grid.index_to_world is None else nifti_affine(grid)
    large = max(shape) > _LONGEST_AXIS or (affine is not None and _rounds_away(grid, affine))
    family: Any = nibabel.Nifti2Header if large else nibabel.Nifti1Header
    header = family()
    header.set_data_shape(shape)
    header.set_data_dtype(array.dtype)
    header.set_slope_inter(1, 0)
    header["magic"] = header.single_magic
    header.set_data_offset(header.single_vox_offset)
    if affine is not None:
        header.set_xyzt_units("mm", "sec")
        header.set_zooms([*reversed(grid.spacing_mm), *[1.0] * (len(shape) - 3)])
        header.set_sform(affine, _SCANNER)
        if not grid.is_sheared:
            header.set_qform(affine, _SCANNER)
    return bytes(header.binaryblock).ljust(header.single_vox_offset, b"\0")


def _rounds_away(grid: Grid, affine: npt.NDArray[np.float64]) -> bool:
    """Whether the single precision of NIfTI-1 moves a voxel; NIfTI-2 then holds it."""
    off = np.abs(affine - affine.astype(np.float32))[:3]
    return bool((off @ [*grid.shape[::-1], 1.0]).max() > _MM)
