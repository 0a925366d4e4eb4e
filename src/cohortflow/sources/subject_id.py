"""Which subject a file belongs to: the rules, and what makes an identifier unusable."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePath

from cohortflow.errors import BadParameter, UnsafeIdentifier
from cohortflow.sources.files import stem

MAX_LENGTH = 100
_BIDS = re.compile(r"(?P<patient>sub-[A-Za-z0-9]+)(?:_(?P<session>ses-[A-Za-z0-9]+))?(?=[_.]|$)")
_FORBIDDEN = re.compile(r"[/\\:*?\"<>|@\x00-\x1f\x7f]")
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_RULES = "'name', 'folder', 'bids' or 'regex:PATTERN' with one group"


@dataclass(frozen=True)
class Identity:
    """A subject, the patient its name shows, and the id of a table it was shortened to."""

    subject: str
    patient: str
    from_table: bool = False


def check_rule(rule: str) -> str:
    """Return the rule of ``--subject-from``; :class:`BadParameter` where it is none."""
    if rule in ("name", "folder", "bids"):
        return rule
    kind, _, pattern = rule.partition(":")
    if kind != "regex":
        raise BadParameter("no such rule", where="subject_from", expected=_RULES, found=rule)
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise BadParameter(
            "the pattern is no regular expression",
            where="subject_from",
            expected=_RULES,
            found=str(error),
        ) from error
    if groups != 1:
        raise BadParameter(
            "the pattern needs one group", where="subject_from", expected=_RULES, found=f"{groups}"
        )
    return rule


def identify(
    relative: PurePath,
    suffixes: Iterable[str],
    rule: str | None = None,
    known: Collection[str] = (),
) -> Identity:
    """The subject of a file at ``relative`` inside its source.

    Without a rule: the BIDS label (``sub-01``, ``sub-01_ses-02``), else the first-level folder,
    else the file name without its extensions. ``known`` are the ids of a participants table: where
    one of them is the name, or a prefix of it that ends at a word, that id is taken; the longest
    wins. Raises :class:`UnsafeIdentifier`.
    """
    relative = PurePath(unicodedata.normalize("NFC", relative.as_posix()))
    name = stem(relative.name, suffixes)
    label = bids_label(relative)
    if rule and rule.startswith("regex:"):
        return _by_pattern(relative.with_name(name), rule.removeprefix("regex:"), label)
    if label and rule in (None, "bids"):
        return Identity(check_identifier(label[0]), label[1])
    folder = relative.parts[0] if len(relative.parts) > 1 else None
    if rule == "bids" or (rule == "folder" and folder is None):
        what = "no BIDS label (sub-…)" if rule == "bids" else "no folder around the file"
        raise UnsafeIdentifier(
            f"a file shows no subject: {what}",
            where=placeholder(relative),
            hint="Choose another rule with subject_from.",
        )
    candidates = {"name": [name], "folder": [folder or name]}.get(
        rule or "", [folder, name] if folder else [name]
    )
    for candidate in candidates:
        listed = longest_prefix(candidate, known)
        if listed:
            patient = label[1] if label else listed
            return Identity(check_identifier(listed), patient, listed != candidate)
    subject = check_identifier(candidates[0])
    return Identity(subject, label[1] if label else subject)


def _by_pattern(relative: PurePath, pattern: str, label: tuple[str, str] | None) -> Identity:
    found = re.search(pattern, relative.as_posix())
    if not found or not found[1]:
        raise UnsafeIdentifier(
            "the pattern of subject_from does not match a file", where=placeholder(relative)
        )
    subject = check_identifier(found[1])
    return Identity(subject, label[1] if label else subject)


def bids_label(relative: PurePath) -> tuple[str, str] | None:
    """``(sub-01_ses-02, sub-01)`` from the file name, else from the folders above it."""
    named = _BIDS.match(relative.name)
    if named:
        patient, session = named["patient"], named["session"]
    else:
        folders = list(relative.parts[:-1])
        patient = next((p for p in folders if re.fullmatch(r"sub-[A-Za-z0-9]+", p)), "")
        session = next((p for p in folders if re.fullmatch(r"ses-[A-Za-z0-9]+", p)), None)
    if not patient:
        return None
    return (f"{patient}_{session}" if session else patient), patient


def longest_prefix(name: str, known: Collection[str]) -> str | None:
    """The longest known id that is the name or its beginning, never cutting a number or a word.

    ``sub-1`` is no prefix of ``sub-10``: a subject would get another's row.
    """
    if name in known:
        return name
    ends = (name[:i] for i in range(len(name) - 1, 0, -1) if not _continues(name[i - 1], name[i]))
    return next((prefix for prefix in ends if prefix in known), None)


def _continues(before: str, after: str) -> bool:
    return (before.isdigit() and after.isdigit()) or (before.isalpha() and after.isalpha())


def check_identifier(subject: str) -> str:
    """Return an id that can be a folder name everywhere; :class:`UnsafeIdentifier` otherwise."""
    fault = ""
    if not subject.strip() or subject != subject.strip():
        fault = "is empty or has spaces around it"
    elif len(subject) > MAX_LENGTH:
        fault = f"has {len(subject)} characters (at most {MAX_LENGTH})"
    elif subject[0] in ".-~" or subject[-1] == ".":
        fault = "begins with one of . - ~ or ends with a dot"
    elif _FORBIDDEN.search(subject) or not subject.isprintable():
        fault = "holds a character that no file name may hold everywhere"
    elif _DEVICES.fullmatch(subject):
        fault = "is the name of a device on some systems"
    if fault:
        raise UnsafeIdentifier(
            f"a subject's id {fault}",
            where=placeholder(PurePath(subject)),
            hint="Rename it, or choose another rule with subject_from.",
        )
    return subject


def fold(subject: str) -> str:
    """What two ids must differ in, to be two folders on every disk."""
    return unicodedata.normalize("NFC", subject).casefold()


def placeholder(relative: PurePath) -> str:
    """A name for a file whose own must not be kept."""
    return f"file-{hashlib.sha256(os.fsencode(relative.as_posix())).hexdigest()[:16]}"
