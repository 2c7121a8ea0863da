"""5.1: from two measurements to the exponent of growth."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from decimal import Decimal
from numbers import Real
from typing import Any

from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong

Exponent = Callable[[float, float, float, float], Any]
CLOSE = 1e-9


def check_tenfold(exponent: Exponent) -> None:
    """From 1,000 to 10,000: no growth is 0, in proportion is 1, squared is 2."""
    _judge(exponent, 1_000, 9, 10_000, 9, "the steps stay the same")
    _judge(exponent, 1_000, 1_000, 10_000, 10_000, "the steps grow in proportion")
    _judge(exponent, 1_000, 1_000_000, 10_000, 100_000_000, "the steps grow with the square")


def check_constant_factors(exponent: Exponent) -> None:
    """A factor that is always there, such as three steps for each row, changes nothing."""
    for factor in (3, 12, 0.5):
        _judge(exponent, 1_000, factor * 1_000, 10_000, factor * 10_000, f"{factor:g} steps for each row")


def check_uneven_spacing(exponent: Exponent) -> None:
    """n may grow by any factor, not only tenfold."""
    dice = random.Random(51)
    for power in (0, 0.5, 1, 2):
        n1, factor = dice.randint(50, 500), dice.choice((2, 3, 7, 40))
        n2 = n1 * factor
        _judge(exponent, n1, 5 * n1**power, n2, 5 * n2**power, f"n grows {factor}-fold")


def check_between_the_powers(exponent: Exponent) -> None:
    """n log n lies a little above 1, and is not rounded to it."""
    n1, n2 = 1_000, 8_000
    _judge(exponent, n1, n1 * math.log(n1), n2, n2 * math.log(n2), "the steps grow as n log n")


def check_any_pair(exponent: Exponent) -> None:
    """Any two measurements: many or few rows, fewer steps with more rows, the larger one first."""
    dice = random.Random(510)
    for _ in range(40):
        n1, n2 = dice.sample(range(2, 10**6), 2)
        power, factor = dice.uniform(-2, 3), dice.uniform(0.01, 500)
        falls = "the steps fall" if power < 0 else "the steps grow"
        _judge(exponent, n1, factor * n1**power, n2, factor * n2**power, f"{falls} with n to the power {power:.3f}")


def _judge(exponent: Exponent, n1: float, steps1: float, n2: float, steps2: float, what: str) -> None:
    found = exponent(n1, steps1, n2, steps2)
    expected = math.log(steps2 / steps1) / math.log(n2 / n1)
    case = f"From n = {n1:,} with {_steps(steps1)} steps to n = {n2:,} with {_steps(steps2)} ({what})"
    if not isinstance(found, Real | Decimal) or isinstance(found, bool):
        returned = f"{case}: `{found!r:.40}` returned, a number expected, here {expected:.4g}."
        raise CheckFailed(returned, expected=f"{expected:.4g}", found=found)
    found = float(found)
    digits = 4 if f"{found:.4g}" != f"{expected:.4g}" else 10
    close = f"{case}: {found:.{digits}g} returned, {expected:.{digits}g} expected"
    if not abs(found - expected) < CLOSE:
        raise CheckFailed(
            f"{close}{'; it was rounded' if digits > 4 else ''}.",
            expected=f"{expected:.{digits}g}",
            found=f"{found:.{digits}g}",
        )


def _steps(count: float) -> str:
    return f"{count:,.0f}" if count >= 100 else f"{count:.4g}"


def _wrong(body: str, message: str) -> Wrong:
    return Wrong(f"import math\n\ndef exponent(n1, steps1, n2, steps2):\n    return {body}", message)


EXERCISE = Exercise(
    id="5.1",
    title="Read the slope",
    objective="5-slope",
    goal="""
Two measurements of a query: `steps1` at `n1` rows, `steps2` at `n2` rows. Return the exponent k with which its steps
grow: 0 if they stay the same, 1 if they grow in proportion to n, 2 with its square. It may be a fraction, and is
negative if the steps fall as n grows; do not round it. No database is needed.
""",
    stub='''
import math


def exponent(n1, steps1, n2, steps2):
    """The k for which the steps grow as n to the power of k."""
    ...
''',
    checks=[
        check_tenfold,
        check_constant_factors,
        check_uneven_spacing,
        check_between_the_powers,
        check_any_pair,
    ],
    errors=[
        ("division by zero", "Steps that stay the same make a difference of 0: divide by what n did, not by them"),
        (
            "math domain error|expected a positive input",
            "There is no logarithm of 0 or less, and steps that stay the same have a difference of 0. Take the "
            "quotient of the steps first, then its logarithm",
        ),
    ],
    hints=[
        "By which factor did n grow? By which factor did the steps? If both factors are equal, the answer is 1.",
        "You look for the k with (n2 / n1) to the power of k = steps2 / steps1. The logarithm brings k down. On "
        "paper with logarithms on both axes, this is the slope of the line.",
        """
One logarithm above, one below:

```python
return math.log(steps2 / steps1) / ...
```
""",
    ],
    solution='''
import math


def exponent(n1, steps1, n2, steps2):
    """The k for which the steps grow as n to the power of k."""
    return math.log(steps2 / steps1) / math.log(n2 / n1)
''',
    discussion="""
The factor in front drops out, and that is the point: it says how expensive one row is, the exponent says what happens
to the query when the shop grows. Two points only tell of the stretch between them: a query that has a fixed part, too,
looks flatter at small n than it is.
""",
    wrong_answers=[
        _wrong("steps2 / steps1", "(the steps stay the same): 1 returned, 0 expected"),
        _wrong("(steps2 / steps1) / (n2 / n1)", "(the steps stay the same): 0.1 returned, 0 expected"),
        _wrong("(steps2 - steps1) / (n2 - n1)", "(the steps grow with the square)"),
        _wrong("math.log(steps2) / math.log(n2)", "(the steps stay the same)"),
        _wrong("math.log10(steps2 / steps1)", "-fold)"),
        _wrong("round(math.log(steps2 / steps1) / math.log(n2 / n1), 1)", "(the steps grow as n log n)"),
        _wrong("abs(math.log(steps2 / steps1)) / math.log(n2 / n1)", "-1.911 returned, 1.911 expected"),
        _wrong("f'{math.log(steps2 / steps1) / math.log(n2 / n1)}'", "a number expected"),
        _wrong("math.log(n2 / n1) / math.log(steps2 / steps1)", "make a difference of 0"),
    ],
)
