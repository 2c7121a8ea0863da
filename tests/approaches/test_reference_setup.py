"""A reference is installed on a PostgreSQL whose tables others are writing to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, text

from taskref_edu import Order, TaskReference, open_database, reading, writing
from taskref_edu.beyond import procrastinate_inverted as procrastinate
from taskref_edu.beyond.embedded_postgresql import start_postgres
from tests.conftest import until

pytestmark = [pytest.mark.xdist_group("postgresql"), pytest.mark.slow]


@dataclass
class Shop:
    """Where it is installed, and what it makes there."""

    install: Callable[[Engine], object]
    tasks: str
    objects: str
    trigger: str

    @property
    def index(self) -> str:
        return f"{self.objects}_processing_task_id"


OURS = TaskReference[Order](Order.processing_task_id, "process_payment")
SHOPS = {
    "ours": Shop(OURS.install, "task", "orders", "orders_processing_task_id_cleared"),
    "procrastinate": Shop(procrastinate.install, "procrastinate_jobs", "shop_orders", "shop_orders_cleared"),
}


@pytest.fixture(params=SHOPS)
def shop(request: pytest.FixtureRequest) -> Shop:
    return SHOPS[request.param]


@pytest.fixture
def engine(postgresql_url: str, shop: Shop) -> Iterator[Engine]:
    engine = open_database(start_postgres())
    shop.install(engine)
    yield engine
    engine.dispose()


def write(table: str) -> str:
    """It changes nothing, and has the table locked as a write does."""
    return f"UPDATE {table} SET id = id WHERE false"


def waits_for_a_table(engine: Engine) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'relation' AND datname = current_database()"
    with reading(engine) as session:
        return bool(session.scalar(text(query)))


def plan_of_look_up(engine: Engine, shop: Shop) -> str:
    with writing(engine) as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = session.scalars(text(f"EXPLAIN SELECT * FROM {shop.objects} WHERE processing_task_id = 7"))
        return "\n".join(plan)


def triggers(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.scalars(text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")))


def uninstall(engine: Engine, shop: Shop) -> None:
    with writing(engine) as session:
        session.execute(text(f"DROP INDEX {shop.index}"))
        session.execute(text(f"DROP TRIGGER {shop.trigger} ON {shop.tasks}"))


@pytest.mark.parametrize("first", ["tasks", "objects"])
def test_a_writer_of_both_tables_and_who_installs_wait_for_each_other_without_a_deadlock(
    engine: Engine, shop: Shop, first: str
) -> None:
    uninstall(engine, shop)
    one, two = (shop.tasks, shop.objects) if first == "tasks" else (shop.objects, shop.tasks)
    with ThreadPoolExecutor(1) as pool:
        with writing(engine) as session:
            session.execute(text(write(one)))
            other = pool.submit(shop.install, engine)
            until(lambda: waits_for_a_table(engine))
            session.execute(text(write(two)))
        other.result()
    assert shop.index in plan_of_look_up(engine, shop)
    assert shop.trigger in triggers(engine)


def test_several_install_at_the_same_moment(engine: Engine, shop: Shop) -> None:
    uninstall(engine, shop)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(shop.install, engine) for _ in range(4)]:
            done.result()
    assert shop.index in plan_of_look_up(engine, shop)
    assert shop.trigger in triggers(engine)


def test_installed_once_more_it_waits_for_nobody(engine: Engine, shop: Shop) -> None:
    """As each worker process does when it starts, while others work."""
    url = engine.url.update_query_dict({"options": "-c lock_timeout=1000"})
    impatient = open_database(url.render_as_string(hide_password=False))
    try:
        with writing(engine) as session:
            for table in (shop.tasks, shop.objects):
                session.execute(text(write(table)))
            shop.install(impatient)
    finally:
        impatient.dispose()


@pytest.mark.parametrize("missing", ["INDEX {0.index}", "TRIGGER {0.trigger} ON {0.tasks}"])
def test_what_is_missing_is_made_again(engine: Engine, shop: Shop, missing: str) -> None:
    with writing(engine) as session:
        session.execute(text("DROP " + missing.format(shop)))
    shop.install(engine)
    assert shop.index in plan_of_look_up(engine, shop)
    assert shop.trigger in triggers(engine)
