"""5.2: an index that SQLite uses for `IS NOT NULL`, judged by plans and steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlalchemy import exc as sqlalchemy_errors
from sqlmodel import text

from taskref_edu import writing
from taskref_edu.exercises.catalog._answer_forms import sql_of
from taskref_edu.exercises.error_texts import first_line, with_meaning
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.lab import measure
from taskref_edu.lab.cost import Cost
from taskref_edu.lab.many_orders import add_orders, many_orders

LIST = "SELECT * FROM orders WHERE processing_task_id IS NOT NULL"
LOOK_UP = "SELECT * FROM orders WHERE processing_task_id = :task"
LIVE, FEW, MANY = 20, 1_000, 10_000
Index = Callable[[], Any]


@contextmanager
def shop(index: Index) -> Iterator[Engine]:
    """A thousand orders, twenty of them in process, and the learner's index."""
    ddl = sql_of(index, "statement", "CREATE INDEX …")
    engine = many_orders(FEW, LIVE)
    try:
        try:
            with writing(engine) as session:
                session.connection().exec_driver_sql(ddl)
        except (sqlalchemy_errors.DBAPIError, sqlalchemy_errors.ResourceClosedError) as error:
            raise CheckFailed(f"SQLite refuses the statement: {with_meaning(error)}", ddl) from None
        yield engine
    except sqlalchemy_errors.IntegrityError as error:
        refused = f"With the index in place SQLite refuses a new order: {first_line(error)}. Orders may share a value."
        raise CheckFailed(refused, ddl) from None
    except sqlalchemy_errors.DBAPIError as error:
        raise CheckFailed(f"With the index in place SQLite can no longer work: {first_line(error)}.", ddl) from None
    finally:
        engine.dispose()


def cost_of(engine: Engine, sql: str) -> Cost:
    """The cost of one query."""
    return measure(engine, lambda session: session.execute(text(sql), {"task": FEW}).all())


def check_creates_an_index(index: Index) -> None:
    """The statement creates one index on `orders`, and changes nothing else."""
    with shop(index) as engine:
        names = _indexes(engine)
        with writing(engine) as session:
            others = "SELECT name FROM sqlite_master WHERE type = 'trigger' OR type = 'view'"
            added = session.execute(text(others)).scalars().all()
            orders = session.execute(text("SELECT count(*) FROM orders")).scalar_one()
        assert not added and orders == FEW, "The statement changes more than an index; one `CREATE INDEX` is expected."  # noqa: PT018
        indexes = "indexes on orders"
        if not names:
            none = f"No index on `orders` found after the statement; it must be a `CREATE INDEX`: `{index()!s:.60}`."
            raise CheckFailed(none, expected={indexes: 1}, found={indexes: 0})
        if len(names) != 1:
            several = f"{len(names)} indexes on `orders` found after the statement; one was expected."
            raise CheckFailed(several, expected={indexes: 1}, found={indexes: len(names)})


def check_serves_the_list(index: Index) -> None:
    """The list searches; its steps follow the orders in process, not the orders that there are."""
    with shop(index) as engine:
        few = cost_of(engine, LIST)
        with writing(engine) as session:
            add_orders(session, MANY - FEW, live=False)
        many = cost_of(engine, LIST)
        with writing(engine) as session:
            add_orders(session, LIVE, live=True)
        doubled = cost_of(engine, LIST)
    steps = f"{few.vm_steps:,} steps at {FEW:,} orders, {many.vm_steps:,} at {MANY:,}, for the same {LIVE} in process"
    if many.vm_steps > 1.5 * few.vm_steps:
        raise CheckFailed(
            f"The index is there, and SQLite does not use it: {steps}.",
            many,
            expected={f"steps at {MANY:,} orders": f"about {few.vm_steps:,}"},
            found={f"steps at {MANY:,} orders": f"{many.vm_steps:,}"},
        )
    if doubled.vm_steps >= 2.5 * many.vm_steps:
        raise CheckFailed(
            f"Twice as many in process took {doubled.vm_steps:,} steps; {steps}.",
            doubled,
            expected={"steps": f"about {2 * many.vm_steps:,}"},
            found={"steps": f"{doubled.vm_steps:,}"},
        )


def check_serves_the_worker(index: Index) -> None:
    """The worker's look-up by `processing_task_id = …` searches in the same index."""
    with shop(index) as engine:
        cost = cost_of(engine, LOOK_UP)
    if not any(line.startswith("SEARCH") for line in cost.plan):
        raise CheckFailed(
            f"The list is served, the worker is not: `{LOOK_UP}` takes {cost.vm_steps:,} steps. "
            "Expected: one index for both, on the column that both ask for.",
            cost,
            expected={"plan of the look-up": "SEARCH orders USING INDEX …"},
            found={"plan of the look-up": "; ".join(cost.plan)},
        )


def check_holds_live_orders_only(index: Index) -> None:
    """The index has an entry for each order in process, and none for the others."""
    with shop(index) as engine:
        with writing(engine) as session:
            session.execute(text("ANALYZE"))
            query = "SELECT stat FROM sqlite_stat1 WHERE tbl = 'orders' AND idx IS NOT NULL"
            entries = sum(int(stat.split()[0]) for stat in session.execute(text(query)).scalars())
    if entries != LIVE:
        raise CheckFailed(
            f"The index has {entries:,} entries for {LIVE} orders in process; expected one for each, and no other: "
            "every paid order would carry its entry for ever.",
            expected={"entries": LIVE},
            found={"entries": entries},
        )


def _indexes(engine: Engine) -> list[str]:
    with writing(engine) as session:
        query = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'orders' AND sql IS NOT NULL"
        return list(session.execute(text(query)).scalars())


def _wrong(ddl: str, message: str) -> Wrong:
    return Wrong(f'def index_for_the_list():\n    return "{ddl}"', message)


EXERCISE = Exercise(
    id="5.2",
    title="The index that isn't used",
    objective="5-index",
    core=True,
    goal=f"""
Return the `CREATE INDEX` statement that serves both of these: the list of the orders in process, and the worker's
look-up. It should have an entry for each order in process, and for no other. It is one statement, and changes nothing
else: no new order is refused.

```sql
{LIST};
{LOOK_UP};
```
""",
    stub='''
def index_for_the_list():
    """The CREATE INDEX statement."""
    return """
    CREATE INDEX ...
    """
''',
    checks=[check_creates_an_index, check_serves_the_list, check_serves_the_worker, check_holds_live_orders_only],
    hints=[
        "An index over all orders holds all the NULLs, too. SQLite does not consider it for `IS NOT NULL`. "
        "Can an index leave rows out?",
        "A *partial* index has a WHERE of its own. SQLite uses it for a query whose WHERE implies the index's; it is "
        "not clever at that, so write the same words.",
        """
```python
return "CREATE UNIQUE INDEX orders_in_process ON orders (...) WHERE ..."
```
""",
    ],
    solution='''
def index_for_the_list():
    """The CREATE INDEX statement."""
    return """
    CREATE UNIQUE INDEX orders_processing_task
    ON orders (processing_task_id) WHERE processing_task_id IS NOT NULL
    """
''',
    discussion="""
`processing_task_id = 7` implies that it is not NULL, so the partial index serves the look-up, too; and the clearing,
and the foreign key. UNIQUE is not needed here. It costs nothing, and says that a task belongs to one order.

An order in process has an entry, all others have none: the index stays as small as the work that is going on.
""",
    wrong_answers=[
        _wrong("CREATE INDEX i ON orders (processing_task_id)", "SQLite does not use it"),
        _wrong("CREATE UNIQUE INDEX i ON orders (processing_task_id)", "SQLite does not use it"),
        _wrong(
            "CREATE INDEX i ON orders (processing_task_id) WHERE processing_task_id > 0",
            "SQLite does not use it",
        ),
        _wrong("CREATE INDEX i ON orders (processing_task_id) WHERE status = 'new'", "SQLite does not use it"),
        _wrong("CREATE INDEX i ON orders (id) WHERE processing_task_id IS NOT NULL", "The list is served, the worker"),
        _wrong("CREATE INDEX i ON orders (processing_task)", "SQLite refuses the statement"),
        _wrong("CREATE INDEX i ON task (status)", "No index on `orders` found"),
        _wrong(
            "CREATE INDEX i ON orders (processing_task_id) WHERE processing_task_id IS NOT NULL OR status = 'paid'",
            "entries for 20 orders in process",
        ),
    ],
)
