"""What clicks on a panel do, on each of its sides. May be called on any thread.

A click runs one short transaction, or sets an event, and reports the result. It changes no widget: the watcher does
that, from what it reads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from math import isfinite
from typing import Any

from ...queue.task_queue import TaskQueue
from .click_storm import How
from .click_transactions import plain
from .conditions import SCENARIO_OVER, still_open
from .controls import BUTTONS
from .offers import NO_ORDER, NO_SCENARIO
from .order_actions import ON_ALL, ON_ORDERS
from .scenarios import SCENARIOS, Act, Counts, ScenarioPlayer
from .side import Name, Side
from .worker_actions import NO_THREAD, ON_WORKERS

SECONDS = 2.0  # that a payment takes by default
BOUNDS = {"seconds": (0.0, 60.0), "clicks": (2, 20)}
HOW: tuple[How, ...] = ("as written", "at its best")


class PanelActions:
    """Executes clicks on the sides of one panel, a queue for each. `selected` is the order that clicks refer to.

    player: of the current scenario. hurry() is called when there is something new to show.
    """

    def __init__(self, queues: Mapping[Name, TaskQueue], hurry: Callable[[], None]) -> None:
        self.selected: int | None = None
        self.seconds = SECONDS
        self.clicks = 8
        self.how: How = "as written"
        self.scenario = next(iter(SCENARIOS))
        self.lens_open = False
        self.player: ScenarioPlayer | None = None
        self.about: int | None = None  # the scenario's own order
        self.ended = False
        self.started_over = 0  # how many times
        self.heard = ""  # number of the latest message, so that a page can tell whether a state is older than its click
        self._before_scenario: dict[str, Any] = {}  # the fields as they were
        self._hurry = hurry
        self._lock = threading.Lock()
        self._notice, self._repeated, self._not_yet = "", 0, ""
        self._storm: threading.Thread | None = None
        self.sides = [Side(name, queue, lambda: self.seconds, self.say) for name, queue in queues.items()]
        self.fresh = self.fields  # as the cell has set them
        self._acts: dict[str, Callable[[], object]] = {
            "new_order": partial(self._on_each, self._new_order),
            "storm": self._start_storm,
            "run": lambda: self.run(self.scenario),
            "next": partial(self._in_scenario, self._next),
            "play": partial(self._in_scenario, ScenarioPlayer.play),
            "end": partial(self._in_scenario, self._leave),
            "start_over": self._start_over,
            **{name: partial(self._on_order, name) for name in ON_ORDERS},
            **{name: partial(self._on_each, partial(_on_all, name)) for name in ON_ALL},
            **{name: partial(self._on_each, partial(_on_workers, name)) for name in ON_WORKERS},
        }

    # What the watcher asks

    @property
    def notice(self) -> str:
        """The latest notice. A repeated one is counted, so that the user sees that the click was handled."""
        with self._lock:
            return self._notice if self._repeated < 2 else f"{self._notice} (×{self._repeated})"

    def check_scenario(self) -> None:
        """Advance the scenario if its condition is met; at its end, restore the panel's settings."""
        if self.player is not None:
            self.player.check()
            if self._not_yet and self.player.waits_for is None:  # the condition is met now
                if self._not_yet == self._notice:
                    self.say(self.player.text)
                self._not_yet = ""
            if self.player.ended:
                self._restore()

    @property
    def fields(self) -> dict[str, Any]:
        """What can be set, by hand or by a scenario."""
        workers = max(len(side.pool.workers) for side in self.sides)
        return {"seconds": self.seconds, "clicks": self.clicks, "how": self.how, "workers": workers}

    # What clicks and scenarios do

    def hear(self, content: dict[str, Any]) -> None:
        """Do what a page requests."""
        if not self.ended:
            self.heard = str(content.get("sent", ""))
            self.act(content)
            self._hurry()

    def act(self, content: dict[str, Any]) -> None:
        """Do what a page or a step of a scenario requests; invalid requests are ignored."""
        order, number, fields = content.get("select"), content.get("guess"), content.get("set")
        if type(order) is int:
            self.selected = order
        for name, value in fields.items() if isinstance(fields, dict) else ():
            self._set(name, value)
        if isinstance(name := content.get("click"), str) and name in self._acts:
            self.click(name)
        elif type(number) is int and self.player is not None:
            self.player.guess(number)

    def click(self, name: str) -> None:
        """Do what the button of this name does; errors go to the status line. ValueError for an unknown button."""
        if name not in self._acts:
            raise ValueError(f"button {name!r} found; one of {', '.join(self._acts)} expected")
        if not self.ended:
            self._acts[name]()

    def say(self, text: str) -> None:
        with self._lock:
            self._repeated = self._repeated + 1 if text == self._notice else 1
            self._notice = text
        self._hurry()

    def run(self, scenario: str) -> None:
        """Start a scenario. ValueError, with the list, if there is none of this name."""
        player = ScenarioPlayer(scenario, self._act_in_scenario, self.still_open, self._counts)
        if any(worker.status.state not in NO_THREAD for side in self.sides for worker in side.pool.workers):
            self.click("stop")  # only the scenario's steps may start tasks
        self._restore()
        self._before_scenario = self.fields
        self._set("workers", 1)
        self.about = None
        player.begin()
        self.player = player
        self.say(f"{scenario}: read, guess, and let it happen")

    def still_open(self, condition: str) -> str | None:
        """Why a condition of `conditions.py` is not true yet; None if it is. ValueError for an unknown condition."""
        if condition == SCENARIO_OVER:
            return None if self.player is None or self.player.ended else self.player.text
        return still_open(condition, self.sides)

    def join(self, timeout: float) -> None:
        if self._storm is not None:
            self._storm.join(timeout)

    # Inside

    def _set(self, name: str, value: Any) -> None:
        if name in BOUNDS and type(value) in (int, float) and isfinite(value):
            least, most = BOUNDS[name]
            setattr(self, name, type(least)(min(max(value, least), most)))
        elif name == "how" and value in HOW:
            self.how = value
        elif name == "scenario" and value in SCENARIOS:
            self.scenario = value
        elif name == "workers" and value in (1, 2):
            if any(len(side.pool.workers) != value for side in self.sides):
                self._on_each(lambda side: side.pool.set_count(value))
        elif name == "lens":
            self.lens_open = value is True

    def _on_each(self, act: Callable[[Side], str]) -> None:
        self.say(_together({side.name: _attempt(act, side) for side in self.sides}))
        for side in self.sides:
            side.pool.go()

    def _new_order(self, side: Side) -> str:
        self.selected = side.new_order()
        return f"order {self.selected}: new"

    def _on_order(self, name: str) -> None:
        order_id = self.selected
        if order_id is None:
            self.say(NO_ORDER)
            return
        self._on_each(lambda side: side.click(name, f"{BUTTONS[name][0]}, order {order_id}", order_id))
        if name == "delete":
            self.selected = None  # the watcher selects another one, or this one if it is still there

    def _start_storm(self) -> None:
        with self._lock:
            under_way = any(side.storming for side in self.sides)
            for side in self.sides:
                side.storming = under_way or self.selected is not None
        if self.selected is None:
            self.say(NO_ORDER)
        elif under_way:
            self.say("the last storm is still under way")
        else:
            self.say(f"order {self.selected}: {self.clicks} clicks under way")
            strike = partial(self._strike, self.selected, self.clicks, self.how)
            self._storm = threading.Thread(target=strike, name="panel storm", daemon=True)
            self._storm.start()

    def _strike(self, order_id: int, clicks: int, how: How) -> None:
        """Runs on the storm's own thread: one side after the other, then the results of both."""
        said: dict[str, str] = {}
        for side in self.sides:
            said[side.name] = _attempt(lambda side: side.storm(order_id, clicks, how), side)
            side.note(said[side.name])
        for side in self.sides:
            side.storming = False
        self.say(_together(said))

    def _in_scenario(self, act: Callable[[ScenarioPlayer], None]) -> None:
        if self.player is None:
            self.say(NO_SCENARIO)
        else:
            act(self.player)
            self._hurry()

    def _next(self, player: ScenarioPlayer) -> None:
        if (answer := player.next()) is not None:
            self._not_yet = answer if player.waits_for else ""
            self.say(answer)

    def _counts(self) -> Counts:
        return {side.name: side.counts() for side in self.sides}

    def _act_in_scenario(self, act: Act) -> None:
        if self.about is not None:
            self.selected = self.about  # the learner may have selected another one meanwhile
        self.act(act)
        self.about = self.selected

    def _leave(self, _player: ScenarioPlayer) -> None:
        self.player = None
        self._restore()
        self.say("scenario: left")

    def _restore(self) -> None:
        before, self._before_scenario = self._before_scenario, {}
        for name, value in before.items():
            self._set(name, value)

    def _start_over(self) -> None:
        if any(side.storming for side in self.sides):
            self.say("start over: the clicks of a storm are under way; try again when they have ended")
            return
        self.player, self.selected, self._before_scenario = None, None, self.fresh
        self._restore()
        self._on_each(lambda side: side.start_over())
        self.started_over += 1


def _on_all(name: str, side: Side) -> str:
    return side.click(name, BUTTONS[name][0], 0)


def _on_workers(name: str, side: Side) -> str:
    return getattr(side.pool, name)()


def _attempt(act: Callable[[Side], str], side: Side) -> str:
    try:
        return act(side)
    except Exception as error:  # shown in the status line; a printed error would appear in an unrelated cell
        return plain(error)


def _together(said: dict[str, str]) -> str:
    """The results of both sides, once if they are the same."""
    if len(set(said.values())) == 1:
        return next(iter(said.values()))
    return "; ".join(f"{name}: {text}" for name, text in said.items())
