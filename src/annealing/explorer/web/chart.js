// The chart: it draws the arrays that Python sends, and reports where the pointer is.

const SPAN_OF_LOG = 1e-6; // the smallest value on a logarithmic axis, as a share of the largest

/** A chart in an element. said: the callbacks zoomed(start, stop), picked(time), hovered(index or null). */
function chart(place, said, height, label) {
  let plot = null;
  let shape = "";
  let drawn = null;
  const box = make("div", { class: "ae-canvas", role: "img", "aria-label": label });
  place.append(box);
  const style = (name) => getComputedStyle(box).getPropertyValue(name).trim();

  function size() {
    return { width: Math.max(260, box.clientWidth), height: height() };
  }

  /** The values that can be drawn: on a logarithmic axis only those above 0. */
  function column(values) {
    const log = drawn.scale === "log";
    return Array.from(values, (value) => (Number.isNaN(value) || (log && value <= 0) ? null : value));
  }

  function range(_plot, low, high) {
    const logged = drawn.logged.map(([, value]) => value).filter((value) => drawn.scale !== "log" || value > 0);
    const known = [low, high, ...logged].filter((value) => value !== null && value !== undefined);
    const [least, most] = known.length ? [Math.min(...known), Math.max(...known)] : [null, null];
    if (least === null || most === null) return drawn.scale === "log" ? [1e-6, 1] : [0, 1];
    if (drawn.scale === "log") return [Math.max(least, most * SPAN_OF_LOG) / 1.3, most * 1.3];
    const above = most > least ? (most - least) * 0.06 : Math.abs(most) * 0.1 || 1;
    return [least >= 0 && least < 0.5 * most ? Math.min(0, least) - above * 0.3 : least - above, most + above];
  }

  function dots(plot, list, paint, radius, hollow) {
    const context = plot.ctx;
    const ratio = devicePixelRatio;
    context.save();
    context.beginPath();
    context.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
    context.clip();
    context.lineWidth = 1.6 * ratio;
    context.strokeStyle = paint;
    context.fillStyle = hollow ? style("--ground") : paint;
    for (const [time, value] of list) {
      if (drawn.scale === "log" && value <= 0) continue;
      context.beginPath();
      context.arc(plot.valToPos(time, "x", true), plot.valToPos(value, "y", true), radius * ratio, 0, 2 * Math.PI);
      context.fill();
      if (hollow) context.stroke();
    }
    context.restore();
  }

  /** The dashed line of the schedule that a log follows. */
  function path(plot, list, paint) {
    const ratio = devicePixelRatio;
    const context = plot.ctx;
    context.save();
    context.beginPath();
    context.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
    context.clip();
    context.strokeStyle = paint;
    context.lineWidth = ratio;
    context.setLineDash([4 * ratio, 3 * ratio]);
    context.beginPath();
    for (const [time, value] of list) {
      if (!Number.isNaN(value) && (drawn.scale !== "log" || value > 0)) context.lineTo(plot.valToPos(time, "x", true), plot.valToPos(value, "y", true));
    }
    context.stroke();
    context.restore();
  }

  /** The letter of a curve, next to it, because not everybody can tell the colors apart. */
  function letter(plot, curve, i) {
    const place = plot.bbox.left + (plot.bbox.width * (i + 0.7)) / (drawn.curves.length + 0.4);
    const index = plot.valToIdx(plot.posToVal((place - plot.bbox.left) / devicePixelRatio, "x"));
    const value = curve.values[index];
    if (Number.isNaN(value) || (drawn.scale === "log" && value <= 0)) return;
    const high = Math.max(plot.valToPos(value, "y", true) - 9 * devicePixelRatio, plot.bbox.top + 6 * devicePixelRatio);
    const context = plot.ctx;
    context.save();
    context.font = `bold ${Math.round(13 * devicePixelRatio)}px ${style("font-family")}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 4 * devicePixelRatio;
    context.lineJoin = "round";
    context.strokeStyle = style("--ground");
    context.strokeText(curve.name, place, high);
    context.fillStyle = style(curve.paint);
    context.fillText(curve.name, place, high);
    context.restore();
  }

  function overlay(plot) {
    const ratio = devicePixelRatio;
    if (drawn.at !== null && drawn.at !== undefined) {
      const x = plot.valToPos(drawn.at, "x", true);
      if (x >= plot.bbox.left && x <= plot.bbox.left + plot.bbox.width) {
        plot.ctx.save();
        plot.ctx.strokeStyle = style("--quiet");
        plot.ctx.lineWidth = ratio;
        plot.ctx.setLineDash([4 * ratio, 4 * ratio]);
        plot.ctx.beginPath();
        plot.ctx.moveTo(x, plot.bbox.top);
        plot.ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
        plot.ctx.stroke();
        plot.ctx.restore();
      }
    }
    for (const curve of drawn.curves) {
      dots(plot, curve.restarts, style(curve.paint), 3.6, false);
      dots(plot, curve.checkpoints, style(curve.paint), 3.6, true);
    }
    if (drawn.curves.length > 1) drawn.curves.forEach((curve, i) => letter(plot, curve, i));
    path(plot, drawn.followed, style("--logged"));
    dots(plot, drawn.logged, style("--logged"), 2.6, false);
    dots(plot, drawn.wrong, style("--wrong"), 3, false);
  }

  function axis(label) {
    // uPlot reads only whole pixels.
    const font = `${Math.round(0.8 * parseFloat(style("font-size")))}px ${style("font-family")}`;
    const line = { stroke: style("--line"), width: 1 };
    return { label, labelSize: 22, labelFont: font, font, stroke: style("--text"), grid: line, ticks: { ...line, size: 5 } };
  }

  function build() {
    plot?.destroy();
    const series = drawn.curves.map((curve) => ({
      stroke: style(curve.paint),
      width: curve.wide ? 5 : 2,
      alpha: curve.wide ? 0.45 : 1,
      dash: curve.dash,
      spanGaps: false,
      paths: curve.joined ? undefined : () => null,
      points: { show: !curve.joined, size: 2.5, space: 0 },
    }));
    const y = { ...axis(drawn.label), size: 64, values: (_plot, ticks) => ticks.map((tick) => (tick === null ? "" : readable(tick))) };
    const options = {
      ...size(),
      legend: { show: false },
      cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 }, sync: { key: "annealing" } },
      scales: { x: { time: false, range: () => [drawn.start, drawn.stop] }, y: { distr: drawn.scale === "log" ? 3 : 1, range } },
      axes: [{ ...axis(drawn.unit), size: 36, values: (_plot, ticks) => ticks.map(readable) }, y],
      series: [{}, ...series],
      hooks: {
        draw: [overlay],
        setCursor: [(plot) => said.hovered(plot.cursor.idx ?? null, plot)],
        setSelect: [zoomed],
      },
    };
    plot = new uPlot(options, data(), box);
    plot.over.addEventListener("click", (event) => {
      if (Math.abs(event.clientX - pressed) < 4) said.picked(plot.posToVal(event.offsetX, "x"));
    });
    plot.over.addEventListener("mousedown", (event) => (pressed = event.clientX));
    plot.over.addEventListener("dblclick", () => said.zoomed(null, null));
  }

  let pressed = 0;
  function zoomed(plot) {
    if (plot.select.width < 4) return;
    const ends = [plot.select.left, plot.select.left + plot.select.width].map((x) => plot.posToVal(x, "x"));
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    said.zoomed(...ends);
  }

  function data() {
    return [drawn.times, ...drawn.curves.map((curve) => column(curve.values))];
  }

  const watcher = new ResizeObserver(() => plot && box.clientWidth && plot.setSize(size()));
  watcher.observe(box);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const recolour = () => drawn && build();
  dark.addEventListener("change", recolour);
  return {
    box,
    draw(next) {
      drawn = next;
      const now = JSON.stringify([next.scale, next.unit, next.label, next.curves.map((one) => [one.paint, one.dash, one.joined])]);
      if (now !== shape || !plot) build();
      else plot.setData(data());
      shape = now;
    },
    close() {
      watcher.disconnect();
      dark.removeEventListener("change", recolour);
      plot?.destroy();
    },
  };
}
