# right: json_each by key
def payments_of():
    return """SELECT task.id FROM task JOIN json_each(task.payload) AS j ON j.key = 'order_id' AND j.value = :order
    WHERE task.type = 'process_payment' AND task.finished_at IS NULL GROUP BY task.id"""
