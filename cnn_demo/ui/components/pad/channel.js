// What joins the pad, its answer and what waits for the pen to rest: they are components of their own on one page.

function openChannel(name) {
  const channels = (window.cnnLabPads ??= new Map());
  if (!channels.has(name)) channels.set(name, { pad: null, shown: null, followers: new Set() });
  return channels.get(name);
}

// These components only carry news: they take no place on the page.
function hideElement(parentElement) {
  const host = parentElement.getRootNode().host ?? parentElement;
  const box = host.closest('[data-testid="stElementContainer"]');
  if (box) box.style.position = "absolute";
}
