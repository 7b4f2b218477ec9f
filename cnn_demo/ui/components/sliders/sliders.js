// Sliders that report every move. The next report waits until the page has answered the one before.

const PATIENCE = 2000; // milliseconds after which an unanswered report is given up

const decimals = (step) => (String(step).split(".")[1] ?? "").length;
const same = (a, b) => Object.keys(a).every((name) => Math.abs(a[name] - b[name]) < 1e-9);

class Sliders {
  constructor(root) {
    this.root = root;
    this.rows = new Map();
    this.sent = null;
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.addEventListener("click", () => {
      for (const { input, slider } of this.rows.values()) input.value = slider.rest;
      this.moved();
    });
  }

  load({ sliders, values, reset }) {
    const shape = sliders.map(({ name, low, high, step }) => [name, low, high, step]).join();
    if (shape !== this.shape) {
      this.shape = shape;
      this.rows.clear();
      this.root.replaceChildren(...sliders.map((slider) => this.row(slider, values[slider.name])), this.button);
    }
    for (const slider of sliders) this.rows.get(slider.name).text.textContent = slider.label; // another language
    this.button.textContent = reset;
    if (this.sent && same(values, this.sent)) this.answered();
    this.show();
  }

  row(slider, value) {
    const label = document.createElement("label"), line = document.createElement("span");
    const text = document.createElement("span"), output = document.createElement("output");
    const input = Object.assign(document.createElement("input"), { type: "range", min: slider.low, max: slider.high, step: slider.step });
    input.value = value;
    input.dataset.name = slider.name;
    input.addEventListener("input", () => this.moved());
    input.addEventListener("change", () => this.settled());
    input.addEventListener("dblclick", () => { input.value = slider.rest; this.moved(); });
    line.append(text, output);
    label.append(line, input);
    this.rows.set(slider.name, { slider, input, output, text });
    return label;
  }

  values() {
    return Object.fromEntries([...this.rows].map(([name, { input }]) => [name, Number(input.value)]));
  }

  show() {
    let moved = false;
    for (const { slider, input, output } of this.rows.values()) {
      const value = Number(input.value);
      output.textContent = value.toFixed(decimals(slider.step)).replace("-", "−");
      moved ||= Math.abs(value - slider.rest) > 1e-9;
    }
    this.button.disabled = !moved;
  }

  moved() {
    this.show();
    if (!this.sent) this.report();
  }

  // Let go: where it ends must arrive, even if the visitor leaves the page at once.
  settled() {
    if (this.sent && !same(this.values(), this.sent)) this.report();
  }

  report() {
    clearTimeout(this.timer);
    this.sent = this.values();
    this.timer = setTimeout(() => this.answered(), PATIENCE);
    this.send("values", this.sent);
  }

  answered() {
    clearTimeout(this.timer);
    const last = this.sent;
    this.sent = null;
    if (last && !same(this.values(), last)) this.report();
  }
}

const mounted = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".sliders");
  let sliders = mounted.get(root);
  if (!sliders) {
    sliders = new Sliders(root);
    mounted.set(root, sliders);
  }
  sliders.send = setStateValue;
  sliders.load(data);
}
