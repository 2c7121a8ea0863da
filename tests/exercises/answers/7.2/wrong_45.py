# wrong: a datetime that text() writes with its zone
# must say: with its zone
from sqlalchemy import text

def prune(session, before, limit):
    return session.execute(text('DELETE FROM task WHERE id IN (SELECT id FROM task WHERE finished_at < :b LIMIT :l)'), {'b': before, 'l': limit}).rowcount
