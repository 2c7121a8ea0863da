// The connection to the kernel, if there is one: it receives what was played, and sends steps that are not recorded.

const LINKS = (globalThis.taskrefPlayerLinks ??= new Map()); // models by their name
const PLAYERS = (globalThis.taskrefPlayers ??= new Set()); // those on the page

globalThis.taskrefPlayerLink ??= (model) => {
  LINKS.set(model.get("name"), model);
  model.on("msg:custom", (message) => {
    for (const player of PLAYERS) if (player.options.number === message.game) player.heard(message);
  });
};

const mapped = (object, change) => Object.fromEntries(Object.entries(object).map(([key, value]) => change(key, value)));
const values = (object, change) => object && mapped(object, (key, value) => [key, change(value)]);

// Add the steps after a schedule from another recording. Its indices begin where this one's end.
function graft(rec, more, schedule) {
  const at = { sql: rec.sql.length, rows: rec.rows.length, steps: rec.steps.length, states: rec.states.length };
  const sql = (i) => (typeof i === "number" ? i + at.sql : i);
  const bySql = (asked) => mapped(asked, (i, came) => [sql(+i), came]);
  const rows = (list) => list.map((i) => i + at.rows);
  const here = rec.path(schedule).at(-1).state;
  rec.tables = { ...more.tables, ...rec.tables };
  rec.sql.push(...more.sql);
  rec.rows.push(...more.rows);
  rec.steps.push(...more.steps.map((step) => ({ ...step, sql: sql(step.sql) })));
  const moved = (state) => ({
    ...state,
    rows: rows(state.rows),
    open: values(state.open, rows),
    now: values(state.now, bySql),
    waits: values(state.waits, ([by, i]) => [by, sql(i)]),
    go: values(state.go, ([step, next]) => [step + at.steps, next + at.states]),
  });
  rec.states.push(...more.states.map(moved));
  rec.words.sql.push(...more.words.sql);
  rec.words.answers.push(...more.words.answers);
  for (const [i, now] of Object.entries(more.words.now)) rec.words.now[+i + at.states] = values(now, bySql);
  rec.words.columns = { ...more.words.columns, ...rec.words.columns };
  Object.assign(rec.words.why, more.words.why);
  let there = at.states;
  for (const letter of schedule) there = rec.states[there].go[letter][1];
  here.go = { ...rec.states[there].go, ...here.go };
  delete here.more;
}
