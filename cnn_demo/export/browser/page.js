// The page: a network, a pad and an answer that follows the pen.

const taken = JSON.parse(document.getElementById("network").textContent);
const language = Object.keys(taken.words).find((code) => navigator.language.toLowerCase().startsWith(code)) ?? "en";
const words = taken.words[language], classes = taken.classes[language];
const network = new Network(taken.network);
const find = (id) => document.getElementById(id);

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// What the network makes of gray levels of a pad of 280 x 280 pixels.
function answer(levels) {
  const prepared = prepare(levels, SIDE, SIDE, taken.data), logits = network.run(makeInput(prepared.image, taken.data));
  return { ...judge(logits, taken.calibration, prepared), logits, prepared };
}

function describe({ kind, top, runnerUp, probabilities, entropy, prepared }) {
  if (prepared.warnings.includes("full")) return ["–", words.full, words.full_more];
  if (kind === "empty") return ["✎", words.empty, words.empty_more];
  const names = { top: classes[top], second: classes[runnerUp] };
  const shares = { share: percent(probabilities[top]), second_share: percent(probabilities[runnerUp]) };
  const most = Math.log2(probabilities.length).toFixed(2), bits = entropy.toFixed(2);
  const saying = fill(kind === "not_a_digit" ? words.would_be : words.shares, { ...names, ...shares });
  return [
    kind === "not_a_digit" ? "?" : names.top,
    fill(words[kind], names),
    saying + (language === "zh" ? "" : " ") + fill(words.entropy, { bits, most }),
  ];
}

function showAnswer(found) {
  const card = find("answer"), [big, title, more] = describe(found), empty = found.kind === "empty";
  card.dataset.kind = found.kind;
  find("big").textContent = big;
  find("big").classList.toggle("long", big.length > 2);
  find("title").textContent = title;
  find("more").textContent = more;
  find("warnings").replaceChildren(...found.prepared.warnings.filter((name) => words.warnings[name]).map((name) => {
    const item = document.createElement("li");
    item.textContent = words.warnings[name];
    return item;
  }));
  for (const [label, row] of [...find("bars").rows].entries()) {
    const value = found.probabilities[label];
    row.className = empty ? "" : label === found.top ? "first" : label === found.runnerUp ? "second" : "";
    row.querySelector("i").style.width = empty ? "0" : `${100 * value}%`;
    row.cells[2].textContent = empty ? "–" : percent(value);
  }
  showInput(found.prepared.image);
}

// The picture that the network sees.
function showInput({ width, height, data }) {
  const canvas = find("input"), pixels = new ImageData(width, height);
  data.forEach((value, i) => pixels.data.set([255 * value, 255 * value, 255 * value, 255], 4 * i));
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

function update() {
  showAnswer(answer(pad.read()));
  find("undo").disabled = !pad.count;
  find("redo").disabled = pad.count === pad.steps.length;
}

function build() {
  document.documentElement.lang = language;
  document.title = words.title_of_page;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = words[element.dataset.word];
  for (const element of document.querySelectorAll("[data-label]"))
    element.setAttribute("aria-label", words[element.dataset.label]);
  const [lead, ...about] = words.about;
  find("lead").textContent = lead;
  find("about").replaceChildren(...about.map((text) => Object.assign(document.createElement("p"), { textContent: text })));
  for (const name of classes) {
    const row = find("bars").insertRow();
    const head = Object.assign(document.createElement("th"), { scope: "row", textContent: name });
    row.append(head);
    row.insertCell().append(document.createElement("i"));
    row.insertCell();
  }
  for (const name of ["undo", "redo", "clear"]) find(name).addEventListener("click", () => pad[name]());
  find("width").addEventListener("input", () => { pad.width = Number(find("width").value); });
  addEventListener("keydown", (event) => {
    const command = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
    if (command && key === "z") event.shiftKey ? pad.redo() : pad.undo();
    else if (command && key === "y") pad.redo();
    else if (key === "delete") pad.clear();
    else return;
    event.preventDefault();
  });
}

// Asks the network about the images that the file brings along, one at a time, so that the pen is never held up.
async function check({ shape, inputs, logits }) {
  const pixels = decodeFloats(inputs), wanted = decodeFloats(logits);
  const [count, ...one] = shape, size = product(one), many = wanted.length / count;
  let same = 0, most = 0, scale = 1;
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    const found = network.run(tensor([1, ...one], pixels.subarray(i * size, (i + 1) * size)));
    const right = Array.from(wanted.subarray(i * many, (i + 1) * many));
    same += found.indexOf(Math.max(...found)) === right.indexOf(Math.max(...right));
    found.forEach((value, j) => { most = Math.max(most, Math.abs(value - right[j]) || (value === right[j] ? 0 : Infinity)); });
    scale = Math.max(scale, ...right.map(Math.abs));
  }
  const agrees = same === count && most < 1e-4 * scale, line = document.createElement("p");
  line.id = "check";
  line.className = agrees ? "" : "bad";
  line.textContent = fill(agrees ? words.agrees : words.differs, { n: count, same, largest: most.toPrecision(2) });
  find("about").append(line);
}

const pad = new Pad(find("pad"), update);
build();
update();
check(taken.check);
