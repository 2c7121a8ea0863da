"""The tables of `procrastinate_inverted.py` in PostgreSQL: orders of its own that reference Procrastinate's jobs.

`procrastinate_jobs` belongs to Procrastinate. It is mapped here so that we can read, lock and reference its rows; we
never create or change the table. The models have their own MetaData, so that `create_all` elsewhere ignores them.

Not covered: migrations of Procrastinate's schema; Procrastinate has its own.
"""

from __future__ import annotations

from typing import ClassVar

from procrastinate.schema import SchemaManager
from sqlalchemy import BigInteger, Column, Engine, Enum, ForeignKey, MetaData, Table, event, inspect, text
from sqlmodel import Field, SQLModel

from ..clearing_trigger import clearing, clearing_function, reference_index
from ..database.postgresql_engine import one_opens_at_a_time
from ..database.transactions import reading, writing
from ..errors import CannotOpen, SchemaMissing

LIVE_JOBS = ("todo", "doing")
ENDED_JOBS = ("succeeded", "failed", "cancelled", "aborted")
REFERENCE = ("shop_orders", "processing_task_id")
INDEX = "shop_orders_processing_task_id"
TRIGGER = "shop_orders_cleared"
# The schemas of Procrastinate's table and of our orders; our clearing function, if it exists; whether index and trigger
# do. Checked first, as in `reference_setup.py`.
PLACES = text(f"""
    SELECT jobs.nspname, orders.nspname, prosrc, to_regclass('{INDEX}') IS NOT NULL AND EXISTS (
        SELECT FROM pg_trigger WHERE tgname = '{TRIGGER}' AND tgrelid = job_table.oid)
    FROM pg_class AS job_table JOIN pg_namespace AS jobs ON jobs.oid = job_table.relnamespace,
        pg_class AS order_table JOIN pg_namespace AS orders ON orders.oid = order_table.relnamespace
        LEFT JOIN pg_proc ON proname = '{TRIGGER}' AND pronamespace = orders.oid
    WHERE job_table.oid = to_regclass('procrastinate_jobs') AND order_table.oid = to_regclass('shop_orders')
""")


class ProcrastinateModel(SQLModel):
    """A MetaData of its own."""

    metadata: ClassVar[MetaData] = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride]


class JobRow(ProcrastinateModel, table=True):
    """The columns of Procrastinate's table that we read. Only Procrastinate writes to it."""

    __tablename__ = "procrastinate_jobs"  # pyright: ignore[reportAssignmentType]

    id: int = Field(sa_column=Column(BigInteger, primary_key=True))
    task_name: str
    status: str = Field(
        sa_column=Column(Enum(*LIVE_JOBS, *ENDED_JOBS, name="procrastinate_job_status"), nullable=False)
    )
    attempts: int
    abort_requested: bool
    worker_id: int | None = Field(sa_column=Column(BigInteger))


@event.listens_for(JobRow.__table__, "before_create")  # type: ignore[attr-defined]
def _not_ours(table: Table, *_: object, **__: object) -> None:
    raise SchemaMissing(f"{table.name} is not there, and only Procrastinate can create it: call install(engine)")


class Order(ProcrastinateModel, table=True):
    """The business object of the document once more, with a reference to a job of Procrastinate."""

    __tablename__ = "shop_orders"  # pyright: ignore[reportAssignmentType]

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    customer: str
    amount: int  # cents
    status: str = "new"  # new, paid
    # SET NULL: a plain foreign key makes Procrastinate's pruning fail, CASCADE deletes the order with the job.
    processing_task_id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger, ForeignKey("procrastinate_jobs.id", ondelete="SET NULL"), nullable=True),
    )


def install(engine: Engine) -> None:
    """Create Procrastinate's tables where they are missing, and the orders with their index and trigger.

    Raises CannotOpen for a database that is not PostgreSQL.
    """
    if engine.dialect.name != "postgresql":
        raise CannotOpen(f"{engine.url!r} found: Procrastinate keeps its jobs in PostgreSQL; start_postgres() has one")
    with writing(engine) as session:
        one_opens_at_a_time(connection := session.connection())
        if not inspect(connection).has_table("procrastinate_jobs"):
            connection.connection.driver_connection.execute(SchemaManager.get_schema())  # type: ignore[union-attr]
        Order.__table__.create(connection, checkfirst=True)  # type: ignore[attr-defined]
    with reading(engine) as session:
        jobs, orders, source, is_set_up = session.execute(PLACES).one()
    quote = engine.dialect.identifier_preparer.quote
    clear, function = clearing(*REFERENCE, engine.dialect, orders), f"{quote(orders)}.{TRIGGER}"
    if is_set_up and clear in (source or ""):
        return
    index = reference_index(*REFERENCE, engine.dialect, orders, name=INDEX)
    # As in `clearing_trigger.py`, but on Procrastinate's table: the reference is cleared whoever ends the job.
    trigger = (
        f"CREATE OR REPLACE TRIGGER {TRIGGER} AFTER UPDATE OF status ON {quote(jobs)}.procrastinate_jobs"
        f" FOR EACH ROW WHEN (NEW.status IN {ENDED_JOBS}) EXECUTE FUNCTION {function}()"
    )
    for statements in [[index], [clearing_function(function, clear), trigger]]:  # one table locked at a time
        with writing(engine) as session:
            one_opens_at_a_time(connection := session.connection())
            for statement in statements:
                connection.exec_driver_sql(statement)
