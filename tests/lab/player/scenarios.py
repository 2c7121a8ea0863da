"""Small explorations, at least one for each pattern of the sentence why. Each is run once in a session."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

from sqlalchemy import Engine, Row, text
from sqlmodel import Session, col, select, update

from taskref_edu import Order, Task, TaskQueue, Worker, as_written, inverted, writing
from taskref_edu.lab import explore, explore_crashes
from taskref_edu.lab.explorer.result import ExplorationResult
from taskref_edu.lab.player.recording import Recording
from taskref_edu.lab.shop import live_payments

Function = Callable[[Engine], Any]
SHOP = (
    "CREATE TABLE task (id INTEGER PRIMARY KEY AUTOINCREMENT, status TEXT, token INTEGER DEFAULT 0, done_by INTEGER)",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, status TEXT DEFAULT 'new', task_id INTEGER REFERENCES task(id))",
)
LEARNERS = '''\
from sqlmodel import select, update

from taskref_edu import Task


def claim(session):
    """Take the oldest pending task; its id, or None."""
    task = session.exec(select(Task).where(Task.status == "pending").order_by(Task.id).limit(1)).first()
    if task is None:
        return None
    new = {"status": "running", "lease_token": Task.lease_token + 1, "lease_expires_at": Task.available_at}
    session.execute(update(Task).where(Task.id == task.id).values(new))
    return task.id
'''


def run(engine: Engine, sql: str, **values: Any) -> Row[Any] | None:
    """One statement in a transaction of its own; its first row."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        result = connection.execute(text(sql), values)
        return result.first() if result.returns_rows else None  # type: ignore[return-value]


def row(engine: Engine, sql: str) -> Row[Any]:
    """The first row of a statement that returns one."""
    found = run(engine, sql)
    assert found is not None
    return found


def tables(*statements: str) -> Callable[[Engine], None]:
    def setup(engine: Engine) -> None:
        for statement in statements:
            run(engine, statement)

    return setup


def count(session: Session, sql: str) -> int:
    return session.execute(text(sql)).scalar_one()


# Two clicks on one order, as the document writes them


def order_7(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(Order(id=7, customer="Ann", amount=2500))


def click(engine: Engine) -> None:
    as_written.inverted_enqueue_payment_once(engine, Order(id=7, customer="Ann", amount=2500))


def one_live_payment(session: Session) -> list[str]:
    live = len(live_payments(session))
    return [] if live == 1 else [f"{live} live payments for order 7"]


def order_in_process(engine: Engine) -> None:
    with writing(engine) as session:
        order = Order(id=7, customer="Ada", amount=2450)
        session.add(order)
        inverted.enqueue_payment(session, TaskQueue(engine), order)


def ask_to_stop(engine: Engine) -> str:
    with writing(engine) as session:
        inverted.cancel_payment(session, TaskQueue(engine), session.get_one(Order, 7))
        return session.get_one(Task, 1).status


def pay_pending(engine: Engine) -> None:
    queue = TaskQueue(engine)
    queue.handler(inverted.PAYMENT)(inverted.process_payment)
    Worker(queue).step()


def not_paid_if_asked(session: Session, errors: object, results: dict[str, str]) -> list[str]:
    paid = session.get_one(Order, 7).status == "paid"
    return ["was told running, and paid"] if paid and results["A"] == "running" else []


def all_in_one(engine: Engine) -> None:
    with Session(engine) as session:
        order = session.get_one(Order, 7)
        if not order.processing_task_id:
            order.processing_task_id = TaskQueue(engine).enqueue(session, "process_payment").id
            session.commit()


def torn(engine: Engine) -> None:
    task = as_written.enqueue(engine, "process_payment")
    as_written.save_reference(engine, Order(id=7, customer="Ann", amount=2500), task.id)


def no_orphan(session: Session) -> list[str]:
    references = select(Order.processing_task_id).where(col(Order.processing_task_id).is_not(None))
    return [
        f"no order references task {task}"
        for task in session.exec(select(Task.id).where(col(Task.id).not_in(references)))
    ]


# Workers that claim by SELECT and UPDATE, one of them a learner's


def pending_tasks(number: int, engine: Engine) -> None:
    with writing(engine) as session:
        session.add_all([Task(type="process_payment") for _ in range(number)])


def worker(claim: Callable[[Session], int | None], engine: Engine) -> int | None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection, Session(connection) as session:
        return claim(session)


def plain_claim(session: Session) -> int | None:
    task = session.exec(select(Task).where(Task.status == "pending").order_by(col(Task.id)).limit(1)).first()
    if task is None:
        return None
    new = {"status": "running", "lease_token": Task.lease_token + 1, "lease_expires_at": Task.available_at}
    session.execute(update(Task).where(col(Task.id) == task.id).values(new))
    return task.id


def unnumbered_claim(session: Session) -> int | None:
    """Its UPDATE leaves the row as another claim has left it."""
    task = session.exec(select(Task).where(Task.status == "pending").order_by(col(Task.id)).limit(1)).first()
    if task is not None:
        new = {"status": "running", "lease_expires_at": Task.available_at}
        session.execute(update(Task).where(col(Task.id) == task.id).values(new))
    return task and task.id


def one_each(session: Session, errors: object, results: dict[str, int]) -> list[str]:
    taken = sorted(results.values())
    return [f"two workers get task {a}" for a, b in pairwise(taken) if a == b][:1]


# Stock, doctors, and a shop without the package's schema


def buy(engine: Engine) -> None:
    stock = row(engine, "SELECT stock FROM item WHERE id = 1")
    run(engine, "UPDATE item SET stock = :stock WHERE id = 1", stock=stock.stock - 1)


def deliver(engine: Engine) -> None:
    run(engine, "UPDATE item SET stock = stock + 10 WHERE id = 1")


def fourteen(session: Session) -> list[str]:
    stock = count(session, "SELECT stock FROM item")
    return [] if stock == 14 else [f"stock is {stock}, not 14"]


def saves_the_form(engine: Engine) -> None:
    order = row(engine, "SELECT id, amount, status FROM orders WHERE id = 7")
    run(engine, "UPDATE orders SET amount = 2000, status = :status WHERE id = 7", status=order.status)


def pays(engine: Engine) -> None:
    run(engine, "UPDATE orders SET status = 'paid' WHERE id = 7")


def marked_as_paid(session: Session) -> list[str]:
    return (
        [] if count(session, "SELECT count(*) FROM orders WHERE status = 'paid'") else ["paid, and not marked as paid"]
    )


def leaves(number: int, engine: Engine) -> None:
    on_call = row(engine, "SELECT count(*) AS on_call FROM doctor WHERE on_call = 1")
    if on_call.on_call >= 2:
        run(engine, "UPDATE doctor SET on_call = 0 WHERE id = :id", id=number)


def somebody(session: Session) -> list[str]:
    return [] if count(session, "SELECT count(*) FROM doctor WHERE on_call = 1") else ["nobody is on call"]


def enqueue(engine: Engine) -> None:
    task = row(engine, "INSERT INTO task (status) VALUES ('pending') RETURNING id")
    run(engine, "UPDATE orders SET task_id = :task WHERE id = 7", task=task.id)


def work(engine: Engine) -> None:
    task = run(engine, "UPDATE task SET status = 'running' WHERE status = 'pending' RETURNING id")
    if task is None:
        return
    order = run(engine, "SELECT id FROM orders WHERE task_id = :task", task=task.id)
    if order is not None:
        run(engine, "UPDATE orders SET status = 'paid' WHERE id = :id", id=order.id)
    run(engine, "UPDATE task SET status = 'succeeded' WHERE id = :task", task=task.id)


def paid_if_done(session: Session) -> list[str]:
    done = count(session, "SELECT count(*) FROM task WHERE status = 'succeeded'")
    paid = count(session, "SELECT count(*) FROM orders WHERE status = 'paid'")
    return [] if done == paid else ["task 1 succeeded, and order 7 is not paid"]


def cancel(engine: Engine) -> None:
    order = run(engine, "SELECT task_id FROM orders WHERE id = 7")
    if order is not None and order.task_id is not None:
        run(engine, "UPDATE task SET status = 'cancelled' WHERE id = :task AND status = 'pending'", task=order.task_id)
        run(engine, "UPDATE orders SET task_id = NULL WHERE id = 7")


def click_once(engine: Engine) -> None:
    order = run(engine, "SELECT task_id FROM orders WHERE id = 7")
    if order is not None and order.task_id is None:
        enqueue(engine)


def claim_1(engine: Engine) -> None:
    run(engine, "UPDATE task SET status = 'running' WHERE id = 1 AND status = 'pending'")


def one_live(session: Session) -> list[str]:
    live = count(session, "SELECT count(*) FROM task WHERE status IN ('pending', 'running')")
    return [] if live <= 1 else [f"{live} live tasks for order 7"]


def take(engine: Engine) -> Row[Any] | None:
    return run(engine, "UPDATE task SET status = 'running', token = token + 1 WHERE status = 'pending' RETURNING token")


def late_worker(engine: Engine) -> None:
    if mine := take(engine):
        run(engine, "UPDATE task SET status = 'succeeded', done_by = :me WHERE status = 'running'", me=mine.token)


def reclaim(engine: Engine) -> None:
    run(engine, "UPDATE task SET status = 'pending' WHERE status = 'running'")


def own_success(session: Session) -> list[str]:
    task = session.execute(text("SELECT token, done_by FROM task")).one()
    return [f"claim {task.done_by} ended claim {task.token}"] if task.done_by not in (None, task.token) else []


def report(engine: Engine) -> int:
    counts = [run(engine, f"SELECT count(*) AS n FROM task WHERE status = '{s}'") for s in ("running", "pending")]
    return sum(row.n for row in counts if row is not None)


def counted_once(session: Session, errors: object, results: dict[str, int]) -> list[str]:
    return [] if results["A"] == 1 else [f"the report counts {results['A']} live tasks, and there is 1"]


def sell(engine: Engine) -> None:
    shop = run(engine, "SELECT open FROM shop WHERE id = 1")
    item = run(engine, "SELECT stock FROM item WHERE id = 1")
    if shop is not None and item is not None and shop.open and item.stock:
        run(engine, "INSERT INTO sale (item_id) VALUES (1)")


def close(engine: Engine) -> None:
    run(engine, "UPDATE shop SET open = 0, sold = (SELECT count(*) FROM sale) WHERE id = 1")


def nothing_sold_after_closing(session: Session) -> list[str]:
    sold = count(session, "SELECT count(*) FROM sale") - count(session, "SELECT sold FROM shop")
    return [f"{sold} sold after closing"] if sold else []


def clean(engine: Engine) -> None:
    run(engine, "DELETE FROM task WHERE id NOT IN (SELECT task_id FROM orders WHERE task_id IS NOT NULL)")


def clean_shop(session: Session) -> list[str]:
    orphans = count(session, "SELECT count(*) FROM task WHERE id NOT IN (SELECT task_id FROM orders WHERE task_id > 0)")
    return ["a task that no order references"] if orphans else []


# Much to show: long values, many rows, four tables, and a transaction that reads several of them before it writes

LONG = "the customer called twice and asked for the parcel to be left with the neighbour on the second floor"
CROWD = (
    *SHOP,
    "CREATE TABLE customer (id INTEGER PRIMARY KEY, display_name TEXT, delivery_instructions TEXT)",
    "CREATE TABLE shipment (id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders(id), carrier_reference TEXT,"
    " status TEXT)",
    f"INSERT INTO customer VALUES (1, 'Anneliese Wolkenstein-Trostburg', '{LONG}')",
    *(f"INSERT INTO orders (id, status) VALUES ({n}, 'waiting-for-the-payment-provider')" for n in range(100, 112)),
    f"INSERT INTO shipment VALUES (5000000001, 107, '{'0123456789abcdef' * 4}', 'prepared')",
)


def ship(instructions: str, engine: Engine) -> None:
    order = run(engine, "SELECT id, status, task_id FROM orders WHERE id = 107")
    run(engine, "SELECT * FROM customer WHERE id = 1")
    run(
        engine,
        "SELECT id, carrier_reference, status FROM shipment WHERE order_id = 107 AND status <> 'lost-in-transit'",
    )
    if order is not None and order.task_id is None:
        with engine.begin() as connection:
            connection.execute(
                text("UPDATE customer SET delivery_instructions = :new WHERE id = 1"), {"new": instructions}
            )
            connection.execute(text("INSERT INTO task (status) VALUES ('pending')"))
            connection.execute(text("UPDATE shipment SET status = 'handed-over-to-the-carrier' WHERE order_id = 107"))
            connection.execute(text("UPDATE orders SET task_id = (SELECT max(id) FROM task) WHERE id = 107"))


def one_shipment(session: Session) -> list[str]:
    tasks = count(session, "SELECT count(*) FROM task")
    return [] if tasks == 1 else [f"the shipment of order 107 was handed over {tasks} times"]


new_order = tables(*SHOP, "INSERT INTO orders (id) VALUES (7)")
one_task = tables(*SHOP, "INSERT INTO task (status) VALUES ('pending')")
with_task = tables(
    *SHOP, "INSERT INTO task (status) VALUES ('pending')", "INSERT INTO orders (id, task_id) VALUES (7, 1)"
)
item = tables("CREATE TABLE item (id INTEGER PRIMARY KEY, stock INTEGER)", "INSERT INTO item VALUES (1, 5)")
form = tables(
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, amount INTEGER, status TEXT)",
    "INSERT INTO orders VALUES (7, 1000, 'new')",
)
open_shop = tables(
    "CREATE TABLE shop (id INTEGER PRIMARY KEY, open INTEGER, sold INTEGER)", "INSERT INTO shop VALUES (1, 1, 0)",
    "CREATE TABLE item (id INTEGER PRIMARY KEY, stock INTEGER)", "INSERT INTO item VALUES (1, 5)",
    "CREATE TABLE sale (id INTEGER PRIMARY KEY, item_id INTEGER REFERENCES item(id))",
)  # fmt: skip
doctors = tables(
    "CREATE TABLE doctor (id INTEGER PRIMARY KEY, on_call INTEGER)", "INSERT INTO doctor VALUES (1, 1), (2, 1)"
)


def named(function: Callable[..., Any], *arguments: Any) -> Function:
    actor: Any = partial(function, *arguments)
    actor.__name__ = function.__name__
    return actor


def learners_claim() -> Callable[[Session], int | None]:
    names: dict[str, Any] = {}
    exec(compile(LEARNERS, "<learner>", "exec"), names)
    return names["claim"]


def _workers(number: int, claim: Callable[[Session], int | None]) -> ExplorationResult:
    setup = named(pending_tasks, number)
    return explore([named(worker, claim)] * number, setup=setup, invariant=one_each)


def _shop(actors: list[Function], setup: Function, invariant: Callable[..., list[str]]) -> ExplorationResult:
    return explore(actors, setup=setup, invariant=invariant, schema=None)


def _crash(actors: list[Function], invariant: Callable[..., list[str]], **more: Any) -> ExplorationResult:
    return explore_crashes(actors, setup=new_order, invariant=invariant, schema=None, **more)


SCENARIOS: dict[str, Callable[[], ExplorationResult]] = {
    "race": lambda: explore([click] * 2, setup=order_7, invariant=one_live_payment, schema="as_written"),
    "locked": lambda: explore([all_in_one] * 2, setup=order_7, invariant=one_live_payment, schema="as_written"),
    "asked": lambda: explore(
        [ask_to_stop, pay_pending], setup=order_in_process, invariant=not_paid_if_asked, schema="inverted"
    ),
    "crash": lambda: explore_crashes(torn, setup=order_7, invariant=no_orphan),
    "exercise": lambda: _workers(2, learners_claim()),
    "many": lambda: _workers(3, plain_claim),
    "again": lambda: _workers(2, unnumbered_claim),
    "lost": lambda: _shop([buy, deliver], item, fourteen),
    "form": lambda: _shop([saves_the_form, pays], form, marked_as_paid),
    "skew": lambda: _shop([named(leaves, 1), named(leaves, 2)], doctors, somebody),
    "early": lambda: _shop([enqueue, work], new_order, paid_if_done),
    "cancel": lambda: _shop([cancel, click_once, claim_1], with_task, one_live),
    "stale": lambda: _shop([late_worker, reclaim, take], one_task, own_success),
    "closing": lambda: _shop([sell, close], open_shop, nothing_sold_after_closing),
    "report": lambda: _shop([report, take], one_task, counted_once),
    "crowd": lambda: _shop([named(ship, LONG.upper()), named(ship, "ring twice")], tables(*CROWD), one_shipment),
    "crash_recover": lambda: _crash([enqueue], clean_shop, recover=clean),
    "crash_two": lambda: _crash([enqueue, work], paid_if_done, crash=1),
}  # fmt: skip


@lru_cache
def found(name: str) -> ExplorationResult:
    """The result of this exploration."""
    return SCENARIOS[name]()


@lru_cache
def recorded(name: str) -> Recording:
    """Its recording; the exercise's is shown beside the learner's code."""
    if name == "exercise":
        return Recording(found(name).recording(file="<learner>", code=LEARNERS))
    return Recording(found(name).recording())
