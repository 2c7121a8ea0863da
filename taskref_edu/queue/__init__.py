"""The queue: enqueue, claim, complete, cancel. Each verb is one guarded statement in the caller's transaction."""

from .running_task import RunningTask
from .task_queue import TaskQueue

__all__ = ["RunningTask", "TaskQueue"]
