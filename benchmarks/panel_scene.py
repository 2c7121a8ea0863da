"""What the benchmark of the panel puts into the notebook, the page and another process.

The tasks are changed by another process, all of them in one transaction: attempt number n is the n-th change, so
that the page can tell which change it shows.
"""

from __future__ import annotations

import sqlite3
import sys
import time

# The same rows in both notebooks: each task names its order.
SETUP = """\
import os
from pathlib import Path
from taskref_edu import Order, TaskQueue, classic, open_database, writing
queue = TaskQueue(open_database(DATABASE))
with writing(queue.engine) as session:
    orders = [Order(customer=f"customer {n}", amount=n) for n in range(ROWS)]
    session.add_all(orders)
    session.flush()
    for order in orders:
        classic.enqueue_payment(session, queue, order)
Path(DATABASE + ".pid").write_text(str(os.getpid()))"""
PANEL = """\
from taskref_edu.widgets import Panel
panel = Panel(queue, approach="classic")
panel"""
# As somebody would write it who knows the rules: one thread writes, it looks ten times a second, and sends changes.
HTML = """\
import sqlite3, threading, time
from html import escape
from ipywidgets import HTML
table = HTML()
def show():
    file = sqlite3.connect(DATABASE)
    seen = None
    while True:
        version = file.execute("PRAGMA data_version").fetchone()
        if version != seen:
            seen = version
            lines = [
                f'<tr><td>{n}</td><td>{status}</td><td class="attempt">{attempt} of {most}</td><td>{type}</td>'
                f"<td>{escape(payload)}</td></tr>"
                for n, status, attempt, most, type, payload in file.execute(
                    "SELECT id, status, attempt, max_attempts, type, payload FROM task ORDER BY id")
            ]
            table.value = f"<table><tbody>{''.join(lines)}</tbody></table>"
        time.sleep(0.1)
threading.Thread(target=show, daemon=True).start()
table"""
BUTTON = """\
from ipywidgets import Button
button = Button(description="New order")
button"""
FIRST_PANEL = """\
from taskref_edu import TaskQueue, open_database
from taskref_edu.widgets import Panel
panel = Panel(TaskQueue(open_database()))
panel"""
SHOWN = {"panel": ".taskref-picture .taskref-item .taskref-c-attempt", "HTML table": "td.attempt"}

# Counts frames, and notes which change is shown from which frame on: the start of the frame after the one in which
# the page holds it, since only then has it been painted.
RECORD = """([selector, milliseconds]) => new Promise(done => {
    const frames = [], shown = [];
    let last = null, waits = null;
    const end = performance.now() + milliseconds;
    requestAnimationFrame(function frame(now) {
        frames.push(now);
        const at = performance.timeOrigin + performance.now();
        if (waits !== null) { shown.push([waits, at]); waits = null; }
        const text = document.querySelector(selector)?.textContent ?? null;
        if (text !== last) { last = text; waits = parseInt(text); }
        if (now < end) requestAnimationFrame(frame);
        else done({ frames, shown });
    });
})"""


def change_all(path: str, hertz: float, seconds: float) -> None:
    """Change every task so many times a second; print the number and the time of each commit."""
    file = sqlite3.connect(path, isolation_level=None, timeout=10)
    begun, number = time.time(), 0
    while time.time() - begun < seconds:
        number += 1
        status, lease = ("running", "'2100-01-01 00:00:00.000000'") if number % 2 else ("pending", "NULL")
        file.execute(f"UPDATE task SET status = '{status}', lease_expires_at = {lease}, attempt = {number}")
        print(number, time.time(), flush=True)
        time.sleep(max(0.0, begun + number / hertz - time.time()))


if __name__ == "__main__":
    change_all(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
