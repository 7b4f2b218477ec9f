// Attention over an image. The pinned token asks; while the pointer is over another one, that one asks.

const HOT = "255, 150, 20";
const ZOOM = 12; // pixels of the canvas for one of the image

class Attention {
  constructor(root) {
    this.class = make("button", { type: "button", class: "class", onclick: () => this.choose({ token: 0 }) });
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.stage = make("div", { class: "stage", tabindex: "0", role: "application" }, this.canvas);
    this.told = make("div", { class: "told", "aria-live": "polite" });
    this.scale = make("div", { class: "scale" });
    this.heads = make("div", { class: "heads", role: "group" });
    root.replaceChildren(make("div", { class: "large" }, this.class, this.stage, this.scale, this.told), this.heads);
    this.stage.addEventListener("pointermove", (event) => this.hover(this.tokenAt(event)));
    this.stage.addEventListener("pointerleave", () => this.hover(null));
    this.stage.addEventListener("click", (event) => {
      const token = this.tokenAt(event);
      if (token !== null) this.choose({ token });
    });
    this.stage.addEventListener("keydown", (event) => this.press(event));
  }

  load(data) {
    const text = JSON.stringify([data.words, data.image, data.weights]);
    if (text === this.text) return; // the page ran again after a pick, which is shown already
    this.text = text;
    this.data = data;
    this.pick = this.pick && this.pick.token < data.tokens && this.pick.head < data.heads && this.mine ? this.pick : data.pick;
    this.hovered = null;
    this.weights = new Float32Array(Uint8Array.from(atob(data.weights), (sign) => sign.charCodeAt(0)).buffer);
    const { words } = data;
    this.stage.setAttribute("aria-label", say(words.image, data));
    this.class.hidden = !data.extra;
    this.heads.setAttribute("aria-label", words.heads);
    this.small = new Map();
    this.heads.replaceChildren(make("h4", { text: words.heads }), ...[-1, ...Array(data.heads).keys()].map((head) => {
      const canvas = make("canvas", { "aria-hidden": "true" });
      const title = head < 0 ? words.mean : say(words.head, { n: head + 1 });
      const button = make("button", { type: "button", "data-head": head, onclick: () => this.choose({ head }) }, canvas, title);
      this.small.set(head, { canvas, button });
      return button;
    }));
    const image = new Image();
    image.onload = () => { this.image = image; this.draw(); };
    image.src = data.image;
  }

  // The weights of all tokens for one that asks; the mean over heads where head is -1.
  row(query, head) {
    const { heads, tokens } = this.data;
    const row = (h) => this.weights.subarray((h * tokens + query) * tokens, (h * tokens + query + 1) * tokens);
    if (head >= 0) return row(head);
    return Float32Array.from({ length: tokens }, (_, k) => {
      let sum = 0;
      for (let h = 0; h < heads; h++) sum += row(h)[k];
      return sum / heads;
    });
  }

  square(token) {
    const { extra, cols, corner, side } = this.data;
    const y = Math.floor((token - extra) / cols), x = (token - extra) % cols;
    return [corner[1] + x * side[1], corner[0] + y * side[0], side[1], side[0]];
  }

  tokenAt({ clientX, clientY }) {
    const { rows, cols, extra, corner, side, size } = this.data;
    const box = this.canvas.getBoundingClientRect();
    const y = Math.floor(((clientY - box.top) / box.height * size[0] - corner[0]) / side[0]);
    const x = Math.floor(((clientX - box.left) / box.width * size[1] - corner[1]) / side[1]);
    return y < 0 || x < 0 || y >= rows || x >= cols ? null : extra + y * cols + x;
  }

  name(token) {
    const { extra, cols, words } = this.data;
    return token < extra ? words.class_token : say(words.token, { y: Math.floor((token - extra) / cols), x: (token - extra) % cols });
  }

  hover(token) {
    if (token === this.hovered) return;
    this.hovered = token;
    this.draw();
  }

  press(event) {
    const { rows, cols, extra } = this.data;
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (event.key === "Home" && extra) this.choose({ token: 0 });
    else if (event.key in steps) {
      const from = this.pick.token - extra;
      if (from < 0) this.choose({ token: extra });
      else {
        const y = Math.min(rows - 1, Math.max(0, Math.floor(from / cols) + steps[event.key][0]));
        const x = Math.min(cols - 1, Math.max(0, (from % cols) + steps[event.key][1]));
        this.choose({ token: extra + y * cols + x });
      }
    } else return;
    event.preventDefault();
  }

  choose(part) {
    this.pick = { ...this.pick, ...part };
    this.mine = true;
    this.hovered = null;
    this.draw();
    clearTimeout(this.timer); // an arrow key that is held down is one message
    this.timer = setTimeout(() => this.send("pick", this.pick), 120);
  }

  draw() {
    if (!this.image) return;
    const query = this.hovered ?? this.pick.token, { head } = this.pick, { extra, words } = this.data;
    const row = this.row(query, head), largest = Math.max(...row);
    this.paint(this.canvas, ZOOM, row, query);
    for (const [number, { canvas, button }] of this.small) {
      this.paint(canvas, 4, this.row(query, number), query);
      button.setAttribute("aria-pressed", String(number === head));
    }
    const share = (value) => `${(value * 100).toFixed(1)}%`;
    if (extra) {
      const tile = make("i");
      tile.style.setProperty("--share", row[0] / largest);
      this.class.replaceChildren(tile, `${words.class_token} · ${share(row[0])}`);
      this.class.setAttribute("aria-pressed", String(this.pick.token < extra));
    }
    this.scale.replaceChildren(make("i"), say(words.scale, { weight: share(largest) }));
    const most = [...row.keys()].sort((a, b) => row[b] - row[a]).slice(0, 2);
    this.told.replaceChildren(make("p", {}, make("b", { text: say(words.asks, { token: this.name(query) }) })),
      ...most.map((token) => make("p", { class: "dim", text: say(words.gets, { token: this.name(token), weight: share(row[token]) }) })));
  }

  paint(canvas, zoom, row, query) {
    const { size, tokens, extra } = this.data;
    [canvas.width, canvas.height] = [size[1] * zoom, size[0] * zoom];
    const context = canvas.getContext("2d"), largest = Math.max(...row) || 1;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.image, 0, 0, canvas.width, canvas.height);
    context.fillStyle = "rgba(23, 26, 33, .45)"; // so that the weights stand out on white strokes too
    context.fillRect(0, 0, canvas.width, canvas.height);
    for (let token = extra; token < tokens; token++) {
      context.fillStyle = `rgba(${HOT}, ${(0.9 * row[token]) / largest})`;
      context.fillRect(...this.square(token).map((value) => value * zoom));
    }
    if (query < extra) return;
    const [x, y, width, height] = this.square(query).map((value) => value * zoom);
    for (const [line, color] of [[zoom > 6 ? 5 : 3, "rgba(0, 0, 0, .8)"], [zoom > 6 ? 2.5 : 1.5, "#fff"]]) {
      context.lineWidth = line;
      context.strokeStyle = color;
      context.strokeRect(x + 1, y + 1, width - 2, height - 2);
    }
  }
}

const mounted = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".attention");
  if (!mounted.has(root)) mounted.set(root, new Attention(root));
  const view = mounted.get(root);
  view.send = setStateValue;
  view.load(data);
}
