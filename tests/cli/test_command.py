"""The frame of the `taskref` command: what every subcommand gets from it."""

import argparse
import os
import subprocess
import sys

import pytest

from taskref_edu.cli import command as cli
from taskref_edu.errors import TaskrefError


def call(command, *argv: str, passes_on: bool = False) -> int:
    """Call a `taskref` whose one subcommand this is."""
    taskref = argparse.ArgumentParser(prog="taskref")
    cli.add(taskref.add_subparsers(required=True), command, passes_on)
    return cli.run(taskref, argv)


def test_unknown_arguments_reach_a_subcommand_that_passes_them_on():
    seen = []

    def look(arguments):
        """Look."""
        seen.extend(arguments.rest)
        return 3

    given = ["--no-browser", "--port", "8899", "file.ipynb", "--ServerApp.token=x"]
    assert call(look, "look", *given, passes_on=True) == 3
    assert seen == given


def test_unknown_arguments_are_refused_elsewhere(capsys):
    def look(arguments):
        """Look."""
        raise AssertionError("must not run")

    with pytest.raises(SystemExit, match="2"):
        call(look, "look", "--wrong")
    assert "unrecognized arguments: --wrong" in capsys.readouterr().err


def test_an_error_of_ours_is_one_line(capsys):
    def look(arguments):
        """Look."""
        raise TaskrefError("found this, needs that: do so.")

    assert call(look, "look") == 1
    assert capsys.readouterr() == ("", "taskref: found this, needs that: do so.\n")


def test_every_subcommand_has_a_line_of_help(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.run(cli.parser(), ["--help"])
    assert "lab  " in (shown := capsys.readouterr().out)
    assert "Open JupyterLab on the first notebook" in " ".join(shown.split())


def test_the_command_itself_loads_nothing_heavy():
    look = (
        "import sys, taskref_edu.cli; print([m for m in ('IPython', 'jupyterlab', 'matplotlib') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", look], text=True) == "[]\n"


def test_a_reader_who_has_seen_enough_gets_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)  # as `head` does
    command = [sys.executable, "-m", "taskref_edu.cli", "progress"]
    found = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (found.returncode, found.stderr) == (0, "")
