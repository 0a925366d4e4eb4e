"""The command line: thin and typed; every command calls a flow or a query."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cohortflow.errors import CohortflowError
from flows import cli_cohort, cli_ingest, cli_list, cli_reproduce, cli_run, cli_serve
from flows.console import complain
from flows.environment import set_defaults

set_defaults()

app = typer.Typer(
    name="cohortflow",
    help="Cohorts of medical recordings, from raw files to reproducible reports.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for part in (cli_list, cli_ingest, cli_run, cli_cohort, cli_serve, cli_reproduce):
    app.add_typer(part.app)


def main() -> None:
    """Entry point: named errors become one line on stderr and their exit code."""
    try:
        app(standalone_mode=True)
    except CohortflowError as error:
        complain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


@app.callback()
def _setup(verbose: Annotated[int, typer.Option("-v", "--verbose", count=True)] = 0) -> None:
    from tasks.logs import setup_logging

    setup_logging(verbose)


if __name__ == "__main__":
    main()
