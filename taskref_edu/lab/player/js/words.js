// Sentences that depend on the current step: the verdict, and what the step did.

const THINGS = { schedules: ["interleaving", "interleavings"], crashes: ["crash point", "crash points"] };
const errorText = (error) => error.replace(/^\w+: /, "").replace(/ \(\w+\)$/, "");
const errorName = (error) => /\((\w+)\)$/.exec(error)?.[1];
const REFUSED = {
  SQLITE_BUSY_SNAPSHOT: "Somebody has written since its transaction first read, so what it read is out of date.",
  SQLITE_BUSY: "Somebody else is writing, and a transaction that has read may not wait.",
};

function verdict(rec) {
  const [run] = rec.list;
  if (rec.count === 1 && rec.list.length === 1) {
    const does = { bad: "breaks: ", err: "ends with an error: ", good: "holds" }[run.out];
    const what = (run.broken || run.errors || []).join("; ");
    return [run.out, [`This ${THINGS[rec.kind][0]} ${does}`, h("em", {}, what)]];
  }
  const things = THINGS[rec.crashes && rec.letters.length > 1 ? "schedules" : rec.kind];
  const of = `of ${rec.complete ? "" : "at least "}${plural(rec.count, ...things)}`;
  if (rec.broken) {
    const what = rec.list.find(({ broken }) => broken)?.broken[0];
    return ["bad", [`${number(rec.broken)} ${of} ${rec.broken === 1 ? "breaks" : "break"}: `, h("em", {}, what)]];
  }
  if (rec.errors) {
    const error = rec.list.find(({ errors }) => errors)?.errors[0] || "";
    const what = h("em", {}, `someone gets “${errorText(error.slice(3))}”`);
    return ["err", [`0 ${of} break; in ${number(rec.errors)} `, what]];
  }
  if (rec.complete) return ["good", [`None ${of} ${rec.count === 1 ? "breaks" : "break"}`]];
  return ["none", [`None of the ${number(rec.count)} interleavings that were run breaks; there are more.`]];
}

function ending(run) {
  if (run.out === "bad") return ["Broken: ", run.broken.join("; ")];
  if (run.out === "err") return [run.errors.map((e) => `${e[0]} ended with ${e.slice(3)}`).join("; ")];
  return ["Holds: nothing is broken"];
}

const outcome = (run) => run.broken?.join("; ") || run.errors?.join("; ") || "holds";

// Step i in a sentence or two.
function said(rec, path, i, begin) {
  const what = saysStep(rec, path, i, begin);
  const { ends, error } = path[i].step || {};
  return ends && !error ? [what, " ", who(path[i].step.by), " ends here with ", h("b", {}, ends), "."] : what;
}

function saysStep(rec, path, i, begin) {
  const { step, state } = path[i];
  if (!step) return [begin];
  const changes = rec.changes(path, i);
  const x = who(step.by);
  const others = rec.letters.length > 1;
  if (!step.by) return recoveryInWords(rec, changes);
  if (step.dies) return [x, " is killed. ", step.undone ? "Its open transaction is rolled back." : NOTHING_OPEN];
  if (step.error) return [x, ...refusalInWords(step)];
  if (state.waits?.[step.by]) return [x, " has to wait for ", who(state.waits[step.by][0]), "’s lock."];
  if (step.kind === "read") return [x, ...readInWords(rec, path[i])];
  if (step.kind === "begin")
    return [x, " takes the write lock.", others ? " Others can still read; to write they have to wait." : ""];
  if (step.kind === "commit" && !changes.length) return [x, " commits, and changes nothing."];
  if (step.kind === "commit") {
    const seen = listed(changes.map((change) => inWords(rec, change, true)));
    return [x, others ? " commits. Now everyone sees it: " : " commits: ", seen, "."];
  }
  if (step.kind === "rollback") return [x, " rolls back."];
  if (changes.length) return [x, ...writeInWords(rec, path[i], changes)];
  if (step.kind !== "write") return [x, " runs a statement."];
  return step.came?.changed ? [x, " writes what was there already."] : [x, " changes ", h("b", {}, "no row"), "."];
}

const NOTHING_OPEN = "It had no transaction open: what it has committed stays.";

function recoveryInWords(rec, changes) {
  const did = changes.length
    ? [": ", listed(changes.map((change) => inWords(rec, change))), "."]
    : " and changes nothing.";
  return [h("code", {}, rec.recover || "recovery"), " runs", did];
}

function refusalInWords({ error, ends }) {
  const why = REFUSED[errorName(error)] || "";
  return [" is refused: ", h("b", {}, errorText(error)), ". ", why, ends ? " It ends here." : ""];
}

function readInWords(rec, { step, answer }) {
  const [value, column] = answer || ["nothing"];
  return [
    ` reads ${target(rec, step)} and gets `,
    column ? [h("code", {}, column), " = "] : "",
    h("b", {}, value),
    ".",
  ];
}

function writeInWords(rec, { step, state }, changes) {
  const alone =
    rec.letters.length > 1 ? [" Only ", who(step.by), " sees this until it commits."] : " Not committed yet.";
  return [" ", listed(changes.map((change) => inWords(rec, change))), ".", state.open?.[step.by] && alone];
}

// A change of a row; `noun`: as in the sentence of a COMMIT, without a verb.
function inWords(rec, c, noun) {
  const row = h("b", {}, rec.one((c.row || c.was).table, (c.row || c.was).key));
  if (c.gone) return noun ? [row, " is gone"] : ["removes ", row];
  if (!c.was) return noun ? ["a new row, ", row] : ["adds ", row];
  const cols = c.cols.filter((col) => rec.words.columns[c.row.table].includes(col));
  const values = (col) => [h("code", {}, col), ` ${brief(c.was.at[col])} → `, h("b", {}, brief(c.row.at[col]))];
  return [noun ? "" : "changes ", row, ": ", listed((cols.length ? cols : c.cols).map(values))];
}

// `order 7` if the statement names its key, else the table.
function target(rec, step) {
  const table = rec.tableOf(step);
  const key = rec.tables[table] && rec.keyOf(table);
  const id = key && new RegExp(`WHERE (?:\\w+\\.)?${key} = (\\d+)$`).exec(rec.sqlOf(step).replace(/\s+/g, " "))?.[1];
  return id ? rec.one(table, id) : table;
}

// A shortened statement: lines break between clauses first, then inside them.
function statement(rec, sql) {
  const clause = ([keyword, text, role], i) => [
    i ? " " : "",
    span(role !== "table" && role && "cl", keyword && span("kw", keyword + (text ? " " : "")), inRole(text, role)),
  ];
  const clauses = rec.clausesOf(sql);
  const caption = rec.captions[clauses[0][0].split(" ")[0]];
  return [caption && div("caption", caption), div("sql", clauses.map(clause))];
}

function inRole(text, role) {
  if (role === "table") return [h("b", {}, /^\w+/.exec(text)?.[0]), text.replace(/^\w+/, "")];
  if (role !== "set") return text;
  const parts = text.split(/, (?=\w+ = )/);
  return parts.map((part, i) => {
    const [, name, value] = /^(\w+ = )(.*)$/s.exec(part) || [null, "", part];
    return [i ? " " : "", span("as", name, span("val", value), i < parts.length - 1 ? "," : "")];
  });
}

function oneLine(rec, sql) {
  const clauses = rec.clausesOf(sql).map(([keyword, text]) => `${keyword} ${text}`.trim());
  return clauses.join(" ");
}
