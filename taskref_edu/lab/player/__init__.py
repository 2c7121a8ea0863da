"""The race player: one interactive picture for races, crashes, the scheduler and failed exercises."""
