# right: by the queue's index, by its name
def payments_of():
    return """
    SELECT id FROM task INDEXED BY task_by_status
    WHERE (status = 'pending' OR status = 'running') AND type = 'process_payment'
      AND json_extract(payload, '$.order_id') = :order
    """
