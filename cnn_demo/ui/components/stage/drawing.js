// How arrays, windows and sums are drawn: by the lessons, by Feature maps and by its overview alike.

const MARKED = "#f59e0b"; // the window that is looked at

// What arrives from the server: a length, JSON, and the numbers that the JSON points into.
function openBytes(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const found = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const body = bytes.slice(4 + length).buffer; // a copy that starts at 0, so that float32 arrays are aligned
  const array = ([offset, count, kind]) => (kind === "u1" ? new Uint8Array(body, offset, count) : new Float32Array(body, offset, count));
  found.colors = {};
  for (const [name, place] of Object.entries(found.tables)) found.colors[name] = colorTable(array(place));
  return { found, array };
}

const packColor = (r, g, b) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0; // ABGR in memory is RGBA
const colorTable = (rgb) => Uint32Array.from({ length: rgb.length / 3 }, (_, i) => packColor(rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2]));

// The place of a value in a table of 256 colors; where nothing differs it is black, or the middle where zero is.
function shade(value, [low, high], colors) {
  if (!(high > low)) return colors === "diverging" ? 128 : low > 0 ? 255 : 0;
  return Math.max(0, Math.min(255, Math.round(((value - low) / (high - low)) * 255)));
}

// A cell of a table in a color, with letters that can be read on it.
function colored(color) {
  const [r, g, b] = [color & 255, (color >> 8) & 255, (color >> 16) & 255];
  return `background:rgb(${r},${g},${b});color:${0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#111" : "#fff"}`;
}

// Paints height × width cells as squares of whole pixels into a picture that is `across` pixels wide.
function paintArray(out, across, [left, top], [height, width], zoom, colorAt) {
  for (let y = 0; y < height; y++) {
    const start = (top + y * zoom) * across + left;
    for (let x = 0; x < width; x++) out.fill(colorAt(y * width + x), start + x * zoom, start + (x + 1) * zoom);
    for (let k = 1; k < zoom; k++) out.copyWithin(start + k * across, start, start + width * zoom);
  }
}

// One array on a canvas of its own.
function paintCanvas(canvas, [height, width], zoom, colorAt) {
  const image = new ImageData(width * zoom, height * zoom);
  paintArray(new Uint32Array(image.data.buffer), image.width, [0, 0], [height, width], zoom, colorAt);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// Rectangles [x, y, width, height] in two lines, light in dark, so that they show on any color. One path for all:
// hundreds of strokes would cost more than a hover may.
function outline(context, rectangles, color, thin = false) {
  context.beginPath();
  for (const rectangle of rectangles) context.rect(...rectangle);
  if (!thin) { context.lineWidth = 3; context.strokeStyle = "rgba(0,0,0,.65)"; context.stroke(); }
  context.lineWidth = thin ? 1 : 1.5; context.strokeStyle = color;
  context.stroke();
}

// A table of numbers. cellAt(y, x) says of each: text, title, color, and whether it lies outside the map (its zero is
// no data), has won, or is not added up yet.
function numberTable([height, width], cellAt, { kind = "", label } = {}) {
  const rows = Array.from({ length: height }, (_, y) => make("tr", {}, ...Array.from({ length: width }, (_, x) => {
    const { text, title, color, outside, won, ahead } = cellAt(y, x);
    const classes = [outside && "outside", won && "won", ahead && "ahead"].filter(Boolean).join(" ");
    return make("td", { class: classes || null, title, text, style: color === undefined || outside ? null : colored(color) });
  })));
  return make("table", { class: `cells ${kind}`.trim(), "aria-label": label }, make("tbody", {}, ...rows));
}

// A window times a kernel: the three tables in a row, the same place marked in all of them under the pointer.
function productTables(tables, tell) {
  const signs = ["×", "="];
  const box = make("div", { class: "products" }, ...tables.flatMap((table, i) =>
    (i ? [make("span", { class: "sign", text: signs[i - 1] }), table] : [table])));
  const cells = tables.map((table) => [...table.querySelectorAll("td")]);
  const point = (at) => {
    for (const list of cells) list.forEach((cell, i) => cell.classList.toggle("pointed", i === at));
    tell?.(at);
  };
  cells.forEach((list) => list.forEach((cell, i) => cell.addEventListener("pointerenter", () => point(i))));
  box.addEventListener("pointerleave", () => point(-1));
  return box;
}
