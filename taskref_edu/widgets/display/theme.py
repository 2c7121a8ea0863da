"""How a panel looks: JupyterLab's own colours, so that it follows the light and the dark theme.

States have middle tones of their own, as border and tint only: the text keeps the theme's colour and contrast.
"""

# The static copy is what a notebook shows that is opened without its kernel. It hides while its panel is live.
STYLE = """<style>
.jp-OutputArea:has(.taskref-panel) .taskref-static { display: none; }
.taskref-panel { padding: 4px; overflow: visible; }
.taskref-panel > *, .taskref-panel .widget-html { max-width: 100%; }
.taskref-panel .widget-html, .taskref-panel .widget-html-content { height: auto; line-height: 1.4; overflow: visible; }
.taskref-controls { flex-flow: row wrap; align-items: center; gap: 2px 4px; overflow: visible; }
.taskref-controls > .widget-html { width: 4.5em; font-weight: 600; }
.taskref-panel button, .taskref-panel select, .taskref-panel input { font-size: var(--jp-ui-font-size1, 13px); }
.taskref-panel select { max-width: 14em; }
.taskref-panel button { width: auto; min-width: 5.5em; color: var(--jp-ui-font-color1); }
.taskref-panel.taskref-panel :is(button, select, input):focus-visible {
  outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.taskref-status { min-height: 1.5em; margin: 4px 2px; padding: 3px 8px; line-height: 1.5; overflow-wrap: anywhere;
  font-size: var(--jp-ui-font-size1, 13px); color: var(--jp-ui-font-color1); background: var(--jp-layout-color2);
  border-left: 3px solid var(--jp-brand-color1); }
.taskref-sides { flex-flow: row wrap; align-items: flex-start; gap: 8px 24px; overflow: visible; }
.taskref-side { flex: 1 1 26em; min-width: min(26em, 100%); overflow: visible; }
</style>"""

BADGES = """
.taskref-badge { display: inline-block; padding: 0 6px; border: 1px solid var(--tone); border-radius: 8px;
  background: color-mix(in srgb, var(--tone) 16%, transparent); --tone: #808790; white-space: nowrap; }
.taskref-running { --tone: #2f7fd6; }
.taskref-succeeded, .taskref-paid { --tone: #2c9a55; }
.taskref-failed { --tone: #dd4b4b; border-width: 2px; }
.taskref-cancelled { --tone: #b9822b; border-style: dashed; }
"""

# Sent with the static copy of the tables.
TABLE_STYLE = (
    """<style>
.taskref-title { font-weight: 600; margin: 2px; color: var(--jp-ui-font-color1); }
.taskref-worker { margin: 2px; color: var(--jp-ui-font-color1); overflow-wrap: anywhere; }
.taskref-table.taskref-table { border-collapse: collapse; margin: 2px; font-size: var(--jp-ui-font-size1, 13px);
  color: var(--jp-ui-font-color1); font-variant-numeric: tabular-nums; }
.taskref-table caption { text-align: left; font-weight: 600; padding: 2px 0; caption-side: top; }
.taskref-table.taskref-table th, .taskref-table.taskref-table td { text-align: left; vertical-align: top;
  padding: 2px 8px; font-weight: 400; line-height: 1.4; white-space: nowrap;
  border-bottom: 1px solid var(--jp-border-color2); }
.taskref-table.taskref-table thead th { font-weight: 600; }
.taskref-table.taskref-table .taskref-number { text-align: right; }
.taskref-table.taskref-table td.taskref-text { max-width: 24em; white-space: normal;
  overflow-wrap: anywhere; }
.taskref-table.taskref-table td.taskref-text:not(:empty) { min-width: 5em; }
.taskref-table.taskref-table td.taskref-error:not(:empty) { min-width: 14em; }
.taskref-arrow { white-space: nowrap; font-weight: 600; }
.taskref-broken { font-weight: 600; border-bottom: 2px dashed #dd4b4b; }
"""
    + BADGES
    + "</style>"
)

# The live picture. Rows are grids of one height; the columns that matter least give way where there is little room.
PICTURE_STYLE = (
    """
.taskref-picture { --text: var(--jp-ui-font-color1, CanvasText); --paper: var(--jp-layout-color1, Canvas);
  --line: var(--jp-border-color2, #8884); --accent: var(--jp-brand-color1, #1976d2);
  --arrow: color-mix(in srgb, var(--text) 62%, var(--paper)); --wrong: #d64545;
  --taskref-flash: color-mix(in srgb, var(--accent) 30%, transparent);
  font-size: var(--jp-ui-font-size1, 13px); color: var(--text); line-height: 1.4; container-type: inline-size; }
.taskref-picture .taskref-title { font-weight: 600; margin: 2px 0; }
.taskref-worker { margin: 2px 0; overflow-wrap: anywhere; }
.taskref-unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
.taskref-lists { display: grid; grid-template-rows: auto auto auto;
  grid-template-columns: minmax(0, var(--left)) var(--gutter) minmax(0, var(--right)); }
.taskref-classic { --left: 8fr; --gutter: 64px; --right: 13fr; }
.taskref-inverted { --left: 10fr; --gutter: 64px; --right: 10fr; }
.taskref-list { display: grid; grid-row: 1 / 4; grid-template-rows: subgrid; min-width: 0; }
.taskref-picture .taskref-tasks { grid-column: 3; }
.taskref-arrows { grid-column: 2; grid-row: 2; position: relative; min-height: 0; }
.taskref-arrows svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: hidden; }
.taskref-arrows path { fill: none; stroke: var(--arrow); stroke-width: 1.5; }
.taskref-arrows path.taskref-ended { stroke-opacity: .6; }
.taskref-arrows path.taskref-now { stroke: var(--accent); stroke-width: 2.5; }
.taskref-arrows path.taskref-lost { stroke: var(--wrong); stroke-dasharray: 4 3; stroke-width: 2; }
.taskref-arrows path.taskref-cross { stroke: var(--wrong); stroke-width: 2.5; }
.taskref-arrows path.taskref-hot { stroke: var(--accent); stroke-width: 3; stroke-opacity: 1; }
.taskref-caption { font-weight: 600; padding: 2px 0; align-self: end; }
.taskref-rows { position: relative; height: calc(13 * var(--taskref-row, 26px)); overflow: hidden auto;
  overflow-anchor: none; scrollbar-gutter: stable; border: 1px solid var(--line); background: var(--paper);
  contain: strict; }
.taskref-row { display: grid; align-items: center; height: var(--taskref-row, 26px); box-sizing: border-box;
  gap: 6px; padding: 0 4px; border-bottom: 1px solid var(--line); border-left: 3px solid transparent;
  font-variant-numeric: tabular-nums; cursor: default; }
.taskref-row > div { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-width: 0; }
.taskref-head { position: sticky; top: 0; z-index: 1; background: var(--jp-layout-color2, Canvas); font-weight: 600; }
.taskref-classic .taskref-orders .taskref-row { grid-template-columns: 3.4em 4.8em minmax(0, 1fr) 4.5em; }
.taskref-inverted .taskref-orders .taskref-row { grid-template-columns: 3.4em 4.8em minmax(0, 1fr) 4.5em 5.6em; }
.taskref-classic .taskref-tasks .taskref-row {
  grid-template-columns: 12.5em 3em minmax(8em, 1.3fr) 4.8em minmax(5em, .8fr) minmax(0, 1fr); }
.taskref-inverted .taskref-tasks .taskref-row {
  grid-template-columns: 3em minmax(8em, 1.3fr) 4.8em minmax(5em, .8fr) minmax(0, 1fr); }
.taskref-c-id { font-weight: 600; }
.taskref-row .taskref-badge { max-width: 100%; box-sizing: border-box; overflow: hidden; text-overflow: ellipsis;
  vertical-align: middle; }
.taskref-c-amount { text-align: right; }
.taskref-orders .taskref-c-arrow { text-align: right; }
.taskref-item .taskref-c-customer, .taskref-item .taskref-c-type { unicode-bidi: isolate; }
.taskref-worked { border-left-color: var(--accent); background: color-mix(in srgb, var(--accent) 12%, var(--paper)); }
.taskref-at-work { font-weight: 600; }
.taskref-row.taskref-hot { background: color-mix(in srgb, var(--accent) 20%, var(--paper)); }
.taskref-rows:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.taskref-rows:focus-visible .taskref-active { outline: 2px solid var(--accent); outline-offset: -2px; }
.taskref-picture .taskref-broken { font-weight: 600; border-bottom: 2px dashed var(--wrong); }
.taskref-picture .taskref-jump { all: unset; cursor: pointer; font-weight: 600; border-bottom: 1px dotted; }
.taskref-detail { background: var(--jp-layout-color2, Canvas); border-bottom: 1px solid var(--line);
  border-left: 3px solid var(--accent); }
.taskref-picture .taskref-details { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 1px 12px;
  margin: 0; padding: 4px 8px; max-height: 14em; overflow: auto; }
.taskref-picture .taskref-details dt { font-weight: 600; margin: 0; float: none; width: auto; }
.taskref-picture .taskref-details dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
.taskref-none { padding: 6px 8px; }
.taskref-none[hidden] { display: none; }
.taskref-follow { grid-row: 3; display: flex; align-items: center; gap: 6px; padding: 2px 0; }
.taskref-follow input { margin: 0; }
.taskref-keys { padding: 2px 0; }
.taskref-bar { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 10px; padding: 4px 0; }
.taskref-bar button { min-width: 0; padding: 2px 10px; font: inherit; color: var(--text); cursor: pointer;
  background: var(--jp-layout-color2, Canvas); border: 1px solid var(--jp-border-color1, #888); border-radius: 3px; }
.taskref-bar input { width: 5em; font: inherit; color: var(--text); background: var(--paper);
  border: 1px solid var(--jp-border-color1, #888); padding: 1px 4px; }
.taskref-events { height: 9em; overflow: auto; border: 1px solid var(--line); padding: 2px 6px;
  font-variant-numeric: tabular-nums; background: var(--paper); }
.taskref-events > div { overflow-wrap: anywhere; padding-left: 4.5em; text-indent: -4.5em; }
.taskref-at { display: inline-block; min-width: 4em; text-align: right; text-indent: 0; margin-right: .5em; }
.taskref-picture :is(button, input, .taskref-events):focus-visible { outline: 2px solid var(--accent);
  outline-offset: 1px; }
@container (max-width: 680px) {
  .taskref-c-type, .taskref-c-attempt, .taskref-c-amount, .taskref-rest { display: none; }
  .taskref-caption { min-height: 2.8em; display: flex; align-items: flex-end; }
  .taskref-lists { --gutter: 44px; }
  .taskref-classic .taskref-lists { --left: 10fr; --right: 16fr; }
  .taskref-inverted .taskref-lists { --left: 12fr; --right: 12fr; }
  .taskref-classic .taskref-orders .taskref-row { grid-template-columns: 3.1em 4.6em minmax(0, 1fr); }
  .taskref-inverted .taskref-orders .taskref-row { grid-template-columns: 3.1em 4.6em minmax(0, 1fr) 5em; }
  .taskref-classic .taskref-tasks .taskref-row {
    grid-template-columns: 5.9em 2.5em minmax(7.9em, 1.3fr) minmax(0, 1fr); }
  .taskref-inverted .taskref-tasks .taskref-row { grid-template-columns: 2.5em minmax(7.9em, 1.2fr) minmax(0, 1fr); }
}
@container (max-width: 560px) {
  .taskref-c-customer { display: none; }
  .taskref-picture .taskref-lists { --gutter: 36px; --left: 9fr; }
  .taskref-row { gap: 3px; }
  .taskref-classic .taskref-orders .taskref-row { grid-template-columns: 3.3em minmax(0, 1fr); }
  .taskref-inverted .taskref-orders .taskref-row { grid-template-columns: 3.3em minmax(0, 1fr) 5em; }
  .taskref-classic .taskref-tasks .taskref-row {
    grid-template-columns: 5.6em 2.6em minmax(7.9em, 1fr) minmax(0, 4.6em); }
}
@container (max-width: 400px) {
  .taskref-lists { grid-template-columns: minmax(0, 1fr); }
  .taskref-picture .taskref-list { grid-column: 1; grid-row: auto; grid-template-rows: none; }
  .taskref-arrows { display: none; }
  .taskref-rows { height: calc(8 * var(--taskref-row, 26px)); }
}
@media (prefers-reduced-motion: reduce) {
  .taskref-picture * { animation: none !important; transition: none !important; }
}
"""
    + BADGES
)

# The delay keeps it out of sight while a live panel is still being drawn.
STATIC_STYLE = """<style>
.taskref-static { overflow: hidden; max-height: 0; animation: taskref-appear 0s 3s forwards; }
@keyframes taskref-appear { to { max-height: none; } }
.jp-OutputArea:has(.taskref-static) .jp-OutputArea-output.jupyter-widgets:not(:has(*)) { display: none; }
</style>"""
