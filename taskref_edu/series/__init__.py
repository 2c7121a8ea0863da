"""From `authoring/*.md` to `notebooks/*.ipynb`: for authors only, no learner needs it.

The files in reading order: `source`, `notebook`, `build`, `rules`.
"""
