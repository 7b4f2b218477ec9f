// The overview as a picture for a slide: an SVG that holds the maps as images, or the same drawn as PNG.

const escapeXml = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

function makeSvg(network) {
  const box = network.columns.getBoundingClientRect();
  const style = getComputedStyle(network.root), ink = style.color, paper = style.backgroundColor;
  const parts = [`<rect width="100%" height="100%" fill="${paper}"/>`];
  const put = (element, more = 0) => {
    const place = element.getBoundingClientRect();
    return [place.left - box.left + 12, place.top - box.top + 12 + more, place.width, place.height];
  };
  parts.push(`<g transform="translate(12 12)">${network.lines.innerHTML}</g>`);
  for (const canvas of network.columns.querySelectorAll(".map canvas")) {
    const [x, y, width, height] = put(canvas);
    parts.push(`<image x="${x}" y="${y}" width="${width}" height="${height}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${canvas.toDataURL()}"/>`);
  }
  for (const element of network.columns.querySelectorAll(".name, .shape, .rest, .map i, .answers span:not(.track)")) {
    if (!element.textContent.trim()) continue;
    const [x, y, , height] = put(element), font = getComputedStyle(element), inMap = element.matches(".map i");
    if (inMap) parts.push(`<rect x="${x}" y="${y}" width="${element.offsetWidth}" height="${height}" fill="#000" fill-opacity=".62"/>`);
    parts.push(`<text x="${x + (inMap ? 2 : 0)}" y="${y + height * 0.78}" font-family="sans-serif" font-size="${font.fontSize}" font-weight="${font.fontWeight}" fill="${inMap ? "#fff" : ink}">${escapeXml(element.textContent)}</text>`);
  }
  for (const bar of network.columns.querySelectorAll(".answers .track b")) {
    const [x, y, width, height] = put(bar);
    parts.push(`<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${getComputedStyle(bar).backgroundColor}"/>`);
  }
  const width = Math.ceil(box.width + 24), height = Math.ceil(box.height + 24);
  return { width, height, text: `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${parts.join("")}</svg>` };
}

async function savePicture(network, kind) {
  const { width, height, text } = makeSvg(network);
  let blob = new Blob([text], { type: "image/svg+xml" });
  if (kind === "png") {
    const image = new Image(width, height);
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    const canvas = make("canvas", { width: 2 * width, height: 2 * height }); // sharp on a projector
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(image, 0, 0, 2 * width, 2 * height);
    blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }
  const link = make("a", { href: URL.createObjectURL(blob), download: `${network.message.file}.${kind}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
