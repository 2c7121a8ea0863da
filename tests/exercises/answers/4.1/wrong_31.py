# wrong: a text such as "12" is taken for the number
def payments_of():
    return """SELECT id FROM task WHERE type = 'process_payment' AND status IN ('pending', 'running')
    AND CAST(json_extract(payload, '$.order_id') AS INTEGER) = :order"""
