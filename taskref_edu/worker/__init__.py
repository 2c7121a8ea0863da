"""The worker: claims tasks, runs their handlers, keeps their leases."""

from .worker import Worker, WorkerStatus

__all__ = ["Worker", "WorkerStatus"]
