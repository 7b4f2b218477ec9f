// A field for one picture: chosen or dropped, shrunk here before it is sent, and cut to a part if the visitor likes.
// The page keeps the picture; this shows what the page has.

const MOST_BYTES = 1_500_000; // a PNG or JPEG up to this size is sent as it is
const MOST_PIXELS = 4_000_000; // of a PNG, whose decoder cannot shrink; a JPEG's can
const SIDE = 1600; // what is larger is shrunk to this longer side
const LEAST = 0.04; // of the picture: a smaller part is a click and no part
const STEP = 0.02; // of the picture, for one press of an arrow key

const PNG = [0x89, 0x50, 0x4e, 0x47], JPEG = [0xff, 0xd8, 0xff];
const begins = (bytes, magic) => magic.every((value, i) => bytes[i] === value);
const clamp = (value) => Math.min(Math.max(value, 0), 1);

// Width × height as a PNG's first chunk has it, so that nothing is decoded to learn it.
const pngPixels = (bytes) => {
  const header = new DataView(bytes.buffer, bytes.byteOffset, 24);
  return header.getUint32(16) * header.getUint32(20);
};

const base64 = (blob) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(blob);
});

async function shrink(file, opaque) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const factor = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * factor));
  canvas.height = Math.max(1, Math.round(bitmap.height * factor));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return new Promise((resolve, reject) => {
    const done = (blob) => (blob ? resolve(blob) : reject(new Error("no picture")));
    canvas.toBlob(done, opaque ? "image/jpeg" : "image/png", 0.92);
  });
}

// What is sent of a file. What this browser cannot decode and the page cannot either is named, not sent.
async function prepare(file) {
  const head = new Uint8Array(await file.slice(0, 24).arrayBuffer());
  const png = begins(head, PNG) && head.length === 24, jpeg = begins(head, JPEG);
  const fits = file.size <= MOST_BYTES && (jpeg || (png && pngPixels(head) <= MOST_PIXELS));
  if (fits) return { data: await base64(file) };
  try {
    return { data: await base64(await shrink(file, jpeg)) };
  } catch {
    return { problem: png || jpeg ? "broken" : "not_a_picture" };
  }
}

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

class PictureField {
  constructor(root) {
    this.root = root;
    this.input = make("input", { type: "file", accept: "image/*" });
    this.input.addEventListener("change", () => this.take(this.input.files[0]));
    this.choose = make("span");
    this.hint = make("small");
    this.label = make("label", { className: "choose" }, this.input, this.choose, this.hint);
    this.image = make("img");
    this.image.addEventListener("load", () => this.image.classList.toggle("crisp", this.image.naturalWidth <= 64));
    this.frame = make("div", { className: "frame" });
    this.stage = make("div", { className: "stage", tabIndex: 0 }, this.image, this.frame);
    this.stage.setAttribute("role", "group");
    this.name = make("figcaption");
    this.help = make("small");
    this.whole = make("button", { type: "button", className: "whole" });
    this.remove = make("button", { type: "button", className: "remove" });
    this.whole.addEventListener("click", () => this.cut(null));
    this.remove.addEventListener("click", () => { this.report({ kind: "remove" }); this.input.focus(); });
    this.figure = make("figure", {}, this.stage, this.name, this.help);
    this.buttons = make("div", { className: "buttons" }, this.whole, this.remove);
    this.status = make("p", { className: "status" });
    this.status.setAttribute("role", "status");
    root.append(this.figure, this.label, this.buttons, this.status);
    this.listenForDrops();
    this.listenForCuts();
  }

  load({ words, name, preview, crop }) {
    this.words = words;
    this.status.textContent = "";
    this.root.classList.toggle("filled", Boolean(preview));
    this.choose.textContent = preview ? words.other : words.choose;
    this.hint.textContent = preview ? "" : words.hint;
    this.figure.hidden = !preview;
    this.remove.hidden = !preview;
    if (preview && this.image.getAttribute("src") !== preview) this.image.src = preview;
    this.image.alt = name;
    this.name.textContent = name;
    this.help.textContent = words.crop;
    this.stage.setAttribute("aria-label", words.crop_keys);
    this.whole.textContent = words.whole;
    this.remove.textContent = words.remove;
    this.crop = crop;
    this.showFrame(crop);
  }

  report(message) {
    this.send("sent", { token: `${Date.now()}-${Math.random()}`, ...message });
  }

  async take(file) {
    if (!file) return;
    const turn = (this.turn = (this.turn ?? 0) + 1);
    this.status.textContent = this.words.busy;
    const found = await prepare(file).catch(() => ({ problem: "broken" }));
    this.input.value = ""; // the same file may be chosen again
    if (turn === this.turn) this.report({ kind: "file", name: file.name, ...found });
  }

  listenForDrops() {
    for (const kind of ["dragenter", "dragover"]) this.root.addEventListener(kind, (event) => {
      event.preventDefault();
      this.root.classList.add("over");
    });
    for (const kind of ["dragleave", "drop"]) this.root.addEventListener(kind, () => this.root.classList.remove("over"));
    this.root.addEventListener("drop", (event) => {
      event.preventDefault();
      this.take(event.dataTransfer.files[0]);
    });
  }

  // -- a part of the picture: left, top, right, bottom as parts of its width and height ---------------------------

  listenForCuts() {
    let from = null;
    const at = (event) => {
      const box = this.stage.getBoundingClientRect();
      return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
    };
    const part = (to) => [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])];
    const large = ([left, top, right, bottom]) => right - left >= LEAST && bottom - top >= LEAST;
    this.stage.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return;
      from = at(event);
      this.stage.setPointerCapture(event.pointerId);
    });
    this.stage.addEventListener("pointermove", (event) => {
      if (from && event.isPrimary) this.showFrame(large(part(at(event))) ? part(at(event)) : this.crop);
    });
    this.stage.addEventListener("pointerup", (event) => {
      if (!from || !event.isPrimary) return;
      const chosen = part(at(event));
      from = null;
      if (large(chosen)) this.cut(chosen); else this.showFrame(this.crop);
    });
    this.stage.addEventListener("pointercancel", () => { from = null; this.showFrame(this.crop); });
    this.image.addEventListener("dragstart", (event) => event.preventDefault());
    this.stage.addEventListener("keydown", (event) => this.press(event));
  }

  press(event) {
    if (event.key === "Escape" && this.crop) return this.cut(null);
    const move = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (!move) return;
    event.preventDefault();
    let [left, top, right, bottom] = this.crop ?? [0.2, 0.2, 0.8, 0.8];
    if (event.shiftKey) { // the lower right corner
      right = Math.max(clamp(right + move[0]), left + LEAST);
      bottom = Math.max(clamp(bottom + move[1]), top + LEAST);
    } else {
      const x = Math.min(Math.max(move[0], -left), 1 - right), y = Math.min(Math.max(move[1], -top), 1 - bottom);
      [left, top, right, bottom] = [left + x, top + y, right + x, bottom + y];
    }
    this.crop = [left, top, right, bottom];
    this.showFrame(this.crop);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.cut(this.crop), 250);
  }

  cut(part) {
    this.crop = part;
    this.showFrame(part);
    this.report({ kind: "crop", crop: part });
  }

  showFrame(part) {
    this.frame.hidden = this.whole.hidden = !part;
    if (!part) return;
    const [left, top, right, bottom] = part.map((value) => value * 100);
    Object.assign(this.frame.style, { left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%` });
  }
}

const mounted = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".picture-field");
  let field = mounted.get(root);
  if (!field) {
    field = new PictureField(root);
    mounted.set(root, field);
  }
  field.send = setTriggerValue;
  field.load(data);
}
