"""The race player: draws a recorded exploration, for races, crashes, the scheduler and failed exercises."""
