"""Metric ids of images beside a reference."""

from __future__ import annotations

from cohortflow.evaluation.definitions.definition import Definition

_WANG = "Wang et al. 2004, IEEE Transactions on Image Processing 13, 600–612"

IMAGE_QUALITY = (
    Definition(
        "psnr",
        "10 log10(range² / mean squared error); undefined for equal images, as it is infinite",
        "dB",
        "higher",
        None,
        "Wang and Bovik 2009, IEEE Signal Processing Magazine 26, 98–117",
    ),
    Definition(
        "ssim",
        "structural similarity; Gaussian window of sd 1.5 cut at 5 pixels, k1 0.01, k2 0.03, "
        "covariances divided by N; pixels nearer than 5 to the border left out of the mean",
        "1",
        "higher",
        -1.0,
        _WANG,
    ),
    Definition(
        "ssim/uniform-7",
        "structural similarity; square window of 7 pixels, k1 0.01, k2 0.03, covariances divided "
        "by N - 1; pixels nearer than 3 to the border left out of the mean",
        "1",
        "higher",
        -1.0,
        _WANG + "; scikit-image's default",
    ),
)
