"""Loaded by every Python process of a run under test: holds it at one moment of one write.

``HOLD`` is ``files:N`` or ``record:N``: at the N-th committed attempt the process stops for a while
with half of its files written, or with all files written and no record. ``HELD`` is the file that
then says so, for the test that is waiting to kill the run. Nothing in the product knows of this.
"""

import os
import time

if os.environ.get("HOLD"):
    from cohortflow.cohort import local_storage

    _moment, _, _number = os.environ["HOLD"].partition(":")
    _held = os.environ["HELD"]
    _write_tree = local_storage.LocalStorage.write_tree
    _create = local_storage.LocalStorage.create

    def _turn():
        with open(f"{_held}.count", "a") as file:
            file.write("x")
            file.flush()
            return file.tell() == int(_number)

    def _hold():
        with open(_held, "w") as file:
            file.write("held")
        time.sleep(60)

    def write_tree(self, path, files):
        if _moment == "files" and _turn():
            names = sorted(files)
            _write_tree(self, path, {name: files[name] for name in names[: len(names) // 2 or 1]})
            _hold()
        _write_tree(self, path, files)

    def create(self, path, data):
        if _moment == "record" and path.endswith("/entry.json") and _turn():
            _hold()
        _create(self, path, data)

    local_storage.LocalStorage.write_tree = write_tree
    local_storage.LocalStorage.create = create
