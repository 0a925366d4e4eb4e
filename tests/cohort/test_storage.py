"""The storage contract, over every implementation; then what only a disk does."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cohortflow.cohort import local_storage
from cohortflow.cohort.open_storage import open_storage
from cohortflow.cohort.storage import TEMPORARY, Storage
from cohortflow.errors import AlreadyExists, EntryMissing, StoreError, StoreUnavailable, UsageError
from tests.cohort import own_processes


class StorageContract:
    """What every storage promises; each class below brings its own fixture ``storage``."""

    def test_what_is_created_is_read_back(self, storage: Storage) -> None:
        storage.create("a/b/c.json", b"\x00content")
        assert storage.read("a/b/c.json") == b"\x00content"

    def test_empty_content_is_content(self, storage: Storage) -> None:
        storage.create("empty", b"")
        assert storage.read("empty") == b""

    def test_a_second_creation_is_refused_and_changes_nothing(self, storage: Storage) -> None:
        storage.create("a/record", b"first")
        with pytest.raises(AlreadyExists):
            storage.create("a/record", b"second")
        assert storage.read("a/record") == b"first"
        assert [path for path, _ in storage.walk("")] == ["a/record"]

    def test_of_many_creators_exactly_one_wins(self, storage: Storage) -> None:
        def attempt(i: int) -> bool:
            try:
                storage.create("contested", str(i).encode())
            except AlreadyExists:
                return False
            return True

        with ThreadPoolExecutor(16) as pool:
            won = list(pool.map(attempt, range(64)))
        assert sum(won) == 1
        assert storage.read("contested") == str(won.index(True)).encode()

    def test_pages_hold_what_sorts_after(self, storage: Storage) -> None:
        names = ["a", "b/1", "b/2", "c"]
        for name in names:
            storage.create(name, b"")
        assert storage.page_after("") == (names, True)
        assert storage.page_after("b/1") == (["b/2", "c"], True)
        assert storage.page_after("c") == ([], True)

    def test_write_replaces(self, storage: Storage) -> None:
        storage.write("beat", b"1")
        storage.write("beat", b"2")
        assert storage.read("beat") == b"2"

    def test_absent_is_named(self, storage: Storage) -> None:
        with pytest.raises(EntryMissing, match="nowhere/at-all"):
            storage.read("nowhere/at-all")
        assert not storage.exists("nowhere/at-all")
        assert storage.list("nowhere") == []
        assert list(storage.walk("nowhere")) == []
        storage.delete("nowhere/at-all")

    def test_list_names_files_and_folders_in_order(self, storage: Storage) -> None:
        for name in ("d/z", "d/b/x", "d/a", "e/other"):
            storage.create(name, b"1")
        assert storage.list("d") == ["a", "b", "z"]
        assert storage.list("") == ["d", "e"]

    def test_walk_tells_paths_and_bytes(self, storage: Storage) -> None:
        storage.write_tree("t", {"x/1": b"a", "2": b"bbb"})
        storage.create("u/3", b"")
        assert sorted(storage.walk("")) == [("t/2", 3), ("t/x/1", 1), ("u/3", 0)]
        assert sorted(storage.walk("t")) == [("t/2", 3), ("t/x/1", 1)]

    def test_folders_exist_while_something_is_in_them(self, storage: Storage) -> None:
        storage.create("f/g/h", b"1")
        assert storage.exists("f/g/h")
        assert storage.exists("f/g")

    def test_delete_takes_files_and_trees_and_no_neighbour(self, storage: Storage) -> None:
        storage.write_tree("a", {"1": b"1", "b/2": b"2"})
        storage.write_tree("ab", {"3": b"3"})
        storage.delete("a/1")
        assert not storage.exists("a/1")
        storage.delete("a")
        assert [path for path, _ in storage.walk("")] == ["ab/3"]

    def test_prune_leaves_what_is_used(self, storage: Storage) -> None:
        storage.create("p/q/r/file", b"1")
        storage.create("p/other", b"1")
        storage.prune("p/q/r")
        assert storage.read("p/q/r/file") == b"1"
        storage.delete("p/q/r/file")
        storage.prune("p/q/r")
        assert storage.list("p") == ["other"]


class TestLocalStorage(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return open_storage(tmp_path / "store")

    def test_a_file_url_is_the_same_place(self, storage: Storage) -> None:
        storage.create("x", b"1")
        assert open_storage(f"file://{storage.url}").read("x") == b"1"

    def test_local_path_is_the_file(self, storage: Storage) -> None:
        storage.create("d/x", b"1")
        path = storage.local_path("d/x")
        assert path is not None
        assert path.read_bytes() == b"1"

    def test_a_file_system_without_links_is_named(
        self, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
        with pytest.raises(StoreError, match="no hard links"):
            storage.create("record", b"1")
        assert list(storage.walk("")) == []

    def test_a_full_disk_is_named_and_leaves_nothing(
        self, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        storage.create("before", b"1")
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            storage.create("record", b"1")
        assert list(storage.walk("")) == [("before", 1)]

    def test_an_unmounted_store_is_not_an_empty_one(self, storage: Storage) -> None:
        storage.create("record", b"1")
        shutil.rmtree(storage.url)
        for look in (storage.read, storage.exists, storage.list):
            with pytest.raises(StoreUnavailable):
                look("record")
        with pytest.raises(StoreUnavailable):
            storage.create("another", b"1")
        assert not Path(storage.url).exists()

    def test_a_temporary_file_is_not_listed_but_walked(self, storage: Storage) -> None:
        storage.create("d/record", b"1")
        (Path(storage.url) / "d" / f"{TEMPORARY}0123").write_bytes(b"half")
        assert storage.list("d") == ["record"]
        assert ("d/.tmp-0123", 4) in list(storage.walk("d"))

    def test_of_eight_processes_one_creates(self, tmp_path: Path) -> None:
        context = own_processes.context()
        with context.Pool(8) as pool:
            jobs = [(str(tmp_path / "store"), i) for i in range(8)] * 5
            won = pool.starmap(_create, jobs)
        assert sum(won) == 1

    def test_another_folder_in_its_place_is_not_the_store(self, tmp_path: Path) -> None:
        """As the empty folder that an unmounted disk leaves, or one that somebody made anew."""
        storage = open_storage(tmp_path / "store")
        storage.create("a", b"1")
        (tmp_path / "store").rename(tmp_path / "aside")
        (tmp_path / "store").mkdir()
        for call in (
            lambda: storage.read("a"),
            lambda: storage.exists("a"),
            lambda: storage.list(""),
            lambda: storage.create("b/c", b"1"),
            lambda: storage.write_tree("d", {"e": b"1"}),
        ):
            with pytest.raises(StoreUnavailable):
                call()
        assert not list((tmp_path / "store").iterdir())
        (tmp_path / "store").rmdir()
        (tmp_path / "aside").rename(tmp_path / "store")
        assert storage.read("a") == b"1"

    @pytest.mark.parametrize("follow", [False, True])
    def test_everything_is_synced_before_the_record_counts(
        self, storage: Storage, monkeypatch: pytest.MonkeyPatch, follow: bool
    ) -> None:
        storage.write("made", b"the store itself")
        monkeypatch.setattr(local_storage, "names_follow", lambda _: follow)
        steps: list[str] = []
        link, fsync = os.link, os.fsync

        def told_link(source: str, target: str) -> None:
            steps.append("link")
            link(source, target)

        def told_fsync(handle: int) -> None:
            target = os.readlink(f"/proc/self/fd/{handle}")
            steps.append("folder" if os.path.isdir(target) else "file")
            fsync(handle)

        monkeypatch.setattr(os, "link", told_link)
        monkeypatch.setattr(os, "fsync", told_fsync)
        storage.write_tree("new/attempt", {"a/b": b"1", "c": b"2"})
        assert steps[:2] == ["file", "file"]
        # attempt/a, attempt, new and the one above, each of which gained a name.
        assert steps[2:] == ([] if follow else ["folder"] * 4)
        steps.clear()
        storage.create("newer/record", b"1")
        assert steps == ["file", "link", *([] if follow else ["folder"]), "folder"]


def _create(folder: str, i: int) -> bool:
    try:
        open_storage(folder).create("contested", str(i).encode())
    except AlreadyExists:
        return False
    return True


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> Iterator[Storage]:
        storage = open_storage(f"memory://{uuid.uuid4()}")
        yield storage
        storage.delete("")

    def test_it_has_no_local_path(self, storage: Storage) -> None:
        assert storage.local_path("x") is None


def test_an_unknown_protocol_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="nosuch://"):
        open_storage("nosuch://bucket/cohort")


def test_s3_leaves_the_region_out_and_addresses_by_path() -> None:
    pytest.importorskip("s3fs")
    from cohortflow.cohort.s3_storage import S3Storage

    storage = open_storage("s3://bucket/cohort")
    assert isinstance(storage, S3Storage)
    assert storage._fs.s3.meta.config.s3 == {"addressing_style": "path"}
    assert "region" not in str(storage._fs.storage_options)
    assert storage._fs.dircache.use_listings_cache is False
