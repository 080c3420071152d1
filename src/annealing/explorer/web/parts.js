// Building blocks: elements, questions to Python, and the state as an address.

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];

/** An element with attributes, listeners (on...) and children. */
function make(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "textContent" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A 16 by 16 line drawing. */
function icon(path) {
  const picture = svg("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" });
  picture.append(svg("path", { d: path, fill: "none", stroke: "currentColor", "stroke-width": 1.4 }));
  return picture;
}

function svg(tag, given) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(given)) element.setAttribute(name, value);
  return element;
}

/** A field with a label, which screen readers announce. */
function field(label, input, note = null) {
  return make("label", { class: "ae-field" }, make("span", {}, label), input, note);
}

/** A number for people: at most six digits. */
function readable(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  const short = Number(value.toPrecision(6));
  return size >= 1e-4 && size < 1e7 ? String(short) : short.toExponential();
}

/** Questions to Python through an anywidget model: `send`, and an event for the answer. */
function questions(model) {
  const waiting = new Map();
  let last = 0;
  const busy = () => document.documentElement.toggleAttribute("data-busy", waiting.size > 0);
  model.on("msg:custom", (message, buffers) => {
    const settle = waiting.get(message.number);
    waiting.delete(message.number);
    busy();
    if (!settle) return;
    const view = buffers && buffers[0];
    // A notebook passes a view of a larger buffer, which may not start at a multiple of 8.
    const bytes = view ? new Uint8Array(view.buffer || view, view.byteOffset || 0, view.byteLength).slice() : new Uint8Array();
    settle({ told: message.told, bytes });
  });
  return (kind, content = {}) =>
    new Promise((settle) => {
      waiting.set((last += 1), settle);
      busy();
      model.send({ kind, number: last, ...content });
    });
}

/** The same interface for the local page, over POST. */
function pageModel() {
  let listener = () => {};
  return {
    on: (_event, heard) => (listener = heard),
    async send(question) {
      const failed = (error) => listener({ number: question.number, told: { error, failed: true } }, []);
      try {
        const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) };
        const response = await fetch("/ask", options);
        if (!response.ok) return failed(`The explorer rejected this request (${response.status}).`);
        const buffer = await response.arrayBuffer();
        const length = new DataView(buffer).getUint32(0, true);
        const told = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
        listener({ number: question.number, told }, [new DataView(buffer, 4 + length)]);
      } catch {
        failed("The explorer does not respond: it was stopped. Restart it, then reload this page.");
      }
    },
  };
}

/** One request in flight, then only the newest: a fast drag never builds a queue. */
function latest(run) {
  let next = null;
  let running = null;
  async function all() {
    try {
      while (next) {
        const now = next;
        next = null;
        await run(...now);
      }
    } finally {
      running = null;
    }
  }
  return (...given) => {
    // A waiting end of a drag must not be lost; it will read the newest view anyway.
    if (given.length || !next?.length) next = given;
    running ??= all();
    return running;
  };
}

/** Run a function once nothing has changed for a moment. */
function settled(run, delay) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, delay);
  };
}

const KEPT = ["unit", "scale", "until", "start", "stop", "at"];

/** A view as the fragment of an address (after #). */
function toAddress(view) {
  const kept = new URLSearchParams();
  for (const one of view.schedules) kept.append(one.hidden ? "hidden" : "s", one.text);
  for (const name of KEPT) if (view[name] !== null && view[name] !== undefined) kept.set(name, view[name]);
  if (view.difference) kept.set("difference", view.difference.join("-"));
  const plan = Object.entries(view.plan || {}).filter(([, value]) => value !== "");
  if (plan.length) kept.set("plan", JSON.stringify(Object.fromEntries(plan)));
  return "#" + kept.toString();
}

/** The view in an address; null if there is none. */
function fromAddress(hash) {
  const kept = new URLSearchParams(hash.slice(1));
  const schedules = [];
  for (const [name, text] of kept) if (name === "s" || name === "hidden") schedules.push({ text, hidden: name === "hidden" });
  if (!schedules.length) return null;
  const view = { schedules, plan: {} };
  for (const name of KEPT) {
    if (!kept.has(name)) continue;
    view[name] = name === "unit" || name === "scale" ? kept.get(name) : Number(kept.get(name));
  }
  if (kept.has("difference")) view.difference = kept.get("difference").split("-").map(Number);
  try {
    view.plan = JSON.parse(kept.get("plan") || "{}");
  } catch {
    view.plan = {};
  }
  return view;
}

/** Download bytes as a file. */
function download(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
