"""The greenlet that an actor's function runs on, in one schedule after another.

Read next: `dying.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

from .errors import ActorKilled
from .watchdog import Hung, stuck_at

if TYPE_CHECKING:
    from .actor import Actor


class ActorGreenlet(greenlet):
    """Runs the function whenever it is begun; a new greenlet for each schedule would cost as much as a step.

    actor: how the audit hook knows whose code runs. explorer: the greenlet that lets the actor go.
    """

    def __init__(self, actor: Actor) -> None:
        super().__init__(self._again)
        self.actor = actor
        self.explorer = getcurrent()

    def begin(self) -> None:
        """Call the function, as far as its first step."""
        self.gr_context = None  # no context variable outlives its schedule
        self.switch()

    def _again(self) -> None:
        while True:
            self._once()
            self.actor.ended = True
            self.explorer.switch()

    def _once(self) -> None:
        try:
            self.actor.result = self.actor.function(self.actor.engine)
        except ActorKilled:
            pass
        except Hung as stuck:
            self.actor.stuck_at = stuck_at(stuck)
        except KeyboardInterrupt:
            raise  # it was meant for the exploration, and ends this greenlet
        except BaseException as error:
            self.actor.error = error
