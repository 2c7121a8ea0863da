"""What the clicks on a panel do, on each of its sides; they may come on any thread.

A click makes one short transaction, or sets an event, and says what came of it. It writes no widget: what is to be
written is left to the watcher.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .click_storm import How
from .click_transactions import plain
from .conditions import SCENARIO_OVER, still_open
from .controls import BUTTONS, WORKER_BUTTONS, WORKER_TROUBLE_BUTTONS, Controls
from .order_actions import ON_ALL, ON_ORDERS
from .scenario_player import PACE, ScenarioPlayer
from .scenarios import Act
from .side import Side
from .worker_actions import NO_THREAD

NO_SCENARIO = "no scenario is under way: choose one under More, and click Run"
NO_ORDER = "no order selected: create one with New order"


class PanelActions:
    """Works the `sides` of one panel. `selected` is the order that clicks are about, `player` the scenario.

    hurry() is called when there is something new to show.
    """

    def __init__(self, controls: Controls, hurry: Callable[[], None]) -> None:
        self.sides: Sequence[Side] = ()  # the panel's: they speak through say(), so they come after
        self.selected: int | None = None
        self.seconds = 2.0
        self.player: ScenarioPlayer | None = None
        self.ended = False
        self._controls = controls
        self._hurry = hurry
        self._lock = threading.Lock()
        self._notice, self._repeated = "", 0
        self._to_write: list[Callable[[], None]] = []
        self._storm: threading.Thread | None = None
        self._acts = self._connect()

    # What the watcher asks

    @property
    def notice(self) -> str:
        """What was said last. The same answer to another click must look different, or it seems to go unheard."""
        with self._lock:
            return self._notice if self._repeated < 2 else f"{self._notice} (×{self._repeated})"

    def writes(self) -> list[Callable[[], None]]:
        """The writes of widgets that are due."""
        with self._lock:
            due, self._to_write = self._to_write, []
        return due

    # What clicks and scenarios do

    def click(self, name: str) -> None:
        """Do what the button of that name does; errors go to the status line."""
        if not self.ended:
            self._acts[name]()

    def say(self, text: str) -> None:
        """Show the text in the status line."""
        with self._lock:
            self._repeated = self._repeated + 1 if text == self._notice else 1
            self._notice = text
        self._hurry()

    def write(self, write: Callable[[], None]) -> None:
        """Let the watcher write a widget."""
        with self._lock:
            self._to_write.append(write)
        self._hurry()

    def storm(self, clicks: int, how: How) -> None:
        """Pay the selected order `clicks` times at the same moment, in the background."""
        with self._lock:
            under_way = any(side.storming for side in self.sides)
            for side in self.sides:
                side.storming = under_way or self.selected is not None
        if self.selected is None:
            self.say(NO_ORDER)
        elif under_way:
            self.say("the last storm is still under way")
        else:
            self.say(f"order {self.selected}: {clicks} clicks under way")
            strike = partial(self._strike, self.selected, clicks, how)
            self._storm = threading.Thread(target=strike, name="panel storm", daemon=True)
            self._storm.start()

    def act(self, act: Act) -> None:
        """Do one act of a scenario."""
        verb, *arguments = act
        {"click": self.click, "storm": self.storm, "seconds": self.set_seconds, "workers": self.set_workers}[str(verb)](
            *arguments  # type: ignore[arg-type]
        )

    def set_seconds(self, seconds: float) -> None:
        """How long a payment takes from now on."""
        self.seconds = seconds
        self.write(lambda: setattr(self._controls.seconds, "value", seconds))

    def set_workers(self, count: int) -> None:
        """One worker on each side, or two."""
        if any(len(side.workers) != count for side in self.sides):
            self._on_each(lambda side: side.pool.set_count(count))
            self.write(lambda: setattr(self._controls.two, "value", count == 2))

    def run(self, scenario: str) -> None:
        """Begin a scenario. ValueError, with the list, if there is none of that name."""
        player = ScenarioPlayer(scenario, self.act, self.still_open)
        if any(worker.status.state not in NO_THREAD for side in self.sides for worker in side.workers):
            self.click("stop")  # nothing shall move by itself
        self.set_workers(1)
        player.begin()
        self.player = player
        self.say(f"{scenario}: read, guess, then click Next")

    def play(self, pace: float = PACE) -> None:
        """Make the steps that are left by themselves."""
        if (player := self._current_player()) is not None:
            player.play(pace)
            self._hurry()

    def still_open(self, condition: str) -> str | None:
        """What keeps a condition of `conditions.py` from being true now, or None. ValueError for an unknown one."""
        if condition == SCENARIO_OVER:
            return None if self.player is None or self.player.ended else self.player.text
        return still_open(condition, self.sides)

    def join(self, timeout: float) -> None:
        """Wait for a storm that is under way."""
        if self._storm is not None:
            self._storm.join(timeout)

    # Inside

    def _connect(self) -> dict[str, Callable[[], object]]:
        controls, pool = self._controls, WORKER_BUTTONS | WORKER_TROUBLE_BUTTONS
        for name, button in controls.buttons.items():
            button.on_click(lambda _, name=name: self.click(name))
        controls.seconds.observe(lambda change: setattr(self, "seconds", change["new"]), "value")
        controls.order.observe(self._select, "value")
        controls.two.observe(lambda change: self.set_workers(2 if change["new"] else 1), "value")
        return {
            "new_order": partial(self._on_each, self._new_order),
            "storm": lambda: self.storm(controls.clicks.value, controls.how.value),  # type: ignore[arg-type]
            "run": lambda: self.run(str(controls.scenario.value)),
            "next": self._next,
            "play": self.play,
            "end": self._leave_scenario,
            **{name: partial(self._on_order, name) for name in ON_ORDERS},
            **{name: partial(self._on_each, partial(_on_all, name)) for name in ON_ALL},
            **{name: partial(self._on_each, partial(_on_workers, name)) for name in pool},
        }

    def _on_each(self, act: Callable[[Side], str]) -> None:
        """Do it on each side, and say what came of it: once, if it is the same."""
        self.say(_together({side.name: _attempt(act, side) for side in self.sides}))
        for side in self.sides:
            side.pool.go()
        if any(len(side.workers) == 2 for side in self.sides):  # a zombie needs somebody who takes over
            self.write(lambda: setattr(self._controls.two, "value", True))

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

    def _strike(self, order_id: int, clicks: int, how: How) -> None:
        """The storm's own thread: one side after the other, then what came of both."""
        said: dict[str, str] = {}
        for side in self.sides:
            said[side.name] = _attempt(lambda side: side.storm(order_id, clicks, how), side)
            side.note(said[side.name])
        for side in self.sides:
            side.storming = False
        self.say(_together(said))

    def _next(self) -> None:
        if (player := self._current_player()) is not None and (answer := player.next()) is not None:
            self.say(answer)
        self._hurry()

    def _current_player(self) -> ScenarioPlayer | None:
        if self.player is None:
            self.say(NO_SCENARIO)
        return self.player

    def _leave_scenario(self) -> None:
        self.player = None
        self.say("scenario: left")

    def _select(self, change: dict[str, Any]) -> None:
        if change["new"] is not None:
            self.selected = change["new"]


def _on_all(name: str, side: Side) -> str:
    return side.click(name, BUTTONS[name][0], 0)


def _on_workers(name: str, side: Side) -> str:
    return getattr(side.pool, name)()


def _attempt(act: Callable[[Side], str], side: Side) -> str:
    try:
        return act(side)
    except Exception as error:  # an error's place is the status line; printed, it lands in a stranger's cell
        return plain(error)


def _together(said: dict[str, str]) -> str:
    """What both sides said, once if it is the same."""
    if len(set(said.values())) == 1:
        return next(iter(said.values()))
    return "; ".join(f"{name}: {text}" for name, text in said.items())
