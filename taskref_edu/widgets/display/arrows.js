const HOOK = 20; // pixels of an arrow whose other end is out of sight

// The arrows, in the gutter between the lists. If the other end is out of view, the arrow ends at that edge.
class Arrows {
  constructor(picture) {
    this.picture = picture;
    this.svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.svg.setAttribute("aria-hidden", "true"); // each arrow stands in its row, in words
    this.root = make("div", "taskref-arrows", {}, this.svg);
    this.paths = [];
    this.width = 60;
  }

  // The kinds of arrows, drawn as they are in the picture.
  legend() {
    const classic = this.picture.approach === "classic";
    const lost = classic ? "no such order" : "task is gone";
    const sample = (paths, ...words) => {
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      for (const [name, value] of [["viewBox", "0 0 34 14"], ["width", "34"], ["height", "14"], ["aria-hidden", "true"]]) svg.setAttribute(name, value);
      for (const [d, className] of paths) {
        const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
        path.setAttribute("d", d);
        path.setAttribute("class", className);
        svg.append(path);
      }
      return make("span", "taskref-sample", {}, svg, make("span", "", {}, ...words));
    };
    const arrow = classic ? "M32 7L2 7M8 3L2 7L8 11" : "M2 7L32 7M26 3L32 7L26 11";
    const cut = classic ? ["M32 7L14 7", "M5 3L13 11M5 11L13 3"] : ["M2 7L20 7", "M21 3L29 11M21 11L29 3"];
    const parts = [
      sample([[arrow, "taskref-now"]], "running"), sample([[arrow, ""]], "reference"),
      sample([[cut[0], "taskref-lost"], [cut[1], "taskref-cross"]], make("b", "", {}, "dangling"), `: ${lost}`),
    ];
    if (!classic) parts.push(sample([["M12 7a5 5 0 1 0 10 0a5 5 0 1 0 -10 0", "taskref-cross"]], make("b", "", {}, "orphan"), ": unreferenced"));
    const keys = make("span", "taskref-keys", {}, "Keys: ↑ ↓ move, Space selects, Enter shows details, F follows the arrow");
    return make("div", "taskref-legend taskref-arrows-legend", {}, ...parts, keys);
  }

  draw() {
    const { picture } = this;
    const [sources, targets] = picture.ends();
    this.used = 0;
    for (const place of this.inSight(sources)) this.from(sources, targets, place);
    for (const place of this.inSight(targets)) this.into(sources, targets, place);
    while (this.paths.length > this.used) this.paths.pop().remove();
  }

  *inSight(grid) {
    for (let place = grid.first; place < grid.last; place++) if (this.edge(grid, place) === 0) yield place;
  }

  // 0: in sight, -1: above, 1: below.
  edge(grid, place) {
    const middle = grid.middle(place);
    return middle < grid.rowHeight + 2 ? -1 : middle > grid.height - 2 ? 1 : 0;
  }

  from(sources, targets, place) {
    const id = sources.ids[place];
    const row = sources.rows.get(id);
    const [target, y] = [sources.target(row), sources.middle(place)];
    if (sources.mark(row) === "dangling") return this.dangling(y, this.picture.isHot(sources, id));
    if (target === null) return;
    const other = targets.index.get(target);
    const edge = other === undefined ? -1 : this.edge(targets, other); // an older one than all that are shown
    const classes = this.classes(sources, id, target);
    if (edge) this.toEdge(y, edge, classes);
    else this.across(y, targets.middle(other), classes);
  }

  // Arrows that come from rows out of sight, one for each direction; and the mark of an orphan.
  into(sources, targets, place) {
    const id = targets.ids[place];
    const y = targets.middle(place);
    if (targets.mark(targets.rows.get(id)) === "orphan") this.orphan(y);
    const seen = new Set();
    for (const source of this.picture.inbound.get(id) ?? []) {
      const edge = this.edge(sources, sources.index.get(source));
      if (!edge || seen.has(edge)) continue;
      seen.add(edge);
      this.fromEdge(y, edge, targets.rowHeight, targets.height, this.classes(sources, source, id));
    }
  }

  classes(sources, source, target) {
    const { picture } = this;
    const task = picture.tasks.rows.get(sources === picture.tasks ? source : target);
    const ended = task && !["pending", "running"].includes(picture.tasks.status(task));
    const running = task && picture.tasks.status(task) === "running";
    const order = sources === picture.tasks ? target : source;
    const hot = picture.isHot(sources, source);
    const chosen = order === picture.selected && task && !ended && !running;
    return `${hot ? "taskref-hot" : ""} ${ended ? "taskref-ended" : ""} ${running ? "taskref-now" : ""} ${chosen ? "taskref-chosen" : ""}`;
  }

  // x of the end where arrows begin, and of the other one; they run from right to left in the classic approach.
  sides() {
    const [left, right] = [3, this.width - 3];
    return this.picture.approach === "classic" ? [right, left, -1] : [left, right, 1];
  }

  across(y1, y2, classes) {
    const [x1, x2, way] = this.sides();
    const bend = (x2 - x1) * 0.55;
    const head = `M${x2 - 8 * way} ${y2 - 5}L${x2} ${y2}L${x2 - 8 * way} ${y2 + 5}`;
    this.path(`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}${head}`, classes);
  }

  // Short of the edge, where a dozen of them would overlap.
  hook(y, edge, top, height) {
    return edge < 0 ? Math.max(top + 3, y - HOOK) : Math.min(height - 3, y + HOOK);
  }

  toEdge(y1, edge, classes) {
    const [x1, , way] = this.sides();
    const { height, rowHeight } = this.picture.orders;
    const [x, y] = [x1 + 18 * way, this.hook(y1, edge, rowHeight, height)];
    const head = `M${x - 5} ${y - 7 * edge}L${x} ${y}L${x + 5} ${y - 7 * edge}`;
    this.path(`M${x1} ${y1}Q${x} ${y1} ${x} ${y}${head}`, classes);
  }

  fromEdge(y2, edge, top, height, classes) {
    const [, x2, way] = this.sides();
    const [x, y] = [x2 - 18 * way, this.hook(y2, edge, top, height)];
    const head = `M${x2 - 8 * way} ${y2 - 5}L${x2} ${y2}L${x2 - 8 * way} ${y2 + 5}`;
    this.path(`M${x} ${y}Q${x} ${y2} ${x2} ${y2}${head}`, classes);
  }

  dangling(y, hot) {
    const [x1, , way] = this.sides();
    const x = x1 + 22 * way;
    this.path(`M${x1} ${y}L${x} ${y}`, `taskref-lost ${hot ? "taskref-hot" : ""}`);
    const [a, b] = [x + 5 * way - 5, x + 5 * way + 5];
    this.path(`M${a} ${y - 5}L${b} ${y + 5}M${a} ${y + 5}L${b} ${y - 5}`, "taskref-cross");
  }

  orphan(y) {
    const [, x2, way] = this.sides();
    const x = x2 - 8 * way;
    this.path(`M${x - 5} ${y}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0`, "taskref-cross");
  }

  path(d, classes) {
    let path = this.paths[this.used];
    if (!path) {
      path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      this.svg.append(path);
      this.paths.push(path);
    }
    this.used++;
    if (path.taskrefD !== d) path.setAttribute("d", (path.taskrefD = d));
    if (path.taskrefClass !== classes) path.setAttribute("class", (path.taskrefClass = classes));
  }
}

