"""The two approaches, in sibling files with the same verbs: `diff classic.py inverted.py` shows the lesson."""
