// A picture of one layer: every channel a tile, every unit a square of whole pixels, and a sheet above it for marks.

const GAP = 3;
const NAMED = 20; // so many features at most are drawn large, with their names if they are classes

// Tiles across and the integer zoom with which a layer fills a width best. Powers of two across, so that rows compare.
function layout(layer, width) {
  const [count, height, breadth] = extent(layer);
  if (breadth === 1 && count <= NAMED) return grid(count, 1, 1, Math.min(46, Math.floor(width / Math.min(count, 10)) - GAP), 10);
  let best = null;
  for (let zoom = 1; zoom <= 14; zoom++) {
    const tile = breadth * zoom;
    if (zoom > 1 && (tile > 112 || height * zoom > 112)) break;
    if (breadth > 1 && tile < 44 && breadth * (zoom + 1) <= Math.min(112, width)) continue;
    const fit = Math.max(1, Math.floor((width + GAP) / (tile + GAP)));
    const columns = Math.min(count, 2 ** Math.floor(Math.log2(fit)), breadth === 1 ? 32 : 16);
    const used = columns * (tile + GAP) - GAP;
    const score = Math.min(used / width, 1) + (columns === count ? 0.5 : 0);
    if (!best || score >= best.score) best = { zoom, columns, score };
  }
  return grid(count, height, breadth, best.zoom, best.columns);
}

// The same in little room: the largest zoom with which everything fits a box; wider than the box where nothing does.
function dense(layer, width, tall) {
  const [count, height, breadth] = extent(layer);
  for (let zoom = Math.max(1, Math.floor(72 / breadth)); zoom >= 1; zoom--) {
    const columns = Math.max(1, Math.floor((width + 1) / (breadth * zoom + 1)));
    const place = grid(count, height, breadth, zoom, columns, 1);
    if (place.height <= tall) return place;
  }
  return grid(count, height, breadth, 1, Math.ceil(Math.sqrt((count * (height + 1) * width) / ((breadth + 1) * tall))), 1);
}

function grid(count, height, breadth, zoom, columns, gap = GAP) {
  columns = Math.min(count, columns);
  const rows = Math.ceil(count / columns);
  return {
    zoom, columns, rows, stepX: breadth * zoom + gap, stepY: height * zoom + gap, tileX: breadth * zoom, tileY: height * zoom,
    width: columns * (breadth * zoom + gap) - gap, height: rows * (height * zoom + gap) - gap,
  };
}

class LayerMaps {
  constructor(scene, layer, label) {
    this.scene = scene;
    this.layer = layer;
    this.order = layer.order ?? Array.from({ length: layer.shape[0] }, (_, i) => i);
    this.at = new Map(this.order.map((channel, i) => [channel, i]));
    this.picture = make("canvas", { "aria-hidden": "true" });
    this.sheet = make("canvas", { "aria-hidden": "true" });
    this.element = make("div", { class: "stage", "aria-label": label, "data-layer": layer.name }, this.picture, this.sheet);
  }

  draw(place, gray) {
    const { scene, layer } = this;
    this.place = place;
    for (const canvas of [this.picture, this.sheet]) { canvas.width = place.width; canvas.height = place.height; }
    const numbers = valuesOf(scene, layer);
    const [, height, breadth] = extent(layer);
    const colors = scene.colors[layer.colors ?? (layer.low < 0 ? "diverging" : "sequential")];
    const image = new ImageData(place.width, place.height);
    const out = new Uint32Array(image.data.buffer);
    this.order.forEach((channel, i) => {
      const [low, high] = this.ends(channel);
      const gain = high > low ? 255 / (high - low) : 0;
      const flat = layer.colors === "diverging" ? 128 : 0;
      const left = (i % place.columns) * place.stepX, top = Math.floor(i / place.columns) * place.stepY;
      const from = channel * height * breadth;
      paintArray(out, place.width, [left, top], [height, breadth], place.zoom, (i) =>
        colors[gain ? Math.max(0, Math.min(255, Math.round((numbers[from + i] - low) * gain))) : flat]);
    });
    const context = this.picture.getContext("2d");
    context.putImageData(image, 0, 0);
    this.strike(context, layer.dead, true, gray);
    if (breadth > 1) this.strike(context, (layer.silent ?? []).filter((c) => !(layer.dead ?? []).includes(c)), false, gray);
    if (layer === scene.layers[scene.layers.length - 1]) this.write(context);
  }

  // Names of the classes in the units of the last layer.
  write(context) {
    if (this.order.length > NAMED) return;
    const { stepX, stepY, tileX, tileY, columns } = this.place;
    context.textAlign = "center"; context.textBaseline = "middle"; context.font = "600 12px sans-serif";
    this.order.forEach((channel, i) => {
      const [low, high] = this.ends(channel);
      const strong = Math.abs(valueAt(this.scene, this.layer, channel, 0, 0)) > 0.6 * Math.max(-low, high);
      context.fillStyle = strong ? "#fff" : "#111";
      context.fillText(String(this.scene.classes[channel]).slice(0, 6), (i % columns) * stepX + tileX / 2,
        Math.floor(i / columns) * stepY + tileY / 2, tileX - 2);
    });
  }

  ends(channel) {
    const { layer } = this;
    if (layer.limits) return layer.limits[layer.limits.length === 1 ? 0 : channel];
    const limit = Math.max(Math.abs(layer.low), Math.abs(layer.high));
    return layer.low < 0 ? [-limit, limit] : [0, layer.high];
  }

  // A cross for a dead channel, a ring for one that is silent for this image.
  strike(context, channels, dead, gray) {
    const { stepX, stepY, tileX, tileY, columns } = this.place;
    context.strokeStyle = dead ? "#ef4444" : gray;
    context.lineWidth = 1.5;
    for (const channel of channels ?? []) {
      const i = this.at.get(channel);
      const x = (i % columns) * stepX, y = Math.floor(i / columns) * stepY;
      const r = Math.min(tileX, tileY) * (dead ? 0.28 : 0.16);
      const [cx, cy] = [x + tileX / 2, y + tileY / 2];
      context.beginPath();
      if (dead) {
        context.moveTo(cx - r, cy - r); context.lineTo(cx + r, cy + r);
        context.moveTo(cx + r, cy - r); context.lineTo(cx - r, cy + r);
      } else context.arc(cx, cy, r, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  // The unit under a point of the window, or null.
  unitAt(clientX, clientY) {
    const box = this.picture.getBoundingClientRect();
    const scale = this.place.width / box.width;
    const px = (clientX - box.left) * scale, py = (clientY - box.top) * scale;
    const column = Math.floor(px / this.place.stepX), row = Math.floor(py / this.place.stepY);
    const x = Math.floor((px - column * this.place.stepX) / this.place.zoom);
    const y = Math.floor((py - row * this.place.stepY) / this.place.zoom);
    const [, height, breadth] = extent(this.layer);
    const channel = this.order[row * this.place.columns + column];
    if (channel === undefined || column < 0 || column >= this.place.columns || x < 0 || y < 0 || x >= breadth || y >= height)
      return null;
    return { layer: this.layer, channel, y, x };
  }

  // The upper left corner of a unit in the picture.
  corner(channel, y, x) {
    const i = this.at.get(channel);
    return [(i % this.place.columns) * this.place.stepX + x * this.place.zoom, Math.floor(i / this.place.columns) * this.place.stepY + y * this.place.zoom];
  }

  clear() {
    if (!this.marked) return;
    this.sheet.getContext("2d").clearRect(0, 0, this.sheet.width, this.sheet.height);
    this.marked = false;
  }

  markUnit({ channel, y, x }, color) {
    const context = this.sheet.getContext("2d");
    const { zoom, tileX, tileY } = this.place;
    const [tx, ty] = this.corner(channel, 0, 0), [ux, uy] = this.corner(channel, y, x);
    context.strokeStyle = color;
    context.lineWidth = 1;
    context.strokeRect(tx - 1.5, ty - 1.5, tileX + 3, tileY + 3);
    outline(context, [[ux - 0.5, uy - 0.5, zoom + 1, zoom + 1]], color, this.thin);
    this.marked = true;
  }

  markPatch(read, color) {
    const context = this.sheet.getContext("2d");
    const [, height, breadth] = extent(this.layer);
    const bottom = read.top + (read.kernel[0] - 1) * read.dilation[0] + 1;
    const right = read.left + (read.kernel[1] - 1) * read.dilation[1] + 1;
    const [top, left] = [Math.max(0, read.top), Math.max(0, read.left)];
    const [h, w] = [Math.min(height, bottom) - top, Math.min(breadth, right) - left];
    if (h <= 0 || w <= 0) return;
    outline(context, Array.from({ length: read.count }, (_, i) => {
      const [x, y] = this.corner(read.first + i, top, left);
      return [x - 0.5, y - 0.5, w * this.place.zoom + 1, h * this.place.zoom + 1];
    }), color, this.thin);
    this.marked = true;
  }

  get thin() { return Math.min(this.place.tileX, this.place.tileY) < 20; }
}

// The input, large, with the receptive field lit and the rest dimmed.
class Picture {
  constructor(scene) {
    this.scene = scene;
    const [channels, height, width] = scene.image_shape;
    this.zoom = Math.max(1, Math.floor(280 / Math.max(width, height)));
    this.canvas = make("canvas", { width: width * this.zoom, height: height * this.zoom, "aria-hidden": "true" });
    this.sheet = make("canvas", { width: width * this.zoom, height: height * this.zoom, "aria-hidden": "true" });
    this.element = make("div", { class: "stage" }, this.canvas, this.sheet);
    const { pixels } = scene, plane = width * height;
    const part = (c, i) => pixels[(channels === 3 ? c : 0) * plane + i];
    paintCanvas(this.canvas, [height, width], this.zoom, (i) => packColor(part(0, i), part(1, i), part(2, i)));
  }

  mark(field) {
    const context = this.sheet.getContext("2d");
    context.clearRect(0, 0, this.sheet.width, this.sheet.height);
    if (!field) return;
    const [x, y, w, h] = [field[1], field[0], field[3] - field[1], field[2] - field[0]].map((v) => v * this.zoom);
    context.fillStyle = "rgba(20,24,32,.5)";
    context.fillRect(0, 0, this.sheet.width, this.sheet.height);
    if (w <= 0 || h <= 0) return;
    context.clearRect(x, y, w, h);
    context.lineWidth = 2; context.strokeStyle = MARKED;
    context.strokeRect(x + 1, y + 1, Math.max(1, w - 2), Math.max(1, h - 2));
  }
}
