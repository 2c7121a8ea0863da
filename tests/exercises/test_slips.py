"""Slips that occur in any exercise are named, whatever the check would have said."""

from __future__ import annotations

import pytest
from sqlmodel import Session, select

from taskref_edu import Order, open_database, reading, writing
from taskref_edu.exercises import check_answer
from taskref_edu.exercises.catalog._worlds import World, inverted_world, judge_worlds, worlds
from taskref_edu.exercises.code_slips import slips_in
from taskref_edu.exercises.exercise import CheckFailed, find
from taskref_edu.exercises.outcomes import Verdict
from taskref_edu.exercises.runtime_slips import callers

HEAD = """
from sqlalchemy import text, update
from sqlmodel import col, select
from taskref_edu import Order, Task, reading, writing

"""
CLICK = (
    HEAD + "def enqueue_payment_once(session, queue, order):\n    task = queue.enqueue(session, 'process_payment')\n"
)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("with session:\n        return task", "`with session:` in line 10 closes the caller's session"),
        ("session.commit()\n    return task", "`commit()` in line 10 commits the caller's transaction"),
        ("session.rollback()", "`rollback()` in line 10 takes back all that the caller did"),
        ("session.expunge_all()", "drops what the caller has not written yet"),
        ("session.close()", "`close()` in line 10 closes the caller's session"),
        ("session.begin()", "`begin()` in line 10: the caller's transaction has begun already"),
        ("with writing(queue.engine) as own:\n        return own", "A transaction of its own in line"),
        ("with reading(queue.engine) as own:\n        return own.get(Order, 7)", "A transaction of its own in line"),
        ("try:\n        session.commit()\n    except Exception:\n        pass", "`commit()` in line"),
        ("session.connection().exec_driver_sql('COMMIT')", "The function ended the caller's transaction"),
        ("return ValueError('no')", "returned an error, `ValueError`, instead of raising it"),
        ("return ValueError", "returned a class, `ValueError`"),
        ("return select(Order)", "returned the statement itself, which has not been run"),
        ("return session.execute(select(Order))", "which nobody has read yet"),
        ("return orders_of(task)", "name 'orders_of' is not defined in line"),
        ("return json.dumps(1)", "The import is missing: `import json`"),
        ("return inverted.order_for(session, task)", "`from taskref_edu import inverted`"),
    ],
)
def test_what_it_does_to_its_caller__is_named(lines: str, said: str) -> None:
    outcome = check_answer("3.3", f"{CLICK}    {lines}\n")
    assert outcome.verdict in (Verdict.FAILED, Verdict.ERROR)
    assert not outcome.broken_check
    assert said in f"{outcome.message} {outcome.next_step}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Task.status in ('pending', 'running')", "`col(…).in_(…)`"),
        ("Task.status == 'pending' or Task.status == 'running'", "Python's `or` keeps one"),
        ("Order.processing_task_id is None", "`col(…).is_(None)`"),
        ("not Task.id == 1", "Python decides `not`"),
        ("Task.status == ['pending']", "a column equals one value"),
        ("Task.status == 'canceled'", "nearly `cancelled`"),
        ("text(\"status = 'succeded'\")", "nearly `succeeded`"),
        ("(Task.status == 'pending') & (Task.status == 'running')", "it never equals both"),
        ("Task.status == 'pending' and Task.status == 'running'", "it never equals both"),
        ("col(Task.status).in_(['pending', 'claimed'])", "`claimed` is not a status"),
        ("text(\"type = 'process_payment' AND status = 'pending' OR status = 'running'\")", "AND binds before OR"),
        ("Order.id == session.merge(order).id", "writes what was read long ago"),
    ],
)
def test_what_the_text_shows__is_named(line: str, said: str) -> None:
    found = slips_in(f"{CLICK}    return select(Task).where({line})\n", find("3.3"))
    assert any(said in each for each in found), found


@pytest.mark.parametrize(
    "sql",
    [
        "type = 'process_payment' AND (status = 'pending' OR status = 'running')",
        "id BETWEEN 1 AND 9 OR id = 12",
        "CASE WHEN a AND b THEN 1 END = 1 OR c",
        "id IN (SELECT id FROM task WHERE a AND b) OR c",
        "note = 'this AND that' OR c",
    ],
)
def test_and_beside_or__no(sql: str) -> None:
    assert slips_in(f"{CLICK}    return text({sql!r})\n", find("3.3")) == []


@pytest.mark.parametrize(
    "line", ["(Task.status == 'pending') & (1 == 1)", "(Task.status == 'pending') & (Task.type == 'x')"]
)
def test_equalities_of_different_things_are_no_slip(line: str) -> None:
    assert slips_in(f"{CLICK}    return select(Task).where({line})\n", find("3.3")) == []


@pytest.mark.parametrize("handler", ["except Exception:", "except:", "except BaseException as error:"])
def test_an_except_that_hides_every_error__is_named(handler: str) -> None:
    source = f"{CLICK}    try:\n        return 1\n    {handler}\n        return None\n"
    assert "hides every error" in " ".join(slips_in(source, find("3.3")))
    assert not slips_in(source.replace("return None", "raise"), find("3.3"))
    assert not slips_in(source.replace(handler, "except IntegrityError:"), find("3.3"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("before.isoformat()", "writes a zone"),
        ("str(before)", "writes its zone"),
        ("before.strftime('%Y-%m-%d %H:%M:%S')", "without `%f`"),
        ("session.execute(text('DELETE FROM task WHERE finished_at < :t'), {'t': before})", "with its zone"),
    ],
)
def test_a_time_that_is_written_otherwise_than_the_table_s__is_named(line: str, said: str) -> None:
    source = f"from sqlalchemy import text\n\ndef prune(session, before, limit):\n    return {line}\n"
    assert said in " ".join(slips_in(source, find("7.2")))


def test_a_slip_that_is_there_twice_is_named_once() -> None:
    source = "def claim(session, now, until):\n    return now.isoformat(), until.isoformat()\n"
    assert len(slips_in(source, find("8.2"))) == 1


def test_parameters_in_another_sequence__are_named() -> None:
    outcome = check_answer("5.1", "def exponent(n1, n2, steps1, steps2):\n    return 0\n")
    assert "the values come in this sequence" in outcome.message


@pytest.mark.parametrize(
    ("id", "source", "said"),
    [
        ("8.2", "def claim(session, now, until):\n    return queue.claim(session)", "it is given session, now, until"),
        ("5.1", "def exponent(n1, steps1, n2, steps2):\n    return log(n1)", "`from math import log`"),
        ("5.1", "def exponent(n1, steps1, n2, steps2):\n    raise ValueError('no')", "Your own `raise` did this"),
        ("2.2", "def order_id_of(payload):\n    raise PayloadErorr", "Did you mean `PayloadError`"),
        ("1.1", "def order_of(session, task):\n    return task.paylod", "Did you mean `payload`"),
        ("1.1", "def order_of(session, task):\n    return session.query(Task)", "which has not been run"),
    ],
)
def test_the_next_step_leads_somewhere(id: str, source: str, said: str) -> None:
    outcome = check_answer(id, f"from taskref_edu import Task\n\n{source}\n")
    assert said in f"{outcome.message} {outcome.next_step}", outcome


@pytest.mark.parametrize("id", ["1.1", "3.1", "3.3", "4.2", "6.1", "7.1", "7.2", "8.2"])
def test_a_solution_shows_no_slip(id: str) -> None:
    exercise = find(id)
    assert slips_in(exercise.solution, exercise) == []


@pytest.mark.parametrize(
    ("before", "slips"), [("", 1), ("    session.add(order)\n", 0), ("    session.refresh(order)\n", 0)]
)
def test_an_assignment_to_a_row_of_this_session_is_no_slip(before: str, slips: int) -> None:
    text = f"{CLICK}{before}    order.processing_task_id = task.id\n"
    assert len([each for each in slips_in(text, find("3.3")) if "another session" in each]) == slips


def test_callers__the_session_is_the_callers_again_afterwards() -> None:
    engine = open_database()
    with writing(engine) as session:
        with callers(session), session.begin_nested():
            session.add(Order(customer="Ann", amount=1))
        assert type(session) is Session
    with reading(engine) as session:
        assert len(session.exec(select(Order)).all()) == 1
    engine.dispose()


def test_judge_worlds__shows_the_smallest_in_which_there_still_is_a_problem() -> None:
    def problem_in(world: World) -> CheckFailed | None:
        paid = [order for order in world.orders if order["status"] == "paid"]
        return CheckFailed("an order is paid") if paid else None

    with pytest.raises(CheckFailed) as caught:
        judge_worlds(worlds(1, 20, inverted_world, 20), problem_in)
    assert "orders: 1 row\n" in str(caught.value.details)


def test_worlds__every_column_varies() -> None:
    every = [task for world in worlds(2, 20, inverted_world, 20) for task in world.tasks]
    fixed = [name for name in every[0] if name != "payload" and len({task[name] for task in every}) < 2]
    assert fixed == []
