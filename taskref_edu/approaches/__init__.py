"""The two approaches, each as a sibling file with the same verbs; `diff classic.py inverted.py` is the lesson."""
