# wrong: only the last three digits of the order's id count
def live_payment_index():
    return "CREATE UNIQUE INDEX x ON task (json_extract(payload, '$.order_id') % 1000) WHERE type = 'process_payment' AND status IN ('pending', 'running')"
