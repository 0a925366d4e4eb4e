"""The methods whose printed tables are packaged, by name; built here or not yet."""

from __future__ import annotations

from cohortflow.errors import UnknownName, nearest

PUBLISHED = (
    "synergynet",
    "snet",
    "l2gnet",
    "dlkunet",
    "adlitenet",
    "mci-persistent-homology",
    "texture-attack",
    "asd-attention-transformer",
    "covid-severity",
    "sepsis-tabular-privacy",
    "svd-grad-cam",
    "lrp-unet",
    "federated-memory-elements",
    "counterfactual-trajectories",
    "etruscan-refinement",
    "specular-covariant",
    "lora-sam-surgical",
    "drivpocket",
    "totalct-sam",
    "epilepsy-multitask",
    "multilabel-hashing",
    "cross-modal-ad-progression",
    "ma-dtnet",
    "transnetoct",
    "mrd-flow-cytometry",
    "dvtwin-depth",
    "two-teachers-3d-denseunet",
    "idqce",
    "superpixel-sparse-labels",
    "cmu-net",
    "mcgan",
    "pulmonary-artery-vein",
    "seanet-ldct",
    "icu-vitals",
)


def checked_name(name: str) -> str:
    """The name; :class:`UnknownName` with the nearest one where no such tables are packaged."""
    if name not in PUBLISHED:
        raise UnknownName(f"no printed tables of {name!r}", hint=nearest(name, PUBLISHED))
    return name
