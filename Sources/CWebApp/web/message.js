// DNS messages as PKARR has them: an answer section, written in one way and read leniently.
import { MessageFault, Reader, readData, Writer } from './records.js';

/** Most bytes of DNS data in a packet. */
export const MESSAGE_LIMIT = 1000;

const QUESTION_TYPES = [[1, 18], [20, 23], [28, 29], [33, 33], [35, 37], [41, 41], [43, 43], [45, 49], [63, 65],
  [108, 109], [251, 255], [257, 257]];
const CLASSES = [1, 2, 3, 4, 254];

/** The bytes of a message with these answers, in their order. */
export function writeMessage(records) {
  const writer = new Writer();
  writer.raw([0, 0, 0x80, 0, 0, 0, records.length >> 8, records.length & 255, 0, 0, 0, 0]);
  for (const record of records) {
    writer.name(record.name);
    writer.number(record.type, 2);
    writer.number(record.klass ?? 1, 2);
    writer.number(record.ttl, 4);
    writer.data(record.type, record.data);
  }
  return Uint8Array.from(writer.bytes);
}

function skipQuestion(reader) {
  reader.name();
  const [type, klass] = [reader.uint(2), reader.uint(2) & 0x7fff];
  if (!QUESTION_TYPES.some(([low, high]) => type >= low && type <= high)) throw new MessageFault('a question is unknown');
  if (klass !== 255 && !CLASSES.includes(klass)) throw new MessageFault('a class is unknown');
}

function readRecord(reader) {
  const name = reader.name();
  const [type, classField, ttl, length] = [reader.uint(2), reader.uint(2), reader.uint(4), reader.uint(2)];
  const klass = classField & 0x7fff;
  const start = reader.offset;
  reader.raw(length);
  if (type !== 41 && !CLASSES.includes(klass)) throw new MessageFault('a class is unknown');
  return { name, type, klass, ttl, data: readData(type, new Reader(reader.bytes, start, reader.offset)) };
}

/** The answers of a message: `{ name, type, klass, ttl, data }` each. Throws `MessageFault` where it is malformed. */
export function readMessage(bytes) {
  const reader = new Reader(bytes);
  const [, flags, questions, answers, authorities, additionals] = Array.from({ length: 6 }, () => reader.uint(2));
  if (flags & 0x40) throw new MessageFault('a reserved bit is set');
  if (questions * 5 + (answers + authorities + additionals) * 11 > reader.remaining) {
    throw new MessageFault('it announces more records than it holds');
  }
  for (let count = 0; count < questions; count++) skipQuestion(reader);
  const records = Array.from({ length: answers + authorities + additionals }, () => readRecord(reader));
  return records.slice(0, answers);
}
