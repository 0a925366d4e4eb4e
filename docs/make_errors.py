"""Write docs/errors.md from the error tree: ``python docs/make_errors.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cohortflow import errors

PAGE = Path(__file__).with_name("errors.md")

HEAD = """# Errors

Every error that cohortflow raises on purpose has a stable code. It stands in failure records, in
`status --json`, in reports and in the last line of a command that fails, together with where it
happened, what was expected, what was found and a hint. Code that handles errors looks at the code
or the class (`cohortflow.errors`), never at the message.

*Transient* errors are tried again by the next run without being asked; the others wait for a
changed input, a changed pipeline or `--retry-failed`. The exit code is the one the command line
ends with when the error ends the command; an error that ends one unit lets all others go on, and
the command then ends with 3 ([exit codes](exit-codes.md)).

*Written by `docs/make_errors.py`; edit `cohortflow/errors.py` instead.*
"""


def families() -> list[type[errors.CohortflowError]]:
    return [cls for cls in errors.CohortflowError.__subclasses__() if ours(cls)]


def ours(cls: type) -> bool:
    return cls.__module__ == errors.__name__


def tree(cls: type[errors.CohortflowError]) -> Iterator[type[errors.CohortflowError]]:
    """The class and all below it, parents first, in the order of their definition."""
    yield cls
    for child in filter(ours, cls.__subclasses__()):
        yield from tree(child)


def summary(cls: type[errors.CohortflowError]) -> str:
    words = cls.code.replace("-", " ").capitalize()
    return (cls.__doc__ or words).strip().split("\n")[0].rstrip(".")


def row(cls: type[errors.CohortflowError]) -> str:
    builtin = [base.__name__ for base in cls.__bases__ if base.__module__ == "builtins"]
    also = f" (a `{builtin[0]}`)" if builtin else ""
    again = "yes" if cls.transient else ""
    cells = (f"`{cls.code}`", f"`{cls.__name__}`{also}", summary(cls), str(cls.exit_code), again)
    return "| " + " | ".join(cells) + " |"


def render() -> str:
    lines = [HEAD]
    for family in families():
        lines += [f"## {family.__name__}", ""]
        lines += [
            "| code | class | what it says | exit code | transient |",
            "|---|---|---|---|---|",
        ]
        lines += [row(cls) for cls in tree(family)]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
