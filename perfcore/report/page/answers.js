// Single answers: search, filter, a page of them at a time.

const PAGE = 25;
const boxes = [];

function answersBox(block) {
  const state = { block, words: "", of: "", states: new Set(block.states), shown: PAGE };
  const list = make("ol", { class: "answers" });
  const count = make("output", { class: "count" });
  const search = make("input", { type: "search", placeholder: "search in prompts, answers, references", "aria-label": "Search in answers" });
  search.addEventListener("input", () => renew({ words: search.value.toLowerCase() }));
  const places = [...new Set(block.items.map((item) => item.of))];
  const place = make("select", { "aria-label": "Data set" }, make("option", { value: "" }, "all data sets"), places.map((name) => make("option", { value: name }, name)));
  place.addEventListener("change", () => renew({ of: place.value }));
  const states = block.states.map((name) => {
    const number_of = block.items.filter((item) => item.state === name).length;
    return toggle(`${name} ${number_of.toLocaleString("en-US")}`, true, (on) => {
      state.states[on ? "add" : "delete"](name);
      renew({});
    });
  });
  const more = make("button", { type: "button", class: "more" }, "show more");
  more.addEventListener("click", () => { state.shown += PAGE; fill(); });

  function renew(change) {
    Object.assign(state, change, { shown: PAGE });
    fill();
  }

  function fill() {
    const found = block.items.filter((item) => state.states.has(item.state) && (!state.of || item.of === state.of) && (!state.words || matches(item, state.words)));
    list.replaceChildren(...found.slice(0, state.shown).map(answer));
    const beyond = block.of > block.items.length ? ` ${block.items.length.toLocaleString("en-US")} of ${block.of.toLocaleString("en-US")} answers are in this page, long texts cut at ${block.text.toLocaleString("en-US")} characters; the files in eval/results have all.` : "";
    count.textContent = `${found.length === 1 ? "1 answer matches" : `${found.length.toLocaleString("en-US")} answers match`}.${beyond}`;
    more.hidden = found.length <= state.shown;
  }

  fill();
  const box = make("div", { class: "samples", id: "answers" }, make("h3", {}, block.title), make("div", { class: "filters" }, search, places.length > 1 ? place : null, states), count, list, more);
  boxes.push((of) => {
    place.value = of;
    renew({ of });
    box.scrollIntoView();
    search.focus({ preventScroll: true });
  });
  return box;
}

function matches(item, words) {
  return Object.values(item).some((text) => typeof text === "string" && text.toLowerCase().includes(words));
}

function answer(item) {
  const head = make("summary", {}, make("span", { class: `state ${item.state.replace(" ", "-")}` }, item.state), make("span", { class: "id" }, item.id),
    make("span", { class: "brief" }, item.extracted ? `${brief(item.extracted)} ` : "", item.reference ? make("span", { class: "faint" }, `expected ${brief(item.reference)}`) : null));
  const parts = ["prompt", "reasoning", "answer", "extracted", "reference", "why"].filter((name) => item[name]);
  const body = make("dl", {}, parts.map((name) => [make("dt", {}, name), make("dd", {}, make("pre", {}, item[name]))]));
  return make("li", {}, make("details", {}, head, make("p", { class: "note" }, `${item.of}, score ${item.score}`), body));
}

function brief(text) {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function answersLink(text, filter) {
  return make("button", { type: "button", class: "link", onclick: () => boxes.forEach((show) => show(filter)) }, text);
}
