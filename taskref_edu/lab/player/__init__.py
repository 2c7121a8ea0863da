"""The race player: one living picture for races, crashes, the scheduler and failed exercises."""
