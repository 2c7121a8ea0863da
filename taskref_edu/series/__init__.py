"""Builds `notebooks/*.ipynb` from `authoring/*.md`: for authors; learners need only `update`."""
