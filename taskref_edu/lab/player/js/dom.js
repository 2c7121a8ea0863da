// Small helpers: elements, words, numbers.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "path", "line", "polygon"]);
const NBSP = "\u00a0";
const ICON = { bad: "✕", good: "●", err: "▲", none: "?" };

function h(tag, props = {}, ...kids) {
  const svg = SVG_TAGS.has(tag);
  const el = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value == null || value === false) continue;
    if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
    else if (key === "style" && !svg) el.style.cssText = value;
    else el.setAttribute(key === "cls" ? "class" : key, value === true ? "" : value);
  }
  el.append(...kids.flat(9).filter((kid) => kid != null && kid !== false));
  return el;
}

const div = (cls, ...kids) => h("div", { cls: cls || null }, kids);
const span = (cls, ...kids) => h("span", { cls: cls || null }, kids);
// A button: `name` finds it again after a redraw, so that it keeps the focus.
const button = (name, cls, onclick, kids, more = {}) => h("button", { cls, "data-f": name, onclick, ...more }, kids);
const classes = (...names) => names.filter(Boolean).join(" ");

// Puts these elements into another one. What is there and looks the same stays: the browser need not lay it out again.
function renew(parent, elements) {
  const there = new Map();
  for (const el of parent.children) {
    if (elements.includes(el)) continue;
    const html = el.outerHTML;
    there.set(html, [...(there.get(html) || []), el]);
  }
  const wanted = elements
    .filter(Boolean)
    .map((el) => (el.parentNode === parent ? el : there.get(el.outerHTML)?.shift() || el));
  for (const el of [...parent.children]) if (!wanted.includes(el)) el.remove();
  wanted.forEach((el, i) => {
    if (parent.children[i] !== el) parent.insertBefore(el, parent.children[i] || null);
  });
}

const who = (letter) => span(`who lane-${letter}`, letter);
const MOST = 60; // characters of a value that are shown in a cell; all of it is in the cell's title
const shown = (value) => (value == null ? "NULL" : String(value));
const full = (value) => (shown(value).length > MOST ? shown(value) : null);
const brief = (value, most = MOST) =>
  shown(value).length > most ? `${shown(value).slice(0, most - 1)}…` : shown(value);
// A word breaks only where it is longer than a status can be.
const inCell = (value) => span(/\S{15}/.test(shown(value)) ? "val any" : "val", brief(value));
const number = (n) => n.toLocaleString("en");
const plural = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;
const switches = (s) => [...s.replace(/[xy]/, "").toUpperCase()].filter((c, i, all) => i && c !== all[i - 1]).length;
// A column's name in lines of some nine characters, broken at its underscores.
const heading = (name) => {
  const lines = [""];
  for (const part of name.split(/(?<=_)/)) {
    if (lines.at(-1) && lines.at(-1).length + part.length > 9) lines.push("");
    lines.push(lines.pop() + part);
  }
  return lines.flatMap((line, i) => (i ? [h("br"), line] : [line]));
};
const listed = (parts) =>
  parts.flatMap((part, i) => (i === 0 ? [part] : i === parts.length - 1 ? [" and ", part] : [", ", part]));
const textOf = (nodes) => nodes.flat(9).reduce((text, node) => text + (node?.textContent ?? node ?? ""), "");

// A sentence of the recording: ⟦w:A⟧ is an actor, ⟦c:…⟧ code, ⟦b:…⟧ bold, ⟦s:5⟧ the number of a step to press.
const PART = {
  w: who,
  c: (text) => h("code", {}, text),
  b: (text) => h("b", {}, text),
  s: (text) => button(`ref${text}`, "ref", null, text, { "data-step": text, "aria-label": `step ${text}` }),
};
// No line begins with the number of a step, or with the bracket or comma after it.
const sentence = (text) =>
  text.split(/(⟦\w:[^⟧]*⟧[),]*)/).map((part) => {
    const [, kind, inner, after] = /^⟦(\w):(.*)⟧(.*)$/.exec(part) || [];
    if (!kind) return part.replace(/(?<=steps?) $/, NBSP);
    return after ? span("together", PART[kind](inner), after) : PART[kind](inner);
  });
