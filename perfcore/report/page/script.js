"use strict";
// Elements out of blocks (perfcore/report/html_blocks.py). Texts are set as text and never as markup.

const page = JSON.parse(document.getElementById("content").textContent);
const tip = document.getElementById("tip");
const root = document.documentElement;

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// A sentence whose options are not cut at their hyphens.
function spoken(text) {
  return text.split(/(--[a-z][\w-]*)/).map((part, at) => at % 2 ? make("span", { class: "option" }, part) : part);
}

function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 999.95) return Math.round(value).toLocaleString("en-US");
  if (size >= 99.995) return value.toFixed(1);
  if (size >= 9.9995) return value.toFixed(2);
  return size >= 0.01 ? value.toFixed(3) : value.toPrecision(2);
}

// Labels with a definition: a tooltip by mouse, by keyboard and by touch.

let tipped = null;

function labelled(text, term) {
  const definition = page.terms[term];
  if (!definition || !text) return document.createTextNode(text);
  const button = make("button", { type: "button", class: "term", "aria-expanded": "false" }, text);
  const show = () => showTip(button, definition);
  button.addEventListener("mouseenter", show);
  button.addEventListener("focus", show);
  button.addEventListener("click", show);
  button.addEventListener("mouseleave", () => document.activeElement !== button && hideTip());
  button.addEventListener("blur", hideTip);
  return button;
}

function showTip(button, definition) {
  hideTip();
  const unit = definition.unit ? ` · ${definition.unit}` : "";
  tip.replaceChildren(make("strong", {}, definition.title + unit), make("p", {}, definition.text));
  if (definition.formula) tip.append(make("p", { class: "formula" }, definition.formula));
  tip.hidden = false;
  const at = button.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left, root.clientWidth - tip.offsetWidth - 8));
  const below = at.bottom + 6 + tip.offsetHeight < window.innerHeight;
  tip.style.left = `${left + window.scrollX}px`;
  tip.style.top = `${(below ? at.bottom + 6 : at.top - tip.offsetHeight - 6) + window.scrollY}px`;
  button.setAttribute("aria-expanded", "true");
  button.setAttribute("aria-describedby", "tip");
  tipped = button;
}

function hideTip() {
  tip.hidden = true;
  if (tipped) {
    tipped.setAttribute("aria-expanded", "false");
    tipped.removeAttribute("aria-describedby");
  }
  tipped = null;
}

document.addEventListener("keydown", (event) => event.key === "Escape" && hideTip());

// One function for each kind of block.

const kinds = {
  lines: (block) => make("div", { class: `lines ${block.style || ""}` }, block.lines.map((line) => make("p", {}, spoken(line)))),
  code: (block) => [make("h3", {}, block.title), codeBox(block.text)],
  cards: (block) => make("div", { class: "cards" }, block.cards.map(card)),
  verdict: verdict,
  causes: (block) => make("ul", { class: "causes" }, block.causes.map(cause)),
  table: table,
  folded: (block) =>
    make("details", { class: "folded" }, make("summary", {}, block.title), block.blocks.map((one) => element(one))),
  plot: (block) => plotFigure(block),
  timeline: (block) => timelineFigure(block),
  samples: (block) => answersBox(block),
};

function element(block) {
  return kinds[block.kind](block);
}

function card(one) {
  const notes = one.notes.map((note) => make("p", { class: "note" }, note));
  const value = make("p", { class: "value" }, one.value, " ", make("span", { class: "unit" }, one.unit));
  return make("div", { class: `card ${one.faint ? "faint" : ""} ${one.look || ""}` }, make("p", { class: "label" }, labelled(one.label, one.term)), value, notes);
}

function verdict(block) {
  const word = make("p", { class: "word" }, labelled(block.title, block.term), " ", make("strong", {}, block.word));
  const reasons = block.reasons.map(([look, what, remedy]) =>
    make("li", { class: `is-${look}` }, make("span", { class: "mark" }, look === "note" ? "note" : look === "bad" ? "decides" : "doubt"),
      make("span", {}, spoken(what), " ", make("em", {}, spoken(remedy)))));
  return make("div", { class: `verdict ${block.look}` }, word, make("p", {}, block.means), reasons.length ? make("ul", {}, reasons) : null);
}

function cause([pattern, what, evidence, next]) {
  return make("li", {}, make("p", {}, make("strong", {}, `${pattern}: `), what), make("p", { class: "faint" }, evidence), make("p", {}, "Next: ", make("span", { class: "next" }, next)));
}

function codeBox(text) {
  const box = make("pre", { tabindex: "0" }, text);
  const copy = make("button", { type: "button", class: "copy" }, "Copy");
  copy.addEventListener("click", async () => {
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection().selectAllChildren(box);
      done = false;
    }
    copy.textContent = done ? "Copied" : "Selected: press Ctrl-C";
  });
  return make("div", { class: "code" }, box, copy);
}

function table(block) {
  const isNumber = (at) => (block.numbers ? block.numbers.includes(at) : at >= block.names);
  const cells = (row, number_of) => row.map((cell, at) => {
    const kind = isNumber(at) ? `number${cell.endsWith("*") ? " faint" : ""}` : cell.length > 26 ? "words" : "words short";
    const filter = at === 0 && block.filters && block.filters[number_of];
    const marked = block.marked === at && block.looks[number_of] ? " marked" : "";
    const link = at === 0 && block.links && block.links[number_of];
    const shown = link ? make("a", { href: encodeURI(link) }, cell) : filter ? answersLink(cell, filter) : at === 0 ? labelled(cell, (block.terms || [])[number_of]) : cell;
    return at === 0 ? make("th", { scope: "row", class: kind + marked }, shown) : make("td", { class: kind + marked }, shown);
  });
  const head = block.heads.some((text) => text)
    ? make("thead", {}, make("tr", {}, block.heads.map((text, at) =>
        make("th", { scope: "col", class: isNumber(at) ? "number" : "words" }, labelled(text, block.head_terms[at])))))
    : null;
  const body = make("tbody", {}, block.rows.map((row, at) => make("tr", { class: (block.looks || [])[at] || false }, cells(row, at))));
  const whole = make("table", { class: block.looks ? "judged" : false }, block.title ? make("caption", {}, block.title) : null, head, body);
  const scroller = make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": block.title || "table" }, whole);
  return make("div", { class: "table" }, scroller, block.note ? make("p", { class: "note" }, block.note) : null);
}
