"""The command line: one file per command, loaded only when its command is called.

stdout is data, stderr is talk. Exit codes: 0 done, 1 done but with rejected rows or a failed
check, 2 wrong use or unusable input, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from cxjobs import __version__
from cxjobs.errors import CxjobsError

COMMANDS = {
    "predict": "Answer for one title, with or without its description.",
    "classify": "Answer for every posting of files of any size.",
    "inspect": "Show what classify would read from a file.",
    "survey": "Shares of true CX management and of each other role, with intervals.",
    "check": "Check every rule of a labelled table.",
    "train": "Train a model folder from labelled data.",
    "evaluate": "Score the model honestly by grouped cross-validation.",
    "review": "Pick postings for people, code them, merge the answers back.",
    "diff": "Show which answers changed between two runs or models, and why.",
    "agree": "Measure how far coders agree.",
    "model": "Show, verify or export a model folder.",
}
"""Name and one line of help of each command; ``cxjobs.cli.<name>`` holds its ``command``."""


class LazyGroup(click.Group):
    """Group that imports a command's file only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names in the order of a posting's way, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import ``cxjobs.cli.<name>`` and return its ``command``."""
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        command: click.Command = import_module(f"cxjobs.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Turn the library's own errors into one message and exit code 2, in this one place."""
        try:
            return super().invoke(ctx)
        except CxjobsError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(2)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="cxjobs %(version)s")
def group() -> None:
    """Tell true customer experience (CX) management jobs from what borrows the name.

    Exit codes: 0 done; 1 done, with rejected rows or a failed check; 2 wrong use or unusable
    input; 130 interrupted.
    """


def main() -> None:
    """Run the command line; the entry point of the installed command.

    Where a pipe is closed early, click ends silently.
    """
    _open_closed_streams()
    try:
        # Outside of its standalone mode, click returns the code that a command exits with.
        sys.exit(group(prog_name="cxjobs", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code if isinstance(error, click.UsageError) else 2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except (OSError, MemoryError) as error:
        _fail(error)


def _open_closed_streams() -> None:
    """Give what a caller has closed an empty input, and an output that nobody reads."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _fail(error: OSError | MemoryError) -> None:
    """Tell of a full disk, a stream that cannot be written, or a memory that is used up."""
    if isinstance(error, MemoryError):
        text = "out of memory. Try: smaller files, fewer --jobs, or a machine with more."
    else:
        place = error.filename or "standard output, or the folder for temporary files (TMPDIR)"
        text = f"{place}: {error.strerror or error}."
    click.echo(f"Error: {text}", err=True)
    # What is left in the buffer cannot be written either, and would end in a traceback.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(2)
