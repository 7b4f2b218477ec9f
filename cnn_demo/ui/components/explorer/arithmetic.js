// The arithmetic of the pinned unit, as the server worked it out (cnn_demo/inspect/trace.py). Words come translated.

// At most five signs, for the cells of a kernel.
function brief(value) {
  const size = Math.abs(value);
  const text = size === 0 ? "0" : size < 0.0005 ? "~0" : size < 1 ? size.toFixed(3).slice(1) : size < 10 ? size.toFixed(1) : size.toFixed(0);
  return value < 0 && text !== "~0" ? `−${text}` : text;
}

const peak = (rows) => Math.max(0, ...rows.flat().map((v) => Math.abs(v ?? 0)));

// Numbers of a window; with `padding`, those that lie outside the map are hatched: their zeros are no data.
function windowTable(rows, colors, limit, { won, padding, note } = {}) {
  const tiny = rows.length > 5 || rows[0].length > 5;
  return numberTable([rows.length, rows[0].length], (y, x) => {
    const value = rows[y][x];
    if (value === null) return { outside: true };
    if (padding?.[y][x]) return { outside: true, title: note, text: brief(value) };
    const color = colors[shade(value, [-limit, limit], "diverging")];
    return { text: brief(value), title: figure(value, 7), color, won: won && won[0] === y && won[1] === x };
  }, { kind: tiny ? "tiny" : "small" });
}

function check(step, words) {
  const line = make("div", {
    class: "check num", "data-layer": step.layer, "data-value": step.value, "data-captured": step.captured,
    "data-difference": step.difference,
  });
  line.append(make("b", { text: `= ${figure(step.value, 7)}` }), "  ·  ", say(words.check, {
    value: figure(step.captured, 7), difference: figure(step.difference, 2),
  }));
  return line;
}

const place = (y, x) => `(${y}, ${x})`;

const joined = (terms, sign) => [make("div", { class: "num", text: terms
  .map(([layer, value]) => figure(value, 6) + (layer ? ` (${layer})` : "")).join(sign) })];

const cell = (text) => make("td", { class: "num", text });

const barUpTo = (limit) => (value) => make("td", { class: "bar" }, make("i", {
  class: value < 0 ? "minus" : null, style: `width:${Math.round((Math.abs(value) / (limit || 1)) * 100)}%`,
}));

const tokenName = (words, [y, x]) => (y === undefined ? words.class_token : say(words.token, { y, x }));

const RENDER = {
  ConvStep(step, words, table) {
    const order = step.sums.map((_, i) => i).sort((a, b) => Math.abs(step.sums[b]) - Math.abs(step.sums[a]));
    const limits = { patch: peak(step.patch.flat()), kernel: peak(step.kernel.flat()), products: peak(step.products.flat()) };
    const outside = step.padding.flat().filter(Boolean).length;
    const marks = { padding: step.padding, note: words.padding_cell };
    const card = (i) => {
      const source = say(words.from_channel, { layer: step.source, channel: step.first_channel + i });
      const title = make("span", { text: source }); // while a cell is pointed at, its product
      const [patch, kernel, products] = [step.patch[i], step.kernel[i], step.products[i]].map((rows) => rows.flat());
      const tables = [windowTable(step.patch[i], table, limits.patch, marks), windowTable(step.kernel[i], table, limits.kernel),
        windowTable(step.products[i], table, limits.products, marks)];
      return make("div", { class: "card", "data-channel": step.first_channel + i },
        make("header", {}, title,
          make("b", { class: "num", text: `Σ ${figure(step.sums[i])}` })),
        productTables(tables, (at) => {
          title.textContent = at < 0 ? source : `${figure(patch[at])} × ${figure(kernel[at])} = ${figure(products[at])}`;
        }));
    };
    const columns = step.patch[0][0].length;
    const breadth = 3 * columns * (columns > 5 ? 12 : 29) + 56;
    const cards = make("div", { class: "cards", style: `--card:${Math.max(210, breadth)}px` }, ...order.slice(0, TOP_CARDS).sort((a, b) => a - b).map(card));
    const parts = [make("p", { text: say(step.sums.length > 1 ? words.conv : words.conv_one, {
      kernel: `${step.patch[0].length} × ${step.patch[0][0].length}`, n: step.sums.length, layer: step.source,
      place: place(step.top, step.left),
    }) })];
    if (outside) parts.push(make("p", { class: "padding", text: say(words.padding, { n: outside, all: step.padding.flat().length }) }));
    parts.push(cards);
    if (order.length > TOP_CARDS) {
      const rest = order.slice(TOP_CARDS).reduce((s, i) => s + step.sums[i], 0);
      const button = make("button", { class: "more", text: say(words.all_channels, { n: order.length }), onclick: () => {
        cards.replaceChildren(...step.sums.map((_, i) => card(i)));
        note.remove();
      } });
      const note = make("p", {}, say(words.other_channels, {
        n: order.length - TOP_CARDS, shown: TOP_CARDS, sum: figure(rest),
      }), " ", button);
      parts.push(note);
    }
    const total = step.sums.reduce((s, v) => s + v, 0);
    parts.push(make("div", { class: "num", text: say(words.conv_sum, { sum: figure(total, 6), bias: figure(step.bias, 6) }) }));
    return parts;
  },
  NormStep(step, words) {
    return [make("div", { class: "num", text: say(words.norm, {
      input: figure(step.input), mean: figure(step.mean), variance: figure(step.variance), eps: figure(step.eps, 2),
      weight: figure(step.weight), bias: figure(step.bias),
    }) })];
  },
  LengthStep(step, words) {
    return [make("div", { class: "num", text: say(words.length, {
      input: figure(step.input), n: step.count, length: figure(step.length),
    }) })];
  },
  ActivationStep(step) {
    return [make("div", { class: "num", text: `${step.op}(${figure(step.input, 6)})` })];
  },
  PoolStep(step, words, table) {
    const say_it = step.winner ? say(words.max_pool, { row: step.winner[0], column: step.winner[1] })
      : say(words.avg_pool, { n: step.divisor });
    return [make("p", { text: say_it }), windowTable(step.window, table, peak(step.window), { won: step.winner })];
  },
  AddStep(step) {
    return joined(step.terms, " + ");
  },
  ProductStep(step) {
    return joined(step.terms, " × ");
  },
  CopyStep(step, words) {
    const [channel, y, x] = step.unit;
    const unit = step.unit.length === 3 ? say(words.unit_short, { layer: step.source, channel, place: place(y, x) })
      : say(words.feature_short, { layer: step.source, n: step.unit.join(", ") });
    return [make("p", { text: say(words.copied, { unit }) })];
  },
  LinearStep(step, words) {
    const bar = barUpTo(Math.max(...step.products.map(Math.abs), Math.abs(step.others), Math.abs(step.bias)));
    const name = (k) => (step.places.length
      ? say(words.unit_short, { layer: step.maps, channel: step.places[k][0], place: place(step.places[k][1], step.places[k][2]) })
      : say(words.feature_short, { layer: step.source, n: step.index[k] }));
    return [make("p", { text: say(words.linear, { n: step.index.length, all: step.index.length + step.count }) }),
      make("table", { class: "figures" },
        make("tr", {}, ...[words.col_input, words.col_value, words.col_weight, words.col_product, ""].map((text) => make("th", { text }))),
        ...step.index.map((_, k) => make("tr", {}, make("td", { text: name(k) }), cell(figure(step.inputs[k])),
          cell(figure(step.weights[k])), cell(figure(step.products[k])), bar(step.products[k]))),
        make("tr", {}, make("td", { text: say(words.others, { n: step.count }) }), cell(""), cell(""), cell(figure(step.others)), bar(step.others)),
        make("tr", {}, make("td", { text: words.bias }), cell(""), cell(""), cell(figure(step.bias)), bar(step.bias)))];
  },
  DotStep(step, words) {
    const bar = barUpTo(Math.max(...step.products.map(Math.abs), Math.abs(step.others)));
    const tokens = step.places.length > 0;
    const names = tokens ? [words.col_token, words.col_weight, words.col_value] : [words.col_number, words.col_query, words.col_key];
    return [make("p", { text: say(words.dot, { left: step.left, right: step.right, n: step.index.length, all: step.index.length + step.count }) }),
      make("table", { class: "figures" },
        make("tr", {}, ...[...names, words.col_product, ""].map((text) => make("th", { text }))),
        ...step.index.map((number, k) => make("tr", {}, make("td", { text: tokens ? tokenName(words, step.places[k]) : number }),
          cell(figure(step.lefts[k])), cell(figure(step.rights[k])), cell(figure(step.products[k])), bar(step.products[k]))),
        make("tr", {}, make("td", { text: say(words.others, { n: step.count }) }), cell(""), cell(""), cell(figure(step.others)), bar(step.others)))];
  },
  AttentionStep(step, words) {
    const name = (k) => (step.places.length ? tokenName(words, step.places[k]) : step.index[k]);
    return [make("p", { text: say(words.attention, { n: step.index.length, all: step.index.length + step.count, largest: figure(step.largest), total: figure(step.total, 6) }) }),
      make("table", { class: "figures" },
        make("tr", {}, ...[words.col_token, words.col_score, words.col_shifted, words.col_exp, words.col_weight, ""].map((text) => make("th", { text }))),
        ...step.index.map((number, k) => make("tr", { class: number === step.chosen ? "chosen" : null }, make("td", { text: name(k) }),
          cell(figure(step.scores[k])), cell(figure(step.scores[k] - step.largest)), cell(figure(step.exponentials[k])),
          cell(`${(step.weights[k] * 100).toFixed(2)} %`), barUpTo(1)(step.weights[k]))))];
  },
  SoftmaxStep(step, words, table, classes, chosen) {
    const order = step.logits.map((_, i) => i);
    const many = order.length > 20;
    if (many) order.sort((a, b) => step.logits[b] - step.logits[a]);
    const rows = many ? [...new Set([...order.slice(0, 8), chosen])] : order;
    return [make("p", { text: say(words.softmax, { largest: figure(step.largest), total: figure(step.total, 6) }) }),
      make("table", { class: "figures" },
        make("tr", {}, ...[words.col_class, words.col_logit, words.col_shifted, words.col_exp, words.col_probability, ""].map((text) => make("th", { text }))),
        ...rows.map((i) => make("tr", { class: i === chosen ? "chosen" : null }, make("td", { text: classes[i] ?? i }),
          cell(figure(step.logits[i])), cell(figure(step.logits[i] - step.largest)), cell(figure(step.exponentials[i])),
          cell(`${(step.probabilities[i] * 100).toFixed(2)} %`),
          make("td", { class: "bar" }, make("i", { style: `width:${(step.probabilities[i] * 100).toFixed(1)}%` })))))];
  },
  Step(step, words) {
    return [make("p", { text: words.whole_step })];
  },
};
const TOP_CARDS = 12;
const LEARNT = ".st-key-maps-learnt"; // the part of the page about the channel

// The panel. A click is seen here at once, the numbers follow: until then the steps of the unit before stay, dimmed.
class Arithmetic {
  constructor(root) {
    this.title = make("p", { class: "title" });
    this.close = make("button", { class: "close", type: "button", text: "✕",
      onclick: () => document.dispatchEvent(new CustomEvent(CHOOSE_EVENT, { detail: null })) });
    this.steps = make("div");
    this.learnt = make("button", { class: "more learnt", type: "button", onclick: () =>
      document.querySelector(LEARNT)?.scrollIntoView({ block: "start", behavior: "smooth" }) });
    this.section = make("section", { class: "sums" });
    root.replaceChildren(this.section);
    const listen = ({ detail }) => {
      if (root.isConnected) this.announce(detail);
      else document.removeEventListener(PIN_EVENT, listen); // this panel is gone
    };
    document.addEventListener(PIN_EVENT, listen);
  }

  announce(unit) {
    this.awaited = unit;
    if (!unit) return this.clear();
    this.section.replaceChildren(this.close, this.learnt, this.title, this.steps);
    this.section.setAttribute("aria-busy", "true");
    this.title.textContent = this.titleOf(unit, "…");
  }

  clear() {
    this.shown = null;
    this.steps.replaceChildren();
    this.section.replaceChildren();
    this.section.removeAttribute("aria-busy");
  }

  load({ trace, words, table, classes }) {
    this.words = words;
    this.close.setAttribute("aria-label", words.close);
    this.close.title = words.close;
    this.learnt.textContent = words.learnt;
    if (!trace) return this.clear();
    if (this.awaited && !sameUnit(this.awaited, trace)) return; // the answer to the click before
    const text = JSON.stringify([trace, words]);
    if (text === this.shown && !this.awaited) return; // the page ran again for another reason: leave what was unfolded
    this.shown = text;
    const colors = Uint32Array.from(table, (rgb) => packColor(...rgb));
    this.title.textContent = this.titleOf(trace, figure(trace.value, 6));
    this.steps.replaceChildren(...trace.steps.map((step) => make("div", { class: "step", "data-step": step.step },
      make("p", {}, make("b", { text: step.layer })), ...RENDER[step.step](step, words, colors, classes, trace.channel), check(step, words))));
    this.section.replaceChildren(this.close, this.learnt, this.title, this.steps);
    this.section.removeAttribute("aria-busy");
    const drawn = `${trace.layer},${trace.channel}`;
    if (this.awaited && drawn !== this.drawn) setTimeout(() => this.send("drawn", drawn), 30); // once it is on the screen
    [this.drawn, this.awaited] = [drawn, null];
  }

  titleOf({ layer, channel, y, x, features, token }, value) {
    if (token) return say(this.words.title_token, { layer, channel, token, value });
    return say(features ? this.words.title_feature : this.words.title_unit, { layer, channel, place: place(y, x), value });
  }
}

const sameUnit = (a, b) => ["layer", "channel", "y", "x"].every((name) => a[name] === b[name]);

const panels = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".lab");
  if (!panels.has(root)) panels.set(root, new Arithmetic(root));
  const panel = panels.get(root);
  panel.send = setStateValue;
  panel.load(data);
}
