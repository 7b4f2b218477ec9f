// The whole network on one screen. One instance a mounted component; hovering sends nothing to the server.

const NARROW = 640, STEP = 700;
const reduced = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

class Network {
  constructor(root, send) {
    this.root = root;
    this.send = send;
    this.bar = make("div", { class: "bar" });
    this.columns = make("div", { class: "columns", role: "group" });
    this.tell = make("div", { class: "tell", "aria-live": "polite" });
    this.table = make("details");
    root.replaceChildren(this.bar, this.columns, this.tell, this.table);
    this.reach = Infinity; // the last column that the image has come to
    this.observer = new ResizeObserver(() => this.relayout());
    this.observer.observe(root);
    root.addEventListener("fullscreenchange", () => this.relayout());
  }

  load(bytes) {
    const message = readMessage(bytes);
    if (message.id === this.message?.id) return;
    const other = this.message?.network !== message.network;
    this.message = message;
    this.words = message.words;
    if (other) { this.stop(); this.reach = Infinity; this.kept = null; }
    this.buildBar();
    this.buildTable();
    this.width = 0;
    this.relayout();
  }

  // -- what is on the page --------------------------------------------------------------------------------------------

  buildBar() {
    const { words } = this;
    const button = (name, text, act, more = {}) => make("button", { type: "button", "data-do": name, onclick: act, ...more }, text);
    this.playButton = button("play", words.play, () => (this.timer ? this.stop() : this.play()));
    this.at = make("span", { class: "at", role: "status" });
    this.bar.replaceChildren(
      this.playButton,
      button("back", "◀", () => { this.stop(); this.go(this.step() - 1); }, { "aria-label": words.back, title: words.back }),
      button("next", "▶", () => { this.stop(); this.go(this.step() + 1); }, { "aria-label": words.next, title: words.next }),
      this.at, make("span", { class: "gap" }),
      button("large", words.large, () => { this.root.classList.toggle("large"); this.width = 0; this.relayout(); }),
      button("full", words.full, () => (document.fullscreenElement ? document.exitFullscreen() : this.root.requestFullscreen())),
      button("png", words.png, () => savePicture(this, "png")),
      button("svg", words.svg, () => savePicture(this, "svg")));
    this.playButton.setAttribute("aria-pressed", "false");
    this.showStep();
  }

  relayout() {
    if (!this.message) return;
    const width = this.root.clientWidth;
    if (!(width >= 40) || width === this.width) return;
    this.width = width;
    this.root.classList.toggle("phone", width < NARROW);
    const full = document.fullscreenElement !== null && this.root.matches(":fullscreen");
    const tall = full ? Math.max(420, window.innerHeight - 300) : 470;
    const tile = Math.max(26, Math.min(full ? 64 : 44, Math.floor((width - 140) / this.message.columns.length) - 26));
    this.root.style.setProperty("--tile", `${tile}px`);
    this.rows = this.root.classList.contains("phone") ? 12 : Math.max(6, Math.floor(tall / (tile + 3)));
    this.buildColumns(tall);
  }

  buildColumns(tall) {
    const { message, words } = this;
    this.columns.setAttribute("aria-label", words.label);
    this.lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.lines.setAttribute("aria-hidden", "true");
    this.maps = [];
    const last = message.columns.length - 1, dense = message.columns.length > 10;
    this.columns.classList.toggle("dense", dense);
    this.boxes = message.columns.map((column, number) => {
      const flat = column.features;
      const rows = number === last ? 10 : flat && !this.root.classList.contains("phone") ? Math.floor(tall / 25) : this.rows;
      const shown = column.channels.slice(0, rows);
      const place = make("div", { class: "maps" });
      this.maps.push(shown.map((_, at) => this.buildMap(number, at)));
      place.append(...this.maps[number]);
      const folded = column.shape[0] - shown.length;
      const size = flat ? say(words.features, { n: column.shape[0] }) : column.shape.join(dense ? "×" : " × ");
      const box = make("div", { class: `column${flat ? " flat" : ""}${number === last ? " narrow" : ""}`, "data-column": column.name },
        make("span", { class: "name", title: column.members.join(" → "), text: column.block || (number ? column.name : words.input) }),
        make("span", { class: "shape", text: size }), place,
        folded > 0 ? make("span", { class: "rest", text: `+ ${folded}`, title: say(words.more, { n: folded }) }) : null,
        column.block && column.members.length > 1 ? this.buildFold(column) : null);
      return box;
    });
    this.columns.replaceChildren(this.lines, ...this.boxes, this.buildAnswers());
    if (message.unfolded) this.bar.append(...(this.bar.querySelector("[data-do=fold]") ? [] : [this.buildRefold()]));
    for (const row of this.maps) for (const map of row) map.tabIndex = -1;
    if (this.maps[0]?.[0]) this.maps[0][0].tabIndex = 0;
    const kept = this.kept && this.find(this.kept.layer, this.kept.channel);
    this.kept = kept ? { ...this.kept, ...kept } : null;
    this.showStep();
    this.show(this.kept);
  }

  buildFold(column) {
    return make("button", { class: "fold", type: "button", title: column.members.join(" → "), onclick: () => this.send("block", column.block) },
      say(this.words.unfold, { n: column.members.length }));
  }

  buildRefold() {
    return make("button", { type: "button", "data-do": "fold", onclick: () => this.send("block", "") }, this.words.refold);
  }

  buildMap(number, at) {
    const column = this.message.columns[number];
    const channel = column.channels[at];
    const last = number === this.message.columns.length - 1;
    const named = last && this.message.classes.every((label) => label.length < 4); // long names stand beside the bars
    const name = (named && this.message.classes[channel]) || channel;
    const map = make("button", { class: "map", type: "button", "data-channel": channel, "aria-label": this.describe(number, at) },
      this.drawMap(column, at), number ? make("i", { text: name }) : null);
    map.addEventListener("pointerenter", (event) => { if (event.pointerType !== "touch") this.show({ number, at }); });
    map.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") this.show(this.kept); });
    map.addEventListener("focus", () => { if (map.matches(":focus-visible")) this.show({ number, at }); });
    map.addEventListener("click", (event) => this.click(number, at, event));
    map.addEventListener("keydown", (event) => this.key(number, at, event));
    return map;
  }

  drawMap(column, at) {
    const [, height, width] = column.shape;
    const canvas = make("canvas", { width, height, "aria-hidden": "true" });
    const colors = this.message.colors[column.colors], start = at * height * width;
    paintCanvas(canvas, [height, width], 1, (i) => colors[column.bytes[start + i]]);
    return canvas;
  }

  buildAnswers() {
    const { message, words } = this;
    const best = message.probabilities.indexOf(Math.max(...message.probabilities));
    const last = message.columns[message.columns.length - 1];
    const order = last.channels.slice(0, 10);
    return make("div", { class: "column answer" }, make("span", { class: "name", text: words.answer }), make("span", { class: "shape", text: " " }),
      make("ul", { class: "answers" }, ...order.map((c) => {
        const bar = make("b");
        bar.style.width = `${100 * message.probabilities[c]}%`;
        return make("li", { class: c === best ? "best" : "" }, make("span", { text: message.classes[c] ?? c }),
          make("span", { class: "track" }, bar), make("span", { text: message.shares[c] }));
      })));
  }

  buildTable() {
    const { words, message } = this;
    const open = this.table.open;
    const rows = message.columns.map((column) => make("tr", {}, make("td", { text: column.members.join(" → ") }), make("td", { text: column.shape.join(" × ") }),
      make("td", { text: column.channels.map((c, i) => `${c}: ${figure(column.means[i], 3)}`).join(", ") })));
    this.table.replaceChildren(make("summary", { text: words.table }),
      make("table", {}, make("thead", {}, make("tr", {}, ...words.heads.map((text) => make("th", { text })))), make("tbody", {}, ...rows)));
    this.table.open = open;
  }

  // -- hovering and choosing ------------------------------------------------------------------------------------------

  // A map by layer and channel; null where it is not in sight.
  find(layer, channel) {
    const number = this.message.columns.findIndex((column) => column.name === layer);
    const at = number < 0 ? -1 : this.message.columns[number].channels.indexOf(channel);
    return at >= 0 && at < this.maps[number].length ? { number, at } : null;
  }

  describe(number, at) {
    const column = this.message.columns[number];
    return say(column.features ? this.words.feature : this.words.map, { layer: column.name, channel: column.channels[at], mean: figure(column.means[at], 3) });
  }

  // Light a map and what feeds it.
  show(place) {
    this.lines.replaceChildren();
    for (const old of this.lit ?? []) old.classList.remove("here", "feeds");
    this.lit = [];
    this.columns.classList.toggle("lit", place !== null && place !== undefined);
    if (!place) {
      this.tell.replaceChildren(make("div", { class: "big" }), make("div", {}, make("p", { text: this.root.classList.contains("phone") ? this.words.hint_touch : this.words.hint })));
      return;
    }
    const { number, at } = place;
    const feeds = findFeeds(this.message, number, at);
    const target = this.maps[number][at];
    target.classList.add("here");
    this.lit.push(target);
    const seen = feeds.lines.filter((line) => this.maps[line.column][line.at]);
    const largest = Math.max(...seen.map((line) => Math.abs(line.part ?? 0)), 1e-12);
    const frame = this.columns.getBoundingClientRect();
    const end = target.getBoundingClientRect();
    for (const line of seen) {
      const source = this.maps[line.column][line.at];
      const share = line.part === null ? (line.same ? 1 : 0.12) : Math.abs(line.part) / largest;
      if (share < 0.02) continue;
      source.classList.add("feeds");
      this.lit.push(source);
      this.lines.append(drawLine(source.getBoundingClientRect(), end, frame, share, line.part));
    }
    this.report(number, at, feeds);
  }

  report(number, at, feeds) {
    const { words, message } = this;
    const column = message.columns[number];
    const facts = [];
    for (const other of feeds.others) {
      if (other.kind === "top") {
        const source = message.columns[other.column];
        facts.push(...other.top.map(([channel, part]) => signed(`${source.name} ${number && source.shape[0] === 1 ? "" : channel}`.trim(), part)));
        if (other.n > 0) facts.push(signed(say(words.rest, { n: other.n, layer: source.name }), other.part));
      }
      if (other.kind === "inside") facts.push(signed(words.inside, other.part));
      else if (other.kind === "mixed") facts.push(make("li", { text: say(words.mixed, { layer: message.columns[other.column].name }) }));
    }
    const same = feeds.lines.find((line) => line.same);
    if (same) facts.push(make("li", { text: say(words.same, { layer: message.columns[same.column].name, channel: column.channels[at] }) }));
    const summed = feeds.others.some((other) => other.kind === "top" || other.kind === "inside");
    const big = make("button", { class: "big", type: "button", "aria-label": words.enlarged, onclick: (event) => this.choose(number, at, this.unitAt(number, event)) }, this.drawMap(column, at));
    const range = say(words.range, { low: figure(column.low, 3), high: figure(column.high, 3) });
    this.tell.replaceChildren(big, make("div", {}, make("h5", { text: this.describe(number, at) }),
      make("p", { text: range }), summed ? make("p", { text: words.fed }) : null, make("ul", {}, ...facts),
      make("p", { text: number ? (this.root.classList.contains("phone") ? words.click_big : words.click) : "" })));
  }

  // The unit under the pointer within a map: [y, x].
  unitAt(number, event) {
    const [, height, width] = this.message.columns[number].shape;
    const box = event.currentTarget.getBoundingClientRect();
    const place = (at, from, size, n) => Math.max(0, Math.min(n - 1, Math.floor(((at - from) / size) * n)));
    return event.detail === 0 ? null : [place(event.clientY, box.top, box.height, height), place(event.clientX, box.left, box.width, width)];
  }

  // The unit with the largest magnitude, for those who choose a map by keyboard.
  strongest(number, at) {
    const column = this.message.columns[number];
    const [, height, width] = column.shape;
    const zero = column.colors === "diverging" ? 127.5 : 0, start = at * height * width;
    let best = 0;
    for (let i = 1; i < height * width; i++)
      if (Math.abs(column.bytes[start + i] - zero) > Math.abs(column.bytes[start + best] - zero)) best = i;
    return [Math.floor(best / width), best % width];
  }

  click(number, at, event) {
    const phone = this.root.classList.contains("phone");
    this.keep(number, at);
    if (!phone) this.choose(number, at, this.unitAt(number, event));
  }

  keep(number, at) {
    const column = this.message.columns[number];
    this.kept = { number, at, layer: column.name, channel: column.channels[at] };
    this.show(this.kept);
  }

  // Pin a unit: the explorer below takes it from here.
  choose(number, at, unit) {
    const column = this.message.columns[number];
    const [y, x] = unit ?? this.strongest(number, at);
    this.keep(number, at);
    document.dispatchEvent(new CustomEvent(CHOOSE_EVENT, { detail: { layer: column.name, channel: column.channels[at], y, x } }));
  }

  key(number, at, event) {
    const beside = (by) => {
      for (let n = number + by; n >= 0 && n < this.maps.length; n += by)
        if (this.maps[n].length) return [n, Math.min(at, this.maps[n].length - 1)];
      return [number, at];
    };
    const moves = {
      ArrowLeft: () => beside(-1), ArrowRight: () => beside(1), ArrowUp: () => [number, Math.max(0, at - 1)],
      ArrowDown: () => [number, Math.min(this.maps[number].length - 1, at + 1)], Home: () => [0, 0], End: () => [this.maps.length - 1, 0],
    };
    if (event.key === "Escape") { this.kept = null; this.show(null); }
    else if (event.key in moves) {
      const [n, a] = moves[event.key]();
      this.maps[number][at].tabIndex = -1;
      this.maps[n][a].tabIndex = 0;
      this.maps[n][a].focus();
    } else return;
    event.preventDefault();
  }

  // -- the image runs through -----------------------------------------------------------------------------------------

  step() { return Math.min(this.reach, this.message.columns.length); }

  play() {
    if (this.step() >= this.message.columns.length) this.go(0);
    this.playButton.textContent = this.words.pause;
    this.playButton.setAttribute("aria-pressed", "true");
    this.timer = setInterval(() => {
      this.go(this.step() + 1);
      if (this.step() >= this.message.columns.length) this.stop();
    }, STEP);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    if (!this.playButton) return;
    this.playButton.textContent = this.words.play;
    this.playButton.setAttribute("aria-pressed", "false");
  }

  go(step) {
    this.reach = Math.max(0, Math.min(this.message.columns.length, step));
    this.kept = null;
    this.showStep();
    const column = this.message.columns[this.reach];
    this.show(column && this.maps[this.reach].length ? { number: this.reach, at: 0 } : null);
  }

  showStep() {
    if (!this.boxes) return;
    const all = [...this.columns.querySelectorAll(".column")];
    all.forEach((box, i) => { box.classList.toggle("ahead", i > this.reach); box.classList.toggle("now", i === this.reach); });
    const column = this.message.columns[this.reach];
    this.at.textContent = column ? say(this.words.at, { n: this.reach + 1, all: this.message.columns.length, layer: column.block || column.name }) : "";
  }
}

function drawLine(from, to, frame, share, part) {
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const x1 = from.right - frame.left, y1 = from.top + from.height / 2 - frame.top;
  const x2 = to.left - frame.left, y2 = to.top + to.height / 2 - frame.top, bend = Math.max(12, (x2 - x1) / 2);
  line.setAttribute("d", `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`);
  line.setAttribute("fill", "none");
  line.setAttribute("stroke", part === null ? "#8b8f98" : part < 0 ? "#dc2626" : "#2563eb");
  line.setAttribute("stroke-width", (0.6 + 4.4 * share).toFixed(2));
  line.setAttribute("stroke-opacity", (0.25 + 0.65 * share).toFixed(2));
  line.dataset.part = part ?? "";
  return line;
}

function signed(name, part) {
  const text = `${part < 0 ? "" : "+"}${figure(part, 3)}`;
  return make("li", {}, `${name} `, make("b", { class: part < 0 ? "minus" : "plus", text }));
}

const mounted = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".net");
  let network = mounted.get(root);
  if (!network) {
    network = new Network(root, setStateValue);
    mounted.set(root, network);
  }
  network.send = setStateValue;
  network.load(data);
}
