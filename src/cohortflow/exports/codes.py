"""SNOMED CT codes of common anatomy, by the names that segmenters give it.

Left: names as TotalSegmentator and others write them, sides apart, words in any case and joined by
anything. Right: the keyword of DICOM's own context groups, from which pydicom takes code and
meaning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

PRIVATE_SCHEME = "99COHORTFLOW"

_ANATOMY = {
    "adrenal gland": "AdrenalGland",
    "aorta": "Aorta",
    "autochthon": "ErectorSpinaeMuscle",
    "brachiocephalic trunk": "BrachiocephalicTrunk",
    "brachiocephalic vein": "BrachiocephalicVein",
    "brain": "Brain",
    "brainstem": "BrainStem",
    "breast": "Breast",
    "caudate": "CaudateNucleus",
    "cerebellum": "Cerebellum",
    "clavicula": "Clavicle",
    "clavicle": "Clavicle",
    "colon": "Colon",
    "common carotid artery": "CommonCarotidArtery",
    "costal cartilages": "CostalCartilage",
    "duodenum": "Duodenum",
    "esophagus": "Esophagus",
    "femur": "Femur",
    "gallbladder": "Gallbladder",
    "heart": "Heart",
    "heart myocardium": "LeftVentricleMyocardium",
    "hippocampus": "Hippocampus",
    "humerus": "Humerus",
    "iliac artery": "IliacArtery",
    "iliac vena": "IliacVein",
    "inferior vena cava": "InferiorVenaCava",
    "kidney": "Kidney",
    "liver": "Liver",
    "lung": "Lung",
    "lung lower lobe": "LowerLobeOfLung",
    "lung middle lobe": "MiddleLobeOfRightLung",
    "lung upper lobe": "UpperLobeOfLung",
    "myocardium": "LeftVentricleMyocardium",
    "pancreas": "Pancreas",
    "portal vein": "PortalVein",
    "prostate": "Prostate",
    "pulmonary artery": "PulmonaryArtery",
    "pulmonary vein": "PulmonaryVein",
    "rib": "Rib",
    "sacrum": "Sacrum",
    "scapula": "Scapula",
    "skull": "Skull",
    "small bowel": "SmallIntestine",
    "small intestine": "SmallIntestine",
    "spinal cord": "SpinalCord",
    "spleen": "Spleen",
    "sternum": "Sternum",
    "stomach": "Stomach",
    "subclavian artery": "SubclavianArtery",
    "superior vena cava": "SuperiorVenaCava",
    "thyroid": "Thyroid",
    "thyroid gland": "Thyroid",
    "trachea": "Trachea",
    "urinary bladder": "Bladder",
    "bladder": "Bladder",
}
# With the side inside the code: no modifier is added.
_SIDED = {
    "atrial appendage left": "StructureOfLeftAuricularAppendage",
    "atrial appendage right": "StructureOfRightAuricularAppendage",
    "heart atrium left": "LeftAtrium",
    "heart atrium right": "RightAtrium",
    "heart ventricle left": "LeftVentricle",
    "heart ventricle right": "RightVentricle",
    "left atrium": "LeftAtrium",
    "right atrium": "RightAtrium",
    "left ventricle": "LeftVentricle",
    "right ventricle": "RightVentricle",
}
_ABNORMAL = {
    "cyst": "Cyst",
    "edema": "Edema",
    "lesion": "Lesion",
    "mass": "Mass",
    "necrosis": "Necrosis",
    "neoplasm": "Neoplasm",
    "tumor": "Neoplasm",
    "tumour": "Neoplasm",
}
_VERTEBRA = re.compile(r"(?:vertebrae? )?([ctl])(\d+)")


@dataclass(frozen=True)
class SegmentCodes:
    """``side``: a modifier of ``kind``, where the name says left or right and the code does not."""

    category: Code
    kind: Code
    side: Code | None = None


def segment_codes(value: int, name: str) -> SegmentCodes:
    """Codes of a label. A name that is not known here gets a private code with that name."""
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    sct = codes.SCT
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    plain = " ".join(word for word in words if word not in ("left", "right"))
    sides = [word for word in words if word in ("left", "right")]
    side = getattr(sct, sides[0].capitalize()) if len(sides) == 1 else None
    keyword = _SIDED.get(" ".join(words))
    if keyword:
        return SegmentCodes(sct.AnatomicalStructure, getattr(sct, keyword))
    if plain in _ABNORMAL:
        abnormal = getattr(sct, _ABNORMAL[plain])
        return SegmentCodes(sct.MorphologicallyAbnormalStructure, abnormal, side)
    keyword = _keyword(plain)
    if keyword:
        return SegmentCodes(sct.AnatomicalStructure, getattr(sct, keyword), side)
    private = Code(f"label-{value}", PRIVATE_SCHEME, name[:64] or f"label {value}")
    return SegmentCodes(sct.AnatomicalStructure, private)


def _keyword(plain: str) -> str | None:
    vertebra = _VERTEBRA.fullmatch(plain)
    if vertebra:
        letter, number = vertebra[1].upper(), int(vertebra[2])
        there = number in range(1, {"C": 7, "T": 12, "L": 5}[letter] + 1)
        return f"{letter}{number}Vertebra" if there else None
    if re.fullmatch(r"rib \d+", plain):
        return "Rib"
    return _ANATOMY.get(plain)
