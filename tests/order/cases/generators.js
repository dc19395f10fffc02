// SPDX-License-Identifier: MIT
// Async generators: who runs when, and how they end. Their ticks are not compared: leat's take none.
'use strict';
module.exports = (order) => {
  const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
  async function* numbers(log, n) {
    log('begin');
    try {
      for (let i = 1; i <= n; i++) { log('yield', i); yield i; }
      log('end');
    } finally { log('finally'); }
  }

  order('the body starts at the first next', async (log) => {
    const g = numbers(log, 1);
    log('made');
    log('got', (await g.next()).value);
    log((await g.next()).done ? 'done' : 'more');
    log((await g.next()).done ? 'done' : 'more');
  });
  order('producer and consumer by turns', async (log) => {
    for await (const n of numbers(log, 3)) log('got', n);
    log('after');
  });
  order('a generator that awaits', async (log) => {
    async function* slow() {
      for (let i = 1; i <= 3; i++) { await sleep(1); log('awake', i); yield i; }
    }
    for await (const n of slow()) { log('got', n); await sleep(1); }
  });
  order('an exception of the body reaches the consumer once', async (log) => {
    async function* failing() { yield 1; throw new Error('x'); }
    const g = failing();
    try { for (;;) { const r = await g.next(); if (r.done) break; log('got', r.value); } } catch (e) { log('caught-', e.message); }
    log((await g.next()).done ? 'done' : 'more');
  });
  order('an exception before the first yield', async (log) => {
    async function* failing() { log('begin'); throw new Error('x'); }
    try { await failing().next(); } catch (e) { log('caught-', e.message); }
  });
  order('breaking out runs the clean-up', async (log) => {
    for await (const n of numbers(log, 5)) { log('got', n); if (n === 2) break; }
    log('after');
  });
  order('an exception of the consumer runs the clean-up', async (log) => {
    try { for await (const n of numbers(log, 5)) { log('got', n); throw new Error('x'); } } catch (e) { log('caught-', e.message); }
  });
  order('return ends it where it rests', async (log) => {
    const g = numbers(log, 5);
    log('got', (await g.next()).value);
    await g.return();
    log((await g.next()).done ? 'done' : 'more');
  });
  order('return before the first next never starts the body', async (log) => {
    const g = numbers(log, 5);
    await g.return();
    log((await g.next()).done ? 'done' : 'more');
  });
  order('a generator over a generator', async (log) => {
    async function* doubled(inner) { for await (const n of inner) yield 2 * n; log('outer-end'); }
    for await (const n of doubled(numbers(log, 2))) log('got', n);
  });
  order('two generators by turns', async (log) => {
    async function* letters() { for (const c of 'ab') { log('yield-', c); yield c; } }
    const a = letters();
    const b = numbers(log, 2);
    for (;;) {
      const x = await a.next();
      const y = await b.next();
      if (x.done || y.done) break;
      log(x.value, y.value);
    }
    log('after');
    await b.next();
  });
  order('a generator that rejects a promise that it awaits', async (log) => {
    async function* failing() {
      yield 1;
      try { await Promise.reject(new Error('inner')); } catch (e) { log('inside-', e.message); }
      yield 2;
      await Promise.reject(new Error('outer'));
    }
    try { for await (const n of failing()) log('got', n); } catch (e) { log('outside-', e.message); }
  });
  order('an empty generator', async (log) => {
    for await (const n of numbers(log, 0)) log('never', n);
    log('after');
  });
};
