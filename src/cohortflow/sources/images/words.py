"""Words that a file's name may pass on to an entry: they say what is shown, never whose it is."""

from __future__ import annotations

import re

_TEXT = """
ct cta cbct mr mri mra pet pt spect nm us cr dx xr mg rf oct xray t1 t1w t1c t1ce t1gd t1n t2 t2w
t2f t2s t2star t2starw flair pd pdw adc dwi dce dsc swi tof angio inv1 inv2 uni asl fa md bold epi
cine perfusion b0 b50 b400 b500 b800 b1000 b1400 mask image label full half quarter low high dose
ld fd sd hr lr pre post contrast native plain noncontrast ce nc arterial venous portal delayed
early late phase ed es systole diastole rest stress baseline followup base visit session scan run
echo fast slow left right axial coronal sagittal ax cor sag in out opposed water fat front back
frontal lateral ap pa mag magnitude real imaginary raw corrected resampled registered cropped
expert reader consensus auto manual pred prediction reference adrenal gland aorta artery atlas
atrium autochthon bladder body bone bowel brachiocephalic brain brainstem breast bronchus bronchi
carotid cartilage caudate cava cecum cerebellum chest clavicle clavicula colon common coronary
cortex costal cyst disc duodenum edema effusion embolism enhancing eye esophagus face femur
fissure fluid foot gallbladder gluteus ganglion gm hand head heart hemorrhage hip hippocampus
humerus iliac iliopsoas infarct inferior intestine kidney knee lesion lesions liver lobe lower
lumbar lung lungs lv lymph maximus medius middle minimus mitral muscle muscles myocardium neck
necrosis node nodule nodules optic organ organs pancreas pelvis peripheral pericardium plaque
polyp prostate pulmonary pylorus rectum retina rib ribs rv sacrum scapula shoulder skin skull
small spinal spine spleen splenic sternum stomach subclavian superior thalamus thigh thorax thymus
thyroid tongue tooth teeth trachea transition trunk tumor tumour upper ureter urinary uterus vein
vena ventricle vertebra vertebrae vessel vessels wall white whole wm zone c1 c2 c3 c4 c5 c6 c7 th1
th2 th3 th4 th5 th6 th7 th8 th9 th10 th11 th12 l1 l2 l3 l4 l5 l6 s1 s2 s3 s4 s5
"""
_WORDS = frozenset(_TEXT.split())
# Numbers of up to three digits count things; longer ones are dates and numbers of patients, but for
# the channels that nnU-Net writes as 0000.
_COUNT = re.compile(r"s?\d{1,3}|s\d{1,9}|00\d\d|e\d")


def tells_what(word: str) -> bool:
    """Whether a word may stand in the name of an entry."""
    folded = word.casefold()
    return folded in _WORDS or _COUNT.fullmatch(folded) is not None
