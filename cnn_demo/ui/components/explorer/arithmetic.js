// The arithmetic of one unit in the browser, step by step, in double precision. The same steps as
// cnn_demo/inspect/trace.py gives for networks whose numbers are too many to send; null when some are missing here.

const TOP = 12;
const FUNCTIONS = {
  relu: (v) => Math.max(v, 0),
  dropout: (v) => v,
  sigmoid: (v) => 1 / (1 + Math.exp(-v)),
  tanh: Math.tanh,
};

function takeApart(scene, layer, channel, y, x) {
  if (!scene.whole || !layer.chain) return null;
  const steps = [];
  for (const name of layer.chain) {
    const step = stepOf(scene, scene.byName.get(name), channel, y, x);
    if (!step) return null;
    step.difference = step.value - step.captured;
    steps.push(step);
  }
  const last = scene.layers[scene.layers.length - 1];
  if (layer.chain[layer.chain.length - 1] === last.name && last.kind === "linear")
    steps.push(softmaxStep(scene, last, channel));
  const own = steps.find((step) => step.layer === layer.name);
  return { layer: layer.name, channel, y, x, value: own.captured, steps };
}

function stepOf(scene, layer, channel, y, x) {
  if (!layer?.values) return null;
  const base = { layer: layer.name, op: layer.op, captured: valueAt(scene, layer, channel, y, x) };
  if (layer.kind === "input") return { step: "Step", ...base, value: base.captured };
  const source = scene.byName.get(layer.inputs[0]);
  if (!source) return null;
  if (layer.op === "conv2d") return convStep(scene, layer, channel, y, x, base);
  if (layer.op === "linear") return linearStep(scene, layer, source, channel, base);
  if (layer.kernel) return poolStep(scene, layer, channel, y, x, base);
  const input = valueAt(scene, source, channel, y, x);
  if (Number.isNaN(input)) return null;
  if (layer.op === "batch_norm") return normStep(scene, layer, input, channel, base);
  if (layer.op === "add" && layer.inputs.length === 2) {
    const terms = layer.inputs.map((name) => [name, valueAt(scene, scene.byName.get(name), channel, y, x)]);
    return terms.some(([, v]) => Number.isNaN(v)) ? null
      : { step: "AddStep", ...base, terms, value: terms[0][1] + terms[1][1] };
  }
  const apply = FUNCTIONS[layer.op];
  return apply ? { step: "ActivationStep", ...base, input, value: apply(input) } : null;
}

const weight = (scene, layer, name) => (layer.weights?.[name] ? scene.array(layer.weights[name]) : null);

function convStep(scene, layer, channel, y, x, base) {
  const weights = weight(scene, layer, "weight");
  const read = reading(scene, layer, channel, y, x);
  const numbers = read && valuesOf(scene, read.source);
  if (!weights || !numbers) return null;
  const [kh, kw] = layer.kernel;
  const [, height, width] = extent(read.source);
  const patch = [], kernel = [], products = [], sums = [];
  for (let i = 0; i < read.count; i++) {
    const rows = { patch: [], kernel: [], products: [] };
    let sum = 0;
    for (let a = 0; a < kh; a++) {
      const line = { patch: [], kernel: [], products: [] };
      for (let b = 0; b < kw; b++) {
        const r = read.top + a * read.dilation[0], c = read.left + b * read.dilation[1];
        const inside = r >= 0 && r < height && c >= 0 && c < width;
        const value = inside ? numbers[((read.first + i) * height + r) * width + c] : 0;
        const w = weights[((channel * read.count + i) * kh + a) * kw + b];
        line.patch.push(value); line.kernel.push(w); line.products.push(value * w);
        sum += value * w;
      }
      for (const key of ["patch", "kernel", "products"]) rows[key].push(line[key]);
    }
    patch.push(rows.patch); kernel.push(rows.kernel); products.push(rows.products); sums.push(sum);
  }
  const bias = weight(scene, layer, "bias")?.[channel] ?? 0;
  return {
    step: "ConvStep", ...base, source: read.source.name, first_channel: read.first, top: read.top, left: read.left,
    dilation: read.dilation, patch, kernel, products, sums, bias, value: sums.reduce((s, v) => s + v, 0) + bias,
  };
}

function poolStep(scene, layer, channel, y, x, base) {
  const read = reading(scene, layer, channel, y, x);
  if (!read.source.values) return null;
  const [kh, kw] = layer.kernel;
  const [, height, width] = extent(read.source);
  const window = [];
  let best = -Infinity, winner = null, total = 0, inside = 0;
  for (let a = 0; a < kh; a++) {
    window.push([]);
    for (let b = 0; b < kw; b++) {
      const r = read.top + a * read.dilation[0], c = read.left + b * read.dilation[1];
      const there = r >= 0 && r < height && c >= 0 && c < width;
      const value = there ? valueAt(scene, read.source, channel, r, c) : null;
      window[a].push(value);
      if (!there) continue;
      inside++; total += value;
      if (value > best) { best = value; winner = [a, b]; }
    }
  }
  const step = {
    step: "PoolStep", ...base, source: read.source.name, top: read.top, left: read.left, dilation: read.dilation, window,
  };
  if (layer.op === "max_pool2d") return { ...step, winner, divisor: null, value: best };
  const [ph, pw] = layer.padding;
  const padded = (Math.min(read.top + kh, height + ph) - read.top) * (Math.min(read.left + kw, width + pw) - read.left);
  const divisor = layer.divisor ?? (layer.inclusive ? padded : inside);
  return { ...step, winner: null, divisor, value: total / divisor };
}

function normStep(scene, layer, input, channel, base) {
  const mean = weight(scene, layer, "running_mean")?.[channel];
  const variance = weight(scene, layer, "running_var")?.[channel];
  if (mean === undefined || variance === undefined) return null;
  const w = weight(scene, layer, "weight")?.[channel] ?? 1, bias = weight(scene, layer, "bias")?.[channel] ?? 0;
  const eps = layer.weights.eps;
  const value = ((input - mean) / Math.sqrt(variance + eps)) * w + bias;
  return { step: "NormStep", ...base, input, mean, variance, eps, weight: w, bias, value };
}

function linearStep(scene, layer, source, channel, base) {
  const weights = weight(scene, layer, "weight");
  const inputs = valuesOf(scene, source);
  if (!weights || !inputs) return null;
  const row = weights.subarray(channel * inputs.length, (channel + 1) * inputs.length);
  const products = Array.from(inputs, (v, i) => v * row[i]);
  const index = products.map((_, i) => i).sort((a, b) => Math.abs(products[b]) - Math.abs(products[a]) || a - b).slice(0, TOP);
  const listed = new Set(index);
  let flat = source;
  while (flat.kind === "dropout") flat = scene.byName.get(flat.inputs[0]);
  const maps = ["flatten", "view", "reshape"].includes(flat.op) ? scene.byName.get(flat.inputs[0]) : null;
  const spread = maps && maps.shape.length === 3;
  const places = spread ? index.map((i) => {
    const [, height, width] = maps.shape;
    return [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
  }) : [];
  const bias = weight(scene, layer, "bias")?.[channel] ?? 0;
  return {
    step: "LinearStep", ...base, source: source.name, index, inputs: index.map((i) => inputs[i]),
    weights: index.map((i) => row[i]), products: index.map((i) => products[i]), places, maps: spread ? maps.name : "",
    others: products.reduce((s, v, i) => (listed.has(i) ? s : s + v), 0), count: products.length - index.length, bias,
    value: products.reduce((s, v) => s + v, 0) + bias,
  };
}

function softmaxStep(scene, layer, channel) {
  const logits = Array.from(valuesOf(scene, layer));
  const largest = Math.max(...logits);
  const exponentials = logits.map((v) => Math.exp(v - largest));
  const total = exponentials.reduce((s, v) => s + v, 0);
  const probabilities = exponentials.map((v) => v / total);
  const captured = scene.probabilities[channel];
  return {
    step: "SoftmaxStep", layer: `${layer.name} · softmax`, op: "softmax", captured, logits, largest, exponentials, total,
    probabilities, value: probabilities[channel], difference: probabilities[channel] - captured,
  };
}
