# wrong: only orders that nobody has paid so far
def list_in_process():
    return "SELECT id FROM orders WHERE status = 'new' AND id IN (SELECT json_extract(payload, '$.order_id') FROM task WHERE type = 'process_payment' AND status IN ('pending', 'running'))"
