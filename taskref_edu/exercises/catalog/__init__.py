"""The exercises: one file each, each declaring `EXERCISE`. The folder is the list, and a file's name is the index:

`e1_1_follow_the_arrow.py` is 1.1. What several exercises share stands in files with an underscore in front.
"""
