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
.taskref-panel.taskref-panel :is(button, select, input, .taskref-scroll):focus-visible {
  outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.taskref-status { min-height: 1.5em; margin: 4px 2px; padding: 3px 8px; line-height: 1.5; overflow-wrap: anywhere;
  font-size: var(--jp-ui-font-size1, 13px); color: var(--jp-ui-font-color1); background: var(--jp-layout-color2);
  border-left: 3px solid var(--jp-brand-color1); }
.taskref-sides { flex-flow: row wrap; align-items: flex-start; gap: 8px 24px; overflow: visible; }
.taskref-side { flex: 1 1 24em; min-width: min(24em, 100%); overflow: visible; }
.taskref-tables { flex-flow: row wrap; align-items: flex-start; gap: 8px 24px; overflow: visible; }
.taskref-panel .taskref-scroll { flex: 1 1 auto; max-height: 26em; max-width: 100%; overflow: auto; }
</style>"""

# Sent with each copy of the tables: the live one and the static one.
TABLE_STYLE = """<style>
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
.taskref-badge { display: inline-block; padding: 0 6px; border: 1px solid var(--tone); border-radius: 8px;
  background: color-mix(in srgb, var(--tone) 16%, transparent); --tone: #808790; white-space: nowrap; }
.taskref-running { --tone: #2f7fd6; }
.taskref-succeeded, .taskref-paid { --tone: #2c9a55; }
.taskref-failed { --tone: #dd4b4b; border-width: 2px; }
.taskref-cancelled { --tone: #b9822b; border-style: dashed; }
.taskref-arrow { white-space: nowrap; font-weight: 600; }
.taskref-broken { font-weight: 600; border-bottom: 2px dashed #dd4b4b; }
</style>"""

# The delay keeps it out of sight while a live panel is still being drawn.
STATIC_STYLE = """<style>
.taskref-static { overflow: hidden; max-height: 0; animation: taskref-appear 0s 3s forwards; }
@keyframes taskref-appear { to { max-height: none; } }
.jp-OutputArea:has(.taskref-static) .jp-OutputArea-output.jupyter-widgets:not(:has(*)) { display: none; }
</style>"""
