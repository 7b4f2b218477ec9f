// What to say about logits: probabilities by the calibration's temperature, and a verdict (cnn_demo/prediction).

const SURE = 0.9, TORN = 0.9;

function soften(logits, temperature) {
  const most = Math.max(...logits), powers = logits.map((z) => Math.exp((z - most) / temperature));
  const all = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / all);
}

// How much logits look like a class of the data set: the energy, or what was fitted to tell digits from other things.
function scoreOf(logits, weights) {
  const most = Math.max(...logits);
  const energy = most + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - most), 0));
  if (!weights.length) return energy;
  const evidence = [...logits, ...[...logits].sort((a, b) => b - a), energy, 1];
  return evidence.reduce((sum, value, i) => sum + value * weights[i], 0);
}

// calibration: null where there is none; then the probabilities are raw and only a dot is called no digit.
function judge(logits, calibration, { empty, warnings }) {
  const probabilities = soften(logits, calibration?.temperature ?? 1);
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  const [top, runnerUp] = order, entropy = -probabilities.reduce((sum, p) => sum + (p > 0 ? p * Math.log2(p) : 0), 0);
  let kind = "unsure";
  if (empty) kind = "empty";
  else if (calibration && scoreOf(logits, calibration.weights) < calibration.threshold) kind = "not_a_digit";
  else if (probabilities[top] >= SURE) kind = "sure";
  else if (probabilities[top] + probabilities[runnerUp] >= TORN) kind = "torn";
  if (warnings.includes("dot")) kind = "not_a_digit";
  return { kind, top, runnerUp, probabilities, entropy };
}

// A softmax is never 0 or 1, also where rounding makes it so.
function percent(value) {
  return value < 0.001 ? "<0.1%" : value > 0.999 ? ">99.9%" : `${(100 * value).toFixed(1)}%`;
}
