"""Names that BIDS allows: labels are letters and digits only."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_ENTITIES = re.compile(r"sub-([A-Za-z0-9]+)(?:_ses-([A-Za-z0-9]+))?")


@dataclass(frozen=True)
class BidsName:
    """``subject`` and ``session``: labels, without ``sub-`` and ``ses-``."""

    subject: str
    session: str = ""

    @property
    def folder(self) -> str:
        session = f"/ses-{self.session}" if self.session else ""
        return f"sub-{self.subject}{session}"

    @property
    def stem(self) -> str:
        return self.folder.replace("/", "_")


def bids_names(ids: Iterable[str]) -> dict[str, BidsName]:
    """Names by study id. Those of BIDS stay; of others what BIDS does not allow is left out.

    Where two ids would then be one, digits of their digest keep them apart: the same ids get the
    same names whatever the order.
    """
    names = {one: _name(one) for one in sorted(set(ids))}
    # Names of one file system may differ in case only.
    taken = Counter(name.stem.casefold() for name in names.values())
    return {
        one: name if taken[name.stem.casefold()] == 1 else _apart(one, name)
        for one, name in names.items()
    }


def _name(study_id: str) -> BidsName:
    match = _ENTITIES.fullmatch(study_id)
    if match:
        return BidsName(match[1], match[2] or "")
    return BidsName(bids_label(study_id.removeprefix("sub-")))


def _apart(study_id: str, name: BidsName) -> BidsName:
    if _ENTITIES.fullmatch(study_id):
        return name
    return BidsName(name.subject + hashlib.sha256(study_id.encode()).hexdigest()[:8])


def bids_label(text: str) -> str:
    """Letters and digits of a text; a letter after anything else becomes a capital."""
    first, *rest = [part for part in re.split(r"[^A-Za-z0-9]+", text) if part] or [""]
    label = first + "".join(part[:1].upper() + part[1:] for part in rest)
    return label or hashlib.sha256(text.encode()).hexdigest()[:8]


def description_label(name: str, point: Mapping[str, Any]) -> str:
    """The entity ``desc`` of a result: its step and where it stands on its axes."""
    return bids_label("_".join([name, *(f"{axis}_{label}" for axis, label in point.items())]))
