// Elements of a page, words with values put in, and numbers for people.

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// "A {x} of {y}" with the values put in.
const say = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));

// Four significant digits, a real minus sign.
function figure(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e5 || size < 1e-4 ? value.toExponential(digits - 2) : String(Number(value.toPrecision(digits)));
  return text.replace("-", "−").replace("e-", "e−").replace("e+", "e");
}

// Tells the panel of the arithmetic which unit was pinned: { layer, channel, y, x, features }, or null.
const PIN_EVENT = "cnn-lab:pin";
// Asks the explorer to pin a unit: { layer, channel, y, x }; null lets go the one that is pinned.
const CHOOSE_EVENT = "cnn-lab:choose";
