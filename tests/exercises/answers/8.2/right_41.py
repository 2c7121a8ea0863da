# right: by the index of the library, by its name
from sqlalchemy import DateTime, bindparam, text


def claim(session, now, until):
    sql = """
    UPDATE task SET status = 'running', lease_token = lease_token + 1, lease_expires_at = :until
    WHERE id = (SELECT id FROM task INDEXED BY task_by_status
                WHERE status = 'pending' AND available_at <= :now ORDER BY available_at, id LIMIT 1)
    RETURNING id"""
    times = [bindparam("now", type_=DateTime()), bindparam("until", type_=DateTime())]
    return session.execute(text(sql).bindparams(*times), {"now": now, "until": until}).scalar()
