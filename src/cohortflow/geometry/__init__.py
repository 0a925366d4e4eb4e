"""Where voxels lie: the one place in which conventions are converted.

Ours: arrays (z, y, x); ``index_to_world`` 4×4 from (z, y, x, 1) to world (x, y, z), RAS+ mm.
"""

from cohortflow.geometry.agreement import farthest_apart_mm, grids_agree, require_agreement
from cohortflow.geometry.dicom import DicomPlanes, dicom_planes, grid_from_dicom
from cohortflow.geometry.grid import Grid
from cohortflow.geometry.itk import ItkGeometry, grid_from_itk, itk_geometry
from cohortflow.geometry.nifti import (
    array_from_nifti,
    array_to_nifti,
    grid_from_nifti,
    nifti_affine,
)
from cohortflow.geometry.ome_zarr import ome_multiscales
from cohortflow.geometry.orientation import (
    ORIENTATIONS,
    Reorientation,
    orientation,
    to_orientation,
)
from cohortflow.geometry.resample import resample_to_grid, resample_to_spacing, spaced_grid

__all__ = [
    "ORIENTATIONS",
    "DicomPlanes",
    "Grid",
    "ItkGeometry",
    "Reorientation",
    "array_from_nifti",
    "array_to_nifti",
    "dicom_planes",
    "farthest_apart_mm",
    "grid_from_dicom",
    "grid_from_itk",
    "grid_from_nifti",
    "grids_agree",
    "itk_geometry",
    "nifti_affine",
    "ome_multiscales",
    "orientation",
    "require_agreement",
    "resample_to_grid",
    "resample_to_spacing",
    "spaced_grid",
    "to_orientation",
]
