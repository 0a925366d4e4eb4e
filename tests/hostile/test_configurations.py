"""Pipeline files that nobody should believe: refused soon, by a named error, and nothing runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cohortflow.errors import PipelineError
from cohortflow.pipeline.load import load_pipeline
from tests.hostile.measuring import peak_bytes, reset_peak

HEAD = "title: x\ninputs: {series: roi_series}\n"
STEP = "steps:\n  - standardise: {length: shortest, mixed_tr: refuse}\n"
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)

CASES: dict[str, str | bytes] = {
    "empty": "",
    "list": "- a\n- b\n",
    "number": "42",
    "bytes": b"\x00\xff\xfe",
    "latin": "title: caf\xe9\n".encode("latin-1"),
    "utf-16": (HEAD + STEP).encode("utf-16"),
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(99),
    "control": HEAD.replace("x", "x\x07") + STEP,
    "two-documents": HEAD + STEP + "---\n" + HEAD + STEP,
    "laughs": LAUGHS + HEAD + STEP,
    "laughs-of-mappings": "a: &a {x: 1}\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} {{" + ", ".join(
            f"k{i}: *{chr(97 + n)}" for i in range(9)) + "}\n" for n in range(9)) + HEAD + STEP,
    "holds-itself": "inputs: &a {series: *a}\n" + STEP,
    "merge-itself": "inputs: &a {<<: *a}\n" + STEP,
    "merge": "base: &a {series: roi_series}\ninputs: {<<: *a}\n" + STEP,
    "no-anchor": "inputs: *nowhere\n" + STEP,
    "deep-lists": HEAD + "steps: " + "[" * 100_000,
    "deep-closed": HEAD + "steps: " + "[" * 5000 + "]" * 5000,
    "deep-mappings": HEAD + "steps: " + "{a: " * 5000 + "}" * 5000,
    "deep-indents": HEAD + "steps:\n" + "".join(" " * n + "-\n" for n in range(1, 3000)),
    "key-twice": HEAD + STEP + "title: y\n",
    "step-key-twice": HEAD + "steps:\n  - standardise: {length: 5, length: 6}\n",
    "python-object": HEAD + "seed: !!python/object/apply:os.system ['true']\n" + STEP,
    "python-name": HEAD + "seed: !!python/name:os.system\n" + STEP,
    "own-tag": HEAD + "seed: !run 'true'\n" + STEP,
    "binary": HEAD + "seed: !!binary aGVsbG8=\n" + STEP,
    "huge-integer": HEAD + f"seed: {'9' * 5000}\n" + STEP,
    "huge-integer-parameter": HEAD + f"steps:\n  - standardise: {{length: {'9' * 400}}}\n",
    "id-of-two-lines": HEAD + 'steps:\n  - standardise: {id: "up\\n"}\n',
    "nan": HEAD + "steps:\n  - standardise: {length: .nan}\n",
    "infinite": HEAD + "steps:\n  - standardise: {length: .inf}\n",
    "overflows": HEAD + "steps:\n  - standardise: {length: 1e999}\n",
    "text-seed": HEAD + "seed: many\n" + STEP,
    "axis-of-a-billion": HEAD + "axes: {seed: 1000000000}\n" + STEP,
    "axis-of-billions": HEAD + f"axes: {{seed: {10**30}}}\n" + STEP,
    "name-above": HEAD + "files: {../../up: weights}\n" + STEP,
    "step-named-above": HEAD + "steps:\n  - standardise: {id: ../../up}\n",
    "name-of-a-megabyte": HEAD + f"steps:\n  - {'a' * 10**6}\n",
    "id-of-a-megabyte": HEAD + f"steps:\n  - standardise: {{id: {'a' * 10**6}}}\n",
    "many-steps": HEAD + "steps:\n" + "  - nothing\n" * 100_000,
    "overlong": HEAD + "#" * (2 * 2**20) + "\n" + STEP,
    "tabs": HEAD + "steps:\n\t- standardise\n",
    "no-steps": HEAD,
    "steps-text": HEAD + "steps: all of them\n",
    "template": HEAD + "steps:\n  - \"{{ cycler.__init__.__globals__ }}\"\n",
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_pipeline_file_is_refused(case: str, tmp_path: Path) -> None:
    path = tmp_path / "world.yaml"
    text = CASES[case]
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    reset_peak()
    before, started = peak_bytes("self"), time.monotonic()
    with pytest.raises(PipelineError) as raised:
        load_pipeline(str(path))
    assert time.monotonic() - started < 5
    assert peak_bytes("self") - before < 2**30
    assert len(str(raised.value)) < 2000


def test_the_whole_one_is_read(tmp_path: Path) -> None:
    (tmp_path / "world.yaml").write_text(HEAD + STEP)
    assert load_pipeline(str(tmp_path / "world.yaml")).title == "x"


@pytest.mark.parametrize("name", ["../up.yaml", "/dev/zero", "con.yaml/", "a\0b.yaml", "A b.yaml"])
def test_a_name_of_no_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "A b.yaml").write_text(HEAD + STEP)
    with pytest.raises(PipelineError):
        load_pipeline(name)
