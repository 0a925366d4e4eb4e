"""fMRIPrep derivatives: sphere means of ``desc-preproc_bold`` cleaned of its confounds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cohortflow.errors import InputError, MissingInput, SeriesTooShort, UnreadableFile
from cohortflow.sources.atlases import Atlas
from cohortflow.sources.bold import header_repetition_time, load_image, read_sphere_means
from cohortflow.sources.files import read_text
from cohortflow.sources.number_text import parse_numbers
from cohortflow.sources.roi_series import RoiSeries

BOLD = "_desc-preproc_bold.nii.gz"
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
TISSUE = ("white_matter", "csf")
_LARGEST_SIDECAR = 16 * 2**20


@dataclass(frozen=True)
class Companions:
    """The files beside an image; None where there is none."""

    confounds: Path | None
    mask: Path | None
    sidecar: Path | None

    def present(self) -> tuple[Path, ...]:
        return tuple(p for p in (self.confounds, self.mask, self.sidecar) if p is not None)


def companions(image: Path) -> Companions:
    """Confounds (which know no space), brain mask and sidecar of a ``desc-preproc_bold``."""
    base = image.name.removesuffix(BOLD)
    spaceless = "_".join(
        part for part in base.split("_") if not part.startswith(("space-", "res-", "cohort-"))
    )
    confounds = [
        image.with_name(f"{spaceless}_desc-confounds_{kind}.tsv")
        for kind in ("timeseries", "regressors")
    ]
    mask = image.with_name(f"{base}_desc-brain_mask.nii.gz")
    sidecar = image.with_name(f"{base}_desc-preproc_bold.json")
    return Companions(
        next((path for path in confounds if path.is_file()), None),
        mask if mask.is_file() else None,
        sidecar if sidecar.is_file() else None,
    )


def read_fmriprep(
    image: Path | str, atlas: Atlas, *, files: Companions | None = None, where: str = ""
) -> RoiSeries:
    """Sphere means from which 24 motion regressors, white matter and CSF were regressed.

    Averaging and regression are both linear: the means are cleaned, not every voxel. Their level is
    kept. Raises what :func:`read_sphere_means` raises, and :class:`MissingInput` (no confounds, or
    one of their columns).
    """
    image = Path(image)
    where = where or image.name
    files = files or companions(image)
    if files.confounds is None:
        raise MissingInput(
            "no confounds beside the preprocessed image",
            where=where,
            expected="a file …_desc-confounds_timeseries.tsv",
        )
    confounds = confound_matrix(read_confounds(files.confounds, where), where)
    series = read_sphere_means(image, atlas, mask=files.mask, where=where)
    return RoiSeries(regress(series, confounds, where), series.names)


def read_confounds(path: Path, where: str) -> dict[str, np.ndarray]:
    """Columns of a confounds table, each (time,) float64; ``n/a`` is NaN."""
    table = parse_numbers(read_text(path, where), "\t", where)
    return {name: table.values[:, i] for i, name in enumerate(table.names or ())}


def confound_matrix(columns: Mapping[str, np.ndarray], where: str = "") -> np.ndarray:
    """(time, 26): six motion parameters, their differences, the squares of both, WM and CSF.

    The difference at the first volume, which does not exist, is 0. Source: Satterthwaite et al.
    (2013), the 24 parameters of Friston et al. (1996) with differences.
    """
    absent = [name for name in (*MOTION, *TISSUE) if name not in columns]
    if absent:
        raise MissingInput(
            "the confounds table lacks columns", where=where, expected=", ".join(absent)
        )
    motion = np.column_stack([columns[name] for name in MOTION])
    change = np.vstack([np.zeros((1, len(MOTION))), np.diff(motion, axis=0)])
    tissue = np.column_stack([columns[name] for name in TISSUE])
    matrix = np.column_stack([motion, change, motion**2, change**2, tissue])
    if not np.isfinite(matrix).all():
        time = int(np.argwhere(~np.isfinite(matrix))[0, 0])
        raise InputError(
            "a confound is missing", where=where, expected="numbers", found=f"n/a at volume {time}"
        )
    return matrix


def regress(series: RoiSeries, confounds: np.ndarray, where: str = "") -> np.ndarray:
    """(roi, time): what is left of each series after least squares on the confounds."""
    values = series.values
    if values.shape[1] != len(confounds):
        raise InputError(
            "confounds and image have different lengths",
            where=where,
            expected=f"{values.shape[1]} volumes",
            found=f"{len(confounds)} rows of confounds",
        )
    if values.shape[1] <= confounds.shape[1] + 1:
        raise SeriesTooShort(
            "fewer volumes than regressors",
            where=where,
            expected=f"more than {confounds.shape[1] + 1}",
            found=str(values.shape[1]),
        )
    centred = confounds - confounds.mean(axis=0)
    scale = np.linalg.norm(centred, axis=0)
    centred = centred[:, scale > 0] / scale[scale > 0]
    level = values.mean(axis=1, keepdims=True)
    raw = values - level
    cleaned = raw - (centred @ np.linalg.lstsq(centred, raw.T, rcond=None)[0]).T
    explained = np.linalg.norm(cleaned, axis=1) <= 1e-10 * np.linalg.norm(raw, axis=1)
    cleaned[explained | series.constant] = 0.0
    return np.asarray(cleaned + level)


def repetition_time(image: Path, files: Companions, where: str) -> float:
    """Seconds by the sidecar, else by the header; NaN where neither says."""
    if files.sidecar is not None:
        try:
            sidecar = json.loads(read_text(files.sidecar, where, _LARGEST_SIDECAR))
            return float(sidecar["RepetitionTime"])
        except KeyError:
            pass
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise UnreadableFile(
                "the sidecar is no JSON with a repetition time", where=where
            ) from (error)
    return header_repetition_time(load_image(image, where)) if image.is_file() else math.nan
