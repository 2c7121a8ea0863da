"""The status line: one sentence, read out by screen readers when it changes. It also keeps the panel's keys.

An anywidget, because a live region must be there before its text changes: an HTML widget replaces its content,
region included, and most screen readers then say nothing.
"""

from __future__ import annotations

import anywidget
import traitlets


class StatusLine(anywidget.AnyWidget):
    """Shows `text` as text, never as HTML."""

    # JupyterLab takes arrow keys and digits for its own shortcuts, even from a list or a scrolling table that has
    # the focus, unless that very element says otherwise. The panel's element is not there before the first frame.
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
        const keepKeys = ({ target }) => {
          if (!target.matches("button")) target.dataset.lmSuppressShortcuts = "true";
        };
        let frame = requestAnimationFrame(function listen() {
          const panel = el.closest(".taskref-panel");
          if (panel) panel.addEventListener("focusin", keepKeys);
          else frame = requestAnimationFrame(listen);
        });
        return () => { cancelAnimationFrame(frame); model.off("change:text", show); };
      },
    };
    """
    text = traitlets.Unicode("").tag(sync=True)
