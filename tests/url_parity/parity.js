// SPDX-License-Identifier: MIT
// The side of Node: does what each line of a file says, and prints what came of it. parity.cpp is its other side.
'use strict';
const { readFileSync, writeSync } = require('fs');

const bytes = (word) => Buffer.from(word === '-' ? '' : word, 'hex');
const text = (word) => bytes(word).toString('utf8');
// A header is made of bytes, each a character here.
const octets = (word) => bytes(word).toString('latin1');
const hex = (s) => Buffer.from(s, 'utf8').toString('hex') || '-';
const hexOctets = (s) => Buffer.from(s, 'latin1').toString('hex') || '-';
const optional = (word, f) => (word === undefined || word === 'u' ? undefined : f(word));

const getters = ['href', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash', 'origin'];
const entries = (params, f = hex) => [...params].map(([name, value]) => `${f(name)}=${f(value)}`).join('&') || '-';
const whole = (url) => getters.map((name) => hex(url[name])).join(' ') + ' ' + entries(url.searchParams);

function change(params, [what, name, value]) {
  const n = optional(name, text);
  const v = optional(value, text);
  switch (what) {
    case 'append': params.append(n, v); return '';
    case 'set': params.set(n, v); return '';
    case 'delete': v === undefined ? params.delete(n) : params.delete(n, v); return '';
    case 'has': return String(v === undefined ? params.has(n) : params.has(n, v));
    case 'get': return params.get(n) === null ? 'null' : hex(params.get(n));
    case 'getAll': return params.getAll(n).map(hex).join(',');
    case 'sort': params.sort(); return '';
    case 'size': return String(params.size);
    case 'keys': return [...params.keys()].map(hex).join(',');
    case 'values': return [...params.values()].map(hex).join(',');
    // Goes on behind what it deletes, as the list moves up.
    case 'walk': {
      const seen = [];
      for (const [key] of params) {
        seen.push(hex(key));
        if (key === n) params.delete(key);
      }
      return seen.join(',');
    }
  }
  throw new Error(what);
}

function changeHeaders(headers, [what, name, value]) {
  const n = optional(name, octets);
  const v = optional(value, octets);
  switch (what) {
    case 'append': headers.append(n, v); return '';
    case 'set': headers.set(n, v); return '';
    case 'delete': headers.delete(n); return '';
    case 'has': return String(headers.has(n));
    case 'get': return headers.get(n) === null ? 'null' : hexOctets(headers.get(n));
    case 'getSetCookie': return headers.getSetCookie().map(hexOctets).join(',');
  }
  throw new Error(what);
}
const headerFault = (e) => (e.message.endsWith('header name.') ? 'ERR_INVALID_HTTP_TOKEN' : e.message.endsWith('header value.') ? 'ERR_INVALID_CHAR' : e.message);

const steps = (words) => words.map((word) => word.split(':'));
const operations = {
  url(input, base, ...changes) {
    const i = text(input);
    const b = optional(base, text);
    let url;
    try {
      url = new URL(i, b);
    } catch (e) {
      return `FAILED ${e.name} ${e.code} ${URL.canParse(i, b)} ${hex(e.input)} ${e.base === undefined ? 'u' : hex(e.base)}`;
    }
    const told = [`${URL.canParse(i, b)} ${whole(url)}`];
    for (const [what, ...values] of steps(changes)) {
      try {
        if (what === 'params') told.push(change(url.searchParams, values) + ' ' + whole(url));
        else {
          url[what] = text(values[0]);
          told.push(whole(url));
        }
      } catch (e) {
        told.push(`FAILED ${e.code} ${whole(url)}`);
      }
    }
    return told.join('|');
  },
  params(input, ...changes) {
    const params = new URLSearchParams(text(input));
    const told = [entries(params)];
    for (const step of steps(changes)) told.push(change(params, step) + ' ' + entries(params) + ' ' + params);
    return told.join('|');
  },
  headers(...changes) {
    const headers = new Headers();
    const told = [];
    for (const step of steps(changes)) {
      let came;
      try {
        came = changeHeaders(headers, step);
      } catch (e) {
        came = headerFault(e);
      }
      told.push(came + ' ' + entries(headers, hexOctets));
    }
    return told.join('|');
  },
};

for (const line of readFileSync(process.argv[2], 'utf8').split('\n')) {
  if (line === '') continue;
  const [operation, ...words] = line.split(' ');
  // One by one: node may abort.
  writeSync(1, operations[operation](...words) + '\n');
}
