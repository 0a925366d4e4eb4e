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
    nifti_millimetres,
)
from cohortflow.geometry.nrrd import grid_from_nrrd, millimetres, names_body_axes
from cohortflow.geometry.ome_zarr import ome_multiscales
from cohortflow.geometry.orientation import (
    ORIENTATIONS,
    Reorientation,
    orientation,
    to_orientation,
)
from cohortflow.geometry.resample import (
    resample_to_grid,
    resample_to_size,
    resample_to_spacing,
)
from cohortflow.geometry.target_grids import sized_grid, spaced_grid
from cohortflow.geometry.through_plane import through_plane_axis

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
    "grid_from_nrrd",
    "grids_agree",
    "itk_geometry",
    "millimetres",
    "names_body_axes",
    "nifti_affine",
    "nifti_millimetres",
    "ome_multiscales",
    "orientation",
    "require_agreement",
    "resample_to_grid",
    "resample_to_size",
    "resample_to_spacing",
    "sized_grid",
    "spaced_grid",
    "through_plane_axis",
    "to_orientation",
]
