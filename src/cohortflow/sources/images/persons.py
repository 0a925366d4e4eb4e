"""Study ids that say whose recording it is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePath

from cohortflow.errors import IdentifiesPerson
from cohortflow.sources.subject_id import placeholder

COMPARE = {
    "dicom": "dicom-persons",
    "nrrd": "nrrd-persons",
    "metaimage": "metaimage-persons",
}
"""Formats whose headers may name the patient, and those that compare an id with every header."""
_NO_LETTER = re.compile(r"[\W_]+")


def refuse_persons(name: str, persons: Iterable[str]) -> None:
    """Raises :class:`IdentifiesPerson` where a name is, or holds, one of a header's.

    Letters and digits of any script count, whatever their case; parts of a name from three letters
    on (two, where a letter is a syllable or a word).
    """
    folded = _NO_LETTER.sub("", _fold(name))
    for person in persons:
        words = _NO_LETTER.split(_fold(person))
        if any(
            len(word) >= _shortest(word) and word in folded for word in ("".join(words), *words)
        ):
            raise IdentifiesPerson(
                "the study id is, or holds, the patient's name or number in the header",
                where=placeholder(PurePath(name)),
                hint="Rename the folder (the private source map says which), or choose the id on "
                "purpose with --subject-from.",
            )


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _shortest(word: str) -> int:
    return 3 if word.isascii() else 2
