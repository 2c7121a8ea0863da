// The connection to the kernel, if there is one: it receives what was played, and sends steps that are not recorded.

const LINKS = (globalThis.taskrefPlayerLinks ??= new Map()); // models by their name
const PLAYERS = (globalThis.taskrefPlayers ??= new Set()); // those on the page

globalThis.taskrefPlayerLink ??= (model) => {
  LINKS.set(model.get("name"), model);
  model.on("msg:custom", (message) => {
    for (const player of PLAYERS) if (player.options.number === message.game) player.heard(message);
  });
};

const bySql = (now, sql) => Object.fromEntries(Object.entries(now).map(([x, asked]) => [x, Object.fromEntries(Object.entries(asked).map(([i, came]) => [sql(+i), came]))]));

// Add the steps after a schedule from another recording.
function graft(rec, more, schedule) {
  const at = { sql: rec.sql.length, rows: rec.rows.length, steps: rec.steps.length, states: rec.states.length };
  const sql = (i) => (typeof i === "number" ? i + at.sql : i), here = rec.path(schedule).at(-1).state;
  const go = (edges) => Object.fromEntries(Object.entries(edges).map(([x, [step, state]]) => [x, [step + at.steps, state + at.states]]));
  const rows = (list) => list.map((i) => i + at.rows);
  rec.tables = { ...more.tables, ...rec.tables };
  rec.sql.push(...more.sql);
  rec.rows.push(...more.rows);
  rec.steps.push(...more.steps.map((step) => ({ ...step, sql: sql(step.sql) })));
  rec.states.push(...more.states.map((state) => ({
    ...state, rows: rows(state.rows),
    ...(state.open && { open: Object.fromEntries(Object.entries(state.open).map(([x, list]) => [x, rows(list)])) }),
    ...(state.now && { now: bySql(state.now, sql) }),
    ...(state.waits && { waits: Object.fromEntries(Object.entries(state.waits).map(([x, [by, i]]) => [x, [by, sql(i)]])) }),
    ...(state.go && { go: go(state.go) }),
  })));
  rec.words.sql.push(...more.words.sql);
  rec.words.answers.push(...more.words.answers);
  for (const [i, now] of Object.entries(more.words.now)) rec.words.now[+i + at.states] = bySql(now, sql);
  rec.words.columns = { ...more.words.columns, ...rec.words.columns };
  Object.assign(rec.words.why, more.words.why);
  let there = at.states;
  for (const letter of schedule) there = rec.states[there].go[letter][1];
  here.go = { ...rec.states[there].go, ...here.go };
  delete here.more;
}
