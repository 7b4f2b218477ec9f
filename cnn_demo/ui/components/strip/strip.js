// Pictures with their bars at one moment of a training, and a slider over the moments where there are several.

const PLAYING = 8000; // milliseconds for a whole training
const FRAME = 50;
const GAP = 1; // pixels of the canvas between two filters
const COLUMNS = 8; // filters in a row
const FILTER = 30; // CSS pixels of a filter, at most
// The diverging colors of the feature maps, from -1 to 1.
const COLORS = [[5, 48, 97], [67, 147, 195], [247, 247, 247], [214, 96, 77], [103, 0, 31]];
const ICONS = { play: "M3 1.5v11l9-5.5z", stop: "M2.5 2h3v10h-3zm6 0h3v10h-3z" };

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
// As cnn_demo.prediction.wording.percent: a softmax is never 0 or 1.
const percent = (p) => (p < 0.001 ? "<0.1%" : p > 0.999 ? ">99.9%" : `${(100 * p).toFixed(1)}%`);

const colorOf = (value) => {
  const place = (Math.max(-1, Math.min(1, value)) + 1) * 2, low = Math.min(3, Math.floor(place)), part = place - low;
  return COLORS[low].map((from, i) => Math.round(from + (COLORS[low + 1][i] - from) * part));
};

const unpack = (bytes) => {
  const own = bytes.slice(); // begins at a multiple of 4
  const size = new DataView(own.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(own.subarray(4, 4 + size)));
  const { steps, pictures, classes, kernels } = header, count = steps.length * pictures.length * classes.length;
  header.probabilities = new Float32Array(own.buffer, 4 + size, count);
  header.values = new Int8Array(own.buffer, 4 + size + 4 * count, steps.length * kernels.reduce((a, b) => a * b, 1));
  return header;
};

// Strips of one group show the same moment: where one is moved, the others follow.
const groups = (window.cnnLabStrips ??= new Map());

class Strip {
  constructor(root) {
    this.root = root;
    this.group = null;
    this.place = null; // of the moment that is shown; null: the newest
    this.head = make("p", { className: "head" });
    this.list = make("ul", { className: "cards" });
    this.canvas = make("canvas");
    this.canvas.setAttribute("role", "img");
    this.about = make("span");
    this.filters = make("div", { className: "filters" }, this.about, this.canvas);
    this.button = make("button", { type: "button" });
    this.button.addEventListener("click", () => (this.timer ? this.rest() : this.play()));
    this.slider = make("input", { type: "range", min: 0, step: 1 });
    this.slider.addEventListener("input", () => {
      this.rest();
      this.move(Number(this.slider.value));
    });
    this.time = make("div", { className: "time" }, this.button, this.slider);
    root.replaceChildren(this.head, this.list, this.filters, this.time);
  }

  load(bytes) {
    this.data = unpack(bytes);
    const { pictures, classes, steps, words, part } = this.data;
    this.join(this.data.group);
    this.root.dataset.part = part;
    // The cards stay while a drawing changes: their bars go on from where they are.
    const shown = JSON.stringify([pictures.map(({ label, drawn }) => [label, drawn]), classes, words.drawing]);
    if (shown !== this.shown) {
      this.shown = shown;
      this.list.replaceChildren(...(this.cards = pictures.map((picture) => this.card(picture))).map((card) => card.root));
    }
    this.cards.forEach((card, i) => {
      if (card.image.src !== pictures[i].src) card.image.src = pictures[i].src;
    });
    this.list.classList.toggle("with-drawing", pictures.some((picture) => picture.drawn));
    this.last = steps.length - 1;
    this.time.hidden = !this.last || part === "samples";
    this.slider.max = this.last;
    this.slider.setAttribute("aria-label", words.moment);
    this.root.classList.toggle("still", this.last > 0); // the slider itself is the animation
    if (!this.timer) this.icon("play");
    if (this.place !== null && this.place > this.last) this.place = null;
    this.show(this.place);
  }

  join(group) {
    if (group === this.group) return;
    this.leave();
    this.group = group;
    if (!groups.has(group)) groups.set(group, new Set());
    groups.get(group).add(this);
  }

  leave() { groups.get(this.group)?.delete(this); }

  // Show a moment here and in the strips of the group that have it.
  move(place) {
    this.show(place);
    if (!this.group) return;
    for (const other of groups.get(this.group))
      if (other !== this && other.last === this.last) other.show(place);
  }

  card(picture) {
    const { classes, words } = this.data, drawn = picture.drawn;
    const bars = classes.map((name) => make("i", { title: name }));
    const says = make("b"), sure = make("span");
    const name = drawn ? words.drawing : classes[picture.label];
    const long = classes.some((title) => title.length > 3);
    const root = make("li", { className: drawn ? "card drawn" : "card" });
    if (drawn) root.append(make("span", { className: "name", textContent: name }));
    const image = make("img", { alt: "" });
    const rows = make("div", { className: "bars" }, ...bars);
    rows.style.setProperty("--chance", `${100 / classes.length}%`);
    rows.dataset.chance = words.chance;
    root.append(
      make("div", { className: "top" }, image, make("div", { className: long ? "says long" : "says" }, says, sure)),
      rows,
    );
    if (classes.every((title) => title.length === 1)) {
      const ticks = classes.map((title, i) => make("i", { textContent: title, className: i === picture.label ? "label" : "" }));
      root.append(make("div", { className: "ticks" }, ...ticks));
    }
    for (const part of root.children) part.setAttribute("aria-hidden", "true");
    root.setAttribute("role", "img");
    return { root, image, bars, says, sure, name, picture };
  }

  show(place) {
    this.place = place;
    const at = place ?? this.last, { steps, epochs, classes, words, pictures, probabilities } = this.data;
    const values = { step: steps[at].toLocaleString("en-US"), epoch: epochs[at].toFixed(2) };
    const when = steps[at] ? fill(words.at, values) : words.before;
    let right = 0, n = 0;
    this.cards.forEach((card, i) => {
      const from = (at * pictures.length + i) * classes.length;
      const row = probabilities.subarray(from, from + classes.length);
      let top = 0;
      row.forEach((p, c) => { if (p > row[top]) top = c; });
      const { label } = card.picture, known = label >= 0, correct = top === label;
      n += known;
      right += known && correct;
      card.root.classList.toggle("right", known && correct);
      card.root.classList.toggle("wrong", known && !correct);
      const blank = !row[top]; // a softmax is never 0
      card.bars.forEach((bar, c) => {
        bar.style.height = `${100 * row[c]}%`;
        bar.classList.toggle("first", c === top && !blank);
      });
      card.root.classList.toggle("blank", blank);
      card.root.style.setProperty("--sure", row[top]);
      card.says.textContent = blank ? "?" : classes[top];
      card.sure.textContent = blank ? "" : percent(row[top]);
      const words_ = words[blank ? "blank" : known ? (correct ? "right" : "wrong") : "open"];
      card.root.setAttribute("aria-label", fill(words_, { name: card.name, answer: classes[top], percent: percent(row[top]) }));
    });
    const { title } = this.data, said = title || when;
    const parts = n ? [fill(words.score, { right, n }), said] : [said];
    const spoken = parts.join("\n");
    if (spoken !== this.spoken) {
      this.spoken = spoken;
      this.head.replaceChildren(...parts.map((text, i) => make(i ? "span" : "b", { textContent: text })));
    }
    this.slider.value = at;
    this.slider.setAttribute("aria-valuetext", parts.join(", "));
    this.draw(at);
  }

  // All filters in rows, a pixel of the canvas for each weight.
  draw(at) {
    const [count, channels, height, width] = this.data.kernels, words = this.data.words;
    const color = channels === 3;
    this.filters.hidden = !count || !(color || channels === 1);
    if (this.filters.hidden) return;
    this.about.textContent = words.filters;
    this.canvas.title = color ? words.filters_color_help : words.filters_help;
    this.canvas.setAttribute("aria-label", words.filters);
    const columns = Math.min(COLUMNS, count), scale = Math.max(2, Math.floor(FILTER / height));
    this.canvas.width = columns * (width + GAP) - GAP;
    this.canvas.height = Math.ceil(count / columns) * (height + GAP) - GAP;
    this.canvas.style.width = `${scale * this.canvas.width}px`;
    const context = this.canvas.getContext("2d"), size = height * width;
    const picture = context.createImageData(this.canvas.width, this.canvas.height);
    const values = this.data.values.subarray(at * count * channels * size, (at + 1) * count * channels * size);
    for (let k = 0; k < count; k++) {
      for (let i = 0; i < size; i++) {
        const x = (k % columns) * (width + GAP) + (i % width);
        const y = Math.floor(k / columns) * (height + GAP) + Math.floor(i / width), to = 4 * (y * this.canvas.width + x);
        const weight = (c) => values[(k * channels + c) * size + i];
        picture.data.set(color ? [0, 1, 2].map((c) => 128 + weight(c)) : colorOf(weight(0) / 127), to);
        picture.data[to + 3] = 255;
      }
    }
    context.putImageData(picture, 0, 0);
  }

  icon(name) {
    const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    drawing.setAttribute("viewBox", "0 0 14 14");
    path.setAttribute("d", ICONS[name]);
    drawing.append(path);
    this.button.replaceChildren(drawing);
    this.button.title = this.data.words[name];
    this.button.setAttribute("aria-label", this.data.words[name]);
  }

  play() {
    const at = this.place ?? this.last, from = at >= this.last ? 0 : at, began = performance.now();
    this.icon("stop");
    this.move(from);
    this.timer = setInterval(() => {
      if (!this.root.isConnected) return this.rest();
      const place = from + Math.round(((performance.now() - began) / PLAYING) * this.last);
      this.move(Math.min(place, this.last));
      if (place >= this.last) this.rest();
    }, FRAME);
  }

  rest() {
    clearInterval(this.timer);
    this.timer = null;
    this.icon("play");
  }
}

const mounted = new WeakMap();

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".strip");
  let strip = mounted.get(root);
  if (!strip) {
    strip = new Strip(root);
    mounted.set(root, strip);
  }
  strip.load(data);
  return () => {
    if (!root.isConnected) strip.leave(); // else only new data
  };
}
