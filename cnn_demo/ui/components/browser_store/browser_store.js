// Keeps the larger of two numbers for every name, in the browser; tells the server once what was there.

const read = (item) => {
  try { return JSON.parse(localStorage.getItem(item)) || {}; } catch { return {}; } // no storage, or no table in it
};

const told = new WeakSet();

export default function ({ data, parentElement, setStateValue }) {
  const kept = read(data.item), merged = { ...kept };
  for (const [name, value] of Object.entries(data.table)) merged[name] = Math.max(value, Number(kept[name]) || 0);
  if (JSON.stringify(merged) !== JSON.stringify(kept)) {
    try { localStorage.setItem(data.item, JSON.stringify(merged)); } catch { /* a browser that keeps nothing */ }
  }
  const root = parentElement.querySelector(".store");
  if (!told.has(root) && Object.keys(kept).length) setStateValue("kept", kept);
  told.add(root);
}
