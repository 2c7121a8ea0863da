"""Shows a queue: its rows, events and details, drawn by `picture.js`."""
