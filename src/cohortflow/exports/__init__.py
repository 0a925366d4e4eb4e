"""Results leave the cohort: NIfTI, BIDS-Derivatives, DICOM SEG, OME-Zarr, tables."""
