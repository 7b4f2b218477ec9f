// From the pad's picture to the input of the network, step by step as cnn_demo/drawing does it in Python, with the same
// names. A picture is {width, height, data}: float32 in [0, 1], row by row, ink light on black paper.

const BOX = 20, FIELD = 28, CENTER = 14, FAINT = 0.1, NATIVE = 32, TINY = 0.12, THIN = 0.7, LEAST_CONTRAST = 0.06;
const FLAT_SHARE = 0.45, PAD_SHARE = 0.3;

const picture = (width, height, data) => ({ width, height, data: data ?? new Float32Array(width * height) });

// Python rounds a half to the even number.
function roundHalfToEven(value) {
  const below = Math.floor(value), rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

const maximum = (values) => { let most = 0; for (const value of values) if (value > most) most = value; return most; };

function median(values) {
  const sorted = Float32Array.from(values).sort(), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : Math.fround((sorted[half - 1] + sorted[half]) / 2);
}

function transpose({ width, height, data }) {
  const out = picture(height, width);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out.data[x * height + y] = data[y * width + x];
  return out;
}

function crop({ width, data }, [top, left, bottom, right]) {
  const out = picture(right - left, bottom - top);
  for (let y = top; y < bottom; y++) out.data.set(data.subarray(y * width + left, y * width + right), (y - top) * out.width);
  return out;
}

// -- resizing, as Pillow does it ----------------------------------------------------------------------------------

const FILTERS = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    support: 2,
    at(x) {
      const a = -0.5, z = Math.abs(x);
      if (z < 1) return ((a + 2) * z - (a + 3)) * z * z + 1;
      return z < 2 ? (((z - 5) * z + 8) * z - 4) * a : 0;
    },
  },
};

// The weights of the old pixels in each new one, along one side.
function listWeights(before, after, filter) {
  const scale = before / after, stretch = Math.max(scale, 1), support = filter.support * stretch;
  return Array.from({ length: after }, (_, i) => {
    const center = (i + 0.5) * scale, first = Math.max(Math.trunc(center - support + 0.5), 0);
    const end = Math.min(Math.trunc(center + support + 0.5), before), weights = [];
    for (let j = first; j < end; j++) weights.push(filter.at((j - center + 0.5) / stretch));
    const all = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / all) };
  });
}

function resizeRows({ width, height, data }, after, filter) {
  if (width === after) return picture(width, height, data);
  const out = picture(after, height);
  listWeights(width, after, filter).forEach(({ first, weights }, x) => {
    for (let y = 0; y < height; y++) {
      let sum = 0;
      for (let j = 0; j < weights.length; j++) sum += data[y * width + first + j] * weights[j];
      out.data[y * after + x] = sum;
    }
  });
  return out;
}

function resize(image, width, height, filter) {
  const wide = resizeRows(image, width, FILTERS[filter]);
  return transpose(resizeRows(transpose(wide), height, FILTERS[filter]));
}

// -- ruling: lines of paper (ruling.py) ---------------------------------------------------------------------------

const LEAST_SIDE = 100, STRIPS = 32, SPAN = 0.55, LEAST_LINES = 3, FAINTEST = 0.04;
const TURNS = Array.from({ length: 33 }, (_, i) => ((i / 2 - 8) * Math.PI) / 180);

// The largest (sign 1) or smallest (sign -1) of `size` neighbors up and down; the picture is mirrored at its edges.
function filterColumns({ width, height, data }, size, sign) {
  const out = picture(width, height, data.slice()), half = size >> 1;
  const mirrored = (y) => (y < 0 ? -y - 1 : y >= height ? 2 * height - 1 - y : y);
  for (let y = 0; y < height; y++)
    for (let d = -half; d <= half; d++) {
      const from = mirrored(y + d) * width, to = y * width;
      for (let x = 0; x < width; x++) if (sign * data[from + x] > sign * out.data[to + x]) out.data[to + x] = data[from + x];
    }
  return out;
}

const open = (image, size) => filterColumns(filterColumns(image, size, -1), size, 1);

function removeRuling(dark) {
  if (Math.min(dark.width, dark.height) < LEAST_SIDE) return { clean: dark, ruled: false };
  const thickest = 2 * roundHalfToEven(0.009 * Math.max(dark.width, dark.height)) + 1;
  const level = findLines(dark, thickest), upright = findLines(transpose(dark), thickest);
  if ((level?.count ?? 0) + (upright?.count ?? 0) < LEAST_LINES) return { clean: dark, ruled: false };
  let clean = level ? removeLines(dark, level, thickest) : dark;
  if (upright) clean = transpose(removeLines(transpose(clean), upright, thickest));
  return { clean, ruled: true };
}

function removeLines(dark, { mask }, thickest) {
  const most = filterColumns(dark, thickest, 1).data, opened = open(dark, thickest).data;
  const usual = median(most.filter((_, i) => mask[i]));
  const data = dark.data.map((value, i) => (mask[i] && value < 1.6 * usual + 0.05 ? opened[i] : value));
  return picture(dark.width, dark.height, data);
}

// Parallel lines that run across a picture, nearly level: how many, and a mask a little wider than they are.
function findLines(dark, thickest) {
  const { width, height } = dark;
  const edges = Array.from({ length: STRIPS + 1 }, (_, i) => roundHalfToEven((i * width) / STRIPS));
  if (!mayHoldLine(averageStrips(dark, edges))) return null; // most drawings are done with here
  const opened = open(dark, thickest).data, thin = dark.data.map((value, i) => value - opened[i]);
  const strips = averageStrips(picture(width, height, thin), edges);
  if (!mayHoldLine(strips)) return null;
  const middles = Array.from({ length: STRIPS }, (_, i) => (edges[i] + edges[i + 1]) / 2 - width / 2);
  let best = { sharpness: -1 };
  for (const turn of TURNS) {
    const level = turnStrips(strips, middles, turn), sharpness = measureSharpness(level);
    if (sharpness > best.sharpness) best = { turn, level, sharpness };
  }
  const there = filterColumns(best.level, 3, 1).data, least = Math.max(FAINTEST, 3 * median(best.level.data));
  const onLine = Array.from({ length: height }, (_, y) => {
    let count = 0;
    for (let s = 0; s < STRIPS; s++) count += there[y * STRIPS + s] > least;
    return count / STRIPS >= SPAN;
  });
  const lengths = [];
  onLine.forEach((on, y) => { if (on) onLine[y - 1] ? lengths[lengths.length - 1]++ : lengths.push(1); });
  if (lengths.length < 2 || Math.max(...lengths) > thickest + 2) return null;
  const wide = onLine.map((_, y) => [-2, -1, 0, 1, 2].some((d) => onLine[y + d])), mask = new Uint8Array(width * height);
  for (let x = 0; x < width; x++) {
    const shift = roundHalfToEven(Math.tan(best.turn) * (x - width / 2));
    for (let y = 0; y < height; y++) mask[y * width + x] = wide[Math.min(Math.max(y - shift, 0), height - 1)];
  }
  return { count: lengths.length, mask };
}

// The mean of each row between neighboring edges.
function averageStrips({ width, height, data }, edges) {
  const strips = picture(STRIPS, height);
  for (let y = 0; y < height; y++)
    for (let s = 0; s < STRIPS; s++) {
      let sum = 0;
      for (let x = edges[s]; x < edges[s + 1]; x++) sum += data[y * width + x];
      strips.data[y * STRIPS + s] = sum / (edges[s + 1] - edges[s]);
    }
  return strips;
}

// False where too few strips have a dark row for any line to go through enough of them.
function mayHoldLine({ height, data }) {
  let dark = 0;
  for (let s = 0; s < STRIPS; s++)
    for (let y = 0; y < height; y++)
      if (data[y * STRIPS + s] > FAINTEST) { dark++; break; }
  return dark / STRIPS >= SPAN;
}

function turnStrips(strips, middles, turn) {
  const out = picture(STRIPS, strips.height);
  middles.forEach((middle, s) => {
    const shift = roundHalfToEven(Math.tan(turn) * middle);
    for (let y = 0; y < strips.height; y++) {
      const from = Math.min(Math.max(y + shift, 0), strips.height - 1);
      out.data[y * STRIPS + s] = strips.data[from * STRIPS + s];
    }
  });
  return out;
}

// How unevenly the darkness is spread over the rows.
function measureSharpness({ height, data }) {
  let all = 0;
  for (let y = 0; y < height; y++) {
    let row = 0;
    for (let s = 0; s < STRIPS; s++) row += data[y * STRIPS + s];
    all += (row / STRIPS) ** 2;
  }
  return all;
}

// -- ink and its pieces (ink.py) ----------------------------------------------------------------------------------

// Connected pieces of ink, on cells of a few pixels: area in pixels, box in cells (top, left, bottom, right).
function findBlobs({ width, height, data }) {
  const cell = Math.max(1, roundHalfToEven(Math.max(width, height) / 72));
  const wide = Math.ceil(width / cell), high = Math.ceil(height / cell), cells = new Float64Array(wide * high);
  for (let y = 0; y < high; y++)
    for (let x = 0; x < wide; x++) {
      let sum = 0, count = 0;
      for (let py = y * cell; py < Math.min((y + 1) * cell, height); py++)
        for (let px = x * cell; px < Math.min((x + 1) * cell, width); px++, count++) {
          const value = data[py * width + px];
          if (value > FAINT) sum += value;
        }
      cells[y * wide + x] = sum / count;
    }
  const labels = new Int32Array(wide * high), blobs = [];
  for (let start = 0; start < labels.length; start++) {
    if (labels[start] || cells[start] <= 0) continue;
    const blob = { area: 0, box: [high, wide, 0, 0] }, waiting = [start];
    blobs.push(blob);
    labels[start] = blobs.length;
    while (waiting.length) {
      const at = waiting.pop(), y = Math.floor(at / wide), x = at % wide, box = blob.box;
      blob.area += cells[at] * cell ** 2;
      blob.box = [Math.min(box[0], y), Math.min(box[1], x), Math.max(box[2], y + 1), Math.max(box[3], x + 1)];
      for (let ny = Math.max(y - 1, 0); ny <= Math.min(y + 1, high - 1); ny++)
        for (let nx = Math.max(x - 1, 0); nx <= Math.min(x + 1, wide - 1); nx++) {
          const next = ny * wide + nx;
          if (labels[next] || cells[next] <= 0) continue;
          labels[next] = blobs.length;
          waiting.push(next);
        }
    }
  }
  return { blobs, labels, cell, wide };
}

function keepOnly({ width, height, data }, { labels, cell, wide }, keep) {
  const out = picture(width, height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const label = labels[Math.floor(y / cell) * wide + Math.floor(x / cell)];
      if (label && keep[label - 1]) out.data[y * width + x] = data[y * width + x];
    }
  return out;
}

// The mean width of the strokes: twice the area over the length of the outline (Cauchy and Crofton).
function measureStrokeWidth({ width, height, data }) {
  const at = (y, x) => (y < 0 || x < 0 || y >= height || x >= width ? 0 : data[y * width + x]);
  let straight = 0, slanted = 0, area = 0;
  for (let y = -1; y <= height; y++)
    for (let x = -1; x <= width; x++) {
      const here = at(y, x);
      area += here;
      straight += Math.abs(at(y + 1, x) - here) + Math.abs(at(y, x + 1) - here);
      slanted += Math.abs(at(y + 1, x + 1) - here) + Math.abs(at(y + 1, x) - at(y, x + 1));
    }
  return (2 * area) / Math.max((Math.PI / 8) * (straight + slanted / Math.SQRT2), 1e-6);
}

// -- MNIST's frame (mnist_frame.py) -------------------------------------------------------------------------------

function findBounds({ width, height, data }, above) {
  let top = height, left = width, bottom = 0, right = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      if (data[y * width + x] <= above) continue;
      top = Math.min(top, y);
      left = Math.min(left, x);
      bottom = Math.max(bottom, y + 1);
      right = Math.max(right, x + 1);
    }
  return [top, left, bottom, right];
}

function fitBox(image) {
  const longer = Math.max(image.width, image.height), scale = BOX / longer;
  if (longer >= BOX - 1 && longer <= BOX) return image;
  const side = (length) => Math.max(1, roundHalfToEven(length * scale));
  const small = resize(image, side(image.width), side(image.height), "bicubic");
  const data = small.data.map((value) => Math.min(Math.max(value, 0), 1)), strongest = Math.max(maximum(data), 1e-6);
  return picture(small.width, small.height, data.map((value) => value / strongest));
}

function centerInField({ width, height, data }) {
  let total = 0, byRow = 0, byColumn = 0;
  data.forEach((value, i) => {
    total += value;
    byRow += value * Math.floor(i / width);
    byColumn += value * (i % width);
  });
  const shift = (moment, length) => Math.min(Math.max(Math.floor(CENTER - moment / total + 0.5), 0), FIELD - length);
  const top = shift(byRow, height), left = shift(byColumn, width), field = picture(FIELD, FIELD);
  for (let y = 0; y < height; y++) field.data.set(data.subarray(y * width, (y + 1) * width), (top + y) * FIELD + left);
  return field;
}

// -- all of it (prepare.py) ---------------------------------------------------------------------------------------

// Gray levels of the pad, 0 to 255 row by row, to what the network sees before normalization, with warnings.
function prepare(levels, width, height, { digits, size, channels }) {
  const gray = picture(width, height, new Float32Array(levels).map((level) => level / 255));
  return digits ? prepareDigit(gray, levels) : prepareOther(gray, size, channels);
}

function prepareDigit(gray, levels) {
  const black = levels.filter((level) => level === 0).length / levels.length;
  const near = levels.filter((level) => level <= 2).length / levels.length;
  const blank = (warnings, empty) => ({ image: picture(FIELD, FIELD), empty, warnings });
  // What is mostly painted over is no pad any more; the app would look for a sheet of paper in it.
  if (black < PAD_SHARE || near < FLAT_SHARE) return blank(["full"], true);
  const { ink, ruled } = findInk(gray, black), found = ruled ? ["ruled"] : [];
  const faint = Math.max(ink.width, ink.height) <= NATIVE ? 0 : FAINT;
  if (!ink.data.some((value) => value > faint)) return blank(["empty", ...found], true);
  const { digit, warnings } = findDigit(ink), bounds = findBounds(digit, faint), inside = crop(digit, bounds);
  const longer = Math.max(inside.width, inside.height), [top, left, bottom, right] = bounds;
  if ((measureStrokeWidth(inside) * BOX) / longer < THIN) warnings.push("thin");
  if (!top || !left || bottom === ink.height || right === ink.width) warnings.push("edge");
  if (isDot(inside)) warnings.push("dot");
  else if (longer < TINY * Math.max(ink.width, ink.height)) warnings.push("tiny");
  return { image: centerInField(fitBox(inside)), empty: false, warnings: [...warnings, ...found] };
}

// Ink on black paper: what remains without the lines of the paper, the strongest 1.
function findInk(gray, black) {
  const { clean, ruled } = removeRuling(gray), strongest = maximum(clean.data);
  if (strongest < LEAST_CONTRAST) return { ink: picture(gray.width, gray.height), ruled };
  const grain = black < 0.5 ? 4 * median(clean.data) : 0;
  const data = clean.data.map((value) => Math.min((grain > 0 && value <= grain ? 0 : value) / strongest, 1));
  return { ink: picture(gray.width, gray.height, data), ruled };
}

// Leave out specks far from the digit; say so, and whether there are several digits.
function findDigit(ink) {
  const found = findBlobs(ink), { blobs } = found, warnings = [];
  if (blobs.length < 2) return { digit: ink, warnings };
  const main = blobs.reduce((most, blob) => (blob.area > most.area ? blob : most));
  const [top, left, bottom, right] = main.box, longer = Math.max(bottom - top, right - left);
  const speck = ({ area, box }) => {
    const apart = Math.max(box[0] - bottom, top - box[2], box[1] - right, left - box[3]);
    const small = Math.max(box[2] - box[0], box[3] - box[1]) <= 0.2 * longer;
    return small && apart > 0.3 * longer && area < 0.05 * main.area;
  };
  let digit = ink;
  if (blobs.some(speck)) {
    digit = keepOnly(ink, found, blobs.map((blob) => !speck(blob)));
    warnings.push("speck");
  }
  const highest = Math.max(...blobs.map(({ box }) => box[2] - box[0]));
  const tall = blobs.filter(({ box }) => box[2] - box[0] >= 0.5 * highest).sort((a, b) => a.box[1] - b.box[1]);
  let end = tall[0].box[3];
  if (tall.slice(1).some(({ box }) => { const gap = box[1] > end; end = Math.max(end, box[3]); return gap; }))
    warnings.push("several");
  return { digit, warnings };
}

// A filled disc: about as high as wide, and no more than its bounding circle.
function isDot({ width, height, data }) {
  const average = data.reduce((sum, value) => sum + value, 0) / data.length;
  return Math.max(width, height) <= 1.4 * Math.min(width, height) && average > 0.7;
}

// For other data sets than digits the whole pad is made small.
function prepareOther(gray, size, channels) {
  let least = 1;
  for (const value of gray.data) least = Math.min(least, value);
  const warnings = maximum(gray.data) - least < 1 / 255 ? ["empty"] : [];
  const { width, height, data } = gray, border = [];
  for (let x = 0; x < width; x++) border.push(data[x], data[(height - 1) * width + x]);
  for (let y = 0; y < height; y++) border.push(data[y * width], data[(y + 1) * width - 1]);
  let values = gray;
  if (channels === 1 && median(border) > 0.5) {
    values = picture(width, height, data.map((value) => 1 - value));
    warnings.push("inverted");
  }
  return { image: resize(values, size, size, "box"), empty: warnings.includes("empty"), warnings };
}

// As the network sees it, (1, C, H, W): each channel minus its mean, over its standard deviation.
function makeInput({ width, height, data }, { channels, mean: means, std }) {
  const image = new Float32Array(channels * data.length);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < data.length; i++) image[c * data.length + i] = (data[i] - means[c]) / std[c];
  return { shape: [1, channels, height, width], data: image };
}
