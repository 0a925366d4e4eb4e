"""Documents without certain subjects: lines dropped, keys made pending, mentions struck out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.cohort.entries import KEY_DIGITS
from cohortflow.cohort.ingests import Ingested
from cohortflow.cohort.selections import Selection

STRUCK = "[withdrawn]"
_UNIT_LOG = re.compile(r"-[0-9a-f]{16}\.log$")
_VERBATIM = ("text", "settings", "keys", "key")
"""Members of an index's claim that are read back by programs: pipelines name no subjects."""


class Withdrawal:
    """Takes subjects out of the store's documents.

    ``remaining``: first digits of the keys whose entries will be there. What an index calls done
    and is not among them becomes pending.
    """

    def __init__(self, subjects: Sequence[str], remaining: set[str]) -> None:
        self.subjects = frozenset(subjects)
        self.remaining = remaining
        # An id inside a longer name is somebody else's, and "1" in a sentence is no id.
        words = [re.escape(s) for s in subjects if _distinctive(s)]
        names = "|".join(sorted(words, key=len, reverse=True)) or r"(?!)"
        self._word = re.compile(rf"(?<![\w-])(?:{names})(?![\w-])")

    def mentions(self, value: Any) -> bool:
        """Whether a subject is named: as a value, a member, a part of a path, a word of a text."""
        if isinstance(value, Mapping):
            looked = ((k, v) for k, v in value.items() if k not in _VERBATIM)
            return any(self.mentions(k) or self.mentions(v) for k, v in looked)
        if isinstance(value, (list, tuple)):
            return any(map(self.mentions, value))
        if not isinstance(value, str):
            return False
        return (
            value in self.subjects
            or self._word.search(value) is not None
            or any(_owner(part) in self.subjects for part in value.split("/"))
        )

    def concerns(self, part: Mapping[str, Any]) -> bool:
        """Whether a part of an index names a subject, or calls done what will not be there."""
        rows = zip(part["key"], part["state"], strict=True)
        return self.mentions(part) or any(self._gone(key, state) for key, state in rows)

    def strike(self, value: Any) -> Any:
        """The value without them: items and members dropped, words in texts struck out."""
        if isinstance(value, Mapping):
            return {
                k: v if k in _VERBATIM else self.strike(v)
                for k, v in value.items()
                if k not in self.subjects
            }
        if isinstance(value, (list, tuple)):
            kept = [v for v in value if not (isinstance(v, str) and v in self.subjects)]
            return [self.strike(v) for v in kept]
        return self._word.sub(STRUCK, value) if isinstance(value, str) else value

    def part(self, part: Mapping[str, Any]) -> dict[str, Any]:
        """A part of an index without their rows; rows of removed keys are pending."""
        count = len(part["key"])
        rows = [i for i in range(count) if not self._is_theirs(part, i)]
        result: dict[str, Any] = {}
        for name, value in part.items():
            if name in ("axes", "recipes"):
                result[name] = value
            elif isinstance(value, list) and len(value) == count:
                kept = [value[i] for i in rows]
                result[name] = [self.strike(v) for v in kept] if name == "reason" else kept
            elif name in ("error", "warnings") and isinstance(value, Mapping):
                moved = {str(new): value.get(str(old)) for new, old in enumerate(rows)}
                result[name] = {row: self.strike(v) for row, v in moved.items() if v is not None}
            else:
                result[name] = self.strike(value)
        states = zip(result["key"], result["state"], strict=True)
        result["state"] = ["pending" if self._gone(k, state) else state for k, state in states]
        return result

    def selection(self, selection: Selection, number: int) -> Selection:
        """A selection without their lines; its digest stays, ``withdrawn`` counts up."""
        lines = [line for line in selection.subjects if line["subject"] not in self.subjects]
        return Selection(
            question=selection.question,
            number=number,
            digest=selection.digest,
            subjects=lines,
            described=self.strike(selection.described),
            withdrawn=selection.withdrawn + len(selection.subjects) - len(lines),
        )

    def ingested(self, ingested: Ingested, number: int) -> Ingested:
        """An ingest without them; their numbers are never given again."""
        return Ingested(
            number=number,
            subjects={i: s for i, s in ingested.subjects.items() if i not in self.subjects},
            options=self.strike(ingested.options),
            assigned={i: n for i, n in ingested.assigned.items() if i not in self.subjects},
            next_number=ingested.next_number,
            files=ingested.files,
        )

    def _gone(self, key: str, state: str) -> bool:
        return bool(state == "done" and key[:KEY_DIGITS] not in self.remaining)

    def _is_theirs(self, part: Mapping[str, Any], row: int) -> bool:
        if part["subject"][row] in self.subjects:
            return True
        point = part.get("point", ())
        labels = point[row] if row < len(point) else ()
        return any(isinstance(label, str) and label in self.subjects for label in labels)


def _owner(name: str) -> str:
    """The subject in a file's name: ``sub-01.json``, and ``sub-01-<16 digits>.log`` of a unit."""
    return _UNIT_LOG.sub("", name).removesuffix(".json").removesuffix(".html")


def _distinctive(subject: str) -> bool:
    mixed = any(c.isdigit() for c in subject) and any(c.isalpha() for c in subject)
    return len(subject) >= 4 or mixed
