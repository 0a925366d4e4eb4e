"""A grid that no header gave: spacing and directions as the user says them, recorded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cohortflow.errors import BadHeader, UnknownOrientation, UnknownSpacing
from cohortflow.geometry.orientation import checked_orientation
from cohortflow.sources.images.decoded import Decoded, Request

_TOWARDS = {"R": (1, 0, 0), "A": (0, 1, 0), "S": (0, 0, 1)}
_TOWARDS |= {"L": (-1, 0, 0), "P": (0, -1, 0), "I": (0, 0, -1)}


def assumed_matrix(
    shape: Sequence[int], spacing_mm: Sequence[float], decoded: Decoded, request: Request
) -> npt.NDArray[np.float64]:
    """(4, 4) index → world around the world's origin, axes as ``--orientation`` says; noted.

    ``shape``, ``spacing_mm``: (z, y, x).
    """
    spacing = np.asarray(spacing_mm, float)
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise BadHeader(
            "a spacing is above 0 mm",
            where=request.where,
            found=str(list(spacing_mm)),
            hint="Say it with --spacing-mm z,y,x.",
        )
    code = checked_orientation(request.options.orientation)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([_TOWARDS[letter] for letter in reversed(code)], float).T * spacing
    matrix[:3, 3] = -matrix[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    decoded.used |= {"orientation": code}
    if request.options.spacing_mm is not None:
        decoded.used["spacing_mm"] = [float(step) for step in spacing]
    decoded.warn(
        "orientation-assumed",
        f"the file does not say towards which sides its axes run: {code} was taken",
    )
    return matrix


def assumed_place(
    spacing_mm: Sequence[float] | None,
    shape: Sequence[int],
    decoded: Decoded,
    request: Request,
    expected: str,
) -> npt.NDArray[np.float64]:
    """:func:`assumed_matrix` where the user allows it.

    ``shape``, ``spacing_mm``: (z, y, x), the latter as the file says it, None where it does not.
    ``expected``: what would have told more. Raises :class:`UnknownSpacing`,
    :class:`UnknownOrientation`.
    """
    options = request.options
    if options.spacing_mm is None and spacing_mm is None:
        raise UnknownSpacing(
            "the file does not say how large voxels are",
            where=request.where,
            expected=expected,
            hint="Say it with --spacing-mm z,y,x.",
        )
    if options.spacing_mm is None and UnknownOrientation.code not in options.accept:
        raise UnknownOrientation(
            "the header says how large voxels are, not where they lie",
            where=request.where,
            expected=expected,
            hint=f"Mend the header, or --accept {UnknownOrientation.code} with --orientation LPS.",
        )
    return assumed_matrix(shape, options.spacing_mm or spacing_mm or (), decoded, request)
