// The pad: it draws at once by itself and reports the picture while the pen moves, never more than one at a time.

const PATIENCE = 5000; // milliseconds after which a report without an answer is given up
const REACH = 7, STEP = 1; // pixels that an arrow key moves the pen, and with Shift

const ICONS = {
  undo: "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "m15 14 5-5-5-5M20 9H10a6 6 0 0 0 0 12h3",
  erase: "m7 20-4-4a2 2 0 0 1 0-2.8l9.6-9.6a2 2 0 0 1 2.8 0l5 5a2 2 0 0 1 0 2.8L12 20zM8 8.2l8 8M7 20h14",
  clear: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
};

function make(tag, properties = {}, attributes = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

class Pad {
  constructor(root, data) {
    this.history = new History(data.drawing);
    this.current = null; // the stroke that is being drawn
    this.pointer = null; // which mouse, pen or finger draws it; "keys" for the keyboard
    this.erasing = false;
    this.at = null; // the keyboard's pen: [x, y]
    this.sent = 0; // the number of the picture that has no answer yet
    this.build(root);
    this.ink = new Sheet(make("canvas"), true);
    this.view = new Sheet(this.canvas, false);
    this.fit();
    this.settle();
    new ResizeObserver(() => this.fit()).observe(this.canvas);
    // After a change of page the server has this very picture; after a reload it has none.
    this.history.changed ||= this.history.seq !== data.kept;
  }

  build(root) {
    this.canvas = make("canvas", { tabIndex: 0 }, { role: "application", "aria-describedby": "hint" });
    this.said = make("div", { className: "said" }, { "aria-live": "polite" });
    this.hint = make("p", { className: "hint", id: "hint" });
    this.buttons = {};
    const tools = make("div", { className: "tools" }, { role: "toolbar" });
    const acts = { undo: () => this.undo(), redo: () => this.redo(), erase: () => this.toggleEraser(), clear: () => this.clear() };
    for (const [name, act] of Object.entries(acts)) {
      const button = make("button", { type: "button" }, { "data-tool": name });
      button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[name]}"/></svg><span></span>`;
      button.addEventListener("click", act);
      this.buttons[name] = button;
      tools.append(button);
    }
    this.label = make("label", { className: "width" });
    this.labelText = make("span");
    this.width = make("input", { type: "range", min: 4, max: 40, step: 1, value: this.history.width }, { "data-tool": "width" });
    this.sample = make("i", {}, { "aria-hidden": "true" });
    this.width.addEventListener("input", () => {
      this.history.width = Number(this.width.value);
      this.sketchWidth();
    });
    this.width.addEventListener("change", () => this.history.save());
    this.label.append(this.labelText, this.width, this.sample);
    root.replaceChildren(this.canvas, this.said, tools, this.label, this.hint);
    this.listen();
  }

  listen() {
    const on = (name, act, options) => this.canvas.addEventListener(name, act, options);
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"])
      on(name, (event) => event.pointerId === this.pointer && this.lift());
    on("touchstart", (event) => event.preventDefault(), { passive: false }); // no scrolling, no magnifier
    on("contextmenu", (event) => event.preventDefault());
    on("keydown", (event) => this.key(event));
    on("blur", () => this.leaveKeys());
    // What is being drawn when the page goes is kept too.
    this.leave = () => { this.canvas.isConnected && this.lift(); };
    addEventListener("pagehide", this.leave);
  }

  // -- pen and eraser ---------------------------------------------------------------------------------------------

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * SIDE / box.width, (event.clientY - box.top) * SIDE / box.height];
  }

  press(event) {
    if (event.button !== 0 || (this.pointer !== null && this.pointer !== "keys")) return; // a second finger
    event.preventDefault();
    this.lift();
    this.at = null;
    this.canvas.classList.add("by-hand"); // whoever uses the keyboard sees the focus and the keys
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.begin(event.pointerId, this.place(event));
  }

  drag(event) {
    if (event.pointerId !== this.pointer) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const one of all.length ? all : [event]) this.extend(this.place(one));
  }

  begin(pointer, [x, y]) {
    this.pointer = pointer;
    this.current = { width: this.history.width, erase: this.erasing, points: [] };
    this.extend([x, y]);
  }

  extend([x, y]) {
    const points = this.current.points, round = (value) => Math.round(value * 10) / 10;
    const [lastX, lastY] = points.slice(-2);
    if (points.length && Math.hypot(x - lastX, y - lastY) < 0.4) return;
    points.push(round(x), round(y));
    this.change();
  }

  lift() {
    if (!this.current) return;
    const step = this.current;
    this.current = this.pointer = null;
    this.history.push(step);
    this.ink.add(step);
    this.view.add(step);
    this.change();
    this.history.save();
  }

  // -- tools ------------------------------------------------------------------------------------------------------

  undo() { this.lift(); this.history.undo(); this.settle(); this.change(); this.history.save(); }

  redo() { this.lift(); this.history.redo(); this.settle(); this.change(); this.history.save(); }

  clear() {
    this.lift();
    if (this.blank()) return;
    this.history.push({ clear: true });
    this.settle();
    this.change();
    this.history.save();
  }

  toggleEraser() { this.erasing = !this.erasing; this.showTools(); }

  key(event) {
    this.canvas.classList.remove("by-hand");
    const command = event.ctrlKey || event.metaKey, name = event.key.toLowerCase();
    const far = event.shiftKey ? STEP : REACH;
    const ways = { arrowleft: [-far, 0], arrowright: [far, 0], arrowup: [0, -far], arrowdown: [0, far] };
    if (command && name === "z") event.shiftKey ? this.redo() : this.undo();
    else if (command && name === "y") this.redo();
    else if (command || event.altKey) return;
    else if (name in ways) this.walk(...ways[name]);
    else if (name === " ") this.tip();
    else if (name === "delete" || name === "backspace") this.clear();
    else if (name === "escape" && this.pointer === "keys") this.tip();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  walk(dx, dy) {
    const inside = (value) => Math.min(SIDE - 1, Math.max(0, value));
    this.at = this.at ? [inside(this.at[0] + dx), inside(this.at[1] + dy)] : [SIDE / 2, SIDE / 2];
    if (this.pointer === "keys") this.extend(this.at);
    else this.paint();
  }

  // The space bar puts the keyboard's pen down and lifts it.
  tip() {
    this.at ??= [SIDE / 2, SIDE / 2];
    if (this.pointer === "keys") this.lift();
    else if (this.pointer === null) this.begin("keys", this.at);
    this.said.textContent = this.pointer === "keys" ? this.words.down : this.words.up;
    this.paint();
  }

  leaveKeys() {
    this.canvas.classList.remove("by-hand");
    if (this.pointer === "keys") this.lift();
    this.at = null;
    this.paint();
  }

  // -- showing ----------------------------------------------------------------------------------------------------

  fit() {
    const pixels = Math.round((this.canvas.clientWidth || SIDE) * (devicePixelRatio || 1));
    if (pixels === this.view.pixels) return;
    this.view.resize(pixels);
    this.view.settle(this.history.done);
    this.paint();
  }

  settle() {
    for (const sheet of [this.ink, this.view]) sheet.settle(this.history.done);
    this.paint();
    this.showTools();
  }

  change() {
    this.history.changed = true;
    this.showTools();
    this.frame ??= requestAnimationFrame(() => { this.frame = null; this.paint(); this.report(); });
  }

  paint() {
    this.view.show(this.current);
    if (!this.at) return;
    const context = this.view.context, down = this.pointer === "keys";
    context.lineWidth = 2;
    context.strokeStyle = this.erasing ? "#f59e0b" : "#3b82f6";
    context.beginPath();
    context.arc(...this.at, Math.max(4, this.history.width / 2), 0, 2 * Math.PI);
    context.moveTo(this.at[0] - (down ? 0 : 3), this.at[1]);
    context.lineTo(this.at[0] + (down ? 0 : 3), this.at[1]);
    context.stroke();
  }

  showTools() {
    const { undo, redo, erase } = this.buttons;
    undo.disabled = !this.history.count && !this.current;
    redo.disabled = this.history.count === this.history.steps.length;
    erase.setAttribute("aria-pressed", this.erasing);
    this.canvas.classList.toggle("erasing", this.erasing);
    this.sketchWidth();
  }

  sketchWidth() {
    this.sample.style.setProperty("--pen", `${this.history.width * this.canvas.clientWidth / SIDE}px`);
  }

  load({ words, size, brief }) {
    this.words = words;
    this.label.hidden = brief;
    this.canvas.style.setProperty("--size", `${size}px`);
    this.canvas.setAttribute("aria-label", words.pad);
    this.canvas.parentElement.querySelector(".tools").setAttribute("aria-label", words.tools);
    this.hint.textContent = words.keys;
    for (const [name, button] of Object.entries(this.buttons)) {
      button.querySelector("span").textContent = words[name];
      button.title = words[`${name}_help`];
    }
    this.labelText.textContent = words.width;
    this.label.title = words.width_help;
    this.report();
  }

  // -- reporting --------------------------------------------------------------------------------------------------

  blank() {
    const pixels = new Uint32Array(this.ink.context.getImageData(0, 0, SIDE, SIDE).data.buffer);
    return pixels.every((pixel) => pixel === 0xff000000);
  }

  report() {
    if (!this.history.changed || this.sent || !this.send) return;
    this.ink.show(this.current);
    this.history.changed = false;
    // Numbers grow also over a reload: they are times where nothing larger was used.
    this.sent = this.history.seq = Math.max(this.history.seq + 1, Date.now());
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.answered(this.sent), PATIENCE);
    this.send("drawn", { seq: this.sent, png: this.blank() ? null : this.ink.canvas.toDataURL("image/png") });
    if (!this.current) this.history.save();
  }

  answered(seq) {
    if (seq !== this.sent) return;
    clearTimeout(this.timer);
    this.sent = 0;
    this.report();
  }

  // Whether the pen is up and the newest picture has its answer.
  get resting() { return !this.current && !this.history.changed && !this.sent; }

  end() {
    removeEventListener("pagehide", this.leave);
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
  }
}

const mounted = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".pad");
  let pad = mounted.get(root);
  if (!pad) {
    pad = new Pad(root, data);
    mounted.set(root, pad);
  }
  const channel = openChannel(data.channel);
  channel.pad = pad;
  pad.send = setStateValue;
  pad.load(data);
  return () => {
    if (root.isConnected) return; // only new data
    pad.end();
    if (channel.pad === pad) channel.pad = null;
  };
}
