// Bars, curves, tables, small graphs and sentences.

const COLORS = { first: "#3b82f6", second: "#ea580c", third: "#059669", faint: "#8b8f98", mark: "#a855f7" };
const drawn = (tag, attributes = {}, ...children) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
const written = (value) => (typeof value === "number" ? (Number.isInteger(value) ? value.toLocaleString("en-US").replace("-", "−") : figure(value)) : value ?? "–");

class BarsView {
  constructor() { this.box = make("section", { class: "panel bars" }); }

  show(panel) {
    this.box.dataset.panel = panel.name;
    const most = panel.limit ?? Math.max(...panel.bars.map((bar) => Math.abs(bar.value ?? 0)), 1e-30);
    const signed = panel.bars.some((bar) => bar.value < 0); // then zero is in the middle
    const shape = ({ value }) => {
      const width = Math.min(100, (100 * Math.abs(value ?? 0)) / most) * (signed ? 0.5 : 1);
      return `width:${width}%;margin-left:${signed ? 50 - (value < 0 ? width : 0) : 0}%`;
    };
    const rows = panel.bars.map((bar) => make("li", {},
      make("span", { text: bar.label }),
      make("i", { class: signed ? "track signed" : "track" }, make("i", { style: `${shape(bar)};background:${COLORS[bar.role]}` })),
      make("b", { text: written(bar.value) })));
    this.box.replaceChildren(...[make("h4", { text: panel.title }), make("ul", {}, ...rows), panel.note ? make("p", { class: "note", text: panel.note }) : null].filter(Boolean));
  }
}

class TableView {
  constructor() { this.box = make("section", { class: "panel" }); }

  show(panel) {
    this.box.dataset.panel = panel.name;
    const rows = panel.rows.map((row, i) => make("tr", { class: i === panel.chosen ? "chosen" : null },
      ...row.map((cell) => make("td", { class: typeof cell === "number" ? "figure" : null, text: written(cell) }))));
    const head = make("thead", {}, make("tr", {}, ...panel.head.map((text) => make("th", { text }))));
    this.box.replaceChildren(...[
      make("h4", { text: panel.title }),
      make("div", { class: "wide" }, make("table", { class: "figures" }, head, make("tbody", {}, ...rows))),
      panel.note ? make("p", { class: "note", text: panel.note }) : null,
    ].filter(Boolean));
  }
}

class TextView {
  constructor() { this.box = make("section", { class: "panel text" }); }

  show(panel) {
    this.box.dataset.panel = panel.name;
    this.box.replaceChildren(...[panel.title ? make("h4", { text: panel.title }) : null, ...panel.lines.map((text) => make("p", { text }))].filter(Boolean));
  }
}

class CurvesView {
  constructor(stage) {
    this.stage = stage;
    this.box = make("section", { class: "panel curves" });
  }

  show(panel) {
    this.panel = panel;
    this.box.dataset.panel = panel.name;
    const width = Math.max(240, Math.min(520, this.box.clientWidth || this.stage.room())), height = 196, [left, bottom, top, right] = [58, 38, 8, 12];
    const finite = (value) => Number.isFinite(value) && (!panel.log || value > 0);
    const ys = panel.lines.flatMap((line) => [...line.y.numbers].filter(finite));
    const xs = panel.lines.flatMap((line) => [...line.x.numbers].filter(Number.isFinite));
    const put = panel.log ? Math.log10 : (value) => value;
    let [low, high] = panel.limits ? panel.limits.map(put) : [Math.min(...ys.map(put)), Math.max(...ys.map(put))];
    if (!(high > low)) { low = (Number.isFinite(low) ? low : 0) - 0.5; high = low + 1; }
    const [first, last] = [Math.min(...xs), Math.max(...xs, Math.min(...xs) + 1e-9)];
    const atX = (x) => left + ((x - first) / (last - first)) * (width - left - right);
    const atY = (y) => top + (1 - (put(y) - low) / (high - low)) * (height - top - bottom);
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": this.alternative(panel) });
    for (const tick of ticks(low, high, panel.log ? 4 : 5, panel.log)) {
      const y = top + (1 - (tick - low) / (high - low)) * (height - top - bottom);
      svg.append(drawn("line", { x1: left, x2: width - right, y1: y, y2: y, class: "rule" }), label(figure(panel.log ? 10 ** tick : tick, 3), left - 6, y + 4, "end"));
    }
    for (const tick of ticks(first, last, 5)) svg.append(label(figure(tick, 3), atX(tick), height - bottom + 16, "middle"));
    svg.append(label(panel.xlabel, (left + width - right) / 2, height - 4, "middle"));
    for (const line of panel.lines) {
      let path = "", pen = false;
      line.x.numbers.forEach((x, i) => {
        const y = line.y.numbers[i];
        if (!finite(y)) { pen = false; return; }
        path += `${pen ? "L" : "M"}${atX(x).toFixed(1)},${Math.max(top - 2, Math.min(height - bottom + 2, atY(y))).toFixed(1)}`;
        pen = true;
        if (line.dots) svg.append(drawn("circle", { cx: atX(x), cy: atY(y), r: 3.2, fill: COLORS[line.role] }));
      });
      svg.append(drawn("path", { d: path, fill: "none", stroke: COLORS[line.role], "stroke-width": line.role === "faint" ? 1.2 : 2 }));
    }
    if (panel.at && finite(panel.at[1])) {
      const [x, y] = [atX(panel.at[0]), atY(panel.at[1])];
      svg.append(drawn("line", { x1: x, x2: x, y1: top, y2: height - bottom, class: "rule strong" }), drawn("circle", { cx: x, cy: y, r: 5, class: "here" }));
    }
    this.readout = make("p", { class: "readout" });
    if (panel.at) this.readout.textContent = `${panel.xlabel} ${figure(panel.at[0])}: ${figure(panel.at[1])}`;
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = first + (((event.clientX - box.left) / box.width) * width - left) / (width - left - right) * (last - first);
      const near = panel.lines.map((line) => {
        let best = 0;
        line.x.numbers.forEach((value, i) => { if (Math.abs(value - x) < Math.abs(line.x.numbers[best] - x)) best = i; });
        return [line.label, line.x.numbers[best], line.y.numbers[best]];
      });
      this.aim = near[0]?.[1];
      this.readout.textContent = `${panel.xlabel} ${figure(near[0]?.[1])}: ${near.map(([name, , y]) => `${name} ${figure(y)}`).join(" · ")}`;
    });
    if (panel.control) {
      svg.style.cursor = "crosshair";
      svg.addEventListener("click", () => { if (this.aim !== undefined) this.stage.send(panel.control, String(this.aim)); });
    }
    const legend = make("p", { class: "legend" }, ...panel.lines.filter((line) => line.label).map((line) =>
      make("span", {}, make("i", { style: `background:${COLORS[line.role]}` }), line.label)));
    this.box.replaceChildren(...[
      make("h4", { text: panel.title }), panel.ylabel ? make("p", { class: "unit", text: panel.ylabel }) : null, svg, legend, this.readout,
      panel.note ? make("p", { class: "note", text: panel.note }) : null].filter(Boolean));
  }

  alternative(panel) {
    const parts = panel.lines.map((line) => {
      const { numbers } = line.y;
      return `${line.label || panel.ylabel}: ${figure(numbers[0])} … ${figure(numbers[numbers.length - 1])}`;
    });
    return `${panel.title}. ${panel.xlabel}. ${parts.join("; ")}`;
  }
}

function label(text, x, y, anchor) { const element = drawn("text", { x, y, "text-anchor": anchor }); element.textContent = text; return element; }

// Round numbers between two ends; whole powers of ten on a logarithmic axis.
function ticks(low, high, about, log = false) {
  const raw = (high - low) / about, power = 10 ** Math.floor(Math.log10(raw));
  let step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
  if (log) step = Math.max(1, Math.round(step));
  const found = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) found.push(Math.abs(tick) < step * 1e-9 ? 0 : tick);
  return found;
}

class GraphView {
  constructor(stage) {
    this.stage = stage;
    this.box = make("section", { class: "panel graph" });
  }

  show(panel) {
    this.box.dataset.panel = panel.name;
    const width = Math.min(760, this.stage.room()), height = 330, edge = 58;
    const at = new Map(panel.nodes.map((node) => [node.name, [edge + node.x * (width - 2 * edge), 34 + node.y * (height - 84)]]));
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": this.alternative(panel) });
    panel.edges.forEach(([from, to, weight], i) => {
      const [x1, y1] = at.get(from), [x2, y2] = at.get(to);
      svg.append(drawn("line", { x1, y1, x2, y2, class: "wire" }));
      const share = i % 2 ? 0.36 : 0.28;
      if (weight !== null) svg.append(label(figure(weight, 3), x1 + (x2 - x1) * share, y1 + (y2 - y1) * share - 4, "middle"));
    });
    for (const node of panel.nodes) {
      const [x, y] = at.get(node.name);
      svg.append(drawn("circle", { cx: x, cy: y, r: 17, class: "node" }));
      const name = label(node.name, x, y + 4, "middle"), value = label(figure(node.value), x, y - 22, "middle");
      value.setAttribute("class", "value");
      svg.append(name, value);
      if (node.gradient !== null) { const slope = label(`∂ ${figure(node.gradient)}`, x, y + 33, "middle"); slope.setAttribute("class", "slope"); svg.append(slope); }
    }
    this.box.replaceChildren(...[make("h4", { text: panel.title }), make("div", { class: "wide" }, svg), panel.note ? make("p", { class: "note", text: panel.note }) : null].filter(Boolean));
  }

  alternative(panel) {
    return `${panel.title}. ${panel.nodes.map((node) => `${node.name} = ${figure(node.value)}${node.gradient === null ? "" : `, ∂ ${figure(node.gradient)}`}`).join("; ")}`;
  }
}
