"""The status line: one sentence, read out by screen readers when it changes.

An anywidget, because a live region must be there before its text changes: an HTML widget replaces its content,
region included, and most screen readers then say nothing.
"""

from __future__ import annotations

import anywidget
import traitlets


class StatusLine(anywidget.AnyWidget):
    """Shows `text` as text, never as HTML."""

    _esm = """
    export default {
      render({ model, el }) {
        const line = document.createElement("div");
        line.className = "taskref-status";
        line.setAttribute("role", "status");
        line.setAttribute("aria-live", "polite");
        el.append(line);
        const show = () => { line.textContent = model.get("text"); };
        model.on("change:text", show);
        show();
        return () => model.off("change:text", show);
      },
    };
    """
    text = traitlets.Unicode("").tag(sync=True)
