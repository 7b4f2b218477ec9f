// A pad to draw on with mouse, pen or finger: white ink on black paper, 280 x 280 pixels whatever its size on the screen.

const SIDE = 280;
const PAPER = "#000000", INK = "#ffffff";

// A step is {clear: true} or a stroke {width, erase, points: [x0, y0, x1, y1, ...]} in pixels of the pad.
// The curve is that of the app's pad: points are the controls of quadratic curves between the middles of neighbors.
function paintStep(context, step) {
  if (step.clear) {
    context.fillStyle = PAPER;
    context.fillRect(0, 0, SIDE, SIDE);
    return;
  }
  const p = step.points;
  context.strokeStyle = step.erase ? PAPER : INK;
  context.lineWidth = step.width;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(p[0], p[1]);
  for (let i = 2; i < p.length; i += 2)
    context.quadraticCurveTo(p[i - 2], p[i - 1], (p[i - 2] + p[i]) / 2, (p[i - 1] + p[i + 1]) / 2);
  context.lineTo(p[p.length - 2] + (p.length === 2 ? 0.01 : 0), p[p.length - 1]); // a tap is a dot
  context.stroke();
}

class Pad {
  // `changed` is called, at most once a frame, when there is something new to look at.
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.view = canvas.getContext("2d");
    this.ink = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE })
      .getContext("2d", { willReadFrequently: true });
    this.steps = [];
    this.count = 0; // steps that are done; those after them can be done again
    this.current = null;
    this.width = 18;
    this.fit();
    new ResizeObserver(() => this.fit()).observe(canvas);
    const on = (name, act, options) => canvas.addEventListener(name, act, options);
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) on(name, () => this.lift());
    on("touchstart", (event) => event.preventDefault(), { passive: false }); // no scrolling, no magnifier
    on("contextmenu", (event) => event.preventDefault());
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
  }

  press(event) {
    if (event.button !== 0 || this.current) return; // a second finger
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.current = { width: this.width, points: [] };
    this.extend(this.place(event));
  }

  drag(event) {
    if (!this.current || event.pointerId !== this.pointer) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const one of all.length ? all : [event]) this.extend(this.place(one));
  }

  extend([x, y]) {
    const points = this.current.points, round = (value) => Math.round(value * 10) / 10;
    const [lastX, lastY] = points.slice(-2);
    if (points.length && Math.hypot(x - lastX, y - lastY) < 0.4) return;
    points.push(round(x), round(y));
    this.repaint();
  }

  lift() {
    if (!this.current) return;
    this.push(this.current);
  }

  push(step) {
    this.current = null;
    this.steps.length = this.count;
    this.steps.push(step);
    this.count = this.steps.length;
    this.repaint();
  }

  undo() {
    this.lift();
    this.count = Math.max(0, this.count - 1);
    this.repaint();
  }

  redo() {
    this.count = Math.min(this.steps.length, this.count + 1);
    this.repaint();
  }

  clear() {
    this.lift();
    if (!this.blank) this.push({ clear: true });
  }

  // The strokes that can be seen.
  get strokes() {
    const done = this.steps.slice(0, this.count), from = done.map((step) => Boolean(step.clear)).lastIndexOf(true);
    return [...done.slice(from + 1), ...(this.current ? [this.current] : [])];
  }

  get blank() { return !this.strokes.length; }

  fit() {
    const pixels = Math.round((this.canvas.clientWidth || SIDE) * (devicePixelRatio || 1));
    if (pixels === this.canvas.width) return;
    this.canvas.width = this.canvas.height = pixels;
    this.view.scale(pixels / SIDE, pixels / SIDE);
    this.paint(this.view);
  }

  repaint() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.paint(this.view);
      this.changed();
    });
  }

  paint(context) {
    paintStep(context, { clear: true });
    for (const step of this.strokes) paintStep(context, step);
  }

  // Gray levels, 0 to 255, row by row.
  read() {
    this.paint(this.ink);
    const { data } = this.ink.getImageData(0, 0, SIDE, SIDE);
    return new Uint8Array(SIDE * SIDE).map((_, i) => data[4 * i]);
  }
}
