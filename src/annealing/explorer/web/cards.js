// A schedule on the page: its notation, its errors, and a control for each argument.

/** Names by which controls are recognized after the notation has changed. */
function keys(controls) {
  const seen = new Map();
  return controls.map((control) => {
    const name = `${control.function}.${control.name}`;
    seen.set(name, (seen.get(name) || 0) + 1);
    return `${name}.${seen.get(name)}`;
  });
}

/** One card. act: the callbacks typed(text), moved(change, done), shown(), removed(), copied(). */
function card(number, act) {
  const letter = LETTERS[number];
  const name = `schedule ${letter}`;
  const notation = make("textarea", {
    class: "ae-notation",
    rows: 1,
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    "aria-label": `Notation of ${name}`,
    oninput: () => {
      fit();
      act.typed(notation.value);
    },
    onkeydown: (event) => event.key === "Enter" && event.preventDefault(),
  });
  const error = make("div", { class: "ae-error", role: "status" });
  const eye = make("button", { type: "button", class: "ae-swatch", "aria-pressed": "true", "aria-label": `Show ${name}`, onclick: act.shown }, letter);
  const copy = make("button", { type: "button", class: "ae-quiet", title: "Duplicate", "aria-label": `Duplicate ${name}`, onclick: act.copied }, icon("M3 3h8v8H3zM6 11v3h8V6h-3"));
  const remove = make("button", { type: "button", class: "ae-quiet", title: "Remove", "aria-label": `Remove ${name}`, onclick: act.removed }, icon("M4 4l8 8M12 4l-8 8"));
  const list = make("div", { class: "ae-controls" });
  const summary = make("summary", {}, "Arguments");
  const drawer = make("details", { class: "ae-drawer", open: number < 2 }, summary, list);
  const facts = make("div", { class: "ae-facts" });
  const root = make(
    "article",
    { class: "ae-card", "aria-label": name, style: `--own: var(--s${number % 8})` },
    make("div", { class: "ae-card-top" }, eye, notation, copy, remove),
    error,
    drawer,
    facts,
  );
  let rows = new Map();
  let controls = [];
  let last = "";

  /** Make the field as high as its text. */
  function fit() {
    notation.style.height = "auto";
    notation.style.height = `${notation.scrollHeight + 2}px`;
  }

  function row(control, key) {
    const label = `${control.name}${control.function ? ` of ${control.function}` : ""}, ${name}`;
    const change = (content) => ({ ...rows.get(key).control, schedule: number, ...content });
    const typed = make("input", {
      type: "text",
      class: "ae-value",
      spellcheck: "false",
      autocomplete: "off",
      "aria-label": `${label}, value`,
      onchange: () => act.moved(change({ typed: typed.value.trim() }), true),
    });
    let range = null;
    if (control.kind === "flag") {
      const flip = (event) => act.moved(change({ typed: event.target.checked ? "True" : "False" }), true);
      range = make("input", { type: "checkbox", "aria-label": label, onchange: flip });
    } else if (control.kind !== "text") {
      const move = (done) => () => act.moved(change({ position: Number(range.value) }), done);
      range = make("input", { type: "range", min: 0, max: 1, step: "any", "aria-label": label, oninput: move(false), onchange: move(true) });
    }
    const unit = make("span", { class: "ae-unit" });
    const element = make("div", { class: "ae-control" }, make("span", { class: "ae-name" }, control.name), range || make("span"), control.kind === "flag" ? null : typed, unit);
    rows.set(key, { control, range, typed, unit, element });
    return element;
  }

  function fill(key, control, held) {
    const one = rows.get(key);
    one.element.classList.toggle("ae-default", !control.given);
    if (held) {
      one.typed.value = control.text;
      one.range.setAttribute("aria-valuetext", control.text);
      return;
    }
    one.control = control;
    if (control.kind === "flag") one.range.checked = control.text === "True";
    else if (one.range) {
      one.range.step = control.whole && control.scale === "linear" ? 1 / (control.high - control.low) : 0.001;
      one.range.value = control.position;
      one.range.setAttribute("aria-valuetext", control.text);
    }
    if (document.activeElement !== one.typed) one.typed.value = control.text;
    one.unit.textContent = control.after.replace(/['"]/g, "");
  }

  function build(next, named) {
    const focused = [...rows].find(([, one]) => one.element.contains(document.activeElement));
    const role = focused && document.activeElement === focused[1].range ? "range" : "typed";
    rows = new Map();
    const parts = [];
    let call = null;
    let seen = new Set();
    next.forEach((control, i) => {
      // A repeated name belongs to the next call of the same recipe.
      if (control.function !== call || seen.has(control.name)) {
        parts.push(make("h3", {}, control.function || "numbers"));
        call = control.function;
        seen = new Set();
      }
      seen.add(control.name);
      parts.push(row(control, named[i]));
    });
    list.replaceChildren(...parts);
    if (focused) (rows.get(focused[0])?.[role] || notation).focus();
  }

  return {
    root,
    focus: () => notation.focus(),
    /** Show Python's answer for this schedule; held: the change while it is being dragged. */
    show(told, hidden, held) {
      const now = held ? "" : JSON.stringify([told, hidden]);
      if (now && now === last && notation.value === told.text) return;
      last = now;
      if (document.activeElement !== notation || held) notation.value = told.text;
      else if (notation.value.trim() === "") notation.value = told.text;
      fit();
      eye.setAttribute("aria-pressed", String(!hidden));
      root.classList.toggle("ae-hidden", hidden);
      notation.setAttribute("aria-invalid", String(Boolean(told.error)));
      error.replaceChildren(...(told.error ? wrong(told.error) : []));
      if (told.error) return;
      const next = told.controls;
      const named = keys(next);
      const known = [...rows.keys()];
      if (held) {
        const from = held.start;
        const mine = next.findIndex((one) => one.name === held.name && one.function === held.function && one.start >= from && one.start <= from + held.before.length);
        const key = known.find((key) => rows.get(key).control.start === held.start && rows.get(key).control.name === held.name);
        if (mine >= 0 && key) fill(key, next[mine], true);
        return;
      }
      if (JSON.stringify(known) !== JSON.stringify(named) || next.some((one, i) => one.kind !== controls[i]?.kind)) build(next, named);
      controls = next;
      next.forEach((control, i) => fill(named[i], control, false));
      drawer.hidden = !next.length;
    },
    /** Show findings and budget, which arrive later than the curve. */
    tell(facts_) {
      facts.replaceChildren(...(facts_ ? told(facts_) : []));
    },
  };

  function wrong(one) {
    const parts = [make("p", {}, one.message)];
    if (one.excerpt) parts.push(make("pre", { tabindex: 0, role: "region", "aria-label": "Where in the notation" }, one.excerpt));
    if (one.fix) {
      const take = () => {
        notation.value = one.fix.text;
        act.typed(one.fix.text);
        notation.focus();
      };
      parts.push(make("button", { type: "button", onclick: take }, `Use ${one.fix.name}`));
    }
    return parts;
  }

  function told(one) {
    const parts = [];
    for (const found of one.findings) {
      const place = found.name ? `${found.name} at ${readable(found.time)}: ` : "";
      parts.push(make("li", { class: `ae-${found.severity}` }, make("strong", {}, `${found.severity} `), `${place}${found.message}${found.remedy ? `; ${found.remedy}` : ""}`));
    }
    return [
      parts.length ? make("ul", { "aria-label": `Lint findings for ${name}` }, ...parts) : null,
      one.budget ? make("p", { class: "ae-budget" }, one.budget) : null,
      make("p", { class: "ae-print" }, one.fingerprint),
    ].filter(Boolean);
  }
}
