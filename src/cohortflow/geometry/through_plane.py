"""Across thick slices nothing is blended: nnU-Net's rule for anisotropic images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

THRESHOLD = 3.0


def through_plane_axis(
    spacing_mm: Sequence[float], target_mm: Sequence[float], threshold: float = THRESHOLD
) -> int | None:
    """The axis (0 z, 1 y, 2 x) along which slices are thick, None where there is none.

    That of the largest spacing, where it is more than ``threshold`` times the smallest: of the
    image, else of the target. None where two axes share the largest spacing. Isensee et al.,
    nnU-Net, Nature Methods 18 (2021), supplementary note on resampling, and its code
    (``determine_do_sep_z_and_axis``).
    """
    for spacing in (np.asarray(spacing_mm), np.asarray(target_mm)):
        if spacing.max() / spacing.min() > threshold:
            thick = np.flatnonzero(spacing == spacing.max())
            return int(thick[0]) if len(thick) == 1 else None
    return None
