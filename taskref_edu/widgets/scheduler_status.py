"""The scheduler's status line, read out by screen readers when it changes; it also keeps the scheduler's keys.

An anywidget, because a live region must be there before its text changes, and because JupyterLab listens for keys on
the document before any element does (there, A and B insert cells): only the window comes earlier.
"""

from __future__ import annotations

import anywidget
import traitlets


class StatusAndKeys(anywidget.AnyWidget):
    """Shows `text` as text; sends {"key": …} for one of `kept` inside its scheduler. Other keys stay JupyterLab's."""

    # Where a click on a button does not focus it (Safari), the box gets the focus, and with it the keys. A table that
    # scrolls keeps its arrow keys. The parts are drawn anew at each step: the lanes are scrolled to their newest step,
    # and where that takes the focused element away, the box gets the focus.
    _esm = """
    export default {
      render({ model, el }) {
        const line = document.createElement("div");
        line.className = "taskref-said";
        line.setAttribute("role", "status");
        line.setAttribute("aria-live", "polite");
        el.append(line);
        const show = () => { line.textContent = model.get("text"); };
        model.on("change:text", show);
        show();
        const press = (event) => {
          const inside = el.closest(".taskref-scheduler")?.contains(event.target);
          if (!inside || event.ctrlKey || event.altKey || event.metaKey) return;
          const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
          if (!model.get("kept").includes(key)) return;
          event.preventDefault();
          event.stopImmediatePropagation();
          if (!event.repeat) model.send({ key });
        };
        window.addEventListener("keydown", press, true);
        const keepArrows = ({ target }) => {
          if (target.matches(".taskref-scroll")) target.dataset.lmSuppressShortcuts = "true";
        };
        let inside = false;
        const note = ({ target }) => { inside = !!el.closest(".taskref-scheduler")?.contains(target); };
        document.addEventListener("focusin", note);
        const follow = new MutationObserver((changes) => {
          const box = el.closest(".taskref-scheduler"), lanes = box?.querySelector(".taskref-lanes");
          if (lanes && changes.some(({ target }) => lanes.contains(target))) lanes.scrollTop = lanes.scrollHeight;
          if (inside && document.activeElement === document.body) box?.focus({ preventScroll: true });
        });
        let frame = requestAnimationFrame(function listen() {
          const box = el.closest(".taskref-scheduler");
          if (!box) { frame = requestAnimationFrame(listen); return; }
          box.tabIndex = -1;
          box.addEventListener("focusin", keepArrows);
          follow.observe(box, { childList: true, subtree: true });
        });
        return () => {
          cancelAnimationFrame(frame);
          follow.disconnect();
          window.removeEventListener("keydown", press, true);
          document.removeEventListener("focusin", note);
          model.off("change:text", show);
        };
      },
    };
    """
    text = traitlets.Unicode("").tag(sync=True)
    kept = traitlets.List(traitlets.Unicode()).tag(sync=True)
