// The page: sections, contents, light and dark, print.

const THEMES = { auto: "light or dark as the system", light: "light", dark: "dark" };

function start() {
  document.getElementById("heading").textContent = page.heading;
  document.getElementById("sub").textContent = page.sub;
  const main = document.getElementById("main");
  const contents = document.getElementById("contents");
  main.replaceChildren(...page.sections.map((section) =>
    make("section", { id: section.name, "aria-labelledby": `${section.name}-title` }, make("h2", { id: `${section.name}-title` }, section.title),
      grouped(section.blocks))));
  contents.append(make("ul", {}, page.sections.map((section) => make("li", {}, make("a", { href: `#${section.name}` }, section.title)))));
  document.getElementById("foot").append(make("p", {}, "Made by perfcore from the records of the run. This page asks no server for anything."),
    make("details", {}, make("summary", {}, "Licence of uPlot, which draws the curves"), make("pre", {}, document.getElementById("licence").textContent)));
  theme();
  redraw();
  follow(contents);
  root.dataset.ready = "yes";
}

// Plots that follow each other stand side by side.
function grouped(blocks) {
  const found = [];
  let row = null;
  for (const block of blocks) {
    const made = element(block);
    if (block.kind === "plot") {
      if (!row) found.push(row = make("div", { class: "plots" }));
      row.append(made);
    } else {
      row = null;
      found.push(...[made].flat());
    }
  }
  return found;
}

function redraw() {
  plots.forEach(rebuild);
  timelines.forEach(paint);
}

function theme() {
  const button = document.getElementById("theme");
  const names = Object.keys(THEMES);
  let now = kept() || "auto";
  const apply = () => {
    if (now === "auto") delete root.dataset.theme;
    else root.dataset.theme = now;
    button.textContent = `Colours: ${now}`;
    button.setAttribute("aria-label", `Colours: ${THEMES[now]}; press to change`);
    button.title = `Colours: ${THEMES[now]}`;
  };
  button.addEventListener("click", () => {
    now = names[(names.indexOf(now) + 1) % names.length];
    keep(now);
    apply();
    redraw();
  });
  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let before = null;
  addEventListener("beforeprint", () => {
    before = root.dataset.theme || null;
    root.dataset.theme = "light";
    root.classList.add("paper");
    redraw();
  });
  addEventListener("afterprint", () => {
    if (before) root.dataset.theme = before;
    else delete root.dataset.theme;
    root.classList.remove("paper");
    redraw();
  });
}

// A page from disk may have no storage.
function kept() {
  try {
    const found = localStorage.getItem("perfcore-theme");
    return found in THEMES ? found : null;
  } catch {
    return null;
  }
}

function keep(name) {
  try {
    localStorage.setItem("perfcore-theme", name);
  } catch {
    // The choice lasts as long as the page.
  }
}

// The section that is read is marked in the contents.
function follow(contents) {
  const links = new Map([...contents.querySelectorAll("a")].map((link) => [link.getAttribute("href").slice(1), link]));
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(entry.target.id).setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  document.querySelectorAll("main section").forEach((section) => watch.observe(section));
}

start();
