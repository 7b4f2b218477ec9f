// Arithmetic that the server worked out, for networks whose numbers are too many to send.

export default function ({ data, parentElement }) {
  const table = Uint32Array.from(data.table, ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
  renderTrace(parentElement.querySelector(".sums"), data.trace, data.words, table, data.classes);
}
