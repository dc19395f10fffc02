// SPDX-License-Identifier: MIT
// The side of Node: does the operations of a file, a line each, and prints what each gave. parity.cpp is its
// other side.
'use strict';
const buffer = require('buffer');
const { StringDecoder } = require('string_decoder');
const { readFileSync } = require('fs');

const bytes = (word) => Buffer.from(word === '-' ? '' : word, 'hex');
const text = (word) => bytes(word).toString('utf8');
const number = (word) => (word === 'u' ? undefined : Number(word));
const name = (word) => (word === '-' ? '' : word);
const list = (word) => (word === 'u' || word === '-' ? [] : word.split(','));
// Half a surrogate pair is no text in C++.
const shown = (s) => Buffer.from(s.toWellFormed(), 'utf8').toString('hex');
const hex = (b) => b.toString('hex');
const bits = (value) => {
  if (Number.isNaN(value)) return 'nan';
  const b = Buffer.alloc(8);
  b.writeDoubleBE(value);
  return hex(b);
};
const dotted = (size) => Buffer.alloc(size, '.');

function search(method, hay, value, offset, encoding) {
  const found = bytes(hay)[method](value, number(offset), encoding === undefined ? undefined : name(encoding));
  return Number(found);
}

const operations = {
  from: (t, e) => hex(Buffer.from(text(t), name(e))),
  plain: (b) => shown(bytes(b).toString()) + ' ' + hex(Buffer.from(bytes(b))),
  // Over the sizes at which Node goes other ways.
  long: (size, b, e) => {
    const whole = Buffer.alloc(number(size), bytes(b)).toString(name(e)).toWellFormed();
    return shown(whole) + ' ' + hex(Buffer.from(whole, name(e)));
  },
  numbers: (n) => hex(Buffer.from(list(n).map(Number))),
  byteLength: (t, e) => Buffer.byteLength(text(t), name(e)),
  isEncoding: (e) => Buffer.isEncoding(name(e)),
  alloc: (size) => hex(Buffer.alloc(number(size))),
  allocText: (size, t, e) => hex(Buffer.alloc(number(size), text(t), name(e))),
  allocNumber: (size, n) => hex(Buffer.alloc(number(size), number(n))),
  allocBuffer: (size, b) => hex(Buffer.alloc(number(size), bytes(b))),
  toString: (b, e, start, end) => shown(bytes(b).toString(name(e), number(start), number(end))),
  write: (size, t, offset, length, e) => {
    const b = dotted(number(size));
    const count = offset === 'u' ? b.write(text(t), name(e))
      : length === 'u' ? b.write(text(t), number(offset), name(e)) : b.write(text(t), number(offset), number(length), name(e));
    // What lies behind is nobody's business: a half of a character may have been begun there.
    return `${count} ${hex(b.subarray(0, (offset === 'u' ? 0 : number(offset)) + count))}`;
  },
  fillText: (size, t, offset, end, e) => {
    const b = dotted(number(size));
    const value = text(t);
    return hex(offset === 'u' ? b.fill(value, name(e)) : b.fill(value, number(offset), end === 'u' ? b.length : number(end), name(e)));
  },
  fillTextFrom: (size, t, offset, _, e) => hex(offset === 'u' ? dotted(number(size)).fill(text(t), name(e))
    : dotted(number(size)).fill(text(t), number(offset), name(e))),
  fillNumber: (size, n, offset, end) => hex(dotted(number(size)).fill(number(n), number(offset), number(end))),
  fillBuffer: (size, b, offset, end) => hex(dotted(number(size)).fill(bytes(b), number(offset), number(end))),
  concat: (parts, total) => hex(Buffer.concat(list(parts).map(bytes), number(total))),
  copy: (a, b, targetStart, sourceStart, sourceEnd) => {
    const target = bytes(b);
    const count = bytes(a).copy(target, number(targetStart), number(sourceStart), number(sourceEnd));
    return `${count} ${hex(target)}`;
  },
  copyWithin: (a, targetStart, sourceStart, sourceEnd) => {
    const both = bytes(a);
    return `${both.copy(both, number(targetStart), number(sourceStart), number(sourceEnd))} ${hex(both)}`;
  },
  compare: (a, b) => Buffer.compare(bytes(a), bytes(b)),
  compareParts: (a, b, ...places) => bytes(a).compare(bytes(b), ...places.map(number)),
  equals: (a, b) => bytes(a).equals(bytes(b)),
  subarray: (a, start, end) => hex(bytes(a).subarray(number(start), number(end))),
  slice: (a, start, end) => hex(bytes(a).slice(number(start), number(end))),
  swap16: (a) => hex(bytes(a).swap16()),
  swap32: (a) => hex(bytes(a).swap32()),
  swap64: (a) => hex(bytes(a).swap64()),
  isUtf8: (a) => buffer.isUtf8(bytes(a)),
  isAscii: (a) => buffer.isAscii(bytes(a)),
  transcode: (a, from, to) => hex(buffer.transcode(bytes(a), name(from), name(to))),
  inspect: (a) => bytes(a).inspect(),
  json: (a) => JSON.stringify(bytes(a)),
  iterate: (a) => `${[...bytes(a).values()]} ${[...bytes(a).keys()]} ${[...bytes(a).entries()]}`,
  atob: (t) => shown(atob(text(t))),
  btoa: (t) => btoa(text(t)),
  read: (kind, b, offset, width) => {
    const value = width === 'u' ? bytes(b)[`read${kind}`](number(offset)) : bytes(b)[`read${kind}`](number(offset), number(width));
    return /Float|Double/.test(kind) ? bits(value) : String(value);
  },
  writeNumber: (kind, size, value, offset, width) => {
    const b = dotted(number(size));
    const v = kind.startsWith('Big') ? BigInt(value) : Number(value);
    const end = width === 'u' ? b[`write${kind}`](v, number(offset)) : b[`write${kind}`](v, number(offset), number(width));
    return `${end} ${hex(b)}`;
  },
  writeFloat: (kind, size, value, offset) => {
    const b = dotted(number(size));
    const v = bytes(value).readDoubleBE();
    const end = b[`write${kind}`](v, number(offset));
    return Number.isNaN(v) ? `${end} nan` : `${end} ${hex(b)}`;
  },
  decoder: (e, way, chunks) => {
    const decoder = new StringDecoder(name(e));
    const given = list(chunks).map(bytes);
    const last = way === 'endWith' ? given.pop() : undefined;
    const texts = given.map((chunk) => decoder.write(chunk));
    texts.push(decoder.end(last));
    // A half of a pair that Node gives out early waits in C++.
    return decoder.encoding + ' ' + (decoder.encoding === 'utf16le' ? shown(texts.join('')) : texts.map(shown).join('|'));
  },
};
for (const method of ['indexOf', 'lastIndexOf', 'includes']) {
  operations[`${method}Text`] = (hay, t, offset, e) => search(method, hay, text(t), offset, e);
  operations[`${method}Buffer`] = (hay, b, offset, e) => search(method, hay, bytes(b), offset, e);
  operations[`${method}Number`] = (hay, n, offset) => search(method, hay, number(n), offset);
}

const failure = (e) => {
  const code = e.name === 'InvalidCharacterError' ? 'INVALID_CHARACTER_ERR' : e.code;
  return `FAILED ${e.name} ${code} ${e.message}`.replace(`<= ${buffer.kMaxLength}.`, '<= MAX.');
};

const results = [];
for (const line of readFileSync(process.argv[2], 'utf8').split('\n')) {
  if (line === '') continue;
  const [operation, ...words] = line.split(' ');
  try {
    results.push(operations[operation](...words));
  } catch (e) {
    results.push(failure(e));
  }
}
require('fs').writeFileSync(1, results.join('\n') + '\n');
