"""What shows a queue: rows, events and details, drawn by `picture.js`."""
