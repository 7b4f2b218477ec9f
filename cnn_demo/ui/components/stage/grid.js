// A matrix: a table of numbers where it is small, else a picture with whole pixels for cells.

const shapeOf = (panel) => panel.values.shape.slice(-2);
const valueOf = (panel, row, column) => panel.values.numbers[row * shapeOf(panel)[1] + column];

function endsOf(panel) {
  if (panel.limits) return panel.limits;
  let low = Infinity, high = -Infinity;
  for (const value of panel.values.numbers) { if (value < low) low = value; if (value > high) high = value; }
  if (panel.colors !== "diverging") return [low, high];
  const limit = Math.max(Math.abs(low), Math.abs(high));
  return [-limit, limit];
}

class GridView {
  constructor(stage) {
    this.stage = stage;
    this.box = make("section", { class: "panel" });
    this.tool = "pen";
  }

  show(panel) {
    if (this.painting && panel.values.numbers.length === this.panel.values.numbers.length) { this.next = panel; return; }
    this.panel = panel;
    const [height, width] = shapeOf(panel);
    this.cursor = this.cursor && this.cursor[0] < height && this.cursor[1] < width ? this.cursor : null;
    this.box.dataset.panel = panel.name;
    this.box.style.maxWidth = `${Math.max(panel.width, 150)}px`;
    this.readout = make("p", { class: "readout" });
    const focused = this.box.contains(this.box.getRootNode().activeElement) ? this.box.getRootNode().activeElement.dataset.cell : null;
    this.body = panel.numbers ? this.writeTable(height, width) : this.drawPicture(height, width);
    this.box.replaceChildren(...[
      make("h4", { text: panel.title }), this.body, panel.edit && !panel.numbers ? this.showTools() : null, this.readout,
      panel.note ? make("p", { class: "note", text: panel.note }) : null,
    ].filter(Boolean));
    if (focused) this.box.querySelector(`[data-cell="${focused}"]`)?.focus({ preventScroll: true });
    this.marks = [];
    this.mark();
  }

  alternative() {
    const { numbers } = this.panel.values, [height, width] = shapeOf(this.panel);
    let low = Infinity, high = -Infinity, sum = 0;
    for (const value of numbers) { low = Math.min(low, value); high = Math.max(high, value); sum += value; }
    return say(this.stage.words.picture, { title: this.panel.title, h: height, w: width, low: figure(low), high: figure(high), mean: figure(sum / numbers.length) });
  }

  writeTable(height, width) {
    const { panel } = this, ends = endsOf(panel), colors = this.stage.colors[panel.colors];
    const rows = [];
    this.cells = [];
    for (let row = 0; row < height; row++) {
      const line = make("tr");
      for (let column = 0; column < width; column++) {
        const value = valueOf(panel, row, column);
        const color = colors[shade(value, ends, panel.colors)];
        const cell = make("td", { style: colored(color) });
        if (panel.edit) cell.append(this.makeInput(row, column, value));
        else cell.textContent = figure(value);
        if (!panel.edit) this.watch(cell, row, column);
        if (panel.outside?.numbers[row * width + column]) cell.classList.add("outside");
        line.append(cell);
        this.cells.push(cell);
      }
      rows.push(line);
    }
    return make("table", { class: `cells${width > 7 ? " fine" : ""}`, "aria-label": panel.title }, make("tbody", {}, ...rows));
  }

  makeInput(row, column, value) {
    const label = say(this.stage.words.cell, { y: row, x: column });
    const input = make("input", { inputmode: "text", value: figure(value, 3), "aria-label": label, "data-cell": `${row},${column}` });
    input.addEventListener("focus", () => input.select());
    input.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (event.key === "Enter") input.blur();
      if (step) { event.preventDefault(); this.box.querySelector(`[data-cell="${row + step[0]},${column}"]`)?.focus(); }
    });
    input.addEventListener("change", () => {
      const typed = Number(input.value.replace("−", "-").replace(",", "."));
      const wrong = input.value.trim() === "" || !Number.isFinite(typed) || Math.abs(typed) > 99;
      input.setAttribute("aria-invalid", wrong);
      if (wrong) { this.readout.textContent = say(this.stage.words.nonumber, { text: input.value }); return; }
      const [height, width] = shapeOf(this.panel), rows = [];
      for (let y = 0; y < height; y++) {
        const line = [];
        for (let x = 0; x < width; x++) line.push(y === row && x === column ? typed : Number(valueOf(this.panel, y, x).toPrecision(4)));
        rows.push(line.join(","));
      }
      this.stage.send(this.panel.edit, rows.join(";"));
    });
    return input;
  }

  drawPicture(height, width) {
    const { panel } = this;
    this.zoom = Math.max(1, Math.floor(Math.min(panel.width, this.stage.room()) / width));
    this.canvas = make("canvas", { width: width * this.zoom, height: height * this.zoom, role: "img", "aria-label": this.alternative() });
    this.sheet = make("canvas", { width: width * this.zoom, height: height * this.zoom, "aria-hidden": "true" });
    this.paintCells();
    const holder = make("div", { class: `picture${panel.edit ? " paint" : ""}`, tabindex: "0", "aria-label": this.alternative(), "data-cell": "picture" }, this.canvas, this.sheet);
    holder.addEventListener("pointermove", (event) => this.point(event));
    holder.addEventListener("pointerdown", (event) => this.press(event, holder));
    holder.addEventListener("pointerup", () => this.release());
    holder.addEventListener("pointercancel", () => this.release());
    holder.addEventListener("pointerleave", () => { if (!this.painting) this.stage.leave(this.panel.name); });
    holder.addEventListener("keydown", (event) => this.pressKey(event));
    return holder;
  }

  paintCells() {
    const { panel, zoom } = this, [height, width] = shapeOf(panel), ends = endsOf(panel);
    const colors = this.stage.colors[panel.colors], { numbers } = panel.values, plane = height * width;
    const byte = (i) => Math.round(numbers[i] * 255);
    const photo = panel.values.shape.length === 3; // red, green and blue from 0 to 1
    paintCanvas(this.canvas, [height, width], zoom, (i) =>
      (photo ? packColor(byte(i), byte(plane + i), byte(2 * plane + i)) : colors[shade(numbers[i], ends, panel.colors)]));
    const context = this.canvas.getContext("2d");
    if (panel.outside) {
      context.strokeStyle = "rgba(139,143,152,.9)"; context.lineWidth = 1; context.beginPath();
      panel.outside.numbers.forEach((is, i) => {
        if (!is) return;
        const x = (i % width) * zoom, y = Math.floor(i / width) * zoom;
        context.moveTo(x, y + zoom); context.lineTo(x + zoom, y);
      });
      context.stroke();
    }
  }

  cellAt(event) {
    const box = this.canvas.getBoundingClientRect(), [height, width] = shapeOf(this.panel);
    const column = Math.floor(((event.clientX - box.left) / box.width) * width), row = Math.floor(((event.clientY - box.top) / box.height) * height);
    return row >= 0 && column >= 0 && row < height && column < width ? [row, column] : null;
  }

  watch(cell, row, column) {
    cell.addEventListener("pointerenter", () => this.hover(row, column));
    cell.addEventListener("pointerleave", () => this.stage.leave(this.panel.name));
    cell.addEventListener("click", () => this.stage.choose(this.panel.name, row, column));
  }

  point(event) {
    const found = this.cellAt(event);
    if (!found) return;
    if (this.painting) this.paint(...found);
    else this.hover(...found);
  }

  hover(row, column) {
    this.cursor = [row, column];
    this.readout.textContent = `(${row}, ${column}): ${figure(valueOf(this.panel, row, column))}`;
    this.stage.hover(this.panel.name, row, column);
  }

  press(event, holder) {
    const found = this.cellAt(event);
    if (!found) return;
    if (!this.panel.edit) { this.hover(...found); this.stage.choose(this.panel.name, ...found); return; }
    if (event.button > 0) return;
    event.preventDefault();
    holder.focus({ preventScroll: true });
    holder.setPointerCapture(event.pointerId);
    this.painting = true;
    this.paint(...found);
  }

  paint(row, column) {
    const { panel } = this, [, width] = shapeOf(panel);
    if (panel.outside?.numbers[row * width + column]) return;
    const value = panel.ink[this.tool === "pen" ? 1 : 0];
    if (panel.values.numbers[row * width + column] === Math.fround(value)) return;
    panel.values.numbers[row * width + column] = value;
    this.paintCells();
    this.readout.textContent = `(${row}, ${column}): ${figure(value)}`;
    this.changed = true;
    this.stage.sendSoon(panel.edit, () => this.digits());
  }

  // One hexadecimal digit a cell, without the padding.
  digits() {
    const { panel } = this, [black, white] = panel.ink;
    let text = "";
    panel.values.numbers.forEach((value, i) => {
      if (panel.outside?.numbers[i]) return;
      text += Math.max(0, Math.min(15, Math.round(((value - black) / (white - black)) * 15))).toString(16);
    });
    return text;
  }

  release() {
    if (!this.painting) return;
    this.painting = false;
    if (this.next) { const next = this.next; this.next = null; this.show(next); }
  }

  pressKey(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const [height, width] = shapeOf(this.panel), at = this.cursor ?? [Math.floor(height / 2), Math.floor(width / 2)];
    if (step) {
      event.preventDefault();
      this.hover(Math.max(0, Math.min(height - 1, at[0] + step[0])), Math.max(0, Math.min(width - 1, at[1] + step[1])));
      this.mark();
    } else if ((event.key === " " || event.key === "Enter") && this.cursor) {
      event.preventDefault();
      if (this.panel.edit) this.paint(...this.cursor);
      else this.stage.choose(this.panel.name, ...this.cursor);
    }
  }

  showTools() {
    const { words } = this.stage;
    const button = (name, press) => make("button", { type: "button", "aria-pressed": this.tool === name, text: words[name], onclick: press });
    const tools = make("div", { class: "tools" });
    const fill = () => tools.replaceChildren(
      button("pen", () => { this.tool = "pen"; fill(); }), button("eraser", () => { this.tool = "eraser"; fill(); }),
      make("button", { type: "button", text: words.empty, onclick: () => this.wipe() }),
      make("button", { type: "button", text: words.original, onclick: () => this.stage.send(this.panel.edit, "") }));
    fill();
    return tools;
  }

  wipe() {
    const { panel } = this;
    panel.values.numbers.forEach((_, i) => { if (!panel.outside?.numbers[i]) panel.values.numbers[i] = panel.ink[0]; });
    this.paintCells();
    this.stage.send(panel.edit, this.digits());
  }

  // Rectangles of cells: [row, column, height, width]; the rings of the panel are always there.
  mark(marks = []) {
    this.marks = marks;
    if (this.panel.numbers) {
      const [, width] = shapeOf(this.panel);
      for (const cell of this.cells) { cell.classList.remove("marked", "ring"); }
      for (const [row, column] of this.panel.rings) this.cells[row * width + column]?.classList.add("ring");
      for (const [row, column, h, w] of marks)
        for (let y = row; y < row + h; y++) for (let x = column; x < column + w; x++) this.cells[y * width + x]?.classList.add("marked");
      return;
    }
    const context = this.sheet.getContext("2d"), { zoom } = this;
    context.clearRect(0, 0, this.sheet.width, this.sheet.height);
    const rings = this.panel.rings.map(([row, column]) => [row, column, 1, 1]);
    outline(context, [...rings, ...marks].map(([row, column, h, w]) =>
      [column * zoom + 0.5, row * zoom + 0.5, Math.max(2, w * zoom - 1), Math.max(2, h * zoom - 1)]), MARKED);
  }
}
