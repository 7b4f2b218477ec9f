// Curves over a run: lines over one axis, a legend that hides lines, a pointer with figures, and zoom.
//
// New points arrive every second or so. What a visitor did stays as it is meanwhile: lines that are hidden, the part
// that is zoomed into, the pointer and its figures.

const HEIGHT = 300, LEFT = 52, RIGHT = 14, TOP = 34, BOTTOM = 40, PLAIN_TOP = 10, DRAG = 6;
const SVG = "http://www.w3.org/2000/svg";
const EVENT = "cnn-lab-curves";
const MARKERS = { circle: "M0 -4A4 4 0 1 1 0 4A4 4 0 1 1 0 -4Z", diamond: "M0 -5.5L5.5 0L0 5.5L-5.5 0Z" };
const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];

const kept = new Map(); // what a visitor did, by the id of a chart; it outlives the element

const svg = (name, attributes = {}, text) => {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
};
const html = (name, className, text) => {
  const node = document.createElement(name);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};
const minus = (text) => text.replace("-", "−");

function formatTime(seconds) {
  const whole = Math.round(seconds), two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

// Round numbers between low and high, at most about `count` of them.
function makeTicks(low, high, count, whole) {
  const raw = (high - low) / Math.max(1, count), power = 10 ** Math.floor(Math.log10(raw || 1));
  let step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= raw * 0.999) ?? power;
  if (whole) step = Math.max(1, step);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(i * step);
  return { ticks, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function makeTimeTicks(low, high, count) {
  const step = TIMES.find((s) => (high - low) / s <= count) ?? TIMES[TIMES.length - 1];
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push(i * step);
  return ticks;
}

function makeLogTicks(low, high) {
  for (const factors of [[1], [1, 2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9]]) {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      for (const factor of factors) {
        const tick = factor * 10 ** power;
        if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
      }
    if (ticks.length >= 3 || factors.length === 9) return ticks;
  }
  return [];
}

function findNearest(values, wanted) {
  let best = null;
  values.forEach((value, i) => { if (best === null || Math.abs(value - wanted) < Math.abs(values[best] - wanted)) best = i; });
  return best;
}

const formatTick = (value) => (value && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3) ? value.toExponential(0) : String(Number(value.toPrecision(6))));

class Curves {
  constructor(root) {
    this.root = root;
    this.legend = html("div", "legend");
    this.legend.setAttribute("role", "group");
    this.reset = html("button", "reset");
    this.reset.type = "button";
    this.reset.addEventListener("click", () => this.zoom(null));
    this.picture = svg("svg", { tabindex: "0", role: "img" });
    this.tip = html("div", "tip");
    this.tip.hidden = true;
    this.said = html("p", "said");
    this.said.setAttribute("aria-live", "polite");
    this.note = html("p", "note");
    this.frame = html("div", "frame");
    this.frame.append(this.picture, this.tip);
    root.append(this.legend, this.frame, this.note, this.said);
    this.pointerAt = null;
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.frame);
  }

  listen() {
    const picture = this.picture;
    picture.addEventListener("pointermove", (event) => this.pointerMoved(event));
    picture.addEventListener("pointerleave", () => {
      if (this.dragFrom != null) return;
      this.pointerAt = null;
      this.point(null);
    });
    picture.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0 && this.scale) {
        this.dragFrom = this.inPicture(event);
        picture.setPointerCapture(event.pointerId);
      } else this.pointerMoved(event);
    });
    picture.addEventListener("pointerup", (event) => this.dropped(event));
    picture.addEventListener("pointercancel", () => { this.dragFrom = null; this.draw(); });
    picture.addEventListener("dblclick", () => this.zoom(null));
    picture.addEventListener("keydown", (event) => this.keyPressed(event));
    picture.addEventListener("blur", () => this.point(null));
    window.addEventListener(EVENT, this.onOther = (event) => {
      if (!this.root.isConnected) return window.removeEventListener(EVENT, this.onOther);
      const { from, group, zoom, step } = event.detail;
      if (from === this || group !== this.data?.group) return;
      if (zoom !== undefined) this.state.zoom = zoom;
      if (step !== undefined) this.cursor = step === null ? null : findNearest(this.data.points.step, step);
      this.draw();
    });
  }

  load(data) {
    const newAxis = this.data && (this.data.x.kind !== data.x.kind);
    this.data = data;
    if (!kept.has(data.id)) kept.set(data.id, { hidden: new Set(), zoom: null });
    this.state = kept.get(data.id);
    if (newAxis) this.state.zoom = null;
    this.picture.setAttribute("aria-label", `${data.alt} ${data.words.keys}`);
    this.reset.textContent = data.words.reset;
    this.note.textContent = data.note;
    this.note.hidden = !data.note;
    this.drawLegend();
    this.draw();
    if (this.pointerAt !== null) this.point(this.nearestPlace(this.pointerAt)); // it rests, and the points moved on
  }

  send(detail) {
    window.dispatchEvent(new CustomEvent(EVENT, { detail: { from: this, group: this.data.group, ...detail } }));
  }

  // -- legend: one button for the lines of one name

  drawLegend() {
    const names = [...new Map(this.data.lines.map((line) => [line.role, line])).values()];
    const wanted = JSON.stringify(names.map((line) => [line.role, line.name, line.color]));
    if (wanted !== this.legendShows) {
      this.legendShows = wanted;
      this.legend.replaceChildren(...names.map((line) => this.legendButton(line)), this.reset);
    }
    this.legend.setAttribute("aria-label", this.data.words.legend);
  }

  legendButton(line) {
    const button = html("button", "line", line.name), swatch = html("i", line.marker || "");
    button.type = "button";
    swatch.style.background = line.color;
    button.prepend(swatch);
    button.setAttribute("aria-pressed", String(!this.state.hidden.has(line.role)));
    button.addEventListener("click", () => {
      const { hidden } = this.state;
      if (!hidden.delete(line.role)) hidden.add(line.role);
      button.setAttribute("aria-pressed", String(!hidden.has(line.role)));
      this.draw();
    });
    return button;
  }

  // -- scales

  points(line) {
    const { x, y } = line, shared = this.data.points;
    return { x: x ?? shared.x, y, epoch: line.epoch ?? shared.epoch, step: line.step ?? shared.step };
  }

  lines() {
    return this.data.lines.filter((line) => !this.state.hidden.has(line.role)).map((line) => ({ line, ...this.points(line) }));
  }

  get height() { return this.data.height ?? HEIGHT; }

  findScale(width) {
    const { x, y, top } = this.data, zoom = this.state.zoom;
    const [x0, x1] = zoom ?? [0, x.high];
    let low = y.low, high = y.high;
    if (zoom || low === null || high === null) {
      // All that lies in view decides. Only lines that are drawn count, so hiding one spreads the others.
      let least = Infinity, most = -Infinity;
      for (const { x: xs, y: ys } of this.lines())
        for (let i = 0; i < xs.length; i++)
          if (ys[i] !== null && xs[i] >= x0 && xs[i] <= x1) { least = Math.min(least, ys[i]); most = Math.max(most, ys[i]); }
      if (least > most) [least, most] = y.log ? [0.1, 1] : [0, 1];
      if (y.log) { low = zoom || low === null ? least / 1.15 : low; high = most * 1.15; }
      else {
        const air = (most - least || Math.abs(most) || 1) * 0.06;
        low = zoom || low === null ? (least >= 0 ? Math.max(0, least - air) : least - air) : low;
        high = zoom || high === null ? most + air : high;
        if (y.most !== null) high = Math.min(high, y.most);
        if (high <= low) high = low + (air || 1);
      }
    }
    const above = top ? TOP : PLAIN_TOP, w = width - LEFT - RIGHT, h = this.height - above - BOTTOM;
    const place = y.log ? (v) => Math.log(v / low) / Math.log(high / low) : (v) => (v - low) / (high - low);
    return {
      x0, x1, low, high, above, w, h,
      toX: (v) => LEFT + ((v - x0) / (x1 - x0)) * w,
      toY: (v) => above + h - place(v) * h,
      fromX: (px) => x0 + ((px - LEFT) / w) * (x1 - x0),
    };
  }

  // -- drawing

  draw() {
    const width = this.frame.clientWidth;
    if (!this.data || width < 120) return;
    const scale = (this.scale = this.findScale(width)), { x0, x1, above, w, h } = scale;
    const picture = this.picture, clip = `clip-${this.data.id.replace(/\W/g, "-")}`;
    picture.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    picture.setAttribute("height", this.height);
    const defs = svg("clipPath", { id: clip });
    defs.append(svg("rect", { x: LEFT, y: above, width: w, height: h }));
    const drawn = svg("g", { "clip-path": `url(#${clip})` }), points = svg("g");
    for (const { line, x, y } of this.lines()) {
      drawn.append(this.drawLine(line, x, y));
      if (line.marker) this.drawMarkers(points, line, x, y);
    }
    picture.replaceChildren(defs, this.drawAxes(width), drawn, points, this.drawMarks(), this.drawOutside());
    this.drag = svg("rect", { class: "drag", y: above, height: h, width: 0 });
    this.ruler = svg("g", { class: "ruler" });
    picture.append(this.drag, this.ruler);
    this.reset.hidden = !this.state.zoom;
    this.drawCursor();
  }

  drawLine(line, x, y) {
    const { toX, toY, low, high } = this.scale;
    let path = "", pen = "M";
    const far = (high - low) * 50; // far off points are cut, so that no coordinate overflows
    for (let i = 0; i < x.length; i++) {
      const value = y[i];
      if (value === null) { pen = "M"; continue; }
      path += `${pen}${toX(x[i]).toFixed(1)} ${toY(this.data.y.log ? value : Math.min(value, high + far)).toFixed(1)}`;
      pen = "L";
    }
    return svg("path", {
      d: path, fill: "none", stroke: line.color, "stroke-width": line.width, "stroke-opacity": line.opacity,
      "stroke-linejoin": "round", "data-role": line.role,
    });
  }

  drawMarkers(group, line, x, y) {
    const { toX, toY, x0, x1, low, high, w } = this.scale;
    const size = Math.min(1, Math.max(0.4, w / Math.max(1, x.filter((v) => v >= x0 && v <= x1).length) / 12));
    for (let i = 0; i < x.length; i++)
      if (y[i] !== null && x[i] >= x0 && x[i] <= x1 && y[i] >= low && y[i] <= high * (1 + 1e-9))
        group.append(svg("path", { d: MARKERS[line.marker], transform: `translate(${toX(x[i])} ${toY(y[i])}) scale(${size})`, fill: line.color }));
  }

  drawAxes(width) {
    const { toX, toY, x0, x1, low, high, above, w, h } = this.scale, { x, y, top } = this.data;
    const group = svg("g", { class: "axes" }), across = Math.max(2, Math.floor(w / 55)), down = Math.max(2, Math.floor(h / 42));
    const yTicks = y.log ? makeLogTicks(low, high) : makeTicks(low, high, down, false).ticks;
    for (const tick of yTicks) {
      const at = toY(tick);
      group.append(svg("line", { class: "grid", x1: LEFT, x2: LEFT + w, y1: at, y2: at }));
      group.append(svg("text", { x: LEFT - 6, y: at + 4, "text-anchor": "end" }, minus(formatTick(tick)) + y.suffix));
    }
    const base = above + h;
    group.append(svg("line", { class: "base", x1: LEFT, x2: LEFT + w, y1: base, y2: base }));
    const xTicks = x.kind === "time" ? makeTimeTicks(x0, x1, across) : makeTicks(x0, x1, across, x.kind === "step").ticks;
    for (const tick of xTicks) {
      const label = x.kind === "time" ? formatTime(tick) : x.kind === "step" ? tick.toLocaleString("en") : formatTick(tick);
      group.append(svg("line", { class: "base", x1: toX(tick), x2: toX(tick), y1: base, y2: base + 4 }));
      group.append(svg("text", { x: toX(tick), y: base + 17, "text-anchor": "middle" }, label));
    }
    group.append(svg("text", { x: LEFT + w / 2, y: base + 34, "text-anchor": "middle", class: "name" }, x.name));
    if (top) {
      const each = top.high / x.high; // steps an epoch
      for (const tick of makeTicks(x0 * each, x1 * each, Math.max(2, Math.floor(w / 75)), true).ticks)
        if (tick > 0) // the name of the axis stands there
          group.append(svg("text", { x: toX(tick / each), y: above - 12, "text-anchor": "middle" }, tick.toLocaleString("en")));
      group.append(svg("text", { x: LEFT - 6, y: above - 12, "text-anchor": "end", class: "name" }, top.name));
    }
    return group;
  }

  drawMarks() {
    const { toX, x0, x1, above, h } = this.scale, group = svg("g", { class: "marks" });
    for (const { x, text } of this.data.marks) {
      if (x < x0 || x > x1) continue;
      const at = toX(x), right = at > LEFT + this.scale.w - 90;
      group.append(svg("line", { x1: at, x2: at, y1: above, y2: above + h }));
      group.append(svg("text", { x: at + (right ? -4 : 4), y: above + 12, "text-anchor": right ? "end" : "start" }, text));
    }
    return group;
  }

  // Points beyond the axis are pointed at from its edge, never silently left out.
  drawOutside() {
    const { toX, x0, x1, low, high, above, h } = this.scale, group = svg("g", { class: "outside" });
    for (const { line, x, y } of this.lines()) {
      let last = -Infinity;
      for (let i = 0; i < x.length; i++) {
        const over = y[i] !== null && (y[i] > high * (1 + 1e-6) ? 1 : y[i] < low ? -1 : 0), at = toX(x[i]);
        if (!over || x[i] < x0 || x[i] > x1 || at - last < 9) continue;
        last = at;
        const edge = over > 0 ? above : above + h, tip = over > 0 ? edge + 1 : edge - 1, back = over > 0 ? edge + 7 : edge - 7;
        group.append(svg("path", { d: `M${at} ${tip}L${at + 4} ${back}L${at - 4} ${back}Z`, fill: line.color }));
      }
    }
    return group;
  }

  // -- pointer and figures

  inPicture(event) {
    const box = this.picture.getBoundingClientRect();
    return event.clientX - box.left;
  }

  pointerMoved(event) {
    if (!this.scale) return;
    const px = this.inPicture(event);
    if (this.dragFrom != null && Math.abs(px - this.dragFrom) > DRAG) {
      const [a, b] = [this.dragFrom, px].sort((p, q) => p - q).map((p) => Math.min(Math.max(p, LEFT), LEFT + this.scale.w));
      this.drag.setAttribute("x", a);
      this.drag.setAttribute("width", b - a);
    }
    const inside = px >= LEFT - 8 && px <= LEFT + this.scale.w + 8;
    this.pointerAt = inside ? px : null;
    this.point(inside ? this.nearestPlace(px) : null);
  }

  nearestPlace(px) {
    return findNearest(this.data.points.x, this.scale.fromX(px));
  }

  dropped(event) {
    if (this.dragFrom == null) return;
    const [a, b] = [this.dragFrom, this.inPicture(event)].sort((p, q) => p - q);
    this.dragFrom = null;
    if (b - a > DRAG) {
      const limit = (v) => Math.min(Math.max(v, 0), this.data.x.high);
      this.zoom([limit(this.scale.fromX(a)), limit(this.scale.fromX(b))]);
    } else this.draw();
  }

  zoom(range) {
    if (range && range[1] - range[0] < this.data.x.high / 1e4) return;
    this.state.zoom = range;
    this.send({ zoom: range });
    this.draw();
  }

  point(index) {
    if (index === this.cursor) return;
    this.cursor = index;
    this.send({ step: index === null ? null : this.data.points.step[index] });
    this.drawCursor();
  }

  keyPressed(event) {
    const { x } = this.data.points, key = event.key;
    const { x0, x1 } = this.scale, last = x.length - 1;
    const at = this.cursor ?? last, middle = x[at] ?? 0, span = x1 - x0;
    const go = (by) => this.point(Math.min(Math.max(at + by, 0), last));
    if (key === "ArrowLeft") go(event.shiftKey ? -10 : -1);
    else if (key === "ArrowRight") go(event.shiftKey ? 10 : 1);
    else if (key === "Home") this.point(0);
    else if (key === "End") this.point(last);
    else if (key === "+" || key === "=") this.zoom([Math.max(0, middle - span / 4), Math.min(this.data.x.high, middle + span / 4)]);
    else if (key === "0" || key === "-" || key === "Escape") this.zoom(null);
    else return;
    event.preventDefault();
    this.said.textContent = this.tip.hidden ? "" : this.tip.innerText.replaceAll("\n", " ");
  }

  drawCursor() {
    const { points, words, y, x } = this.data, i = this.cursor;
    this.ruler.replaceChildren();
    this.tip.hidden = i == null || i >= points.x.length || points.x[i] < this.scale.x0 || points.x[i] > this.scale.x1;
    if (this.tip.hidden) return;
    const { toX, toY, above, h, low, high } = this.scale, at = toX(points.x[i]);
    this.ruler.append(svg("line", { x1: at, x2: at, y1: above, y2: above + h }));
    const head = [`${words.epoch} ${points.epoch[i].toFixed(2)}`, `${words.step} ${points.step[i].toLocaleString("en")}`];
    if (x.kind === "time") head.push(formatTime(points.x[i]));
    this.tip.replaceChildren(html("b", "", head.join(" · ")));
    let height = above; // of the lowest line that is named
    for (const { line, x: xs, y: ys, epoch } of this.lines()) {
      let j = i;
      if (line.x) { j = -1; for (let k = 0; k < xs.length; k++) if (xs[k] <= points.x[i] + 1e-9) j = k; }
      const value = ys[j];
      if (value == null || line.quiet) continue;
      const row = html("span", "row"), swatch = html("i", line.marker || "");
      swatch.style.background = line.color;
      swatch.style.opacity = Math.max(0.45, line.opacity);
      const note = line.x ? `${words.epoch} ${epoch[j]}` : line.note;
      row.append(swatch, html("span", "", note ? `${line.name} (${note})` : line.name), html("em", "", this.format(value) + y.suffix));
      this.tip.append(row);
      height = Math.max(height, toY(value));
      if (!line.x && value >= low && value <= high) this.ruler.append(svg("circle", { cx: at, cy: toY(value), r: 3, fill: line.color }));
    }
    this.tip.hidden = this.tip.childElementCount < 2; // all lines are hidden, or none is measured yet
    const width = this.frame.clientWidth, wide = this.tip.offsetWidth;
    this.tip.style.left = `${at + 14 + wide > width ? Math.max(0, at - 14 - wide) : at + 14}px`;
    // Beside the lines, not on them.
    this.tip.style.top = `${height < above + h / 2 ? above + h - this.tip.offsetHeight - 6 : above + 6}px`;
  }

  format(value) {
    const { digits } = this.data.y;
    return minus(digits === null ? String(Number(value.toPrecision(4))) : value.toFixed(digits));
  }
}

const mounted = new WeakMap();

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".curves");
  let curves = mounted.get(root);
  if (!curves) {
    curves = new Curves(root);
    mounted.set(root, curves);
  }
  curves.load(data);
}
