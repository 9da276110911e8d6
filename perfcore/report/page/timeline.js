// Every request as a bar on a canvas: until the first token, and from there on.

const timelines = [];

// Plain loops: `from` with a function takes ten times as long, and there may be a million numbers.
function unpacked(column, length, unit) {
  const found = new Float64Array(length);
  if ("same" in column) return found.fill(column.same < 0 ? -1 : column.same * unit);
  const text = atob(column.data);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = text.charCodeAt(at);
  const types = { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array };
  const numbers = new types[column.bits](bytes.buffer);
  for (let at = 0; at < length; at += 1) found[at] = numbers[at] === 0 ? -1 : (numbers[at] - 1) * unit;
  return found;
}

function timelineFigure(block) {
  const rows = {};
  const times = ["sent", "ttft", "took", "slip"];
  for (const [name, column] of Object.entries(block.columns)) {
    rows[name] = unpacked(column, block.shown, times.includes(name) ? block.unit_ms / 1000 : 1);
  }
  rows.failed = rows.class.map((one) => (one > 0 && one !== block.cut ? 1 : 0));
  const canvas = make("canvas", { class: "bars" });
  const over = make("canvas", { class: "over" });
  const values = make("div", { class: "values", hidden: true });
  const box = make("div", { class: "timeline", tabindex: "0", role: "group", "data-plot": block.name,
    "aria-label": "Requests over time. Left and right go from request to request, plus and minus zoom, 0 shows all." }, canvas, over, values);
  const said = make("output", { class: "said" });
  const state = { block, rows, box, canvas, over, values, said, at: -1, drag: null, view: null, full: null };
  const layouts = make("div", { class: "buttons" },
    choice("side by side", "as many lines as were busy at once", true, () => lay(state, packedLanes)),
    choice(block.conversations ? "one line for each conversation" : "one line for each request", "in the order of their start", false, () => lay(state, ownLanes)),
    make("button", { type: "button", class: "all", onclick: () => look(state, state.full) }, "show all"));
  lay(state, packedLanes);
  timelines.push(state);
  timed.push({ set: (range) => shared !== state && look(state, { ...state.view, ...between(state, range) }) });
  listen(state);
  new ResizeObserver(() => paint(state)).observe(box);
  const streamed = rows.ttft.some((value) => value >= 0), whole = rows.ttft.some((value, at) => value < 0 && !rows.failed[at]);
  const parts = [["ttft", "until the first token", streamed], ["decode", "from there to the end", streamed], ["whole", "answer in one piece, or without a token", whole], ["red", "failed", rows.failed.includes(1)]];
  const legend = make("div", { class: "legend" }, parts.filter((part) => part[2]).map(
    ([name, label]) => make("span", {}, make("span", { class: `mark block ${name}`, "aria-hidden": "true" }), label)), windowMark(block));
  const many = block.of === 1 ? "The one attempt is drawn." : block.shown === block.of ? `All ${block.of.toLocaleString("en-US")} attempts are drawn.`
    : `${block.shown.toLocaleString("en-US")} of ${block.of.toLocaleString("en-US")} attempts are drawn: failures, the slowest of each stretch of time, and an even choice of the others. Lines look emptier than they were.`;
  const heading = make("h3", {}, block.title);
  return make("figure", { class: "wide" }, make("div", { class: "head" }, heading, layouts), legend, box, said,
    make("p", { class: "note" }, `${many} ${block.conversations ? "The turns of a conversation are on one line. " : ""}Drag over a part to zoom in, double-click to see all.`));
}

function choice(label, hint, on, act) {
  const button = make("button", { type: "button", "aria-pressed": String(on), title: hint }, label);
  button.addEventListener("click", () => {
    for (const other of button.parentElement.querySelectorAll("[aria-pressed]")) other.setAttribute("aria-pressed", String(other === button));
    act();
  });
  return button;
}

function between(state, range) {
  return range ? { from: range[0], to: range[1] } : { from: 0, to: state.full.to };
}

// Attempts and turns of one request belong together: from the first sending to the last end.
function groups(rows) {
  const found = new Map();
  for (let at = 0; at < rows.id.length; at += 1) {
    const end = rows.sent[at] + rows.took[at];
    const known = found.get(rows.id[at]);
    if (known) known.end = Math.max(known.end, end);
    else found.set(rows.id[at], { start: rows.sent[at], end });
  }
  return found;
}

// The first free line for each; lines become free when what is on them has ended.
function packedLanes(state) {
  const lanes = new Map();
  const free = [];
  const busy = [];
  let count = 0;
  for (const [id, { start, end }] of groups(state.rows)) {
    while (busy.length && busy[0][0] <= start) push(free, [pop(busy)[1]]);
    const lane = free.length ? pop(free)[0] : count++;
    push(busy, [end, lane]);
    lanes.set(id, lane);
  }
  return { lanes, count };
}

function ownLanes(state) {
  const lanes = new Map();
  for (const id of groups(state.rows).keys()) lanes.set(id, lanes.size);
  return { lanes, count: lanes.size };
}

// A binary heap of arrays, the least first number on top.
function push(heap, item) {
  let at = heap.push(item) - 1;
  while (at > 0) {
    const above = (at - 1) >> 1;
    if (heap[above][0] <= item[0]) break;
    heap[at] = heap[above];
    at = above;
  }
  heap[at] = item;
}

function pop(heap) {
  const top = heap[0];
  const item = heap.pop();
  if (heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    if (below >= heap.length) break;
    if (below + 1 < heap.length && heap[below + 1][0] < heap[below][0]) below += 1;
    if (heap[below][0] >= item[0]) break;
    heap[at] = heap[below];
    at = below;
  }
  heap[at] = item;
  return top;
}

function lay(state, layout) {
  const { lanes, count } = layout(state);
  state.lane = Float64Array.from(state.rows.id, (id) => lanes.get(id));
  state.full = { from: 0, to: state.block.end_s, low: 0, high: Math.max(1, count) };
  look(state, { ...state.full, ...(state.view ? { from: state.view.from, to: state.view.to } : {}) });
}

function look(state, view) {
  state.view = view;
  const all = view.from <= 0 && view.to >= state.full.to;
  state.box.classList.toggle("zoomed", !all || view.low > 0 || view.high < state.full.high);
  paint(state);
  shareTime(all ? null : [view.from, view.to], state);
}

const LEFT = 62, BOTTOM = 34, RIGHT = 14;

function paint(state) {
  const { canvas, over, box, view, rows, lane, block } = state;
  const width = box.clientWidth, height = box.clientHeight;
  if (width === 0) return;
  const dense = window.devicePixelRatio || 1;
  for (const one of [canvas, over]) {
    one.width = Math.round(width * dense);
    one.height = Math.round(height * dense);
  }
  const ctx = canvas.getContext("2d");
  const scale = scaleOf(state);
  box.dataset.marks = raster(state, ctx, scale, dense);
  ctx.setTransform(dense, 0, 0, dense, 0, 0);
  ctx.globalCompositeOperation = "destination-over";
  axes(ctx, state, scale);
  mark(state);
}

// Bars as pixels: a hundred thousand of them take some milliseconds. What is drawn last is seen where they share a
// pixel: first tokens over decoding, failures over both. Returns how many bars were drawn.
function raster(state, ctx, scale, dense) {
  const { rows, lane, view, block } = state;
  const left = Math.round(LEFT * dense), width = Math.floor(scale.width * dense), height = Math.floor(scale.height * dense);
  if (width < 1 || height < 1) return 0;
  const image = ctx.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const across = scale.perSecond * dense, tall = scale.perLane * dense;
  const rowsOf = Math.max(1, Math.round(tall > 4 ? tall - dense : tall));
  const bar = (at, from, length, shade) => {
    const x = (from - view.from) * across;
    const first = Math.max(0, Math.floor(x)), last = Math.min(width, Math.max(Math.floor(x) + 1, Math.round(x + length * across)));
    const top = Math.max(0, Math.floor((lane[at] - view.low) * tall)), bottom = Math.min(height, Math.floor((lane[at] - view.low) * tall) + rowsOf);
    for (let y = top; y < bottom; y += 1) pixels.fill(shade, y * width + first, y * width + last);
  };
  const [first, decode, whole, red] = ["ttft", "decode", "whole", "red"].map((name) => packedColour(colour(name)));
  const seen = [];
  for (let at = 0; at < block.shown; at += 1) {
    if (rows.sent[at] <= view.to && rows.sent[at] + rows.took[at] >= view.from && lane[at] > view.low - 1 && lane[at] < view.high) seen.push(at);
  }
  for (const at of seen) {
    if (rows.ttft[at] >= 0) bar(at, rows.sent[at] + rows.ttft[at], rows.took[at] - rows.ttft[at], decode);
    else bar(at, rows.sent[at], rows.took[at], whole);
  }
  for (const at of seen) if (rows.ttft[at] >= 0) bar(at, rows.sent[at], rows.ttft[at], first);
  for (const at of seen) if (rows.failed[at]) bar(at, rows.sent[at], rows.took[at], red);
  ctx.putImageData(image, left, 0);
  return seen.length;
}

// #rrggbb as one number of four bytes, in the order in which a picture has them.
function packedColour(text) {
  const bytes = [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
  return new Uint32Array(new Uint8Array([...bytes, 255]).buffer)[0];
}

function scaleOf(state) {
  const { view, box } = state;
  const width = Math.max(1, box.clientWidth - LEFT - RIGHT), height = Math.max(1, box.clientHeight - BOTTOM);
  const perSecond = width / (view.to - view.from), perLane = height / (view.high - view.low);
  return { width, height, perSecond, perLane,
    x: (time) => LEFT + (time - view.from) * perSecond, y: (line) => (line - view.low) * perLane,
    time: (x) => view.from + (x - LEFT) / perSecond, line: (y) => view.low + y / perLane };
}

function axes(ctx, state, scale) {
  const { view, block } = state;
  if (block.window) {
    ctx.fillStyle = colour("window");
    const [left, right] = block.window.map((at) => Math.max(LEFT, Math.min(LEFT + scale.width, scale.x(at))));
    ctx.fillRect(left, 0, right - left, scale.height);
  }
  ctx.strokeStyle = colour("grid");
  ctx.fillStyle = colour("faint");
  ctx.font = "12px system-ui, sans-serif";
  ctx.textAlign = "center";
  const step = round((view.to - view.from) / Math.max(2, scale.width / 90));
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const x = Math.round(scale.x(at)) + 0.5;
    ctx.beginPath();
    ctx.moveTo(x, 0);
    ctx.lineTo(x, scale.height);
    ctx.stroke();
    ctx.fillText(tick(Number(at.toPrecision(12)), step), x, scale.height + 14);
  }
  ctx.fillText("seconds since the first request was due", LEFT + scale.width / 2, scale.height + 30);
  ctx.textAlign = "right";
  const lines = Math.max(1, Math.ceil(round((view.high - view.low) / 6)));
  for (let line = Math.max(1, Math.ceil((view.low + 1) / lines) * lines); line <= view.high; line += lines) {
    ctx.fillText(String(line), LEFT - 8, Math.min(scale.height - 2, scale.y(line - 0.5) + 4));
  }
}

function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= value * 0.999999);
}

function mark(state) {
  const { over, rows, lane, at, drag } = state;
  const ctx = over.getContext("2d");
  const dense = window.devicePixelRatio || 1;
  ctx.setTransform(dense, 0, 0, dense, 0, 0);
  ctx.clearRect(0, 0, over.width, over.height);
  const scale = scaleOf(state);
  if (at >= 0) {
    ctx.strokeStyle = colour("ink");
    ctx.lineWidth = 2;
    ctx.strokeRect(scale.x(rows.sent[at]) - 1, scale.y(lane[at]) - 1, Math.max(2, rows.took[at] * scale.perSecond) + 2, Math.max(2, scale.perLane) + 1);
  }
  if (drag && drag.to) {
    ctx.fillStyle = colour("drag");
    ctx.fillRect(drag.x, drag.y, drag.to.x - drag.x, drag.to.y - drag.y);
  }
}

// The request under a point, or the nearest one within a few pixels.
function nearest(state, x, y) {
  const { rows, lane, block } = state;
  const scale = scaleOf(state);
  const time = scale.time(x), line = scale.line(y);
  let best = -1, least = 6;
  for (let at = 0; at < block.shown; at += 1) {
    const across = Math.max(lane[at] - line, line - lane[at] - 1, 0) * scale.perLane;
    if (across >= least) continue;
    const along = Math.max(rows.sent[at] - time, time - rows.sent[at] - rows.took[at], 0) * scale.perSecond;
    if (along + across < least) {
      best = at;
      least = along + across;
      if (least === 0 && rows.failed[at] > 0) break;
    }
  }
  return best;
}

function told(state, at) {
  const { rows, block } = state;
  const ms = (value) => (value < 0 ? "–" : `${number(value * 1000)} ms`);
  const pairs = [["sent at", `${number(rows.sent[at])} s`], ["first token after", ms(rows.ttft[at])], ["ended after", ms(rows.took[at])], ["slip", ms(rows.slip[at])],
    ["tokens in, out", `${rows.input[at] < 0 ? "–" : number(rows.input[at])}, ${rows.output[at] < 0 ? "–" : number(rows.output[at])}`],
    ["outcome", rows.class[at] > 0 ? block.classes[rows.class[at]] : block.finish[rows.finish[at]] || "ok"], ["worker", number(rows.worker[at])]];
  const turn = block.conversations ? `, turn ${rows.turn[at]}` : "";
  const again = rows.attempt[at] > 0 ? `, attempt ${rows.attempt[at] + 1}` : "";
  return [`request ${rows.id[at]}${turn}${again}`, pairs];
}

function select(state, at, x, y) {
  const { values } = state;
  state.at = at;
  mark(state);
  values.hidden = at < 0;
  if (at < 0) return;
  const [head, pairs] = told(state, at);
  values.replaceChildren(make("strong", {}, head), ...pairs.map(([name, value]) => make("div", {}, `${name} `, make("b", {}, value))));
  const right = state.box.clientWidth - x;
  values.style.left = right > 230 ? `${x + 14}px` : "auto";
  values.style.right = right > 230 ? "auto" : `${right + 14}px`;
  values.style.top = `${Math.max(0, Math.min(y + 10, state.box.clientHeight - 170))}px`;
  if (state.box === document.activeElement) state.said.textContent = `${head}: ${pairs.map((pair) => pair.join(" ")).join(", ")}`;
}

function listen(state) {
  const { over, box } = state;
  const place = (event) => {
    const at = over.getBoundingClientRect();
    return { x: event.clientX - at.left, y: event.clientY - at.top };
  };
  over.addEventListener("pointerdown", (event) => {
    state.drag = event.button === 0 ? place(event) : null;
    if (event.isTrusted && state.drag) over.setPointerCapture(event.pointerId);
  });
  over.addEventListener("pointermove", (event) => {
    const here = place(event);
    if (state.drag) {
      state.drag.to = here;
      mark(state);
    } else {
      select(state, nearest(state, here.x, here.y), here.x, here.y);
    }
  });
  over.addEventListener("pointerup", (event) => {
    const from = state.drag, here = place(event);
    state.drag = null;
    if (from && Math.abs(here.x - from.x) > 6) zoomInto(state, from, here);
    else select(state, nearest(state, here.x, here.y), here.x, here.y);
  });
  over.addEventListener("pointercancel", () => { state.drag = null; mark(state); });
  over.addEventListener("pointerleave", () => { if (!state.drag) select(state, -1, 0, 0); });
  over.addEventListener("dblclick", () => look(state, state.full));
  box.addEventListener("keydown", (event) => timelineKey(state, event));
}

// A drag that is nearly level zooms into time alone.
function zoomInto(state, from, to) {
  const scale = scaleOf(state), { view, full } = state;
  const times = [from.x, to.x].map(scale.time).sort((a, b) => a - b);
  const lines = Math.abs(to.y - from.y) > 24 ? [from.y, to.y].map(scale.line).sort((a, b) => a - b) : [view.low, view.high];
  look(state, { from: Math.max(0, times[0]), to: Math.min(full.to, times[1]), low: Math.max(0, Math.floor(lines[0])), high: Math.min(full.high, Math.max(Math.ceil(lines[1]), Math.floor(lines[0]) + 1)) });
}

function timelineKey(state, event) {
  const { view, full, block, rows } = state;
  const steps = { ArrowLeft: -1, ArrowRight: 1 };
  if (event.key in steps) {
    const at = Math.max(0, Math.min(block.shown - 1, state.at + steps[event.key] * (event.shiftKey ? 10 : 1)));
    const outside = rows.sent[at] < view.from || rows.sent[at] > view.to;
    const length = view.to - view.from;
    if (outside) look(state, { ...view, from: Math.max(0, rows.sent[at] - length / 2), to: Math.min(full.to, rows.sent[at] + length / 2) });
    const scale = scaleOf(state);
    select(state, at, scale.x(rows.sent[at]), scale.y(state.lane[at]));
  } else if (event.key === "+" || event.key === "=" || event.key === "-") {
    const middle = state.at >= 0 ? rows.sent[state.at] : (view.from + view.to) / 2;
    const by = event.key === "-" ? 2 : 0.5;
    look(state, { ...view, from: Math.max(0, middle - (middle - view.from) * by), to: Math.min(full.to, middle + (view.to - middle) * by) });
  } else if (event.key === "0") {
    look(state, full);
  } else if (event.key === "Escape") {
    select(state, -1, 0, 0);
  } else {
    return;
  }
  event.preventDefault();
}
