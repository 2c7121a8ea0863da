// Hint, Solution and Reset under an exercise. What they say comes from the kernel, as HTML that is escaped there.

const LOST = "The kernel was restarted or shut down. Run this cell again; then the buttons answer.";
const NAMES = { hint: "Hint", solution: "Solution", reset: "Reset" };

// JupyterLab's editor of the cell that this output belongs to; none in a view of its own, or elsewhere.
function editorOf(el) {
  const content = el.closest(".jp-Cell")?.querySelector(".jp-InputArea .cm-content");
  const node = content?.cmTile ?? content?.cmView;
  return node?.view ?? node?.rootView?.view ?? node?.root?.view;
}

function render({ model, el }) {
  const row = document.createElement("div"), said = document.createElement("div");
  row.style.cssText = "display:flex;gap:6px;margin:4px 0";
  for (const [name, text] of Object.entries(NAMES)) {
    const button = document.createElement("button");
    button.textContent = text;
    button.title = model.get("titles")[name];
    button.className = "jupyter-button widget-button";
    button.style.width = "auto";
    button.onclick = () => {
      const editor = name === "reset" ? editorOf(el) : null, before = editor?.state.doc.toString() ?? "";
      const stub = model.get("stub"), changes = { from: 0, to: before.length, insert: stub };
      try {
        model.send({ press: name, before });
      } catch {
        said.textContent = LOST; // and the cell keeps its text, which nobody could store
        return;
      }
      if (before !== stub) editor?.dispatch({ changes, userEvent: "input" });
    };
    row.append(button);
  }
  const show = () => { said.innerHTML = model.get("said"); };
  model.on("change:said", show);
  show();
  el.append(row, said);
  return () => model.off("change:said", show);
}

export default { render };
