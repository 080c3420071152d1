// Two parts of the page: the gallery of recipes, and the log of a run.

/** The gallery: its button, and the section that the button opens. chosen(name): add a recipe to the page. */
function galleryPanel(ask, chosen) {
  let entries = null;
  const button = make("button", { type: "button", "aria-expanded": "false", onclick: () => toggle() }, "Gallery");
  const root = make("section", { class: "ae-gallery", "aria-label": "Gallery of recipes", hidden: true, onkeydown: (event) => event.key === "Escape" && toggle() });

  async function toggle() {
    root.hidden = !root.hidden;
    button.setAttribute("aria-expanded", String(!root.hidden));
    if (root.hidden) return button.focus();
    if (!entries) {
      const { told, bytes } = await ask("gallery");
      if (told.error) return;
      const curves = new Float64Array(bytes.buffer, 0, bytes.byteLength / 8);
      entries = told.recipes.map((recipe, i) => ({ ...recipe, curve: curves.subarray(i * told.points, (i + 1) * told.points) }));
    }
    const sought = make("input", { type: "search", placeholder: "name or word", "aria-label": "Search the gallery", oninput: () => fill(sought.value) });
    const grid = make("div", { class: "ae-recipes" });
    root.replaceChildren(make("div", { class: "ae-row" }, sought, make("button", { type: "button", onclick: toggle }, "Close")), grid);
    const fill = (word) => {
      const parts = [];
      let family = "";
      for (const one of entries.filter((one) => `${one.name} ${one.sentence} ${one.family}`.toLowerCase().includes(word.toLowerCase()))) {
        if (one.family !== family) parts.push(make("h3", {}, (family = one.family)));
        parts.push(make("button", { type: "button", class: "ae-recipe", title: `${one.signature}\n${one.sentence}`, onclick: () => chosen(one.name) }, smallCurve(one.curve), make("span", {}, one.name)));
      }
      grid.replaceChildren(...parts);
    };
    fill("");
    sought.focus();
  }

  return { button, root };
}

/** The small curve of a recipe, as an SVG path through values from Python. */
function smallCurve(values) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const places = Array.from(values, (value, i) => {
    const y = most > least ? 25 - (22 * (value - least)) / (most - least) : 14;
    return `${(2 + (92 * i) / (values.length - 1)).toFixed(1)},${y.toFixed(1)}`;
  });
  const picture = svg("svg", { viewBox: "0 0 96 28", "aria-hidden": "true" });
  picture.append(svg("polyline", { points: places.join(" ") }));
  return picture;
}

/** The log of a run over the schedules. page: its view, append(text, focused), and laid(last) once the rows are there. */
function logPanel(ask, { view, append, laid }) {
  const file = make("input", { type: "file", "aria-label": "Choose a log", onchange: chosen });
  const against = make("select", { "aria-label": "Intended schedule", onchange: () => audit() });
  const verdict = make("div", { role: "status", class: "ae-words" });
  const root = make("details", { class: "ae-panel" }, make("summary", {}, "Training log"), make("p", {}, "Overlay the learning rates that a run logged."), make("div", { class: "ae-row" }, file, field("intended", against)), verdict);

  async function chosen() {
    const given = file.files[0];
    if (!given) return;
    if (given.size > 16 * 2 ** 20) {
      verdict.textContent = "A log chosen here may have at most 16 MB; for a larger one use --log on the command line.";
      return;
    }
    const bytes = new Uint8Array(await given.arrayBuffer());
    let letters = "";
    for (let i = 0; i < bytes.length; i += 32768) letters += String.fromCharCode(...bytes.subarray(i, i + 32768));
    await audit({ name: given.name, content: btoa(letters) });
  }

  const audit = latest(async (posted) => {
    verdict.classList.add("ae-busy");
    const content = posted?.content ? posted : {};
    const intended = against.value === "" ? null : Number(against.value);
    if (!panel.laid || posted?.content) {
      // Show the rows at once; the audit may take seconds.
      verdict.replaceChildren(make("p", {}, intended === null ? "Looking for the schedule that this run followed ..." : "Comparing with the schedule ..."));
      const first = await ask("log", { view, judge: false, ...content });
      if (first.told.error) return failed(first.told.error);
      panel.present = true;
      lay(first);
    }
    const { told, bytes } = await ask("log", { view, against: intended });
    if (told.error) return failed(told.error);
    verdict.classList.remove("ae-busy");
    lay({ told, bytes });
    const known = told.schedule ? [make("p", {}, told.recovered ? "Recovered: " : "Followed: ", make("code", {}, told.schedule)), make("button", { type: "button", onclick: () => append(told.schedule) }, "Add to page")] : [];
    const rows = told.questioned.slice(0, 50).map((row) => make("tr", {}, ...[row.clock, row.logged, row.intended].map((value) => make("td", {}, readable(value)))));
    const names = [told.clock, "logged", told.recovered ? "recovered" : "intended"].map((name) => make("th", { scope: "col" }, name));
    const table = make("table", {}, make("caption", {}, `Rows that do not fit: ${told.count}`), make("thead", {}, make("tr", {}, ...names)), make("tbody", {}, ...rows));
    if (rows.length) known.push(make("div", { class: "ae-scroll", tabindex: 0, role: "region", "aria-label": "Rows that do not fit" }, table));
    verdict.replaceChildren(...told.sentences.map((sentence) => make("p", {}, sentence)), ...known);
    // A page opened with only a log shows the schedule that the log follows.
    if (told.schedule && !view.schedules.length) await append(told.schedule, false);
  });

  function failed(error) {
    verdict.classList.remove("ae-busy");
    verdict.replaceChildren(make("p", { class: "ae-failed" }, error));
  }

  /** Overlay the rows; without a schedule the axis ends with them. */
  function lay({ told, bytes }) {
    const all = new Float64Array(bytes.buffer, 0, bytes.byteLength / 8);
    const times = all.subarray(0, told.rows);
    const pairs = (row) => Array.from(times, (time, i) => [time, all[row * told.rows + i]]);
    panel.laid = { unit: told.unit, points: pairs(1), followed: pairs(2), wrong: told.questioned.map((row) => [row.time, row.logged]) };
    laid(Math.max(1, ...times));
  }

  // present: whether there is a log. laid: its rows, once they are over the schedules.
  const panel = { root, against, audit, present: false, laid: null };
  return panel;
}
