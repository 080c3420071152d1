// The page: it asks Python and draws the answers. No value of a schedule is computed here.

const PLAN = [
  ["epochs", "epochs"],
  ["steps", "or steps"],
  ["tokens", "or tokens"],
  ["examples", "examples"],
  ["batch", "batch"],
  ["accumulation", "batches per update"],
  ["replicas", "replicas"],
  ["tokens_per_example", "tokens per example"],
];
const UNIT_NAMES = { step: "steps", epoch: "epochs", token: "tokens", "%": "% of the plan" };
const FORMS = [
  ["notation", "Notation"],
  ["python", "Python"],
  ["json", "JSON"],
  ["yaml", "Comparison (YAML)"],
  ["csv", "CSV"],
  ["png", "PNG"],
  ["svg", "SVG"],
  ["pdf", "PDF"],
  ["html", "Offline page (HTML)"],
];

/** The page in an element. place: "page" has an address, "notebook" has none, "static" asks nobody. */
function explorer(root, ask, place) {
  const view = { schedules: [], plan: {}, unit: "step", scale: "linear", until: null, start: null, stop: null, at: 0, difference: null };
  let answer = null;
  let numbers = new Float64Array();
  let cards = [];
  let held = null;
  root.classList.add("annealing-explorer");
  if (place === "static") root.classList.add("ae-static");

  // Toolbar
  const scale = make("select", { onchange: () => set({ scale: scale.value }) }, make("option", { value: "linear" }, "linear"), make("option", { value: "log" }, "logarithmic"));
  const unit = make("select", { onchange: () => set({ unit: unit.value, until: null, start: null, stop: null }) });
  const until = make("input", { type: "text", inputmode: "decimal", size: 9, onchange: () => set({ until: numeric(until.value), start: null, stop: null }) });
  const zoom = (text, label, by) => make("button", { type: "button", "aria-label": label, title: label, onclick: () => move(...by) }, text);
  const tools = make(
    "div",
    { class: "ae-tools" },
    field("axis", scale),
    field("time in", unit),
    field("up to", until),
    make("span", { class: "ae-zoom", role: "group", "aria-label": "Zoom" }, zoom("−", "Zoom out", [2, 0]), zoom("+", "Zoom in", [0.5, 0]), zoom("‹", "Earlier", [1, -0.25]), zoom("›", "Later", [1, 0.25]), make("button", { type: "button", onclick: () => set({ start: null, stop: null }) }, "All")),
  );
  const charts = make("div", { class: "ae-charts" });
  const tip = make("div", { class: "ae-tip", "aria-hidden": "true", hidden: true });
  const gap = make("div", { class: "ae-gap", hidden: true });
  charts.append(tip);
  const said = { zoomed: (start, stop) => set({ start, stop }), picked: (time) => set({ at: view.unit === "step" ? Math.max(0, Math.round(time)) : Math.max(0, time) }), hovered: hover };
  const main = chart(charts, said, () => Math.max(240, Math.min(560, innerHeight * (root.clientWidth < 960 ? 0.36 : 0.52))), "Learning rates over time; see the table below for values");
  charts.append(gap);
  let below = null;
  const keyline = make("p", { class: "ae-key" });
  const at = make("input", { type: "number", min: 0, step: "any", "aria-label": "Time of the values", onchange: () => set({ at: numeric(at.value) ?? 0 }) });
  const atUnit = make("span");
  const values = make("tbody");
  const readout = make(
    "section",
    { class: "ae-readout", "aria-label": "Values at a time" },
    make("div", { class: "ae-row" }, make("label", {}, "Values at ", at, " ", atUnit)),
    make("div", { class: "ae-scroll", tabindex: 0, role: "region", "aria-label": "Table of values" }, make("table", {}, make("thead", {}, make("tr", {}, ...["schedule", "learning rate", "notation"].map((text) => make("th", { scope: "col" }, text)))), values)),
  );

  // Schedules
  const list = make("div", { class: "ae-list" });
  const status = make("p", { class: "ae-status", role: "status" });
  const addText = make("button", { type: "button", onclick: () => append("") }, "New");
  const gallery = galleryPanel(ask, addFrom);
  const left = make("section", { class: "ae-side", "aria-label": "Schedules" }, make("div", { class: "ae-row" }, make("h2", {}, "Schedules"), addText, gallery.button), gallery.root, list);

  // Plan, difference, log, export
  const planFields = Object.fromEntries(PLAN.map(([name]) => [name, make("input", { type: "text", inputmode: "decimal", autocomplete: "off", onchange: () => planned(name) })]));
  const planWords = make("p", { class: "ae-words", role: "status" });
  const plan = make("details", { class: "ae-panel" }, make("summary", {}, "Training plan"), make("p", {}, "Converts epochs, tokens and percent to steps."), make("div", { class: "ae-grid" }, ...PLAN.map(([name, label]) => field(label, planFields[name]))), planWords);
  const one = make("select", { onchange: compared, "aria-label": "First schedule" });
  const two = make("select", { onchange: compared, "aria-label": "Second schedule" });
  const differs = make("pre", { class: "ae-words", tabindex: 0, role: "region", "aria-label": "How they differ" });
  const difference = make("details", { class: "ae-panel" }, make("summary", {}, "Difference"), make("div", { class: "ae-row" }, one, "minus", two), differs);
  const laid = (last) => (view.schedules.length ? show() : set({ until: last }));
  const log = logPanel(ask, { view, append, laid });
  const which = make("select", { "aria-label": "Schedule to export" });
  const form = make("select", { "aria-label": "Format" }, ...FORMS.map(([value, text]) => make("option", { value }, text)));
  const text = make("textarea", { class: "ae-code", readonly: true, rows: 8, spellcheck: "false", "aria-label": "Text to copy", hidden: true });
  const copied = make("span", { role: "status" });
  const take = make("details", { class: "ae-panel" }, make("summary", {}, "Export"), make("div", { class: "ae-row" }, which, form, make("button", { type: "button", onclick: taken }, "Get"), make("button", { type: "button", onclick: () => copy(text.value) }, "Copy"), place === "page" ? make("button", { type: "button", onclick: () => copy(location.href) }, "Copy address") : null, copied), text);
  const heading = place === "notebook" ? null : make("header", {}, make("h1", {}, "annealing explorer"), make("p", {}, place === "static" ? "The learning rates of a saved view" : "Exactly the values you will train with"));
  const right = make("div", { class: "ae-main" }, make("section", { "aria-label": "Chart" }, tools, charts, keyline), readout, status);
  const panels = make("div", { class: "ae-panels" }, plan, difference, log.root, take);
  root.replaceChildren(...[heading, make("div", { class: "ae-body" }, right, left, panels)].filter(Boolean));

  const numeric = (text) => {
    const value = Number(String(text).replace(/[,_ ]/g, ""));
    return text === "" || !Number.isFinite(value) ? null : value;
  };

  /** A number of the plan, or its changes over time in the command line's format. */
  const written = (count) => (Array.isArray(count) ? count.map(([when, many], i) => (i ? `${when}:${many}` : many)).join(",") : count);

  /** Change the view and redraw it. */
  function set(changes) {
    Object.assign(view, changes);
    redraw();
  }

  function move(by, along) {
    const [begin, end] = [view.start ?? answer.axis.begin, view.stop ?? answer.axis.end];
    const half = ((end - begin) * by) / 2;
    const middle = (begin + end) / 2 + along * (end - begin);
    const start = Math.max(answer.axis.begin, middle - half);
    set(by > 1 && start <= answer.axis.begin && middle + half >= answer.axis.end ? { start: null, stop: null } : { start, stop: start + 2 * half });
  }

  const redraw = latest(async (change, keep) => {
    const { told, bytes } = await ask("draw", { view, change });
    if (told.error) {
      status.textContent = told.error;
      status.classList.add("ae-failed");
      return;
    }
    status.textContent = "";
    status.classList.remove("ae-failed");
    answer = told;
    numbers = new Float64Array(bytes.buffer, 0, bytes.byteLength / 8);
    if (keep && view.schedules[change.schedule]) view.schedules[change.schedule].text = told.texts[change.schedule];
    held = change && !keep ? change : null;
    show();
    if (!held) settle();
  });

  const settle = settled(async () => {
    if (place === "page") history.replaceState(null, "", toAddress(view));
    const { told } = await ask("details", { view });
    if (told.error || told.schedules.length !== cards.length) return;
    told.schedules.forEach((facts, i) => cards[i].tell(facts));
    differs.textContent = told.difference;
    if (log.present) log.audit();
  }, 250);

  const column = (row) => numbers.subarray(row * answer.points, (row + 1) * answer.points);

  /** Show the latest answer. */
  function show() {
    // The answer may be older than the view: a schedule may have been added or removed since.
    while (cards.length > answer.schedules.length) cards.pop().root.remove();
    while (cards.length < answer.schedules.length) addCard();
    answer.schedules.forEach((told, i) => cards[i].show(told, Boolean(view.schedules[i]?.hidden), held && held.schedule === i ? held : null));
    drawChart();
    const marked = answer.schedules.some((one) => one.restarts?.length);
    keyline.replaceChildren(...(marked ? ["● restart   ○ checkpoint: keep the model from the end of the cycle   "] : []), ...(log.laid ? [make("span", { class: "ae-logged" }, "●"), " logged   ", ...(log.laid.wrong.length ? [make("span", { class: "ae-failed" }, "●"), " does not fit"] : [])] : []));
    fillTools();
    fillValues();
  }

  function drawChart() {
    const curves = [];
    answer.schedules.forEach((told, i) => {
      if (told.row === null || told.row === undefined) return;
      curves.push({ name: LETTERS[i], values: column(1 + told.row), paint: `--s${i % 8}`, dash: DASHES[Math.floor(i / 8)], joined: told.joined, restarts: told.restarts, checkpoints: told.checkpoints });
    });
    const [start, stop] = place === "static" ? [view.start ?? answer.axis.begin, view.stop ?? answer.axis.end] : [answer.start, answer.stop];
    const common = { times: column(0), start, stop, unit: UNIT_NAMES[answer.axis.unit], at: place === "static" ? view.at : answer.at?.time };
    const rows = log.laid?.unit === answer.axis.unit ? log.laid : { points: [], wrong: [], followed: [] };
    main.draw({ ...common, curves, scale: view.scale, label: "learning rate", logged: rows.points, wrong: rows.wrong, followed: rows.followed });
    gap.hidden = !answer.difference;
    if (!answer.difference) return;
    below ??= chart(gap, { ...said, hovered: () => {} }, () => 150, "The difference between two schedules over time");
    const last = numbers.length / answer.points - 1;
    const gaps = { name: "difference", values: column(last), paint: "--text", dash: [], joined: true, restarts: [], checkpoints: [] };
    below.draw({ ...common, curves: [gaps], scale: "linear", label: answer.difference.map((i) => LETTERS[i]).join(" − "), logged: [], wrong: [], followed: [] });
  }

  function fillTools() {
    const units = answer.axis.units;
    if (unit.children.length !== units.length) unit.replaceChildren(...units.map((name) => make("option", { value: name }, UNIT_NAMES[name])));
    view.unit = unit.value = answer.axis.unit;
    scale.value = view.scale;
    if (document.activeElement !== until) until.value = readable(answer.axis.end);
    planWords.textContent = answer.plan.error || answer.plan.words;
    planWords.classList.toggle("ae-failed", Boolean(answer.plan.error));
    for (const [name] of PLAN) if (document.activeElement !== planFields[name]) planFields[name].value = written(view.plan[name] ?? "");
    const names = view.schedules.map((_, i) => LETTERS[i]);
    for (const select of [one, two, which, log.against]) {
      const more = select === log.against ? [["", "none: recover it"]] : select === which ? [] : [["", "–"]];
      const wanted = [...more, ...names.map((name, i) => [String(i), name])];
      if (select.children.length !== wanted.length) {
        const before = select.value;
        select.replaceChildren(...wanted.map(([value, name]) => make("option", { value }, name)));
        if (wanted.some(([value]) => value === before) && (before || select !== log.against)) select.value = before;
        else if (select === log.against && names.length) select.value = "0";
      }
    }
    [one.value, two.value] = view.difference ? view.difference.map(String) : [one.value, two.value];
  }

  function fillValues() {
    const now = answer.at;
    if (document.activeElement !== at) at.value = view.at ?? 0;
    atUnit.textContent = answer.axis.unit === "step" ? "steps" : `${UNIT_NAMES[answer.axis.unit]}${now ? ` = step ${readable(now.step)}` : ""}`;
    const index = place === "static" ? nearest(view.at ?? 0) : null;
    const rows = answer.schedules.map((told, i) => {
      const value = place === "static" ? String(told.row === undefined || told.row === null ? "–" : column(1 + told.row)[index]) : (now?.values[i] ?? "–");
      return make("tr", { style: `--own: var(--s${i % 8})`, "data-schedule": i }, make("th", { scope: "row" }, make("span", { class: "ae-dot" }), LETTERS[i]), make("td", {}, make("output", {}, value)), make("td", {}, make("code", {}, told.text)));
    });
    values.replaceChildren(...rows);
  }

  const nearest = (time) => {
    const times = column(0);
    let best = 0;
    for (let i = 0; i < times.length; i += 1) if (Math.abs(times[i] - time) <= Math.abs(times[best] - time)) best = i;
    return best;
  };

  function hover(index, plot) {
    tip.hidden = index === null || !answer || plot.cursor.left < 0;
    if (tip.hidden) return;
    const time = column(0)[index];
    const rows = answer.schedules.flatMap((told, i) => (told.row === null || told.row === undefined ? [] : [make("div", { style: `--own: var(--s${i % 8})` }, make("span", { class: "ae-dot" }), `${LETTERS[i]}  ${readable(column(1 + told.row)[index])}`)]));
    tip.replaceChildren(make("div", {}, `${readable(time)} ${UNIT_NAMES[answer.axis.unit]}`), ...rows);
    const right = plot.cursor.left > plot.over.clientWidth / 2;
    tip.style.left = `${plot.over.offsetLeft + plot.cursor.left + (right ? -12 - tip.offsetWidth : 14)}px`;
    tip.style.top = `${plot.over.offsetTop + 10}px`;
  }

  function addCard() {
    const number = cards.length;
    const made = card(number, {
      typed: (text) => {
        view.schedules[number].text = text;
        redraw();
      },
      moved: (change, done) => redraw(change, done),
      shown: () => {
        view.schedules[number].hidden = !view.schedules[number].hidden;
        redraw();
      },
      copied: () => append(view.schedules[number].text),
      removed: () => {
        view.schedules.splice(number, 1);
        if (view.difference?.some((i) => i >= number)) view.difference = null;
        rebuild();
        addText.focus();
      },
    });
    cards.push(made);
    list.append(made.root);
  }

  function rebuild() {
    for (const made of cards) made.root.remove();
    cards = [];
    redraw();
  }

  async function append(text, focused = true) {
    if (view.schedules.length >= 24) return;
    // The first schedule on a page determines the length of the axis.
    if (!view.schedules.length) view.until = null;
    view.schedules.push({ text });
    await redraw();
    if (focused) cards.at(-1)?.focus();
  }

  async function addFrom(name) {
    const { told } = await ask("add", { view, name });
    if (told.text) append(told.text);
  }

  function planned(name) {
    const text = planFields[name].value.trim();
    if (text) view.plan[name] = text;
    else delete view.plan[name];
    redraw();
  }

  function compared() {
    set({ difference: one.value !== "" && two.value !== "" && one.value !== two.value ? [Number(one.value), Number(two.value)] : null });
  }

  async function taken() {
    const { told, bytes } = await ask("export", { view, form: form.value, schedule: Number(which.value || 0) });
    text.hidden = !told.text && !told.error;
    text.value = told.error || told.text || "";
    copied.textContent = "";
    if (told.file) download(told.file, told.type, told.text ?? bytes);
  }

  async function copy(content) {
    try {
      await navigator.clipboard.writeText(content);
      copied.textContent = "Copied.";
    } catch {
      text.hidden = false;
      text.value = content;
      text.select();
      copied.textContent = "Press Ctrl-C to copy.";
    }
  }

  async function open() {
    const { told } = await ask("first");
    if (told.error) return void (status.textContent = told.error);
    for (const [value, name] of told.frameworks || []) form.append(make("option", { value }, name));
    Object.assign(view, told.view, (place === "page" && fromAddress(location.hash)) || {});
    plan.open = Object.keys(view.plan).length > 0;
    difference.open = Boolean(view.difference);
    await redraw();
    log.present = told.log;
    if (log.present) {
      log.root.open = true;
      await log.audit();
    }
  }
  if (place === "page") addEventListener("hashchange", () => {
    const next = fromAddress(location.hash);
    if (!next) return;
    Object.assign(view, { unit: "step", scale: "linear", until: null, start: null, stop: null, at: 0, difference: null }, next);
    rebuild();
  });
  open();
  return () => {
    main.close();
    below?.close();
  };
}

/** The answers inside an exported page. */
function kept(data) {
  return async (kind) => {
    if (kind === "first") return { told: { view: data.view }, bytes: new Uint8Array() };
    const found = data.answers[kind];
    return { told: found.told, bytes: Uint8Array.from(atob(found.numbers), (letter) => letter.charCodeAt(0)) };
  };
}

const pagePlace = document.querySelector("[data-annealing-page]");
if (pagePlace) explorer(pagePlace, questions(pageModel()), "page");
const staticPlace = document.querySelector("[data-annealing-static]");
if (staticPlace) explorer(staticPlace, kept(JSON.parse(document.getElementById("annealing-data").textContent)), "static");

export default { render: ({ model, el }) => explorer(el.appendChild(make("div")), questions(model), "notebook") };
