"""Every code block of README and docs is run, so that none of them can rot.

The word after the fence says what a block is: ``python`` and ``bash`` are executed, in order, one
temporary folder and one Python namespace per file; ``yaml`` is parsed; ``text`` is an illustration.
A second word: ``install`` (bash: not run, its make targets must exist), ``slow`` (the whole file is
run by ``make test-slow``).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cohortflow.pipeline.document import load_document
from cohortflow.pipeline.parse import parse_pipeline
from cohortflow.stages import CATALOGUE

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PLACES = ("*.md", ".github/*.md", "docs/**/*.md", "infra/**/*.md", "benchmarks/*.md")
PAGES = sorted(page for place in PLACES for page in ROOT.glob(place))
LANGUAGES = {"python", "bash", "yaml", "text"}
MARKS = {"install", "slow"}
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
BASH_SECONDS = 1500


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    marks: frozenset[str]
    code: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        language, *marks = match[1].split() or [""]
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, language, frozenset(marks), match[2]))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def runnable_pages() -> list[Any]:
    parameters = []
    for page in PAGES:
        blocks = [b for b in BLOCKS if b.page == page and b.language in {"python", "bash"}]
        blocks = [b for b in blocks if "install" not in b.marks]
        if blocks:
            slow = any("slow" in b.marks for b in blocks)
            marks = [pytest.mark.slow, pytest.mark.timeout(1800)] if slow else []
            name = str(page.relative_to(ROOT))
            parameters.append(pytest.param(blocks, marks=marks, id=name))
    return parameters


@pytest.mark.parametrize("blocks", runnable_pages())
def test_blocks_run(blocks: list[Block], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__docs__"}
    for block in blocks:
        if block.language == "bash":
            run_bash(block.code, tmp_path, str(block))
        else:
            # Blank lines in front: a traceback shows the page's own line number.
            exec(compile("\n" * block.line + block.code, str(block.page), "exec"), namespace)


def run_bash(code: str, folder: Path, where: str) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=folder,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BASH_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{where} ended with {done.returncode}:\n{done.stdout}"


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_block_says_what_it_is(block: Block) -> None:
    assert block.language in LANGUAGES, f"{block}: one of {sorted(LANGUAGES)} must follow the fence"
    assert block.marks <= MARKS, f"{block}: unknown {sorted(block.marks - MARKS)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_fence_is_overlooked(page: Path) -> None:
    fences = re.findall(r"^[ \t]*(?:```|~~~)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(blocks_of(page)), (
        "fences are ``` at the start of a line, in pairs"
    )


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "yaml"], ids=str)
def test_yaml_parses(block: Block) -> None:
    assert yaml.safe_load(block.code) is not None


PIPELINES = [b for b in BLOCKS if b.language == "yaml" and "\nsteps:" in b.code]


@pytest.mark.parametrize("block", PIPELINES, ids=str)
def test_whole_pipelines_are_valid(block: Block) -> None:
    parse_pipeline(load_document(block.code, str(block)), "example", CATALOGUE)


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("block", [b for b in BLOCKS if "install" in b.marks], ids=str)
def test_installation_names_real_targets_and_extras(block: Block) -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for line in block.code.splitlines():
        command = line.split("#")[0]
        targets = re.match(r"make((?: +[a-z][a-z-]*)+)", command)
        assert not targets or set(targets[1].split()) <= make_targets(), f"{block}: {line}"
        for extras in re.findall(r"\.\[([a-z0-9,]+)\]", command):
            for extra in extras.split(","):
                assert re.search(rf"^{extra} = \[", pyproject, re.MULTILINE), f"{block}: {line}"
        for named in re.findall(r"-[cr] +(\S+\.txt)", command):
            assert (ROOT / named).is_file(), f"{block}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    local = [t.split("#")[0] for t in targets if not re.match(r"[a-z]+:|#", t)]
    broken = [target for target in local if not (page.parent / target).exists()]
    assert not broken, f"{page.relative_to(ROOT)} links to {broken}"
