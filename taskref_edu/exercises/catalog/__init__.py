"""The exercises: one file each, named after id and title, each declaring `EXERCISE`. The folder is the list."""
