// What this browser keeps for the page. Where it keeps nothing, as when it blocks the data of sites, this visit remembers.
const remembered = new Map();

/** What was stored under a name; null if nothing was. */
export function storedText(name) {
  if (remembered.has(name)) return remembered.get(name);
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Stores a text: until the page is closed if the browser does not take it. */
export function storeText(name, text) {
  try {
    localStorage.setItem(name, text);
    remembered.delete(name);
  } catch {
    remembered.set(name, text);
  }
}

/** Forgets what was stored under a name. */
export function forgetText(name) {
  remembered.delete(name);
  try {
    localStorage.removeItem(name);
  } catch {
    // Then there is nothing to be removed.
  }
}

/** False if the browser stores nothing for this page. */
export function storesTexts() {
  storeText('pkarr.trial', '');
  const isStored = !remembered.has('pkarr.trial');
  forgetText('pkarr.trial');
  return isStored;
}
