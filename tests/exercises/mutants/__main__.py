"""Run every mutant, or some: `python -m tests.exercises.mutants [--only ID …] [--most N] [--jobs N]`.

Exit status 1 if there is a hole, a check that fell over, or a right answer whose observations are not the solution's.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from .oracles import ORACLES
from .run import one_exercise


def main() -> int:
    """Run, and print a line for each exercise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(ORACLES), metavar="ID")
    parser.add_argument("--most", type=int, help="mutants of each exercise")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="what each refusal says")
    arguments = parser.parse_args()
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as home:
        os.environ["TASKREF_HOME"] = home
        with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
            jobs = [pool.submit(one_exercise, id, arguments.most, arguments.seed) for id in arguments.only]
            for job in jobs:
                id, fates, strange, seconds = job.result()
                counts = Counter(one.fate for one in fates)
                total += counts
                total["right, and not so observed"] += strange
                print(f"{id}: {len(fates)} mutants, {dict(counts)}, {seconds:.0f} s", flush=True)
                for one in fates:
                    if one.fate in ("hole", "broken") or arguments.show:
                        print(f"  {one.fate}: {one.mutant.label}\n    {one.said}")
                        if one.fate in ("hole", "broken"):
                            print("    | " + one.mutant.source.replace("\n", "\n    | "))
                if strange:
                    print(f"  {strange} right answers differ from the solution by the oracle")
    print(dict(total))
    return 1 if total["hole"] or total["broken"] or total["right, and not so observed"] else 0


if __name__ == "__main__":
    sys.exit(main())
