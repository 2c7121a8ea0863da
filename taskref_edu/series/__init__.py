"""From `authoring/*.md` to `notebooks/*.ipynb`: for authors; learners need only `update`."""
