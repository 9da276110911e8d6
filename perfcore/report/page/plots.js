// Curves by uPlot: zoom by drag, values under the cursor, keys for both; plots over time share their range.

const plots = [];
const timed = [];
let shared = null;

function colour(name) {
  return getComputedStyle(root).getPropertyValue(`--${name}`).trim();
}

function plotFigure(block) {
  const box = make("div", { class: "plot", tabindex: "0", role: "group", "data-plot": block.name,
    "aria-label": `${block.title}. Left and right read the values, plus and minus zoom, 0 shows all.` });
  const values = make("div", { class: "values", hidden: true });
  const said = make("output", { class: "said" });
  const plot = { block, box, values, said, hidden: new Set(), log: Boolean(block.log), tail: false, chart: null, range: null };
  const legend = make("div", { class: "legend" }, block.series.map((series, at) => legendButton(plot, series, at)), windowMark(block));
  const tools = make("div", { class: "buttons" },
    block.share ? toggle("log scale", plot.log, (on) => { plot.log = on; plot.range = null; rebuild(plot); }) : null,
    block.share ? toggle("tail", false, (on) => { plot.tail = on; rebuild(plot); }) : null,
    make("button", { type: "button", class: "all", onclick: () => showAll(plot) }, "show all"));
  plots.push(plot);
  if (block.time) timed.push({ set: (range) => zoomTo(plot, range) });
  plot.index = timed.length - 1;
  const heading = make("h3", {}, labelled(block.title, block.term));
  const under = make("p", { class: "note" }, block.note || "");
  box.addEventListener("keydown", (event) => onKey(plot, event));
  box.addEventListener("blur", () => { values.hidden = true; });
  new ResizeObserver(() => resize(plot)).observe(box);
  return make("figure", { class: block.wide ? "wide" : "" }, make("div", { class: "head" }, heading, tools), legend, box, said, under, numbersBox(block));
}

// What the shaded time is.
function windowMark(block) {
  return block.window ? make("span", {}, make("span", { class: "mark block window", "aria-hidden": "true" }), "measured window") : null;
}

function toggle(label, on, act) {
  const button = make("button", { type: "button", "aria-pressed": String(on) }, label);
  button.addEventListener("click", () => {
    const now = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(now));
    act(now);
  });
  return button;
}

function legendButton(plot, series, at) {
  const mark = make("span", { class: `mark ${series.colour} ${series.dash ? "dashed" : ""}`, "aria-hidden": "true" });
  const button = make("button", { type: "button", "aria-pressed": "true", title: "show or hide" }, mark, series.label);
  button.addEventListener("click", () => {
    const hide = button.getAttribute("aria-pressed") === "true";
    button.setAttribute("aria-pressed", String(!hide));
    plot.hidden[hide ? "add" : "delete"](at);
    plot.chart.setSeries(at + 1, { show: !hide });
  });
  return button;
}

// The numbers as a table, made when it is opened.
function numbersBox(block) {
  const details = make("details", { class: "numbers" }, make("summary", {}, "numbers"));
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    const shown = block.share ? (value) => percent(value).replace(" %", "") : number;
    const rows = block.series[0].values.map((_, at) => [number(block.x[at]), ...block.series.map((one) => shown(one.values[at]))]);
    details.append(table({ title: block.title, heads: [block.x_label, ...block.series.map((one) => (block.share ? `${one.label}, %` : one.label))], head_terms: [], rows, names: 0 }));
  });
  return details;
}

const TAILS = [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999, 0.9999999];

function dataOf(plot) {
  const { block } = plot;
  let x = block.x;
  let columns = block.series.map((one) => (block.steps ? [...one.values, one.values[one.values.length - 1]] : one.values));
  if (block.share && plot.log) {
    const kept = x.map((value, at) => at).filter((at) => x[at] > 0);
    x = kept.map((at) => block.x[at]);
    columns = columns.map((column) => kept.map((at) => column[at]));
  }
  if (plot.tail) columns = columns.map((column) => column.map((share) => (share >= 1 ? null : -Math.log10(1 - share))));
  return [x, ...columns];
}

function build(plot) {
  const { block, box } = plot;
  const data = dataOf(plot);
  const axis = { stroke: colour("faint"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid"), width: 1 }, font: "12px system-ui, sans-serif" };
  const logarithmic = Boolean((block.share && plot.log) || block.wide_x);
  const paths = block.steps || block.share ? stairs : block.line === false ? () => null : undefined;
  const options = {
    width: Math.max(200, box.clientWidth),
    height: block.share ? 260 : 220,
    legend: { show: false },
    padding: [10, 14, 0, 0],
    cursor: {
      dataIdx: (chart, series, at, x) => (block.steps && at > 0 && chart.data[0][at] > x ? at - 1 : at),
      drag: { x: true, y: false, setScale: true },
      points: { size: 7 },
      sync: block.time ? { key: "time", scales: ["x", null], filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } } : undefined,
    },
    scales: {
      x: { time: false, distr: logarithmic ? 3 : 1, range: (chart, low, high) => roomy(block, data[0], low, high), ...(plot.range ? { min: plot.range[0], max: plot.range[1] } : {}) },
      y: { range: (chart, low, high) => (block.share && !plot.tail ? [0, 1] : [0, high > 0 ? high * 1.06 : 1]) },
    },
    axes: [
      { ...axis, incrs: block.whole ? WHOLE_STEPS : undefined, label: block.x_label, labelSize: 20, labelFont: "12px system-ui, sans-serif", size: 32, values: labels(logarithmic, block.wide_x),
        splits: block.wide_x && block.x.length <= FEW_LOADS ? (chart, at, low, high) => block.x.filter((load) => load >= low && load <= high) : undefined, filter: block.wide_x ? (chart, ticks) => ticks : undefined },
      { ...axis, size: 62, incrs: block.whole ? WHOLE_STEPS : undefined, values: plot.tail ? (chart, ticks) => ticks.map(tailLabel) : labels(false),
        splits: plot.tail ? (chart, at, low, high) => TAILS.map((share) => -Math.log10(1 - share)).filter((one) => one <= high) : undefined,
        label: block.y_label, labelSize: 20, labelFont: "12px system-ui, sans-serif" },
    ],
    series: [{}, ...block.series.map((one, at) => ({
      label: one.label, stroke: colour(one.colour), width: 1.6, dash: one.dash ? [6, 4] : undefined, spanGaps: !block.steps,
      show: !plot.hidden.has(at), points: { show: Boolean(block.dots), size: 7, fill: colour(one.colour) }, paths }))],
    hooks: {
      drawClear: [(chart) => shade(chart, block)],
      draw: block.labels ? [(chart) => nameDots(plot, chart)] : [],
      setCursor: [(chart) => showValues(plot, chart)],
      setScale: [(chart, key) => key === "x" && ranged(plot, chart)],
    },
  };
  box.replaceChildren();
  plot.chart = new uPlot(options, data, box);
  plot.chart.over.append(plot.values);
  box.dataset.points = data[0].length;
}

// A value holds until the next x. The last one before a gap is drawn as well, which uPlot's own steps leave out.
function stairs(chart, series, from, to) {
  const x = chart.data[0], values = chart.data[series], path = new Path2D();
  const end = Math.min(x.length - 1, to + 1);
  let down = false;
  for (let at = Math.max(0, from - 1); at <= end; at += 1) {
    const value = values[at];
    const held = value !== null && value !== undefined;
    if (held) {
      const y = chart.valToPos(value, "y", true), left = chart.valToPos(x[at], "x", true);
      path[down ? "lineTo" : "moveTo"](left, y);
      path.lineTo(chart.valToPos(x[Math.min(at + 1, x.length - 1)], "x", true), y);
    }
    down = held;
  }
  return { stroke: path, fill: null, clip: null, band: null, gaps: null, flags: 1 };
}

const FEW_LOADS = 12, FEW_DOTS = 24;

// Dots at the ends keep off the frame; everything else goes from the first x to the last.
function roomy(block, x, low, high) {
  if (!block.dots || low !== x[0] || high !== x[x.length - 1] || low === high) return [low, high];
  if (block.wide_x) return [low / (high / low) ** 0.03, high * (high / low) ** 0.03];
  return [low - 0.03 * (high - low), high + 0.03 * (high - low)];
}

// The load of each dot beside it, where there are few.
function nameDots(plot, chart) {
  const { block } = plot;
  if (block.labels.length > FEW_DOTS) return;
  const { ctx, bbox } = chart, dense = window.devicePixelRatio || 1;
  ctx.save();
  ctx.fillStyle = colour("faint");
  ctx.font = `${12 * dense}px system-ui, sans-serif`;
  block.labels.forEach((text, at) => {
    const series = block.series.findIndex((one, index) => one.values[at] !== null && !plot.hidden.has(index));
    if (series < 0) return;
    const x = chart.valToPos(block.x[at], "x", true), y = chart.valToPos(block.series[series].values[at], "y", true);
    const left = x > bbox.left + bbox.width / 2;
    ctx.textAlign = left ? "right" : "left";
    if (x >= bbox.left && x <= bbox.left + bbox.width) ctx.fillText(text, x + (left ? -8 : 8) * dense, y + 16 * dense);
  });
  ctx.restore();
}

// Distances of ticks where nothing lies between whole numbers.
const WHOLE_STEPS = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((first) => first * 10 ** power)).flat();

// Ticks with as many digits as tell them from each other.
function labels(logarithmic, exact) {
  return (chart, ticks, axis, space, step) => ticks.map((value) => (value === null || (logarithmic && !exact && !isRound(value)) ? "" : logarithmic ? plain(value) : tick(value, step)));
}

// One digit and zeros: a logarithmic axis also has a tick where it happens to begin.
function isRound(value) {
  const first = value / 10 ** Math.floor(Math.log10(value));
  return Math.abs(first - Math.round(first)) < 1e-6;
}

function tick(value, step) {
  if (Math.abs(value) >= 1e6) return value.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 3 });
  return value.toLocaleString("en-US", { maximumFractionDigits: Math.min(12, Math.max(1, Math.ceil(-Math.log10(step)) + 1)) });
}

function plain(value) {
  if (Math.abs(value) >= 1e6) return value.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 3 });
  return value.toLocaleString("en-US", { maximumSignificantDigits: 4 });
}

function tailLabel(value) {
  return percent(1 - 10 ** -value);
}

function rebuild(plot) {
  if (plot.chart) plot.chart.destroy();
  build(plot);
}

function resize(plot) {
  const width = Math.max(200, plot.box.clientWidth);
  if (plot.chart && Math.abs(plot.chart.width - width) > 1) plot.chart.setSize({ width, height: plot.chart.height });
}

function shade(chart, block) {
  if (!block.window) return;
  const { ctx, bbox } = chart;
  const [left, right] = block.window.map((at) => Math.max(bbox.left, Math.min(bbox.left + bbox.width, chart.valToPos(at, "x", true))));
  ctx.save();
  ctx.fillStyle = colour("window");
  ctx.fillRect(left, bbox.top, right - left, bbox.height);
  ctx.restore();
}

function showValues(plot, chart) {
  const at = chart.cursor.idxs ? chart.cursor.idxs[1] ?? chart.cursor.idx : chart.cursor.idx;
  const { block, values } = plot;
  if (at === null || at === undefined || chart.cursor.left < 0) {
    values.hidden = true;
    return;
  }
  const x = chart.data[0][at];
  const until = block.steps && at + 1 < chart.data[0].length ? ` to ${number(chart.data[0][at + 1])}` : "";
  const unit = block.time ? "s" : block.x_label;
  const head = block.labels ? `${block.labels[at]}: ${number(x)} ${unit}` : `${number(x)}${until} ${unit}`;
  const rows = block.series.map((one, index) => [one, chart.data[index + 1][at]]).filter(([, value], index) => !plot.hidden.has(index) && value !== null && value !== undefined);
  const shown = rows.map(([one, value]) => `${one.label} ${valueOf(plot, value)}`);
  values.replaceChildren(make("strong", {}, head), ...rows.map(([one, value]) =>
    make("div", {}, make("span", { class: `mark ${one.colour} ${one.dash ? "dashed" : ""}` }), `${one.label} `, make("b", {}, valueOf(plot, value)))));
  values.hidden = !(plot.box.matches(":hover") || plot.box === document.activeElement);
  const room = chart.over.clientWidth - chart.cursor.left;
  values.style.left = room > 190 ? `${chart.cursor.left + 12}px` : "auto";
  values.style.right = room > 190 ? "auto" : `${room + 12}px`;
  if (plot.box === document.activeElement) plot.said.textContent = `${head}: ${shown.join(", ")}`;
}

// Close to 1 with as many nines as there are.
function percent(share) {
  const digits = share > 0.99 && share < 1 ? Math.ceil(-Math.log10(1 - share)) + 3 : 4;
  return `${(100 * share).toLocaleString("en-US", { maximumSignificantDigits: Math.min(15, digits) })} %`;
}

function valueOf(plot, value) {
  if (plot.tail) return percent(1 - 10 ** -value);
  return plot.block.share ? percent(value) : `${number(value)} ${plot.block.y_label}`;
}

function extent(plot) {
  const x = plot.chart.data[0];
  return [x[0], x[x.length - 1]];
}

function ranged(plot, chart) {
  const { min, max } = chart.scales.x;
  if (min === null || min === undefined || !plot.chart) return;
  const [first, last] = extent(plot);
  plot.range = min <= first && max >= last ? null : [min, max];
  plot.box.classList.toggle("zoomed", plot.range !== null);
  if (plot.block.time) shareTime(plot.range, plot);
}

// What is zoomed over time is zoomed in every plot over time.
function shareTime(range, source) {
  if (shared) return;
  shared = source;
  timed.forEach((one) => one.set(range));
  shared = null;
}

function zoomTo(plot, range) {
  if (plot === shared || !plot.chart) return;
  const [min, max] = range || extent(plot);
  plot.chart.setScale("x", { min, max });
}

function showAll(plot) {
  const [min, max] = extent(plot);
  plot.chart.setScale("x", { min, max });
}

function onKey(plot, event) {
  const chart = plot.chart;
  const steps = { ArrowLeft: -1, ArrowRight: 1 };
  if (event.key in steps) {
    const [from, to] = [chart.valToIdx(chart.scales.x.min), chart.valToIdx(chart.scales.x.max)];
    const at = Math.max(from, Math.min(to, (chart.cursor.idx ?? from - 1) + steps[event.key] * (event.shiftKey ? 10 : 1)));
    const middle = plot.block.steps && at + 1 < chart.data[0].length ? (chart.data[0][at] + chart.data[0][at + 1]) / 2 : chart.data[0][at];
    chart.setCursor({ left: chart.valToPos(middle, "x"), top: chart.over.clientHeight / 2 });
  } else if (event.key === "+" || event.key === "=" || event.key === "-") {
    const { min, max } = chart.scales.x;
    const middle = chart.cursor.left >= 0 ? chart.posToVal(chart.cursor.left, "x") : (min + max) / 2;
    const by = event.key === "-" ? 2 : 0.5;
    const [first, last] = extent(plot);
    chart.setScale("x", { min: Math.max(first, middle - (middle - min) * by), max: Math.min(last, middle + (max - middle) * by) });
  } else if (event.key === "0") {
    showAll(plot);
  } else if (event.key === "Escape") {
    plot.values.hidden = true;
  } else {
    return;
  }
  event.preventDefault();
}
