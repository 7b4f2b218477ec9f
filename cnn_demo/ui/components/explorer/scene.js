// The scene of Feature maps (cnn_demo/inspect/scene.py): layers, their values, and what each unit reads.

function readScene(bytes) {
  const { found: scene, array } = openBytes(bytes);
  scene.array = array;
  scene.byName = new Map(scene.layers.map((layer) => [layer.name, layer]));
  scene.pixels = array(scene.image);
  return scene;
}

// Values of a layer as float32, channel by channel; null where they were not sent.
function valuesOf(scene, layer) {
  if (!layer.values) return null;
  if (!layer.numbers) {
    const raw = scene.array(layer.values);
    layer.numbers = raw instanceof Float32Array ? raw
      : Float32Array.from(raw, (byte) => layer.low + (byte / 255) * ((layer.high - layer.low) || 1));
  }
  return layer.numbers;
}

// Channels, height and width; features are maps of one unit.
const extent = (layer) => [layer.shape[0], layer.shape[1] ?? 1, layer.shape[2] ?? 1];

function valueAt(scene, layer, channel, y, x) {
  const numbers = valuesOf(scene, layer);
  const [, height, width] = extent(layer);
  return numbers ? numbers[(channel * height + y) * width + x] : NaN;
}

// What one unit reads of the layer before it: channels first..first + count - 1, a window of rows and columns.
function reading(scene, layer, channel, y, x) {
  const source = scene.byName.get(layer.inputs[0]);
  if (!source) return null;
  if (layer.kernel) {
    const group = layer.op === "conv2d" ? source.shape[0] / layer.groups : 1;
    const first = layer.op === "conv2d" ? Math.floor(channel / (layer.shape[0] / layer.groups)) * group : channel;
    return {
      source, first, count: group, kernel: layer.kernel, dilation: layer.dilation,
      top: y * layer.stride[0] - layer.padding[0], left: x * layer.stride[1] - layer.padding[1],
    };
  }
  if (layer.kind === "attention") { // a weight is a share of its row of scores; products read two layers
    const [, , width] = extent(source);
    return layer.op === "softmax" ? { source, first: channel, count: 1, kernel: [1, width], dilation: [1, 1], top: y, left: 0 } : null;
  }
  if (layer.tokens && source.tokens && (layer.kind === "linear" || layer.op === "layer_norm")) // all numbers of its token
    return { source, first: 0, count: source.shape[0], kernel: [1, 1], dilation: [1, 1], top: y, left: x };
  if (layer.kind === "pool") {
    const [, height, width] = extent(source);
    return { source, first: channel, count: 1, kernel: [height, width], dilation: [1, 1], top: 0, left: 0 };
  }
  if (source.shape.length === layer.shape.length && source.shape.every((n, i) => n === layer.shape[i]))
    return { source, first: channel, count: 1, kernel: [1, 1], dilation: [1, 1], top: y, left: x };
  return null;
}

// Pixels of the input that can change a unit: [top, left, bottom, right], the last two exclusive.
function fieldOf(layer, y, x) {
  if (!layer.rows) return null;
  const rows = layer.rows[Math.min(y, layer.rows.length - 1)];
  const cols = layer.cols[Math.min(x, layer.cols.length - 1)];
  return [rows[0], cols[0], rows[1], cols[1]];
}
