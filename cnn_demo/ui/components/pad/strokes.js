// What is on the pad: a list of steps, and how they become pixels. White ink on black paper, 280 x 280.

const SIDE = 280;
const PAPER = "#000000", INK = "#ffffff";

// A step is {clear: true} or a stroke {width, erase, points: [x0, y0, x1, y1, ...]} in pixels of the pad.
// The curve is that of Fabric.js, which streamlit-drawable-canvas draws with: points are the controls of quadratic
// curves between the middles of neighbors, with round ends, so that both pads give a network the same picture.
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

// A canvas that shows steps: those that are done stand on a second canvas, the current stroke is painted over them.
class Sheet {
  constructor(canvas, readable) {
    const options = readable ? { willReadFrequently: true } : undefined; // in memory, where reading is fast
    this.canvas = canvas;
    this.context = canvas.getContext("2d", options);
    this.done = document.createElement("canvas");
    this.doneContext = this.done.getContext("2d", options);
    this.resize(SIDE);
  }

  resize(pixels) {
    if (this.pixels === pixels) return;
    this.pixels = pixels;
    for (const canvas of [this.canvas, this.done]) canvas.width = canvas.height = pixels;
    for (const context of [this.context, this.doneContext]) context.scale(pixels / SIDE, pixels / SIDE);
  }

  // Paint all steps anew.
  settle(steps) {
    paintStep(this.doneContext, { clear: true });
    for (const step of steps.slice(steps.findLastIndex((step) => step.clear) + 1)) paintStep(this.doneContext, step);
  }

  // Paint one more step over those that are done.
  add(step) {
    paintStep(this.doneContext, step);
  }

  show(current) {
    this.context.drawImage(this.done, 0, 0, SIDE, SIDE);
    if (current) paintStep(this.context, current);
  }
}

const MOST_STEPS = 500;

// The tab's own storage; where it is full or forbidden, a drawing still outlives a change of page.
const shelf = (window.cnnLabDrawings ??= new Map());

function storeText(place, text) {
  shelf.set(place, text);
  try {
    sessionStorage.setItem(place, text);
  } catch {
    try { sessionStorage.removeItem(place); } catch { /* forbidden */ }
  }
}

function storedText(place) {
  try {
    return shelf.get(place) ?? sessionStorage.getItem(place);
  } catch {
    return null;
  }
}

// The steps with undo and redo, kept in the tab's own storage: they outlive a change of page and a reload.
class History {
  constructor(name) {
    this.place = `cnn-lab:pad:${name}`;
    const kept = this.load();
    this.steps = kept.steps ?? [];
    this.count = kept.count ?? 0; // steps that are done; those after them can be done again
    this.width = kept.width ?? 18;
    this.seq = kept.seq ?? 0; // of the picture that was reported last
    this.changed = kept.changed ?? false; // since then
  }

  load() {
    try {
      const kept = JSON.parse(storedText(this.place)) ?? {};
      return kept.steps?.every((step) => step.clear || step.points.length >= 2) ? kept : {};
    } catch {
      return {}; // not ours
    }
  }

  save() {
    const { steps, count, width, seq, changed } = this;
    storeText(this.place, JSON.stringify({ steps, count, width, seq, changed }));
  }

  get done() { return this.steps.slice(0, this.count); }

  push(step) {
    this.steps.length = this.count;
    this.steps.push(step);
    const cleared = this.steps.findLastIndex((step) => step.clear);
    if (this.steps.length > MOST_STEPS && cleared > 0) this.steps.splice(0, cleared); // what is no longer seen goes first
    this.count = this.steps.length;
  }

  undo() { this.count = Math.max(0, this.count - 1); }

  redo() { this.count = Math.min(this.steps.length, this.count + 1); }
}
