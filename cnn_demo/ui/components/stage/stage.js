// Rows of panels. Pointing at a grid moves the window over it without the server; what changes a number asks the server.

const VIEWS = { Grid: GridView, Window: WindowView, Bars: BarsView, Curves: CurvesView, Table: TableView, Graph: GraphView, Text: TextView };
const WAIT = 110; // milliseconds between two reports of a painting

function openMessage(bytes) {
  const { found, array } = openBytes(bytes);
  const open = (value) => {
    if (!value || typeof value !== "object") return;
    if (value.shape && Array.isArray(value.at)) { value.numbers = array(value.at); return; }
    for (const part of Object.values(value)) open(part);
  };
  open(found.rows);
  return found;
}

class Stage {
  constructor(root) {
    this.root = root;
    this.views = new Map();
  }

  load(bytes) {
    const message = openMessage(bytes);
    this.message = message;
    this.words = message.words;
    this.colors = message.colors;
    this.panels = new Map(message.rows.flat().map((panel) => [panel.name, panel]));
    const rows = message.rows.map((row) => make("div", { class: "row" }, ...row.map((panel) => this.viewFor(panel).box)));
    const same = this.root.children.length === rows.length
      && [...this.root.children].every((child, i) => [...child.children].every((box, k) => box === rows[i].children[k]) && child.children.length === rows[i].children.length);
    if (!same) this.root.replaceChildren(...rows);
    for (const name of [...this.views.keys()]) if (!this.panels.has(name)) { this.views.get(name).rest?.(); this.views.delete(name); }
    const order = [...this.panels.values()].sort((a, b) => (a.kind === "Window") - (b.kind === "Window")); // windows mark grids
    for (const panel of order) this.views.get(panel.name).show(panel);
    this.root.dataset.ready = message.id;
  }

  viewFor(panel) {
    let view = this.views.get(panel.name);
    if (!(view instanceof VIEWS[panel.kind])) { view = new VIEWS[panel.kind](this); this.views.set(panel.name, view); }
    return view;
  }

  room() { return Math.max(240, (this.root.clientWidth || 320) - 2); }
  panelOf(name) { const view = this.views.get(name); return view?.painting ? view.panel : this.panels.get(name); }
  view(name) { return this.views.get(name); }
  windows(name) { return [...this.views.values()].filter((view) => view instanceof WindowView && [view.panel?.source, view.panel?.output].includes(name)); }

  hover(name, row, column) {
    for (const view of this.windows(name)) {
      view.rest();
      view.go(name === view.panel.output ? row * view.across + column : view.placeOf(row, column));
    }
  }

  leave() {}

  choose(name, row, column) {
    this.hover(name, row, column);
    for (const view of this.windows(name)) view.keep();
    if (this.message.clicks?.includes(name)) this.send("click", `${name},${row},${column}`);
  }

  send(name, value) { this.report("change", { name, value, token: `${Date.now()}-${Math.random()}` }); }

  // The last of many changes, a few times a second.
  sendSoon(name, value) {
    this.waiting = [name, value];
    if (this.timer) return;
    this.timer = setTimeout(() => { this.timer = null; const [last, makeText] = this.waiting; this.send(last, makeText()); }, WAIT);
  }
}

const mounted = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".lesson-stage");
  let stage = mounted.get(root);
  if (!stage) {
    stage = new Stage(root);
    mounted.set(root, stage);
  }
  stage.report = setStateValue;
  stage.load(data);
  return () => { if (!root.isConnected) for (const view of stage.views.values()) view.rest?.(); };
}
