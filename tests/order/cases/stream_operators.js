// SPDX-License-Identifier: MIT
// What the operators of streams give, of calls that take their time. When each chunk comes differs: Node takes ticks for it.
'use strict';
const {text, counting} = require('../streams.js');
module.exports = (order) => {
  const turns = (left) => new Promise((resolve) => {
    const step = (n) => setImmediate(() => (n > 1 ? step(n - 1) : resolve()));
    step(left);
  });
  /// How many calls are in progress, and have been at once.
  const gauge = () => ({now: 0, most: 0});
  /// Takes the longer the smaller the chunk is within five.
  const slow = async (g, chunk) => {
    g.most = Math.max(g.most, ++g.now);
    await turns(6 - chunk % 5);
    --g.now;
    if (chunk === 13) throw new Error('boom');
  };
  const outcome = (log, promise, g) => promise
    .then((value) => log(value === undefined ? 'none' : `${value}`), (e) => log('failed-', text(e)))
    .then(() => turns(20)).then(() => log('most', g.most, 'left', g.now));

  for (const concurrency of [1, 2, 4]) {
    const options = {concurrency};
    for (const count of [9, 15]) {
      const define = (name, run) => order(`${name} of ${count}, ${concurrency} at once`, (log) => {
        const g = gauge();
        return outcome(log, run(counting(count), g), g);
      });
      const is = (g, f) => async (chunk) => { await slow(g, chunk); return f(chunk); };
      define('map', (r, g) => r.map(is(g, (chunk) => chunk * 2), options).toArray());
      define('filter', (r, g) => r.filter(is(g, (chunk) => chunk % 3 === 0), options).toArray());
      define('flatMap', (r, g) => r.flatMap(is(g, (chunk) => [chunk, -chunk]), options).toArray());
      define('forEach', (r, g) => r.forEach(is(g, () => {}), options));
      define('find', (r, g) => r.find(is(g, (chunk) => chunk > 5), options));
      define('find in vain', (r, g) => r.find(is(g, (chunk) => chunk > 99), options));
      define('some', (r, g) => r.some(is(g, (chunk) => chunk > 5), options));
      define('some in vain', (r, g) => r.some(is(g, (chunk) => chunk > 99), options));
      define('every', (r, g) => r.every(is(g, (chunk) => chunk < 99), options));
      define('every in vain', (r, g) => r.every(is(g, (chunk) => chunk < 5), options));
    }
    // The calls end by themselves after the abort; what they give does not count.
    const aborted = (name, run) => order(`${name} is aborted, ${concurrency} at once`, (log) => {
      const ac = new AbortController(), r = counting(40), g = gauge();
      const call = async (chunk) => { await slow(g, chunk); if (chunk === 3) ac.abort(); return chunk >= 3; };
      return outcome(log, run(r, call, {concurrency, signal: ac.signal}), g).then(() => log('closed', r.closed));
    });
    aborted('map', (r, call, options) => r.map(call, options).toArray());
    aborted('filter', (r, call, options) => r.filter(call, options).toArray());
    aborted('forEach', (r, call, options) => r.forEach(call, options));
    aborted('find', (r, call, options) => r.find(call, options));
    aborted('some', (r, call, options) => r.some(call, options));
    aborted('every', (r, call, options) => r.every(async (chunk) => !await call(chunk), options));
  }

  const add = (so, chunk) => so * 10 + chunk;
  const later = async (so, chunk) => { await turns(1); return add(so, chunk); };
  for (const count of [0, 1, 4]) {
    order(`reduce of ${count}`, (log) => outcome(log, counting(count).reduce(add), gauge()));
    order(`reduce of ${count}, awaited`, (log) => outcome(log, counting(count).reduce(later), gauge()));
    order(`reduce of ${count} with a value`, (log) => outcome(log, counting(count).reduce(add, 7), gauge()));
  }
  for (const [name, run] of Object.entries({
    toArray: (r, options) => r.toArray(options),
    take: (r, options) => r.take(2, options).toArray(),
    drop: (r, options) => r.drop(2, options).toArray(),
    reduce: (r, options) => r.reduce(add, 0, options),
  })) {
    order(`${name} of an aborted signal`, (log) => {
      return outcome(log, run(counting(5), {signal: AbortSignal.abort()}), gauge());
    });
  }
};
