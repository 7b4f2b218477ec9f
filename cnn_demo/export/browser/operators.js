// The operators of a network, one function each, on tensors {shape, data}: N = 1 comes first, as in PyTorch, whose
// names and arguments these are. Sums are in double precision, what is kept is float32.

const product = (numbers) => numbers.reduce((all, one) => all * one, 1);
const tensor = (shape, data) => ({ shape, data: data ?? new Float32Array(product(shape)) });
const pair = (value) => (Array.isArray(value) ? (value.length === 1 ? [value[0], value[0]] : value) : [value, value]);

// How far apart the neighbors of each dimension lie in the flat data.
function strides(shape) {
  const found = new Array(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) found[i] = found[i + 1] * shape[i + 1];
  return found;
}

function pointwise(x, change) {
  const out = tensor(x.shape);
  for (let i = 0; i < out.data.length; i++) out.data[i] = change(x.data[i]);
  return out;
}

// For each place of `shape`, in order, the place in the data of x; dimensions of size 1 are repeated.
function* broadcastPlaces(x, shape) {
  const own = strides(x.shape), lead = shape.length - x.shape.length;
  const step = shape.map((_, i) => (i < lead || x.shape[i - lead] === 1 ? 0 : own[i - lead]));
  const index = new Array(shape.length).fill(0);
  let place = 0;
  for (let n = product(shape); n > 0; n--) {
    yield place;
    for (let i = shape.length - 1; i >= 0; i--) {
      place += step[i];
      if (++index[i] < shape[i]) break;
      place -= step[i] * shape[i];
      index[i] = 0;
    }
  }
}

function combine(a, b, shape, join) {
  const out = tensor(shape);
  if (typeof b === "number") for (let i = 0; i < out.data.length; i++) out.data[i] = join(a.data[i], b);
  else if (a.data.length === out.data.length && b.data.length === out.data.length)
    for (let i = 0; i < out.data.length; i++) out.data[i] = join(a.data[i], b.data[i]);
  else {
    const right = broadcastPlaces(b, shape);
    let i = 0;
    for (const left of broadcastPlaces(a, shape)) out.data[i++] = join(a.data[left], b.data[right.next().value]);
  }
  return out;
}

// The values along dimensions `dims`, reduced to one number by `reduce(list)`.
function reduceOver(x, dims, shape, reduce) {
  const rank = x.shape.length, over = dims.map((d) => (d + rank) % rank);
  const moved = permute(x, [...x.shape.keys()].filter((d) => !over.includes(d)).concat(over));
  const length = product(over.map((d) => x.shape[d])), out = tensor(shape);
  for (let i = 0; i < out.data.length; i++) out.data[i] = reduce(moved.data.subarray(i * length, (i + 1) * length));
  return out;
}

function permute(x, dims) {
  const own = strides(x.shape), shape = dims.map((d) => x.shape[d]);
  const out = tensor(shape), step = dims.map((d) => own[d]), index = new Array(dims.length).fill(0);
  let place = 0;
  for (let n = 0; n < out.data.length; n++) {
    out.data[n] = x.data[place];
    for (let i = dims.length - 1; i >= 0; i--) {
      place += step[i];
      if (++index[i] < shape[i]) break;
      place -= step[i] * shape[i];
      index[i] = 0;
    }
  }
  return out;
}

// Rows (n, k) times rows (m, k), each with each: (m, n) if `across`, else (n, m). Four rows of weights at a time.
function multiplyRows(rows, n, weights, m, k, bias, out, offset, across) {
  for (let j = 0; j < m; j += 4) {
    const many = Math.min(4, m - j), w0 = j * k, w1 = (j + (many > 1)) * k;
    const w2 = (j + 2 * (many > 2)) * k, w3 = (j + 3 * (many > 3)) * k;
    for (let i = 0; i < n; i++) {
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
      for (let l = 0, r = i * k; l < k; l++, r++) {
        const value = rows[r];
        s0 += value * weights[w0 + l];
        s1 += value * weights[w1 + l];
        s2 += value * weights[w2 + l];
        s3 += value * weights[w3 + l];
      }
      const place = offset + (across ? j * n + i : i * m + j), step = across ? n : 1;
      out[place] = s0 + (bias ? bias[j] : 0);
      if (many > 1) out[place + step] = s1 + (bias ? bias[j + 1] : 0);
      if (many > 2) out[place + 2 * step] = s2 + (bias ? bias[j + 2] : 0);
      if (many > 3) out[place + 3 * step] = s3 + (bias ? bias[j + 3] : 0);
    }
  }
}

// Every patch that the kernel sees, as one row of (channels * height * width) numbers; padding is 0.
function listPatches(x, first, channels, [kh, kw], [sy, sx], [py, px], [dy, dx], [high, wide]) {
  const [, , H, W] = x.shape, length = channels * kh * kw, rows = new Float32Array(high * wide * length);
  for (let oy = 0; oy < high; oy++)
    for (let ox = 0; ox < wide; ox++) {
      let at = (oy * wide + ox) * length;
      for (let c = first; c < first + channels; c++)
        for (let ky = 0; ky < kh; ky++) {
          const y = oy * sy - py + ky * dy, row = (c * H + y) * W;
          for (let kx = 0; kx < kw; kx++, at++) {
            const column = ox * sx - px + kx * dx;
            if (y >= 0 && y < H && column >= 0 && column < W) rows[at] = x.data[row + column];
          }
        }
    }
  return rows;
}

// Goes over the windows of a pooling; `reduce(values, cells)` gets what lies inside, and the cells with padding.
function pool(x, shape, [kh, kw], [sy, sx], [py, px], [dy, dx], reduce) {
  const out = tensor(shape), [, C, high, wide] = shape, [, , H, W] = x.shape;
  const inside = [];
  for (let c = 0, o = 0; c < C; c++)
    for (let oy = 0; oy < high; oy++)
      for (let ox = 0; ox < wide; ox++, o++) {
        inside.length = 0;
        for (let ky = 0; ky < kh; ky++) {
          const y = oy * sy - py + ky * dy;
          if (y < 0 || y >= H) continue;
          for (let kx = 0; kx < kw; kx++) {
            const column = ox * sx - px + kx * dx;
            if (column >= 0 && column < W) inside.push(x.data[(c * H + y) * W + column]);
          }
        }
        out.data[o] = reduce(inside, kh * kw);
      }
  return out;
}

function adaptivePool(x, shape, reduce) {
  const out = tensor(shape), [, C, high, wide] = shape, [, , H, W] = x.shape;
  for (let c = 0, o = 0; c < C; c++)
    for (let oy = 0; oy < high; oy++)
      for (let ox = 0; ox < wide; ox++, o++) {
        const inside = [];
        for (let y = Math.floor(oy * H / high); y < Math.ceil((oy + 1) * H / high); y++)
          for (let column = Math.floor(ox * W / wide); column < Math.ceil((ox + 1) * W / wide); column++)
            inside.push(x.data[(c * H + y) * W + column]);
        out.data[o] = reduce(inside);
      }
  return out;
}

// (x - mean) / sqrt(variance + eps) over each of `groups` equal pieces of the data.
function standardize(x, groups, eps, finish) {
  const out = tensor(x.shape), length = x.data.length / groups;
  for (let g = 0; g < groups; g++) {
    const piece = x.data.subarray(g * length, (g + 1) * length), middle = mean(piece);
    let variance = 0;
    for (const value of piece) variance += (value - middle) ** 2;
    const scale = 1 / Math.sqrt(variance / length + eps);
    for (let i = 0; i < length; i++) out.data[g * length + i] = finish((piece[i] - middle) * scale, g * length + i, i);
  }
  return out;
}

const sum = (values) => { let all = 0; for (const value of values) all += value; return all; };
const mean = (values) => sum(values) / values.length;
const largest = (values) => { let most = -Infinity; for (const value of values) if (value > most) most = value; return most; };
const sigmoid = (v) => 1 / (1 + Math.exp(-v));

// The error function by Chebyshev polynomials (Press et al., "Numerical Recipes", erfc), wrong by less than 1.2e-7.
function erf(v) {
  const z = Math.abs(v), t = 1 / (1 + 0.5 * z);
  const c = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
    -0.82215223, 0.17087277];
  const tail = t * Math.exp(-z * z + c.reduceRight((all, one) => all * t + one, 0));
  return v >= 0 ? 1 - tail : tail - 1;
}

// What `run` knows. Each gets the arguments by PyTorch's names, and the shape of what comes out.
const OPERATORS = {
  conv2d({ input, weight, bias, stride, padding, dilation, groups }, shape) {
    const [outputs, channels, kh, kw] = weight.shape, [, , high, wide] = shape, out = tensor(shape);
    const own = outputs / groups, length = channels * kh * kw, places = high * wide;
    for (let g = 0; g < groups; g++) {
      const rows = listPatches(input, g * channels, channels, [kh, kw], pair(stride), pair(padding), pair(dilation), [high, wide]);
      const from = g * own, weights = weight.data.subarray(from * length, (from + own) * length);
      const added = bias && bias.data.subarray(from, from + own);
      multiplyRows(rows, places, weights, own, length, added, out.data, from * places, true);
    }
    return out;
  },
  linear({ input, weight, bias }, shape) {
    const out = tensor(shape), [m, k] = weight.shape;
    multiplyRows(input.data, input.data.length / k, weight.data, m, k, bias && bias.data, out.data, 0, false);
    return out;
  },
  matmul({ self, other }, shape) {
    const out = tensor(shape), rank = shape.length, [n, m] = shape.slice(-2), k = self.shape[rank - 1];
    const turned = permute(other, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
    for (let b = 0; b < out.data.length / (n * m); b++) {
      const left = self.data.subarray(b * n * k, (b + 1) * n * k), right = turned.data.subarray(b * m * k, (b + 1) * m * k);
      multiplyRows(left, n, right, m, k, null, out.data, b * n * m, false);
    }
    return out;
  },
  // Batch normalization once it has learnt: each channel times a number plus a number.
  scale_and_shift({ input, scale, shift }, shape) {
    const out = tensor(shape), C = shape[1], length = out.data.length / C;
    for (let i = 0; i < out.data.length; i++) {
      const c = Math.floor(i / length);
      out.data[i] = input.data[i] * scale.data[c] + shift.data[c];
    }
    return out;
  },
  group_norm({ input, num_groups, weight, bias, eps }, shape) {
    const length = product(shape.slice(2));
    return standardize(input, num_groups, eps, (value, i) => {
      const c = Math.floor(i / length);
      return value * (weight ? weight.data[c] : 1) + (bias ? bias.data[c] : 0);
    });
  },
  layer_norm({ input, normalized_shape, weight, bias, eps }, shape) {
    const groups = product(shape) / product(normalized_shape);
    return standardize(input, groups, eps, (value, _, i) => value * (weight ? weight.data[i] : 1) + (bias ? bias.data[i] : 0));
  },
  relu: ({ self }) => pointwise(self, (v) => Math.max(v, 0)),
  leaky_relu: ({ self, negative_slope }) => pointwise(self, (v) => (v > 0 ? v : v * negative_slope)),
  silu: ({ self }) => pointwise(self, (v) => v * sigmoid(v)),
  gelu: ({ self, approximate }) =>
    pointwise(self, approximate === "tanh"
      ? (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))
      : (v) => 0.5 * v * (1 + erf(v / Math.SQRT2))),
  tanh: ({ self }) => pointwise(self, Math.tanh),
  sigmoid: ({ self }) => pointwise(self, sigmoid),
  clamp_min: ({ self, min }) => pointwise(self, (v) => Math.max(v, min)),
  max_pool2d({ self, kernel_size, stride, padding, dilation }, shape) {
    const step = stride.length ? stride : kernel_size;
    return pool(self, shape, pair(kernel_size), pair(step), pair(padding), pair(dilation), largest);
  },
  avg_pool2d({ self, kernel_size, stride, padding, count_include_pad }, shape) {
    const step = stride.length ? stride : kernel_size;
    const average = (inside, cells) => sum(inside) / (count_include_pad ? cells : inside.length);
    return pool(self, shape, pair(kernel_size), pair(step), pair(padding), [1, 1], average);
  },
  adaptive_avg_pool2d: ({ self }, shape) => adaptivePool(self, shape, mean),
  adaptive_max_pool2d: ({ self }, shape) => adaptivePool(self, shape, largest),
  mean: ({ self, dim }, shape) => reduceOver(self, dim ?? [...self.shape.keys()], shape, mean),
  amax: ({ self, dim }, shape) => reduceOver(self, dim, shape, largest),
  linalg_vector_norm: ({ self, dim }, shape) => reduceOver(self, dim, shape, (values) => Math.hypot(...values)),
  softmax({ self, dim }, shape) {
    const out = tensor(shape), at = (dim + shape.length) % shape.length, count = shape[at], step = strides(shape)[at];
    for (let i = 0; i < out.data.length; i++) {
      if (Math.floor(i / step) % count) continue; // not the first of its row
      const row = Array.from({ length: count }, (_, j) => self.data[i + j * step]), most = largest(row);
      const powers = row.map((value) => Math.exp(value - most)), all = sum(powers);
      powers.forEach((power, j) => { out.data[i + j * step] = power / all; });
    }
    return out;
  },
  add: ({ self, other, alpha }, shape) => combine(self, other, shape, (a, b) => a + alpha * b),
  sub: ({ self, other, alpha }, shape) => combine(self, other, shape, (a, b) => a - alpha * b),
  mul: ({ self, other }, shape) => combine(self, other, shape, (a, b) => a * b),
  div: ({ self, other }, shape) => combine(self, other, shape, (a, b) => a / b),
  reshape: ({ self }, shape) => tensor(shape, self.data),
  permute: ({ self, dims }) => permute(self, dims),
  expand({ self }, shape) {
    const out = tensor(shape);
    let i = 0;
    for (const place of broadcastPlaces(self, shape)) out.data[i++] = self.data[place];
    return out;
  },
  // Every `step`-th from `start` on along one dimension: also what `select` and a plain index are.
  slice({ self, dim, start, step }, shape) {
    const after = strides(self.shape)[dim], out = tensor(shape);
    const count = out.data.length / (product(self.shape.slice(0, dim)) * after);
    for (let i = 0; i < out.data.length; i++) {
      const inner = i % after, middle = Math.floor(i / after) % count, outer = Math.floor(i / (after * count));
      out.data[i] = self.data[outer * self.shape[dim] * after + (start + middle * step) * after + inner];
    }
    return out;
  },
  cat({ tensors, dim }, shape) {
    const out = tensor(shape), after = strides(shape)[dim], row = shape[dim] * after;
    let offset = 0;
    for (const x of tensors) {
      const own = x.shape[dim] * after;
      for (let i = 0; i < x.data.length / own; i++)
        out.data.set(x.data.subarray(i * own, (i + 1) * own), i * row + offset);
      offset += own;
    }
    return out;
  },
  // Pairs (before, after) for the last dimension first, as in PyTorch.
  pad({ self, pad, value }, shape) {
    const out = tensor(shape), rank = shape.length, own = strides(self.shape);
    const before = shape.map((_, d) => pad[2 * (rank - 1 - d)] ?? 0);
    out.data.fill(value ?? 0);
    const step = strides(shape);
    for (let i = 0; i < self.data.length; i++) {
      let place = 0;
      for (let d = 0; d < rank; d++) place += (Math.floor(i / own[d]) % self.shape[d] + before[d]) * step[d];
      out.data[place] = self.data[i];
    }
    return out;
  },
};

// Weights come as float32, little endian, in base64.
function decodeFloats(text) {
  const letters = atob(text), bytes = new DataView(new ArrayBuffer(letters.length));
  for (let i = 0; i < letters.length; i++) bytes.setUint8(i, letters.charCodeAt(i));
  const floats = new Float32Array(letters.length / 4);
  for (let i = 0; i < floats.length; i++) floats[i] = bytes.getFloat32(4 * i, true);
  return floats;
}

// A network: its steps in order, and its weights.
class Network {
  constructor({ steps, tensors, output }) {
    this.steps = steps;
    this.output = output;
    this.tensors = tensors.map(({ shape, data }) => tensor(shape, decodeFloats(data)));
  }

  // One image as float32 (1, C, H, W), normalized, to logits.
  run(image) {
    const values = [image];
    const find = (argument) =>
      Array.isArray(argument) ? argument.map(find)
      : argument?.value !== undefined ? values[argument.value]
      : argument?.tensor !== undefined ? this.tensors[argument.tensor]
      : argument;
    for (const { op, settings, shape } of this.steps) {
      const named = Object.fromEntries(Object.entries(settings).map(([name, argument]) => [name, find(argument)]));
      values.push(OPERATORS[op](named, shape));
    }
    return Array.from(values[this.output].data);
  }
}
