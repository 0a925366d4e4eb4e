"""Every ``cohortflow serve`` that a page shows is one that the command line takes."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.serve_request import ServeRequest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "serve.md", ROOT / "README.md"]
COMMANDS = [
    line[line.index("cohortflow serve ") :]
    for page in PAGES
    for line in page.read_text(encoding="utf-8").splitlines()
    if line.startswith(("cohortflow serve ", "ExecStart="))
]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_line_takes_it(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.cli import main

    asked: list[ServeRequest] = []

    def served(request: ServeRequest, **_: Any) -> None:
        asked.append(request)

    monkeypatch.setattr("flows.serve.serve", served)
    words = shlex.split(command, comments=True)
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    (request,) = asked
    assert request.run.pipeline == words[2]
    assert request.run.cohort == words[3]
    assert (request.cron is None) == ("--cron" not in words)


def test_there_are_some() -> None:
    assert len(COMMANDS) >= 4
