# wrong: remembers in memory, which no rollback takes back
# must say: Only the database knows
# must not say: is dropped
from sqlalchemy import text
KNOWN = set()

def receive(session, message):
    if message.id in KNOWN:
        return
    KNOWN.add(message.id)
    new = session.execute(text('INSERT INTO received VALUES (:id) ON CONFLICT DO NOTHING'), {'id': message.id}).rowcount
    if new:
        session.execute(text('UPDATE account SET balance = balance + :a WHERE id = 1'), {'a': message.amount})
