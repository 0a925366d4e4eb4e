"""Looking units up by pages of a listing tells what looking at each one tells."""

from __future__ import annotations

import bisect
import uuid
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cohortflow.cohort.entries import RECORD, EntryRef
from cohortflow.cohort.failures import record_failure
from cohortflow.cohort.lookup import Lookup
from cohortflow.cohort.object_storage import ObjectStorage
from cohortflow.cohort.storage import Storage

SUBJECTS = ["s", "s-1", "s.1", "s1", "sé", "t"]
STAGES = ["a", "ab", "é"]
KEYS = [digit * 64 for digit in "0af"]


class Paged(ObjectStorage):
    """Memory that lists a few names at a time, and counts how often."""

    lists_in_pages = True
    page = 3
    pages = 0

    def page_after(self, path: str) -> tuple[Sequence[str], bool]:
        self.pages += 1
        names = sorted(name for name, _ in self.walk(""))
        found = names[bisect.bisect_right(names, path) :]
        return found[: self.page], len(found) <= self.page


units = st.builds(
    EntryRef, st.sampled_from([*SUBJECTS, None]), st.sampled_from(STAGES), st.sampled_from(KEYS)
)


@given(
    committed=st.sets(units, max_size=8),
    failed=st.lists(units, max_size=8),
    asked=st.lists(units, min_size=1, max_size=12),
    page=st.integers(1, 12),
)
def test_pages_tell_what_looks_tell(
    committed: set[EntryRef], failed: list[EntryRef], asked: list[EntryRef], page: int
) -> None:
    storage = Paged(f"memory://{uuid.uuid4()}")
    storage.page = page
    try:
        for ref in committed:
            storage.create(f"{ref.path}/a-1/arrays/zarr.json", b"{}")
            storage.create(f"{ref.path}/{RECORD}", b"{}")
        for ref in failed:
            record_failure(storage, ref, {"code": ref.stage})
        lookup = Lookup(storage)
        for ref in asked:
            assert lookup.has_record(ref) == (ref in committed)
            assert [f["code"] for f in lookup.failures(ref)] == [ref.stage] * failed.count(ref)
    finally:
        storage.delete("")


def test_a_page_answers_for_many() -> None:
    storage: Storage = Paged(f"memory://{uuid.uuid4()}")
    assert isinstance(storage, Paged)
    refs = [EntryRef(f"sub-{number:03d}", "a", KEYS[0]) for number in range(100)]
    for ref in refs:
        storage.create(f"{ref.path}/{RECORD}", b"{}")
    storage.page = 40
    lookup = Lookup(storage)
    for _ in range(2):
        assert all(map(lookup.has_record, refs))
    assert storage.pages == 3
    storage.delete("")
