// A table of layers. What is typed lives here; the page answers each edit with figures, and the cursor stays.

const PAUSE = 150; // milliseconds without a key before an edit is reported
const FIGURES = ["shape", "parameters", "multiply_adds", "field", "memory"];

const make = (tag, more = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), more);
  element.append(...children);
  return element;
};
const plain = (rows) => JSON.stringify(rows.map(({ kind, values }) => [kind, Object.entries(values).sort()]));

class LayerTable {
  constructor(root) {
    this.root = root;
    this.rows = null; // [{kind, values, answer}]
    this.n = 0; // number of the last edit
    this.typing = false; // an edit that is not reported yet
  }

  load(data) {
    const words = JSON.stringify([data.kinds, data.words]);
    const fresh = this.rows === null || words !== this.wordsNow;
    this.data = data;
    if (this.rows === null) this.n = data.echo;
    if (this.typing || data.echo < this.n) return; // an answer to an older edit
    this.wordsNow = words;
    if (fresh || plain(data.rows) !== plain(this.rows)) {
      this.rows = data.rows.map(({ kind, values }) => ({ kind, values: { ...values } }));
      this.build();
    }
    this.rows.forEach((row, i) => { row.answer = data.answers[i]; });
    this.showAnswers();
  }

  kind(name) {
    return this.data.kinds.find((kind) => kind.name === name);
  }

  build(focus = null) {
    const { words } = this.data;
    const heads = ["", words.layer, ...FIGURES.map((name) => words[name]), ""];
    const head = make("thead", {}, make("tr", {}, ...heads.map((text, i) => make("th", { textContent: text, className: i > 1 ? "figure" : "", scope: "col" }))));
    this.body = make("tbody", {}, ...this.rows.flatMap((row, i) => this.line(row, i)));
    this.tail = make("tbody", { className: "tail" });
    this.table = make("table", {}, head, this.body, this.tail);
    this.add = make("button", { type: "button", className: "add", textContent: `+ ${words.add}` });
    this.add.addEventListener("click", () => this.insert(this.rows.length, "conv"));
    this.add.disabled = this.rows.length >= this.data.limit;
    this.root.replaceChildren(this.table, this.add);
    if (focus !== null) this.body.querySelectorAll("tr.row")[focus.row]?.querySelector(focus.on)?.focus();
  }

  line(row, i) {
    const { words, kinds } = this.data;
    const select = make("select", { className: "kind", ariaLabel: `${words.layer} ${i + 1}` }, ...kinds.map(({ name, title }) => new Option(title, name, false, name === row.kind)));
    select.addEventListener("change", () => {
      row.kind = select.value;
      const known = new Set(this.kind(row.kind).options.map((option) => option.name));
      row.values = Object.fromEntries(Object.entries(row.values).filter(([name]) => known.has(name)));
      row.answer = null;
      this.changed({ row: i, on: ".kind" });
    });
    const settings = make("div", { className: "settings" }, ...this.kind(row.kind).options.map((option) => this.field(row, i, option)));
    const button = (name, sign, disabled, act) => {
      const made = make("button", { type: "button", className: name, textContent: sign, title: words[name], ariaLabel: `${words[name]} (${i + 1})`, disabled });
      made.addEventListener("click", act);
      return made;
    };
    const last = this.rows.length - 1, full = this.rows.length >= this.data.limit;
    const buttons = make("div", { className: "buttons" },
      button("up", "↑", i === 0, () => this.swap(i, i - 1)),
      button("down", "↓", i === last, () => this.swap(i, i + 1)),
      button("insert", "+", full, () => this.insert(i + 1, "conv")),
      button("remove", "✕", false, () => this.remove(i)));
    row.cells = FIGURES.map((name) => this.cell(name));
    row.problem = make("td", { className: "problem", role: "alert" });
    row.problemLine = make("tr", { className: "problem-line", hidden: true }, row.problem);
    row.line = make("tr", { className: "row" }, make("td", { className: "number", textContent: i + 1 }), make("td", { className: "what" }, select),
      make("td", { className: "how" }, settings), ...row.cells, make("td", { className: "acts" }, buttons));
    return [row.line, row.problemLine];
  }

  cell(name) {
    const cell = make("td", { className: "figure" });
    cell.dataset.label = this.data.words[name];
    return cell;
  }

  fillCells(cells, figures) {
    cells.forEach((cell, i) => {
      cell.textContent = figures?.[FIGURES[i]] ?? "";
      cell.classList.toggle("none", cell.textContent === "–");
    });
  }

  field(row, i, option) {
    const value = row.values[option.name];
    let input;
    if (option.type === "flag") {
      const { yes, no } = this.data.words;
      input = make("select", {}, new Option("", ""), new Option(yes, "yes"), new Option(no, "no"));
      input.value = value === undefined ? "" : value ? "yes" : "no";
    } else {
      input = make("input", { type: "number", inputMode: option.type === "whole" ? "numeric" : "decimal", min: option.low, max: option.high, step: option.step });
      input.value = value ?? option.default ?? "";
    }
    input.dataset.name = option.name;
    input.title = option.help;
    input.ariaLabel = `${option.title} (${i + 1})`;
    input.addEventListener("input", () => {
      const text = input.value;
      if (text === "") delete row.values[option.name];
      else row.values[option.name] = option.type === "flag" ? text === "yes" : Number(text);
      this.changed();
    });
    return make("label", {}, make("span", { textContent: option.title }), input);
  }

  swap(i, j) {
    [this.rows[i], this.rows[j]] = [this.rows[j], this.rows[i]];
    const on = j === 0 ? ".down" : j === this.rows.length - 1 ? ".up" : j < i ? ".up" : ".down";
    this.changed({ row: j, on });
  }

  insert(i, kind) {
    this.rows.splice(i, 0, { kind, values: {}, answer: null });
    this.changed({ row: i, on: ".kind" });
  }

  remove(i) {
    this.rows.splice(i, 1);
    this.changed({ row: Math.min(i, this.rows.length - 1), on: ".remove" });
  }

  mend(i, { action, name, value }) {
    if (action === "set") {
      this.rows[i].values[name] = value;
      this.changed({ row: i, on: `[data-name=${name}]` });
    } else if (action === "insert") this.insert(i, name);
    else this.remove(i);
  }

  // An edit. With `focus` the table is built again, and the cursor goes there; it is reported at once.
  changed(focus = null) {
    clearTimeout(this.timer);
    if (focus) {
      this.build(focus);
      this.showAnswers();
      this.report();
    } else {
      this.typing = true;
      this.timer = setTimeout(() => this.report(), PAUSE);
    }
  }

  report() {
    this.typing = false;
    this.n += 1;
    this.send("edit", { n: this.n, rows: this.rows.map(({ kind, values }) => ({ kind, values })) });
  }

  showAnswers() {
    const { added, total, words } = this.data;
    this.rows.forEach((row, i) => {
      const { figures = null, problem = "", change = null, filled = {} } = row.answer ?? {};
      this.fillCells(row.cells, figures);
      row.line.classList.toggle("wrong", Boolean(problem));
      for (const input of row.line.querySelectorAll("[data-name]")) {
        const own = filled[input.dataset.name];
        input.classList.toggle("off", change?.action === "set" && change.name === input.dataset.name);
        if (input.tagName === "INPUT") input.placeholder = own ?? "";
        else input.options[0].text = own === undefined ? words.auto : `${words.auto}: ${own ? words.yes : words.no}`;
      }
      this.showProblem(row.problem, row.problemLine, problem, change, i);
    });
    const lines = added.flatMap(({ title, figures, problem }) => {
      const line = this.sumLine(problem ? "added wide wrong" : "added", title, problem ? null : figures);
      return problem ? [line, make("tr", { className: "problem-line" }, make("td", { className: "problem", textContent: problem }))] : [line];
    });
    this.tail.replaceChildren(...lines, ...(total ? [this.sumLine("total", words.total, total)] : []));
  }

  // A line that cannot be edited: what is added, and the sums.
  sumLine(name, title, figures) {
    const cells = figures ? FIGURES.map((figure) => this.cell(figure)) : [];
    this.fillCells(cells, figures);
    return make("tr", { className: `row ${name}` }, make("td", { className: "number" }), make("td", { className: "what", textContent: title }), ...cells, make("td", { className: "acts" }));
  }

  showProblem(cell, line, problem, change, i) {
    line.hidden = !problem;
    if (!problem) return cell.replaceChildren();
    const parts = [make("span", { textContent: problem })];
    if (change) {
      const button = make("button", { type: "button", className: "mend", textContent: change.label });
      button.addEventListener("click", () => this.mend(i, change));
      parts.push(button);
    }
    cell.replaceChildren(...parts);
  }
}

const mounted = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".layers");
  let table = mounted.get(root);
  if (!table) {
    table = new LayerTable(root);
    mounted.set(root, table);
  }
  table.send = setStateValue;
  table.load(data);
}
