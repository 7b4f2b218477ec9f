// A window that slides over a grid: which cells it reads, each product, and the sum as it grows.

const REST = 160; // milliseconds at one place while it plays

class WindowView {
  constructor(stage) {
    this.stage = stage;
    this.box = make("section", { class: "panel window" });
    this.term = null; // how many terms are added up; null for all
  }

  show(panel) {
    const other = !this.panel || this.panel.terms.shape[0] !== panel.terms.shape[0];
    if (other || this.panel.at !== panel.at || this.place === undefined) this.place = panel.at;
    if (other) this.term = null;
    this.panel = panel;
    this.box.dataset.panel = panel.name;
    const { words } = this.stage, count = panel.terms.shape[0];
    const button = (text, label, press) => make("button", { type: "button", text, title: label, "aria-label": label, onclick: press });
    this.player = button("▶", words.play, () => (this.timer ? this.rest() : this.play()));
    this.adder = button("Σ", words.add, () => (this.timer ? this.rest() : this.addUp()));
    this.scrub = make("input", { type: "range", min: 0, max: count - 1, step: 1, value: this.place, "aria-label": words.place });
    this.scrub.addEventListener("input", () => { this.rest(); this.go(Number(this.scrub.value)); });
    this.scrub.addEventListener("change", () => this.keep());
    this.where = make("span", { class: "where" });
    this.sums = make("div", { class: "sums" });
    this.box.replaceChildren(
      make("h4", { text: panel.title }),
      make("div", { class: "bar" }, this.player,
        button("‹", words.back, () => { this.rest(); this.go(this.place - 1); this.keep(); }),
        button("›", words.next, () => { this.rest(); this.go(this.place + 1); this.keep(); }),
        this.adder, this.scrub, this.where),
      this.sums);
    this.go(this.place);
  }

  get across() { return shapeOf(this.stage.panelOf(this.panel.output))[1]; }

  go(place) {
    const { panel } = this, count = panel.terms.shape[0];
    this.place = Math.max(0, Math.min(count - 1, place));
    this.term = null;
    this.write();
  }

  write() {
    const { panel, place } = this, { words } = this.stage, across = this.across;
    const row = Math.floor(place / across), column = place % across;
    const top = row * panel.stride[0], left = column * panel.stride[1];
    this.scrub.value = place;
    this.where.textContent = say(words.at, { y: row, x: column });
    this.stage.view(panel.output)?.mark([[row, column, 1, 1]]);
    this.stage.view(panel.source)?.mark(this.reads(top, left));
    const [kh, kw] = panel.size, size = kh * kw, upTo = this.term ?? size - 1;
    const source = this.stage.panelOf(panel.source), [, width] = shapeOf(source);
    const term = (i) => panel.terms.numbers[place * size + i];
    const running = panel.running.numbers[place * size + upTo];
    const read = (i) => (top + Math.floor(i / kw) * panel.dilation[0]) * width + left + (i % kw) * panel.dilation[1];
    const patch = (i) => source.values.numbers[read(i)];
    const outside = (i) => Boolean(source.outside?.numbers[read(i)]);
    const table = (title, value, lies = () => false) => make("figure", {}, make("figcaption", { text: title }),
      numberTable([kh, kw], (y, x) => {
        const i = y * kw + x;
        return { text: figure(value(i), 3), outside: lies(i), ahead: i > upTo };
      }, { kind: "plain", label: title }));
    const tables = [table(words.patch, patch, outside)];
    if (panel.kernel) {
      const kernel = this.stage.panelOf(panel.kernel).values.numbers;
      tables.push(table(words.kernel, (i) => kernel[i]), table(words.products, term));
    }
    const whole = this.term === null || this.term === size - 1;
    const result = valueOf(this.stage.panelOf(panel.output), row, column);
    const name = words[panel.rule];
    const sum = make("p", { class: "sum", "aria-live": "polite" });
    sum.append(say(words.after, { rule: name, n: upTo + 1, all: size }), " ", make("b", { class: "running", text: figure(running) }));
    if (panel.bias !== null) sum.append(" ", make("span", { text: panel.bias < 0 ? "−" : "+" }), " ", make("span", { class: "bias", text: figure(Math.abs(panel.bias)) }), ` (${words.bias})`);
    if (whole) sum.append(" → ", make("b", { class: "result", text: figure(result) }));
    this.sums.replaceChildren(productTables(tables), sum);
  }

  // The cells that the window reads; with a dilation each of them on its own.
  reads(top, left) {
    const { size: [kh, kw], dilation: [dy, dx] } = this.panel;
    if (dy === 1 && dx === 1) return [[top, left, kh, kw]];
    return Array.from({ length: kh * kw }, (_, i) => [top + Math.floor(i / kw) * dy, left + (i % kw) * dx, 1, 1]);
  }

  // The window that a cell of the input lies in the middle of, as far as there is one.
  placeOf(row, column) {
    const { size: [kh, kw], dilation: [dy, dx], stride: [sy, sx] } = this.panel;
    const [height, width] = shapeOf(this.stage.panelOf(this.panel.output));
    const near = (at, kernel, dilation, stride, most) => Math.max(0, Math.min(most - 1, Math.round((at - ((kernel - 1) * dilation) / 2) / stride)));
    return near(row, kh, dy, sy, height) * width + near(column, kw, dx, sx, width);
  }

  play() {
    if (this.place >= this.panel.terms.shape[0] - 1) this.place = -1;
    this.tick(REST, () => { this.go(this.place + 1); return this.place < this.panel.terms.shape[0] - 1; });
  }

  addUp() {
    const size = this.panel.size[0] * this.panel.size[1];
    this.term = -1;
    this.tick(REST * 3, () => { this.term += 1; this.write(); return this.term < size - 1; });
  }

  tick(pause, step) {
    this.player.textContent = "❚❚";
    this.player.setAttribute("aria-label", this.stage.words.pause);
    const run = () => { if (!this.box.isConnected || !step()) this.rest(); };
    this.timer = setInterval(run, pause);
    run();
  }

  rest() {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.timer = null;
    this.player.textContent = "▶";
    this.player.setAttribute("aria-label", this.stage.words.play);
  }

  keep() { if (this.panel.control) this.stage.send(this.panel.control, String(this.place)); }
}
