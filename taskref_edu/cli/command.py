"""The `taskref` command.

A subcommand is a function here and one call of `add`: the function provides its name, its help (the docstring) and its
exit code. A subcommand's imports are inside its function, so that the others start without them.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence

from taskref_edu.errors import TaskrefError


def lab(arguments: argparse.Namespace) -> int:
    """Open JupyterLab on the first notebook; further arguments go to JupyterLab."""
    from taskref_edu.cli import launch

    return launch.start(arguments.rest)


def check(arguments: argparse.Namespace) -> int:
    """Check one exercise (1.1), one notebook (a path), or all notebooks; 0 only if all that was attempted passed."""
    from taskref_edu.exercises import terminal

    return terminal.check(arguments.target)


def hint(arguments: argparse.Namespace) -> int:
    """Show the next hint for an exercise."""
    from taskref_edu import exercises

    print(exercises.hint(arguments.id))
    return 0


def progress(arguments: argparse.Namespace) -> int:
    """Show every exercise and where you stand."""
    from taskref_edu import exercises

    print(exercises.progress())
    return 0


def reset(arguments: argparse.Namespace) -> int:
    """Put an exercise back as it was given; your attempts are kept."""
    from taskref_edu.exercises import terminal

    return terminal.reset(arguments.id)


def grade(arguments: argparse.Namespace) -> int:
    """Grade a folder of submissions: a CSV, a page for each learner, a summary; 0 if all could be graded."""
    from taskref_edu import grading

    return grading.command(arguments.folder, arguments.out, arguments.jobs, arguments.no_sandbox)


def build(arguments: argparse.Namespace) -> int:
    """Write the notebooks from authoring/; answers in them are carried over."""
    from taskref_edu.series import build

    return build.command(arguments.names, arguments.check, arguments.solutions)


def update(arguments: argparse.Namespace) -> int:
    """Fetch the newest version with git; your answers are carried over, your old files kept."""
    from taskref_edu.series import update

    return update.command()


def doctor(arguments: argparse.Namespace) -> int:
    """Look for what is wrong here, or in the database DB; each problem with its remedy; 0 if there is none."""
    if arguments.database is None:
        from taskref_edu.cli import doctor_environment as doctor

        return doctor.run()
    from taskref_edu.cli import doctor_database

    return doctor_database.run(arguments.database, arguments.type, arguments.repair)


def parser() -> argparse.ArgumentParser:
    """All the subcommands, each with its arguments."""
    taskref = argparse.ArgumentParser(prog="taskref", description="The lab of taskref_edu, from a terminal.")
    commands = taskref.add_subparsers(metavar="COMMAND", required=True)
    add(commands, lab, passes_on=True)
    add(commands, check).add_argument("target", nargs="?", metavar="ID|NOTEBOOK", help="1.1, or a path")
    add(commands, hint).add_argument("id", metavar="ID")
    add(commands, progress)
    add(commands, reset).add_argument("id", metavar="ID")
    grading = add(commands, grade)
    grading.add_argument("folder", metavar="FOLDER", help="holds a folder or a notebook for each learner")
    grading.add_argument("-o", "--out", default="grades", metavar="OUT", help="where the results go (grades)")
    grading.add_argument("--jobs", type=int, metavar="N", help="submissions at a time (one for each core)")
    grading.add_argument("--no-sandbox", action="store_true", help="run strangers' code with your own rights")
    add(commands, update)
    looking = add(commands, doctor)
    looking.add_argument("database", nargs="?", metavar="DB", help="a file or a URL; this environment if left out")
    looking.add_argument("--repair", action="store_true", help="fix what is found in DB; without it, only report")
    looking.add_argument("--type", action="append", default=[], help="a further type whose tasks work on an object")
    building = add(commands, build)
    building.add_argument("names", nargs="*", metavar="NAME", help="how a notebook's name begins: 01; all if left out")
    building.add_argument("--check", action="store_true", help="write nothing; list what breaks a rule for authors")
    building.add_argument("--solutions", metavar="OUT", help="write solved notebooks to this folder instead")
    return taskref


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    function: Callable[[argparse.Namespace], int],
    passes_on: bool = False,
) -> argparse.ArgumentParser:
    """A subcommand for the function; with `passes_on`, unknown arguments reach it as `arguments.rest`."""
    command = commands.add_parser(
        function.__name__,
        help=(function.__doc__ or function.__name__).splitlines()[0],  # python -OO removes docstrings
        description=function.__doc__,
        allow_abbrev=False,
    )
    command.set_defaults(run=function, passes_on=passes_on)
    return command


def run(taskref: argparse.ArgumentParser, argv: Sequence[str] | None = None) -> int:
    """Parse and call one subcommand; an error of ours is one line and exit code 1."""
    arguments, arguments.rest = taskref.parse_known_args(argv)
    if arguments.rest and not arguments.passes_on:
        taskref.error(f"unrecognized arguments: {' '.join(arguments.rest)}")
    try:
        return arguments.run(arguments)
    except TaskrefError as error:
        print(f"taskref: {error}", file=sys.stderr)
        return 1


def main() -> int:
    """The command itself: returns its exit code."""
    for stream in (sys.stdout, sys.stderr):  # not every encoding has ✔ and ★, and a learner's text may contain anything
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = run(parser())
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe, as in `taskref progress | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python reports it again at exit
        return 0
    return code
