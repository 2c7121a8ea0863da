# wrong: only the first three digits of the order's id count
def live_payment_index():
    return "CREATE UNIQUE INDEX x ON task (substr(json_extract(payload, '$.order_id'), 1, 3)) WHERE type = 'process_payment' AND status IN ('pending', 'running')"
