// The explorer: ribbon, input, layers. One instance a mounted component. The server answers a click (arithmetic.js).

const KINDS = ["input", "conv", "norm", "activation", "pool", "linear", "attention", "add"];
const CURSOR = MARKED, READ = "#fde047";

const HEADER = 60; // pixels that Streamlit's header takes of the window
const LONG = 640, FOLDED = 300; // pixels: what is higher is folded to so much, as in explorer.css
const RIBBON_MARGIN = 10; // below the strip of layers, as in explorer.css

class Explorer {
  constructor(root, send) {
    this.root = root;
    this.send = send;
    this.stages = new Map();
    this.unfolded = new Set(); // names of layers
    this.ribbon = make("nav", { class: "ribbon" });
    this.inputTitle = make("h4");
    this.inputBox = make("div");
    this.readout = make("div", { class: "readout", "aria-live": "polite" });
    this.readsTitle = make("h4");
    this.readsBox = make("div");
    this.stack = make("div", { class: "stack" });
    const above = make("div", { "aria-hidden": "true", style: "height:1px" });
    root.replaceChildren(above, this.ribbon,
      make("div", { class: "body" },
        make("aside", { class: "side" }, make("div", {}, this.inputTitle, this.inputBox), this.readout,
          make("div", { class: "reads" }, this.readsTitle, this.readsBox)),
        this.stack));
    this.observer = new ResizeObserver(() => this.relayout());
    this.observer.observe(this.stack);
    // Once the strip of layers stands at the upper edge of the window, names are enough.
    new IntersectionObserver((entries) => this.shrinkRibbon(!entries[entries.length - 1].isIntersecting),
      { root: document.querySelector(".stMain"), rootMargin: `-${HEADER}px 0px 1000000px 0px` }).observe(above); // below is in sight
    document.addEventListener(CHOOSE_EVENT, (event) => { if (root.isConnected && this.width) this.choose(event.detail); });
  }

  // Pin a unit that was chosen elsewhere on the page; where its layer is not shown, the unit behind it in the next one.
  choose(unit) {
    if (!unit) return this.unpin();
    const { layer: name, channel, y, x } = unit;
    const layer = this.scene.byName.get(this.stages.has(name) ? name : this.target(name));
    if (!layer) return;
    const [count, height, width] = extent(layer);
    this.pin({ layer, channel: Math.min(channel, count - 1), y: Math.min(y, height - 1), x: Math.min(x, width - 1) });
    this.scrollTo(layer.name);
  }

  load(bytes) {
    const scene = readScene(bytes);
    if (scene.id === this.scene?.id) return;
    const across = this.ribbon.scrollLeft;
    this.scene = scene;
    this.words = scene.words;
    this.hovered = null;
    this.source = null;
    this.picture = new Picture(scene);
    this.inputTitle.textContent = this.words.input;
    this.picture.element.setAttribute("role", "img");
    this.picture.element.setAttribute("aria-label", this.words.input);
    this.inputBox.replaceChildren(this.picture.element);
    this.buildRibbon();
    this.buildStack();
    this.pinned = this.find(this.pinned && { ...this.pinned, layer: this.pinned.layer.name }) ?? this.find(scene.pin);
    this.width = 0;
    this.relayout();
    this.ribbon.scrollLeft = across;
  }

  // A unit given by names, in the scene of now; null where that has no such unit in sight.
  find(unit) {
    const layer = unit && this.stages.has(unit.layer) && this.scene.byName.get(unit.layer);
    if (!layer || [unit.channel, unit.y, unit.x].some((at, i) => at >= extent(layer)[i])) return null;
    return { layer, channel: unit.channel, y: unit.y, x: unit.x };
  }

  buildRibbon() {
    const { words, scene } = this;
    this.ribbon.setAttribute("aria-label", words.ribbon);
    this.marked = undefined;
    this.ribbon.replaceChildren(...scene.layers.map((layer) => {
      const kind = KINDS.includes(layer.kind) ? layer.kind : "other";
      const field = layer.field, shown = this.target(layer.name);
      const sees = field.stride && field.start
        ? say(words.sees_regular, { size: field.size.join(" × "), stride: field.stride[0], start: figure(field.start[0]) })
        : say(words.sees_all, { size: field.size.join(" × ") });
      const lines = [layer.output.join(" × "), layer.parameters ? say(words.parameters, { n: layer.parameters.toLocaleString("en") }) : "",
        layer.multiply_adds ? say(words.multiply_adds, { n: short(layer.multiply_adds) }) : "", sees, storage(layer.memory)];
      return make("button", {
        class: `k-${kind}${scene.shown.includes(layer.name) ? "" : " hidden"}`, "data-layer": layer.name, type: "button",
        title: [layer.name, layer.op, ...lines].filter(Boolean).join("\n"),
        onclick: () => { if (shown) this.scrollTo(shown); },
      }, make("b", { text: layer.name.length > 22 ? `…${layer.name.slice(-21)}` : layer.name }),
      ...lines.filter(Boolean).map((text) => make("span", { text })));
    }));
  }

  // The layer itself, or the next one that is shown.
  target(name) {
    const names = this.scene.layers.map((layer) => layer.name);
    return names.slice(names.indexOf(name)).find((other) => this.scene.shown.includes(other));
  }

  buildStack() {
    const { words, scene } = this;
    this.stages.clear();
    this.stack.replaceChildren(...scene.shown.map((name) => {
      const layer = scene.byName.get(name);
      const [count, height, width] = extent(layer);
      const stage = new LayerMaps(scene, layer, say(words.stage_label, { layer: name, n: count, height, width }));
      this.stages.set(name, stage);
      stage.element.tabIndex = 0;
      stage.element.setAttribute("role", "application");
      stage.element.addEventListener("pointermove", (event) => this.hover(stage.unitAt(event.clientX, event.clientY)));
      stage.element.addEventListener("pointerleave", () => this.hover(null));
      stage.element.addEventListener("click", (event) => this.pin(stage.unitAt(event.clientX, event.clientY)));
      stage.element.addEventListener("keydown", (event) => this.key(stage, event));
      const notes = [this.scale(layer)];
      if (layer.dead.length) notes.push(make("span", { text: say(words.dead, { n: layer.dead.length }) }));
      const silent = layer.silent.filter((c) => !layer.dead.includes(c)).length;
      if (silent) notes.push(make("span", { text: say(words.silent, { n: silent }) }));
      const size = layer.shape.length === 3 ? say(layer.tokens ? words.token_maps : words.maps, { n: count, height, width }) : say(words.features, { n: count });
      return make("section", { class: "layer", "data-layer": name },
        make("h4", {}, `${name} `, make("small", { text: `${words.kinds[layer.kind] ?? layer.op} · ${size}` })),
        make("div", { class: "about" }, ...notes), stage.element,
        make("button", { class: "more all", type: "button", text: say(words.all_channels, { n: count }), onclick: () => this.unfold(stage) }));
    }));
  }

  scale(layer) {
    const strip = make("canvas", { width: 256, height: 1, "aria-hidden": "true" });
    const colors = this.scene.colors[layer.colors];
    paintCanvas(strip, [1, 256], 1, (i) => colors[i]);
    const own = layer.colors === "diverging" ? this.words.own_scales_signed : this.words.own_scales;
    if (layer.limits.length > 1) return make("span", { class: "scale" }, strip, own);
    const [low, high] = layer.limits[0];
    return make("span", { class: "scale num" }, figure(low, 3), strip, figure(high, 3));
  }

  relayout() {
    if (!this.scene) return;
    const width = this.stack.clientWidth - parseFloat(getComputedStyle(this.stack).paddingLeft) - 10;
    if (!(width >= 40)) return; // not in the page yet; the observer calls again when it is
    if (width === this.width) return;
    this.width = width;
    for (const stage of this.stages.values()) {
      stage.draw(layout(stage.layer, width), "rgba(255,255,255,.75)");
      this.fold(stage);
    }
    this.source = null;
    this.show(this.hovered ?? this.pinned);
  }

  hover(unit) {
    const old = this.hovered;
    if (unit && old && unit.layer === old.layer && unit.channel === old.channel && unit.y === old.y && unit.x === old.x) return;
    this.hovered = unit;
    this.show(unit ?? this.pinned);
  }

  pin(unit) {
    if (!unit) return;
    this.pinned = unit;
    this.show(unit);
    this.report({ layer: unit.layer.name, channel: unit.channel, y: unit.y, x: unit.x }, isFeature(unit.layer));
  }

  unpin() {
    this.pinned = null;
    this.show(null);
    this.report(null);
  }

  // To the panel below, which shows at once what was pinned, and to the server, which sends it the numbers.
  report(unit, features) {
    document.dispatchEvent(new CustomEvent(PIN_EVENT, { detail: unit && { ...unit, features } }));
    this.send("pin", unit);
  }

  // Everything that a unit lights up. No message to the server.
  show(unit) {
    if (!this.width) return;
    for (const stage of this.stages.values()) stage.clear();
    if (this.reads) this.reads.clear();
    if (this.pinned && this.stages.has(this.pinned.layer.name)) this.stages.get(this.pinned.layer.name).markUnit(this.pinned, "#fff");
    if (!unit) {
      this.picture.mark(null);
      this.readout.replaceChildren(make("p", { class: "faint", text: this.words.hint }));
      this.showReads(null);
      return this.current(null);
    }
    const { layer, channel, y, x } = unit;
    this.unfoldFor(unit);
    const field = fieldOf(layer, y, x), read = reading(this.scene, layer, channel, y, x);
    this.picture.mark(field);
    this.stages.get(layer.name).markUnit(unit, CURSOR);
    if (read && this.stages.has(read.source.name)) this.stages.get(read.source.name).markPatch(read, READ);
    this.showReads(read);
    this.tell(unit, field, read);
    this.current(layer.name);
  }

  tell({ layer, channel, y, x }, field, read) {
    const { words } = this;
    const value = valueAt(this.scene, layer, channel, y, x);
    const where = !isFeature(layer) ? say(words.unit, { layer: layer.name, channel, y, x })
      : say(words.feature, { layer: layer.name, channel, name: this.className(layer, channel) });
    const lines = [make("p", { text: where }),
      make("p", { class: "big num", "data-value": value, text: `${this.scene.exact ? "" : "≈ "}${figure(value, this.scene.exact ? 6 : 3)}` })];
    if (field && field[0] < field[2] && field[1] < field[3])
      lines.push(make("p", { class: "faint", text: say(words.sees, { top: field[0], bottom: field[2] - 1, left: field[1], right: field[3] - 1 }) }));
    if (read) {
      const size = read.kernel.join(" × ");
      lines.push(make("p", { class: "faint", text: say(read.count > 1 ? words.reads_many : words.reads_one, { size, n: read.count, layer: read.source.name }) }));
    }
    if ((layer.dead ?? []).includes(channel)) lines.push(make("p", { class: "faint", text: words.is_dead }));
    else if ((layer.silent ?? []).includes(channel)) lines.push(make("p", { class: "faint", text: words.is_silent }));
    this.readout.replaceChildren(...lines);
  }

  className(layer, channel) {
    const last = this.scene.layers[this.scene.layers.length - 1];
    return layer === last ? ` (${this.scene.classes[channel] ?? channel})` : "";
  }

  // The layer that is read, small, with the patch in each of its channels.
  showReads(read) {
    const usable = read && read.source.values && read.source.kind !== "input";
    this.readsTitle.textContent = usable ? say(this.words.reads_title, { layer: read.source.name }) : "";
    this.readsBox.hidden = !usable;
    if (!usable) return;
    if (this.source !== read.source.name) {
      this.source = read.source.name;
      this.reads = new LayerMaps(this.scene, { ...read.source, order: undefined, dead: [], silent: [] }, "");
      this.reads.draw(dense(read.source, 280, 300), "transparent");
      this.reads.element.style.width = `min(100%, ${Math.min(280, this.reads.place.width)}px)`;
      this.reads.picture.style.width = "100%";
      this.readsBox.replaceChildren(this.reads.element);
    }
    this.reads.markPatch(read, READ);
  }

  current(name) {
    if (name === this.marked) return;
    this.marked = name;
    for (const button of this.ribbon.children) {
      if (button.dataset.layer !== name) { button.removeAttribute("aria-current"); continue; }
      button.setAttribute("aria-current", "true");
      const left = button.offsetLeft - this.ribbon.offsetLeft, right = left + button.offsetWidth;
      if (left < this.ribbon.scrollLeft || right > this.ribbon.scrollLeft + this.ribbon.clientWidth)
        this.ribbon.scrollLeft = left - this.ribbon.clientWidth / 3;
    }
  }

  // A layer of hundreds of maps shows its first rows; the others are a click away.
  fold(stage) {
    const folded = stage.place.height > LONG && !this.unfolded.has(stage.layer.name);
    stage.element.parentElement.classList.toggle("folded", folded);
  }

  unfold(stage) {
    this.unfolded.add(stage.layer.name);
    this.fold(stage);
  }

  // A unit that is pointed at by keys, or chosen elsewhere, is seen.
  unfoldFor({ layer, channel }) {
    const stage = this.stages.get(layer.name), section = stage.element.parentElement;
    if (section.classList.contains("folded") && stage.corner(channel, 0, 0)[1] + stage.place.tileY > FOLDED) this.unfold(stage);
  }

  // What it loses in height it gains in margin, so that nothing below moves.
  shrinkRibbon(stuck) {
    const before = this.ribbon.offsetHeight;
    this.ribbon.classList.toggle("stuck", stuck);
    this.ribbon.style.marginBottom = stuck ? `${RIBBON_MARGIN + before - this.ribbon.offsetHeight}px` : "";
    const name = this.marked;
    this.marked = undefined;
    this.current(name ?? null); // it may stand elsewhere now
  }

  // The page itself scrolls: the layer comes to stand under the strip of layers.
  scrollTo(name) {
    const section = [...this.stack.children].find((child) => child.dataset.layer === name);
    if (!section) return;
    section.style.scrollMarginTop = `${HEADER + 56}px`;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    section.scrollIntoView({ block: "start", behavior: still ? "instant" : "smooth" });
    this.current(name);
  }

  key(stage, event) {
    const { layer } = stage;
    const [, height, width] = extent(layer);
    const now = [this.hovered, this.pinned].find((unit) => unit?.layer === layer) ?? { layer, channel: stage.order[0], y: 0, x: 0 };
    const jump = (by) => stage.order[Math.max(0, Math.min(stage.order.length - 1, stage.at.get(now.channel) + by))];
    const flat = height === 1 && width === 1, across = stage.place.columns;
    const moves = {
      ArrowLeft: flat ? { channel: jump(-1) } : { x: Math.max(0, now.x - 1) },
      ArrowRight: flat ? { channel: jump(1) } : { x: Math.min(width - 1, now.x + 1) },
      ArrowUp: flat ? { channel: jump(-across) } : { y: Math.max(0, now.y - 1) },
      ArrowDown: flat ? { channel: jump(across) } : { y: Math.min(height - 1, now.y + 1) },
      PageUp: { channel: jump(-1) }, PageDown: { channel: jump(1) }, Home: { channel: jump(-Infinity) }, End: { channel: jump(Infinity) },
    };
    if (event.key === "Enter" || event.key === " ") this.pin(now);
    else if (event.key === "Escape") this.unpin();
    else if (event.key in moves) this.hover(this.hovered || this.pinned?.layer === layer ? { ...now, ...moves[event.key] } : now);
    else return;
    event.preventDefault();
  }
}

// A layer of features, or of maps of one pixel: a unit has a number there and no place.
const isFeature = (layer) => extent(layer)[1] * extent(layer)[2] === 1;

const short = (n) => (n >= 1e9 ? `${(n / 1e9).toPrecision(3)} G` : n >= 1e6 ? `${(n / 1e6).toPrecision(3)} M` : n >= 1e3 ? `${(n / 1e3).toPrecision(3)} k` : String(n));
const storage = (bytes) => (bytes >= 2 ** 20 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : bytes >= 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${bytes} B`);

const mounted = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".lab");
  let explorer = mounted.get(root);
  if (!explorer) {
    explorer = new Explorer(root, setStateValue);
    mounted.set(root, explorer);
  }
  explorer.send = setStateValue;
  explorer.load(data);
}
