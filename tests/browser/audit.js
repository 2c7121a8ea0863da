// A function for page.evaluate(): what in a player cannot be read. Texts under 4.5:1, outside the box, cut or overlapping,
// and lines through a text; with `widths`, at each step of the open schedule and at each width of the player.
([name, contrast, widths]) => {
  const host = document.querySelector(name), { player } = host, root = host.shadowRoot;
  const hit = new CSSStyleSheet(); // everything can be pointed at, and stands still
  hit.replaceSync("*, *::before, *::after { pointer-events: auto !important; animation: none !important; }");
  root.adoptedStyleSheets = [...root.adoptedStyleSheets.slice(0, 1), hit];

  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true }), known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const light = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
    const v = colour[i] / 255;
    return sum + weight * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  }, 0);
  const ratio = (one, other) => {
    const [most, least] = [light(one), light(other)].sort((a, b) => b - a);
    return (most + 0.05) / (least + 0.05);
  };
  const paper = rgba(getComputedStyle(document.body).backgroundColor);

  function texts() {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), found = [];
    while (walker.nextNode()) {
      const node = walker.currentNode, el = node.parentElement, text = node.data.trim();
      if (!text || el.closest("style, .unseen") || (el.closest("details:not([open])") && !el.closest("summary"))) continue;
      const style = getComputedStyle(el);
      if (style.visibility === "hidden" || parseFloat(style.fontSize) === 0) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const r of range.getClientRects()) if (r.width > 1 && r.height > 1) found.push({ node, el, text, r, style });
    }
    return found.sort((a, b) => a.r.top - b.r.top);
  }

  // What is under a text: everything painted there below its element, then the page.
  function contrastOf({ el, r, style }) {
    const x = r.left + r.width / 2, y = r.top + r.height / 2;
    if (y < 0 || y > innerHeight || x < 0 || x > innerWidth || el.closest(":disabled")) return null;
    for (let p = el; p; p = p.parentElement) if (parseFloat(getComputedStyle(p).opacity) < 1) return null;
    const stack = root.elementsFromPoint(x, y);
    let below = paper[3] ? paper : [255, 255, 255, 1];
    for (const p of stack.slice(Math.max(0, stack.indexOf(el))).reverse()) below = over(rgba(getComputedStyle(p).backgroundColor), below);
    return ratio(over(rgba(style.color), below), below);
  }

  function audit() {
    const all = texts(), box = root.querySelector(".rp").getBoundingClientRect(), out = [];
    const lines = [...root.querySelectorAll(".rail, .wait-bar")].map((el) => el.getBoundingClientRect());
    const short = ({ text, el }) => `${JSON.stringify(text.slice(0, 40))} .${el.className}`;
    for (const one of all) {
      const { el, r } = one;
      if (r.left < box.left - 1 || r.right > box.right + 1) out.push(`outside: ${short(one)}`);
      for (let p = el; p && p !== root; p = p.parentElement)
        if (["hidden", "clip"].includes(getComputedStyle(p).overflowX) && r.right > p.getBoundingClientRect().right + 1) { out.push(`cut: ${short(one)}`); break; }
      const through = (line) => line.left < r.right - 1 && line.left + 2 > r.left + 1 && line.top < r.bottom - 3 && line.bottom > r.top + 3;
      if (!el.closest(".note.bad") && lines.some(through)) out.push(`a line through: ${short(one)}`);
      const c = contrast ? contrastOf(one) : null;
      if (c !== null && c < 4.5) out.push(`contrast ${c.toFixed(2)}: ${short(one)}`);
    }
    for (let i = 0; i < all.length; i++)
      for (let j = i + 1; j < all.length && all[j].r.top < all[i].r.bottom; j++) {
        const a = all[i].r, b = all[j].r;
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left), high = Math.min(a.bottom, b.bottom) - b.top;
        if (wide > 2 && high > 3 && all[i].node !== all[j].node) out.push(`overlap: ${short(all[i])} and ${short(all[j])}`);
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
      found.push(...audit().map((said) => `${width} px, step ${i}: ${said}`));
    }
  }
  host.style.width = "";
  return found;
}
