# wrong: a balance below zero is cut to zero
from sqlalchemy import text
def receive(session, message):
    done = session.execute(text("INSERT OR IGNORE INTO received VALUES (:id)"), {"id": message.id})
    if done.rowcount:
        old = session.execute(text("SELECT balance FROM account WHERE id = 1")).scalar_one()
        session.execute(text("UPDATE account SET balance = :b WHERE id = 1"), {"b": max(old + message.amount, 0)})
