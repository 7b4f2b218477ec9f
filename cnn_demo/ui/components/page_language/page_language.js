// Says which language the page is in, and puts Streamlit's own words (names for screen readers, tips, the main menu)
// into it. Streamlit writes them anew whenever it draws, so they are watched.

const ATTRIBUTES = ["aria-label", "title", "placeholder", "alt"];
// Where Streamlit writes text of its own; elsewhere text is ours and is left alone.
const CHROME =
  '[data-testid="stTooltipContent"], [data-testid^="stMainMenu"], [role="tooltip"], [role="listbox"], ' +
  '[data-testid="stToolbar"], [data-testid="stSkipToContent"]';

let words = {};
const translate = (word) => (Object.hasOwn(words, word) ? words[word] : null);

function mendElement(element) {
  for (const name of ATTRIBUTES) {
    const own = translate(element.getAttribute(name) ?? "");
    if (own) element.setAttribute(name, own);
  }
}

function mendText(node) {
  const own = translate(node.nodeValue.trim());
  if (own && node.parentElement?.closest(CHROME)) node.nodeValue = own;
}

function mendTree(root) {
  if (root.nodeType === Node.TEXT_NODE) return mendText(root);
  if (root.nodeType !== Node.ELEMENT_NODE) return;
  mendElement(root);
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) mendText(node);
    else mendElement(node);
  }
}

const watcher = new MutationObserver((changes) => {
  for (const change of changes) {
    if (change.type === "attributes") mendElement(change.target);
    else if (change.type === "characterData") mendText(change.target);
    else change.addedNodes.forEach(mendTree);
  }
});

export default function ({ data }) {
  const root = document.documentElement;
  watcher.disconnect();
  if (root.lang !== data.language) {
    words = Object.fromEntries(Object.entries(words).map(([word, own]) => [own, word])); // back to Streamlit's
    mendTree(document.body);
    root.lang = data.language;
  }
  words = data.words;
  if (!Object.keys(words).length) return;
  mendTree(document.body);
  watcher.observe(document.body, {
    subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES,
  });
}
