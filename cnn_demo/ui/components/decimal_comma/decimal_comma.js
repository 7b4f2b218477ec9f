// Turns a comma into a point in every <input type="number"> of the page, while the component is on it.

// What is pasted is mended where it is one number with one comma.
const DECIMAL = /^\s*[-+]?\d*,\d+\s*$/;

const isNumberField = (target) => target instanceof HTMLInputElement && target.type === "number";

const insert = (text) => document.execCommand("insertText", false, text);

function mendKey(event) {
  if (event.key !== "," || event.ctrlKey || event.metaKey || event.altKey || !isNumberField(event.target)) return;
  event.preventDefault();
  insert(".");
}

function mendPaste(event) {
  const text = event.clipboardData?.getData("text") ?? "";
  if (!isNumberField(event.target) || !DECIMAL.test(text)) return;
  event.preventDefault();
  insert(text.trim().replace(",", "."));
}

export default function () {
  document.addEventListener("keydown", mendKey, true);
  document.addEventListener("paste", mendPaste, true);
  return () => {
    document.removeEventListener("keydown", mendKey, true);
    document.removeEventListener("paste", mendPaste, true);
  };
}
