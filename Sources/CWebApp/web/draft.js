// Records as they stand in the editor: texts, until they are published.
import { fromHex, toHex } from './bytes.js';
import { checkOwner, fullName, InputFault, ownerText, parseName } from './names.js';
import { MESSAGE_LIMIT, writeMessage } from './message.js';
import { typeCode, typeName } from './records.js';
import { dataText, parseData } from './recordtext.js';

const UNITS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

/** Seconds: `300`, `5m`, `1h30m`. */
export function parseTTL(text) {
  const parts = /^\d+$/.test(text) ? [[0, text, 's']] : [...text.matchAll(/(\d+)([smhdw])/gi)];
  const seconds = parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit.toLowerCase()], 0);
  const isWhole = parts.map((part) => part[0]).join('') === text || /^\d+$/.test(text);
  if (!isWhole || parts.length === 0 || seconds > 4294967295) throw new InputFault('is 300, 5m or 1h30m');
  return seconds;
}

/** The shortest text of seconds: `1h`, `90`. */
export function ttlText(seconds) {
  const unit = ['d', 'h', 'm'].find((name) => seconds > 0 && seconds % UNITS[name] === 0);
  return unit ? `${seconds / UNITS[unit]}${unit}` : String(seconds);
}

/** The rows of the editor for records. */
export const rowsOf = (records, origin) => records.map((record) => ({
  name: ownerText(record.name, origin), type: typeName(record.type), data: dataText(record, origin), ttl: ttlText(record.ttl),
}));

/** One row as a record; faults are added to a list as `{ row, field, text }`. */
function recordOf(row, index, origin, faults) {
  const read = (field, what, parse) => {
    try {
      return parse(row[field].trim());
    } catch (fault) {
      if (!(fault instanceof InputFault)) throw fault;
      faults.push({ row: index, field, text: `${what} ${fault.message}.` });
      return null;
    }
  };
  const name = read('name', 'The name', (text) => {
    const full = fullName(parseName(text), origin);
    if (full.at(-1) === origin) checkOwner(full);
    return full;
  });
  const type = read('type', 'The type', (text) => {
    const code = typeCode(text);
    if (code === null || code === 0 || code === 41) throw new InputFault('is none: write a name such as TXT, or TYPE65280');
    return code;
  });
  const ttl = read('ttl', 'A time', parseTTL);
  const data = type === null ? null : read('data', 'The data', (text) => parseData(type, text, origin));
  return { name, type, ttl, data };
}

/** What rows would be published as: `{ message, faults }`; the message is null while there are faults in rows. */
export function compile(rows, origin) {
  const faults = [];
  const records = rows.map((row, index) => recordOf(row, index, origin, faults));
  if (faults.length) return { message: null, faults };
  const message = writeMessage(records);
  if (message.length > MESSAGE_LIMIT) {
    const largest = rows.map((row, index) => [writeMessage([records[index]]).length - 12, row]).sort(([a], [b]) => b - a)[0][1];
    faults.push({
      row: null, field: null, text: `The records take ${message.length} bytes, ${message.length - MESSAGE_LIMIT} too many. `
        + `The largest is ${largest.type} ${largest.name}. Put long texts elsewhere and point to them.`,
    });
  }
  return { message, faults };
}

/** How a draft is kept in the browser: rows, and the version they were made from. */
export const storedDraft = (rows, base) => JSON.stringify({
  rows, base: base && { timestamp: String(base.timestamp), message: toHex(base.message) },
});

/** Reads what `storedDraft` has written; null if it cannot be read. */
export function readDraft(text) {
  try {
    const { rows, base } = JSON.parse(text);
    const clean = rows.slice(0, 200).map((row) => ({
      name: String(row.name), type: String(row.type), data: String(row.data), ttl: String(row.ttl),
    }));
    return { rows: clean, base: base && { timestamp: BigInt(base.timestamp), message: fromHex(base.message) } };
  } catch {
    return null;
  }
}
