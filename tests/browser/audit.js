// A function for page.evaluate(): texts under 4.5:1, outside the box or cut, and texts that overlap. Returns a list of complaints.
([name, contrast]) => {
  const host = document.querySelector(name), root = host.shadowRoot; const all = new CSSStyleSheet(); all.replaceSync('*, *::before, *::after { pointer-events: auto !important; animation: none !important; }'); root.adoptedStyleSheets = [...root.adoptedStyleSheets.slice(0, 1), all]; const box = root.querySelector(".rp").getBoundingClientRect(), out = [];
  const ctx = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (c) => { ctx.clearRect(0, 0, 1, 1); ctx.fillStyle = "#000"; ctx.fillStyle = c; ctx.fillRect(0, 0, 1, 1); const d = ctx.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
  const over = (a, b) => { const k = a[3]; return [0, 1, 2].map((i) => a[i] * k + b[i] * (1 - k)).concat(1); };
  const lum = (c) => [0.2126, 0.7152, 0.0722].reduce((s, w, i) => { const v = c[i] / 255; return s + w * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); }, 0);
  const ratio = (a, b) => { const [x, y] = [lum(a), lum(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), texts = [];
  while (walker.nextNode()) {
    const node = walker.currentNode, el = node.parentElement, text = node.data.trim();
    if (!text || el.closest("style,.unseen") || getComputedStyle(el).visibility === "hidden" || (el.closest("details:not([open])") && !el.closest("summary"))) continue;
    const range = document.createRange(); range.selectNodeContents(node);
    for (const r of range.getClientRects()) if (r.width > 1 && r.height > 1) texts.push({ el, text, r });
  }
  for (const { el, text, r } of texts) {
    const say = (what) => out.push(`${what}: ${JSON.stringify(text.slice(0, 40))} .${el.className}`);
    if (parseFloat(getComputedStyle(el).fontSize) === 0) continue;
    if (r.left < box.left - 1 || r.right > box.right + 1) say("outside");
    for (let p = el; p && p !== root; p = p.parentElement) if (["hidden", "clip"].includes(getComputedStyle(p).overflowX) && r.right > p.getBoundingClientRect().right + 1) { say("cut"); break; }
    if (!contrast) continue;
    const x = r.left + r.width / 2, y = r.top + r.height / 2;
    if (y < 0 || y > innerHeight || x < 0 || x > innerWidth) continue;
    // What is under the text: everything painted there below its element, then its own ancestors.
    const stack = root.elementsFromPoint(x, y), chain = [];
    for (let p = el; p; p = p.parentElement) chain.push(p);
    let colour = rgba(getComputedStyle(document.body).backgroundColor); if (!colour[3]) colour = [255, 255, 255, 1];
    const below = stack.slice(Math.max(0, stack.indexOf(el)));
    for (const p of below.reverse()) colour = over(rgba(getComputedStyle(p).backgroundColor), colour);
    let opacity = 1; for (const p of chain) opacity *= parseFloat(getComputedStyle(p).opacity);
    if (el.closest(":disabled") || opacity < 1) continue;
    const c = ratio(over(rgba(getComputedStyle(el).color), colour), colour);
    if (c < 4.5) say(`contrast ${c.toFixed(2)}`);
  }
  for (let i = 0; i < texts.length; i++) for (let j = i + 1; j < texts.length; j++) {
    const a = texts[i].r, b = texts[j].r;
    const w = Math.min(a.right, b.right) - Math.max(a.left, b.left), hh = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (w > 2 && hh > 3 && texts[i].text !== texts[j].text) out.push(`overlap: ${JSON.stringify(texts[i].text.slice(0, 30))} and ${JSON.stringify(texts[j].text.slice(0, 30))} .${texts[i].el.className} .${texts[j].el.className}`);
  }
  if (root.querySelector(".rp").scrollWidth > box.width + 1) out.push("wider than its box");
  return [...new Set(out)];
}
