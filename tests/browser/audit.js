// A function for page.evaluate(): what in a player cannot be read. Texts under 4.5:1, outside the box, cut or
// overlapping, and lines through a text; with `widths`, at each step of the open schedule, at each width of the player,
// in each of the themes.
([name, contrast, widths, themes]) => {
  const host = document.querySelector(name);
  const { player } = host;
  const root = host.shadowRoot;
  const hit = new CSSStyleSheet(); // everything can be pointed at, and stands still
  hit.replaceSync("*, *::before, *::after { pointer-events: auto !important; animation: none !important; }");
  root.adoptedStyleSheets = [...root.adoptedStyleSheets.slice(0, 1), hit];

  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const remembered = (compute, known = new Map()) => {
    const get = (key) => {
      if (!known.has(key)) known.set(key, compute(key));
      return known.get(key);
    };
    return get;
  };
  const rgba = remembered((colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  });
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const light = (colour) =>
    [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
      const v = colour[i] / 255;
      return sum + weight * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    }, 0);
  const ratio = (one, other) => {
    const [most, least] = [light(one), light(other)].sort((a, b) => b - a);
    return (most + 0.05) / (least + 0.05);
  };
  const range = document.createRange();

  // What the step does not change, the map and the foot, is looked at once for each width and theme.
  function texts(styleOf, skipped) {
    const skip = (el) => skipped && el.matches?.(".map, .foot");
    const accept = (node) => (skip(node) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT, accept);
    const found = [];
    while (walker.nextNode()) {
      const node = walker.currentNode;
      const el = node.parentElement;
      const text = node.data?.trim();
      if (!text || el.closest("style, .unseen") || (el.closest("details:not([open])") && !el.closest("summary")))
        continue;
      const { hidden, size } = styleOf(el);
      if (hidden || size === 0) continue;
      range.selectNodeContents(node);
      for (const r of range.getClientRects()) if (r.width > 1 && r.height > 1) found.push({ node, el, text, r });
    }
    return found.sort((a, b) => a.r.top - b.r.top);
  }

  // The elements at a point are the same in each theme, as long as nothing moves.
  let stacks = new Map();
  const stackAt = (x, y) => {
    const key = `${x} ${y}`;
    if (!stacks.has(key)) stacks.set(key, root.elementsFromPoint(x, y));
    return stacks.get(key);
  };

  function audit(skipped = false) {
    // Within one audit nothing changes, so an element is asked once.
    const styleOf = remembered((el) => {
      const style = getComputedStyle(el);
      const above = el.parentElement && styleOf(el.parentElement);
      const cuts = ["hidden", "clip"].includes(style.overflowX) ? [el.getBoundingClientRect().right] : [];
      return {
        hidden: style.visibility === "hidden",
        size: parseFloat(style.fontSize),
        edge: Math.min(above?.edge ?? Infinity, ...cuts),
        faint: above?.faint || parseFloat(style.opacity) < 1,
        colour: style.color,
        background: rgba(style.backgroundColor),
      };
    });

    // What is under a text: everything painted there below its element, then the page.
    function contrastOf({ el, r }) {
      const x = r.left + r.width / 2;
      const y = r.top + r.height / 2;
      if (y < 0 || y > innerHeight || x < 0 || x > innerWidth || el.closest(":disabled")) return null;
      const { faint, colour } = styleOf(el);
      if (faint) return null;
      const stack = stackAt(x, y);
      const paper = rgba(getComputedStyle(document.body).backgroundColor);
      let below = paper[3] ? paper : [255, 255, 255, 1];
      for (const p of stack.slice(Math.max(0, stack.indexOf(el))).reverse()) below = over(styleOf(p).background, below);
      return ratio(over(rgba(colour), below), below);
    }

    const all = texts(styleOf, skipped);
    const box = root.querySelector(".rp").getBoundingClientRect();
    const out = [];
    const lines = [...root.querySelectorAll(".rail, .wait-bar")].map((el) => el.getBoundingClientRect());
    const short = ({ text, el }) => `${JSON.stringify(text.slice(0, 40))} .${el.className}`;
    for (const one of all) {
      const { el, r } = one;
      if (r.left < box.left - 1 || r.right > box.right + 1) out.push(`outside: ${short(one)}`);
      if (r.right > styleOf(el).edge + 1) out.push(`cut: ${short(one)}`);
      const through = (line) =>
        line.left < r.right - 1 && line.left + 2 > r.left + 1 && line.top < r.bottom - 3 && line.bottom > r.top + 3;
      if (!el.closest(".note.bad") && lines.some(through)) out.push(`a line through: ${short(one)}`);
      const c = contrast ? contrastOf(one) : null;
      if (c !== null && c < 4.5) out.push(`contrast ${c.toFixed(2)}: ${short(one)}`);
    }
    for (let i = 0; i < all.length; i++)
      for (let j = i + 1; j < all.length && all[j].r.top < all[i].r.bottom; j++) {
        const a = all[i].r;
        const b = all[j].r;
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - b.top;
        if (wide > 2 && high > 3 && all[i].node !== all[j].node)
          out.push(`overlap: ${short(all[i])} and ${short(all[j])}`);
      }
    if (root.querySelector(".rp").scrollWidth > box.width + 1) out.push("wider than its box");
    return [...new Set(out)];
  }

  if (!widths) return audit();
  const found = [];
  for (const width of widths) {
    host.style.width = `${width}px`;
    for (let i = 0; i <= player.length; i++) {
      player.go(i);
      stacks = new Map();
      // The one that is on comes first: to change it costs as much as a step.
      for (const theme of i % 2 ? themes.toReversed() : themes) {
        document.documentElement.dataset.theme = theme;
        player.theme(false);
        found.push(...audit(i > 0).map((said) => `${width} px, step ${i}, ${theme}: ${said}`));
      }
    }
  }
  host.style.width = "";
  return found;
};
