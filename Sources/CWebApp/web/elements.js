// Pieces of the page. Text is only ever set as text, never as markup.

/** The element with an id. */
export const byId = (id) => document.getElementById(id);

/** Makes an element: `tag.class`, properties or attributes, children (elements or texts; null is left out). */
export function element(kind, properties, ...children) {
  const [tag, ...classes] = kind.split('.');
  const node = document.createElement(tag);
  node.className = classes.join(' ');
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** A row of buttons. */
export const actions = (...buttons) => element('div.actions', null, ...buttons);

/** A line with a spinner. */
export const busy = (text) => element('p.busy', null, text);

/** A button that cannot be pressed again while it acts, and that shows the text, if any, that its action returns. */
export function button(label, action, kind = 'button') {
  const node = element(kind, { type: 'button' }, label);
  node.onclick = async () => {
    if (node.ariaBusy) return;
    node.ariaBusy = 'true';
    try {
      const done = await action();
      if (typeof done !== 'string') return;
      node.textContent = done;
      setTimeout(() => { node.textContent = label; }, 2000);
    } finally {
      node.ariaBusy = null;
    }
  };
  return node;
}

/** A button that copies a text. */
export function copyButton(label, text) {
  return button(label, async () => {
    try {
      await navigator.clipboard.writeText(text);
      return 'Copied';
    } catch {
      return 'Not allowed';
    }
  });
}

/** A framed message: `tone` is good, warn or bad. */
export function notice(tone, title, ...content) {
  return element(`div.notice.${tone}`, null,
    element('span.sign', { ariaHidden: 'true' }, { good: '✓', warn: '!', bad: '✕' }[tone]),
    element('div', null, element('strong', null, title),
      ...content.map((part) => (typeof part === 'string' ? element('p', null, part) : part))));
}

/** Asks in a dialog; resolves to the value of the button that was pressed, `''` if it was left. */
export function askInDialog(title, content, choices) {
  const dialog = element('dialog', { ariaLabel: title }, element('form', { method: 'dialog' }, element('h2', null, title), ...content,
    actions(...choices.map(([value, label, kind = 'button']) => element(kind, { value }, label)))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      dialog.remove();
      resolve(dialog.returnValue);
    };
  });
}

/** A table: heads, and rows of texts or elements. Roles are named because on a narrow page each row is a card. */
export function table(caption, heads, rows) {
  const row = (cells) => element('tr', { role: 'row' }, ...cells);
  return element('table', { role: 'table', ariaLabel: caption },
    element('thead', { role: 'rowgroup' }, row(heads.map((head) => element('th', { role: 'columnheader' }, head)))),
    element('tbody', { role: 'rowgroup' }, ...rows.map((cells) => row(cells.map((cell) => element('td', { role: 'cell' }, cell))))));
}

// MARK: Times

const SPANS = [['day', 86400], ['h', 3600], ['min', 60], ['s', 1]];

/** `2 h 5 min`: a duration for people, its two largest units. */
export function durationText(seconds) {
  let rest = Math.max(0, Math.round(seconds));
  const parts = SPANS.map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return [count, unit === 'day' && count > 1 ? 'days' : unit];
  });
  const first = parts.findIndex(([count]) => count > 0);
  return first < 0 ? '0 s' : parts.slice(first, first + 2).filter(([count]) => count > 0).map((part) => part.join(' ')).join(' ');
}

/** `5 min ago`. */
export const agoText = (seconds) => (seconds < 2 ? 'just now' : `${durationText(seconds)} ago`);

/** A moment for people; the number itself where no calendar reaches. */
export function momentText(milliseconds) {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? `in millisecond ${milliseconds}` : date.toLocaleString([], { dateStyle: 'medium', timeStyle: 'medium' });
}
