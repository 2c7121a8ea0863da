// Helpers that the other files of a picture share. Everything from the database is set as text, never as HTML.

// A tag with a class, attributes and children; text is set as text.
function make(tag, className = "", attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Reuses the text node: for a new one, the browser would compute style and layout again.
function write(element, text) {
  const node = element.firstChild;
  if (node?.nodeType !== Node.TEXT_NODE || node.nextSibling) element.replaceChildren(text);
  else if (node.data !== text) node.data = text;
}

function setOrRemove(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

// The width of a text in pixels, in the font of an element.
class TextWidth {
  constructor() {
    this.paint = document.createElement("canvas").getContext("2d");
    this.known = new Map();
  }

  use(element) {
    const { fontWeight, fontSize, fontFamily } = getComputedStyle(element);
    const font = `${fontWeight} ${fontSize} ${fontFamily}`;
    if (font !== this.font) this.known.clear();
    this.font = font;
  }

  of(text, bold = false) {
    const key = bold ? `b${text}` : text;
    if (!this.known.has(key)) {
      if (this.known.size > 2000) this.known.clear();
      this.paint.font = bold ? this.font.replace(/^\S+/, "650") : this.font;
      this.known.set(key, Math.ceil(this.paint.measureText(text).width));
    }
    return this.known.get(key);
  }
}

// Without a secure context there is no navigator.clipboard: use execCommand.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = make("textarea", "taskref-unseen");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
