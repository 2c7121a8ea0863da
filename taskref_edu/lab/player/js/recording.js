// One recording and the schedules in it. Its texts come from Python (words.py); this only follows its states.

const RANK = { bad: 0, err: 1, good: 2 };

class Recording {
  constructor(data) {
    Object.assign(this, data);
    this.letters = Object.keys(this.actors);
    this.captions = this.options?.captions || {};
    this.crashes = this.kind === "crashes";
    this.list = this.runs.map(({ s, n }) => ({ ...this.ended(s), n: n || 1 }));
    if (this.crashes) {
      // One actor's crash points stand in the sequence of its steps.
      if (this.letters.length > 1) this.list.sort((a, b) => RANK[a.out] - RANK[b.out]);
    } else
      this.list.sort(
        (a, b) => RANK[a.out] - RANK[b.out] || a.sw - b.sw || a.s.length - b.s.length || (a.s < b.s ? -1 : 1),
      );
    this.bySchedule = new Map(this.list.map((run) => [run.s, run]));
    this.fewest = this.fewest ?? Math.min(...this.list.filter((run) => run.out === "bad").map((run) => run.sw));
    this.longest = Math.max(...this.list.map((run) => run.s.length), this.whole?.length || 0, 1);
    this.pointedAt = new Set(Object.values(this.tables).flatMap((info) => Object.values(info.refs)));
  }

  // How a schedule ended; null if it has not ended.
  ended(s) {
    const path = this.path(s);
    const { go, more, broken, errors } = path.at(-1).state;
    return go || more || path.length <= s.length
      ? null
      : { s, broken, errors, sw: switches(s), out: broken ? "bad" : errors ? "err" : "good" };
  }
  run(s) {
    return this.bySchedule.get(s) || this.ended(s);
  }

  sqlOf(step) {
    return typeof step.sql === "number" ? this.sql[step.sql] : step.sql;
  }
  clausesOf(sql) {
    return typeof sql === "number" ? this.words.sql[sql] : [["", sql, ""]];
  }
  tableOf(step) {
    return /\b(?:FROM|UPDATE|INTO)\s+["\x60]?(\w+)/i.exec(this.sqlOf(step))?.[1] || "";
  }
  one(table, key) {
    return `${this.tables[table]?.one || table}${key === undefined ? "" : NBSP + key}`;
  }
  keyOf(table) {
    return this.tables[table].key || this.tables[table].cols[0];
  }
  first() {
    return this.bySchedule.get(this.words.first) || this.list[0];
  }

  // The steps and states along a schedule: [{step, state, id, answer}], at 0 the start.
  path(schedule) {
    const out = [{ state: this.states[0], id: 0 }];
    for (const letter of [...schedule, "r"]) {
      const go = out.at(-1).state.go?.[letter];
      if (!go) break;
      out.push({ step: this.steps[go[0]], state: this.states[go[1]], id: go[1], answer: this.words.answers[go[0]] });
    }
    return out;
  }

  row(i) {
    const [table, ...values] = this.rows[i];
    const cols = this.tables[table].cols;
    return {
      table,
      key: values[cols.indexOf(this.keyOf(table))],
      at: Object.fromEntries(cols.map((c, k) => [c, values[k]])),
    };
  }
  // What an actor sees: its own uncommitted changes, too.
  seen(state, by) {
    return state.open?.[by] || state.rows;
  }

  // What step i did to the rows, as its own actor sees them.
  changes(path, i) {
    if (!i) return [];
    const by = path[i].step.by;
    const was = path[i - 1].state;
    const before = new Map(this.named(path[i].state.open?.[by] ? this.seen(was, by) : was.rows));
    const out = [];
    for (const [id, row] of this.named(this.seen(path[i].state, by))) {
      const old = before.get(id);
      before.delete(id);
      const cols = old ? Object.keys(row.at).filter((c) => row.at[c] !== old.at[c]) : [];
      if (!old || cols.length) out.push({ id, row, was: old, cols });
    }
    for (const [id, old] of before) out.push({ id, was: old, gone: true, cols: [] });
    return out;
  }
  // Rows with unique ids: a table without a key may contain equal rows.
  named(indices) {
    const times = new Map();
    return indices.map((x) => {
      const row = this.row(x);
      const name = `${row.table} ${row.key}`;
      const n = (times.get(name) || 0) + 1;
      times.set(name, n);
      return [n > 1 ? `${name} (${n})` : name, row];
    });
  }

  // The error to show at step i: its own, or the one that ended its actor, if not shown before.
  refusal(path, i) {
    const { by, error, ends } = path[i].step;
    if (error) return errorText(error);
    return ends && !path.slice(1, i).some(({ step }) => step.by === by && step.error === ends)
      ? `ends with ${ends}`
      : "";
  }

  // What an actor has read, from the read to the write that relies on it: the first write to the same table, else the
  // last one before that table is read again. `open`: the write may still come. `stale`: the step that made the answer
  // out of date.
  dependencies(path) {
    const last = path.at(-1).state;
    const over = (l) => !last.go || last.ended?.includes(l);
    return path.flatMap(({ step, answer }, i) => {
      if (step?.kind !== "read" || !step.came?.rows) return [];
      const table = this.tableOf(step);
      const by = step.by;
      const done = over(by);
      const later = path.map((p, k) => [p.step, k]).filter(([s, k]) => k > i && s.by === by);
      const anew = later.find(([s]) => s.kind === "read" && this.tableOf(s) === table)?.[1];
      const writes = later.filter(([s, k]) => s.kind === "write" && k < (anew ?? path.length));
      const first = (writes.find(([s]) => this.tableOf(s) === table) || ((done || anew) && writes.at(-1)) || [])[1];
      const act = first && this.firstChange(path.slice(0, anew), first);
      if (act == null && (done || anew)) return [];
      const to = act ?? path.length - 1;
      const stale = path.findIndex((p, k) => k > i && k < (act ?? path.length) && p.state.now?.[by]?.[step.sql]);
      const since = stale < 0 ? null : stale;
      return [{ by, sql: step.sql, from: i, to, open: act == null, stale: since, value: answer[0] }];
    });
  }

  // The write, or, if it only renews a time such as a lease's, the next one in its transaction that changes a row.
  firstChange(path, act) {
    for (let k = act; k < path.length; k++) {
      const { step } = path[k];
      if (step.by !== path[act].step.by) continue;
      if (this.changes(path, k).length) return k;
      if (!step.tx?.[1] || (k === act && !step.came?.changed)) return act;
    }
    return act;
  }

  // One for each transaction of more than a single read.
  brackets(path) {
    const out = [];
    const first = {};
    path.forEach(({ step }, i) => {
      if (!step?.by) return;
      const by = step.by;
      const ends = step.post?.some((sql) => /^(COMMIT|ROLLBACK)/i.test(sql));
      const [before, after] = step.tx || [];
      if (step.dies) {
        if (first[by]) out.push({ by, from: first[by], to: Math.max(i - 1, 1), torn: true });
        delete first[by];
        return;
      }
      if ((before || after) && !first[by] && !(step.kind === "read" && ends)) first[by] = i;
      if (first[by] && (!after || ends)) {
        out.push({ by, from: first[by], to: i });
        delete first[by];
      }
    });
    for (const [by, from] of Object.entries(first)) out.push({ by, from, to: path.length - 1, open: true });
    return out;
  }

  // Whether an actor that has begun waits for another one's lock during step i.
  blocked(path, i, letter) {
    return (
      path[i - 1].state.waits?.[letter] &&
      path[i].step.by !== letter &&
      path.slice(1, i).some((p) => p.step.by === letter)
    );
  }
}
