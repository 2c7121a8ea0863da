// Sentences that depend on the current step: the verdict, and what the step did.

const THINGS = { schedules: ["interleaving", "interleavings"], crashes: ["crash point", "crash points"] };
const errorText = (error) => error.replace(/^\w+: /, "").replace(/ \(\w+\)$/, "");
const errorName = (error) => /\((\w+)\)$/.exec(error)?.[1];
const REFUSED = {
  SQLITE_BUSY_SNAPSHOT: "Somebody has written since its transaction first read, so what it read is out of date.",
  SQLITE_BUSY: "Somebody else is writing, and a transaction that has read may not wait.",
};

function verdict(rec) {
  const bad = rec.list.find((run) => run.broken)?.broken[0], schedules = rec.crashes && rec.letters.length > 1;
  const of = `of ${rec.complete ? "" : "at least "}${plural(rec.count, ...THINGS[schedules ? "schedules" : rec.kind])}`;
  if (rec.count === 1 && rec.list.length === 1) {
    const [run] = rec.list, does = { bad: "breaks: ", err: "ends with an error: ", good: "holds" }[run.out];
    return [run.out, [`This ${THINGS[rec.kind][0]} ${does}`, h("em", {}, (run.broken || run.errors || []).join("; "))]];
  }
  if (rec.broken) return ["bad", [`${number(rec.broken)} ${of} ${rec.broken === 1 ? "breaks" : "break"}: `, h("em", {}, bad)]];
  if (rec.errors) {
    const error = rec.list.find((run) => run.errors)?.errors[0] || "";
    return ["err", [`0 ${of} break; in ${number(rec.errors)} `, h("em", {}, `someone gets “${errorText(error.slice(3))}”`)]];
  }
  if (!rec.complete) return ["none", [`None of the ${number(rec.count)} interleavings that were run breaks; there are more.`]];
  return ["good", [`None ${of} ${rec.count === 1 ? "breaks" : "break"}`]];
}

function ending(run) {
  if (run.out === "bad") return ["Broken: ", run.broken.join("; ")];
  if (run.out === "err") return [run.errors.map((e) => `${e[0]} ended with ${e.slice(3)}`).join("; ")];
  return ["Holds: nothing is broken"];
}

const outcome = (run) => run.broken?.join("; ") || run.errors?.join("; ") || "holds";

// Step i in a sentence or two.
function said(rec, path, i, begin) {
  const what = saysStep(rec, path, i, begin), { ends, error } = path[i].step || {};
  return ends && !error ? [what, " ", who(path[i].step.by), " ends here with ", h("b", {}, ends), "."] : what;
}

function saysStep(rec, path, i, begin) {
  const { step, state, answer } = path[i], x = step && who(step.by), others = rec.letters.length > 1;
  if (!step) return [begin];
  const found = rec.changes(path, i), changes = found.map((c) => inWords(rec, c));
  const seen = found.map((c) => inWords(rec, c, true));
  if (!step.by) return [h("code", {}, rec.recover || "recovery"), " runs", changes.length ? [": ", listed(changes), "."] : " and changes nothing."];
  if (step.dies) return [x, " is killed. ", step.undone ? "Its open transaction is rolled back." : "It had no transaction open: what it has committed stays."];
  if (step.error) return [x, " is refused: ", h("b", {}, errorText(step.error)), ". ", REFUSED[errorName(step.error)] || "", step.ends ? " It ends here." : ""];
  if (state.waits?.[step.by]) return [x, " has to wait for ", who(state.waits[step.by][0]), "’s lock."];
  if (step.kind === "read") return [x, ` reads ${target(rec, step)} and gets `, answer?.[1] ? [h("code", {}, answer[1]), " = "] : "", h("b", {}, answer ? answer[0] : "nothing"), "."];
  if (step.kind === "begin") return [x, " takes the write lock.", others ? " Others can still read; to write they have to wait." : ""];
  if (step.kind === "commit") return [x, " commits", changes.length ? [others ? ". Now everyone sees it: " : ": ", listed(seen), "."] : ", and changes nothing."];
  if (step.kind === "rollback") return [x, " rolls back."];
  if (!changes.length) return [x, step.kind === "write" ? (step.came?.changed ? " writes what was there already." : [" changes ", h("b", {}, "no row"), "."]) : " runs a statement."];
  const private_ = state.open?.[step.by] && (others ? [" Only ", who(step.by), " sees this until it commits."] : " Not committed yet.");
  return [x, " ", listed(changes), ".", private_];
}

// A change of a row; `noun`: as in the sentence of a COMMIT, without a verb.
function inWords(rec, c, noun) {
  const row = h("b", {}, rec.one((c.row || c.was).table, (c.row || c.was).key));
  if (c.gone) return noun ? [row, " is gone"] : ["removes ", row];
  if (!c.was) return noun ? ["a new row, ", row] : ["adds ", row];
  const cols = c.cols.filter((col) => rec.words.columns[c.row.table].includes(col));
  return [noun ? "" : "changes ", row, ": ", listed((cols.length ? cols : c.cols).map((col) => [h("code", {}, col), " ", brief(c.was.at[col]), " → ", h("b", {}, brief(c.row.at[col]))]))];
}

// `order 7` if the statement names its key, else the table.
function target(rec, step) {
  const table = rec.tableOf(step), key = rec.tables[table] && rec.keyOf(table);
  const id = key && new RegExp(`WHERE (?:\\w+\\.)?${key} = (\\d+)$`).exec(rec.sqlOf(step).replace(/\s+/g, " "))?.[1];
  return id ? rec.one(table, id) : table;
}

// A shortened statement: lines break between clauses first, then inside them.
function statement(rec, sql) {
  const parts = rec.clausesOf(sql).flatMap(([keyword, text, role], i) => [
    i ? " " : "",
    h("span", { cls: role && role !== "table" ? "cl" : "" }, keyword && h("span", { cls: "kw" }, keyword + (text ? " " : "")), inRole(text, role)),
  ]);
  return h("div", { cls: "sql" }, parts);
}

function inRole(text, role) {
  if (role === "table") return [h("b", {}, /^\w+/.exec(text)?.[0]), text.replace(/^\w+/, "")];
  if (role !== "set") return text;
  const parts = text.split(/, (?=\w+ = )/);
  return parts.map((part, i) => {
    const [, name, value] = /^(\w+ = )(.*)$/s.exec(part) || [null, "", part];
    return [i ? " " : "", h("span", { cls: "as" }, name, h("span", { cls: "val" }, value), i < parts.length - 1 ? "," : "")];
  });
}

const oneLine = (rec, sql) => rec.clausesOf(sql).map(([keyword, text]) => `${keyword} ${text}`.trim()).join(" ");
