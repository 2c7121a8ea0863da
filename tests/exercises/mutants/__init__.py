"""Wrong answers derived from right ones, to find those that a check lets pass: `python -m tests.exercises.mutants`."""
