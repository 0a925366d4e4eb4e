"""Commands that say what there is: names, descriptions, versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from cohortflow.errors import UnknownName, nearest
from flows.console import dump, say, table
from flows.options import JsonOption

app = typer.Typer()


@app.command("list")
def list_command(
    what: Annotated[
        str, typer.Argument(help="pipelines, stages, systems, metrics or published")
    ] = "pipelines",
    as_json: JsonOption = False,
) -> None:
    """List pipelines, stages, systems, metric ids, or methods with printed tables."""
    from flows.describe_published import published_list

    listings: dict[str, Callable[[], list[list[str]]]] = {
        "pipelines": _pipelines,
        "stages": _stages,
        "systems": _systems,
        "metrics": _metrics,
        "published": published_list,
    }
    if what not in listings:
        raise UnknownName(f"nothing called {what!r} to list", hint=nearest(what, listings))
    rows = listings[what]()
    if as_json:
        dump([{"name": name, "about": about} for name, about in rows])
    else:
        table(["name", "about"], [list(row) for row in rows])


def _pipelines() -> list[list[str]]:
    from cohortflow.pipeline.load import load_pipeline, packaged_pipelines

    return [[slug, load_pipeline(slug).title] for slug in packaged_pipelines()]


def _stages() -> list[list[str]]:
    from cohortflow.stages import CATALOGUE

    return [[stage.name, stage.about] for stage in CATALOGUE.values()]


def _systems() -> list[list[str]]:
    from cohortflow.systems import SYSTEMS

    return [[name, system.title] for name, system in SYSTEMS.items()]


def _metrics() -> list[list[str]]:
    from cohortflow.evaluation.definitions import DEFINITIONS

    return [
        [one.id, f"{task}: {one.about} [{one.unit}, {one.better} is better; {one.source}]"]
        for (task, _), one in DEFINITIONS.items()
    ]


@app.command()
def describe(
    name: Annotated[str, typer.Argument(help="A stage, a pipeline or a published method.")],
    as_json: JsonOption = False,
) -> None:
    """Describe a stage (inputs, parameters, output), a pipeline (steps, axes), printed tables."""
    from cohortflow.evaluation.published import PUBLISHED, published_paper
    from flows.describe import describe_name
    from flows.describe_published import published_json, tell_published

    described = describe_name(name)
    if as_json:
        paper = {"published": published_json(published_paper(name))} if name in PUBLISHED else {}
        dump(described | paper)
        return
    for line in described["lines"]:
        say(line)
    if name in PUBLISHED:
        tell_published(published_paper(name), say, table)


@app.command()
def info(as_json: JsonOption = False) -> None:
    """Versions and where things are kept."""
    from flows.describe import describe_installation

    described = describe_installation()
    if as_json:
        dump(described)
    else:
        table(["package", "version"], [list(row) for row in described["versions"].items()])
        say("")
        table(["kept", "where"], [list(row) for row in described["kept"].items()])
