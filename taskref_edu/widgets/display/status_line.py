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
