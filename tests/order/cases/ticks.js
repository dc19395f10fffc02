// SPDX-License-Identifier: MIT
// How many microtask generations pass until a continuation runs: 1 is the first after the code in progress.
'use strict';
module.exports = (order) => {
  const ticks = (name, f) => order(name, (log) => {
    let generation = 1;
    let seen = 0;
    const o = () => { if (!seen) seen = generation; };
    f(o);
    (function step() {
      if (generation < 40) queueMicrotask(() => { generation++; step(); });
    })();
    setImmediate(() => log(seen));
  });
  const P = () => Promise.resolve(1);
  const R = () => Promise.reject(new Error('x'));
  const thenable = () => ({then(resolve) { resolve(1); }});

  // ---- await
  ticks('await a value', async (o) => { await 1; o(); });
  ticks('await P', async (o) => { await P(); o(); });
  ticks('await P held in a variable', async (o) => { const p = P(); await p; o(); });
  ticks('await R', async (o) => { try { await R(); } catch { o(); } });
  ticks('await P twice', async (o) => { await P(); await P(); o(); });
  ticks('await a promise settled later', async (o) => {
    let resolve;
    const p = new Promise((r) => { resolve = r; });
    queueMicrotask(() => queueMicrotask(() => resolve(1)));
    await p;
    o();
  });
  ticks('await async { return 1 }', async (o) => { await (async () => 1)(); o(); });
  ticks('await async {}', async (o) => { await (async () => {})(); o(); });
  ticks('await async { throw }', async (o) => {
    try { await (async () => { throw new Error('x'); })(); } catch { o(); }
  });
  ticks('await async { return P }', async (o) => { await (async () => P())(); o(); });
  ticks('await async { return R }', async (o) => { try { await (async () => R())(); } catch { o(); } });
  ticks('await async { return await P }', async (o) => { await (async () => await P())(); o(); });
  ticks('await async { return thenable }', async (o) => { await (async () => thenable())(); o(); });
  ticks('await async { await async { await async {} } }', async (o) => {
    const a = async () => {};
    const b = async () => { await a(); };
    const c = async () => { await b(); };
    await c();
    o();
  });
  ticks('await Promise.resolve(thenable)', async (o) => { await Promise.resolve(thenable()); o(); });
  ticks('await P.then(f)', async (o) => { await P().then(() => 1); o(); });
  ticks('await P.finally(f)', async (o) => { await P().finally(() => {}); o(); });

  // ---- async functions
  ticks('async { return 1 }.then', (o) => { (async () => 1)().then(o); });
  ticks('async { return P }.then', (o) => { (async () => P())().then(o); });
  ticks('async { return R }.catch', (o) => { (async () => R())().catch(o); });
  ticks('async { await 1; return 1 }.then', (o) => { (async () => { await 1; return 1; })().then(o); });
  ticks('async { await 1; return P }.then', (o) => { (async () => { await 1; return P(); })().then(o); });
  ticks('async { await P; throw }.catch', (o) => {
    (async () => { await P(); throw new Error('x'); })().catch(o);
  });
  ticks('async { try { await R } finally {} }.catch', (o) => {
    (async () => { try { await R(); } finally { P(); } })().catch(o);
  });

  // ---- then, catch, finally
  ticks('P.then', (o) => { P().then(o); });
  ticks('P.then(f).then', (o) => { P().then(() => 1).then(o); });
  ticks('P.then(f).then(f).then', (o) => { P().then(() => 1).then(() => 1).then(o); });
  ticks('P.then(throw).catch', (o) => { P().then(() => { throw new Error('x'); }).catch(o); });
  ticks('P.then(f, g).then', (o) => { P().then(() => 1, () => 2).then(o); });
  ticks('R.then(f, g).then', (o) => { R().then(() => 1, () => 2).then(o); });
  ticks('P.then(() => P).then', (o) => { P().then(() => P()).then(o); });
  ticks('P.then(() => R).catch', (o) => { P().then(() => R()).catch(o); });
  ticks('P.then(() => P.then(() => P)).then', (o) => { P().then(() => P().then(() => P())).then(o); });
  ticks('P.then(() => thenable).then', (o) => { P().then(() => thenable()).then(o); });
  ticks('P.then(async { return 1 }).then', (o) => { P().then(async () => 1).then(o); });
  ticks('P.catch(f).then', (o) => { P().catch(() => 1).then(o); });
  ticks('R.then(f).catch', (o) => { R().then(() => 1).catch(o); });
  ticks('R.then(f).then(f).catch', (o) => { R().then(() => 1).then(() => 1).catch(o); });
  ticks('R.catch', (o) => { R().catch(o); });
  ticks('R.catch(f).then', (o) => { R().catch(() => 1).then(o); });
  ticks('R.catch(() => P).then', (o) => { R().catch(() => P()).then(o); });
  ticks('P.finally', (o) => { P().finally(o); });
  ticks('P.finally(f).then', (o) => { P().finally(() => {}).then(o); });
  ticks('P.finally(() => P).then', (o) => { P().finally(() => P()).then(o); });
  ticks('P.finally(() => R).catch', (o) => { P().finally(() => R()).catch(o); });
  ticks('P.finally(() => thenable).then', (o) => { P().finally(() => thenable()).then(o); });
  ticks('P.finally(throw).catch', (o) => { P().finally(() => { throw new Error('x'); }).catch(o); });
  ticks('R.finally(f).catch', (o) => { R().finally(() => {}).catch(o); });
  ticks('R.finally(() => P).catch', (o) => { R().finally(() => P()).catch(o); });
  ticks('R.finally(throw).catch', (o) => { R().finally(() => { throw new Error('y'); }).catch(o); });
  ticks('P.finally(f).finally(f).then', (o) => { P().finally(() => {}).finally(() => {}).then(o); });

  // ---- the constructor and the static functions
  ticks('new Promise(resolve(1)).then', (o) => { new Promise((r) => r(1)).then(o); });
  ticks('new Promise(reject).catch', (o) => { new Promise((_, j) => j(new Error('x'))).catch(o); });
  ticks('new Promise(throw).catch', (o) => { new Promise(() => { throw new Error('x'); }).catch(o); });
  ticks('new Promise(resolve(P)).then', (o) => { new Promise((r) => r(P())).then(o); });
  ticks('new Promise(resolve(R)).catch', (o) => { new Promise((r) => r(R())).catch(o); });
  ticks('new Promise(resolve(thenable)).then', (o) => { new Promise((r) => r(thenable())).then(o); });
  ticks('new Promise(resolve(new Promise(resolve(P)))).then', (o) => {
    new Promise((r) => r(new Promise((s) => s(P())))).then(o);
  });
  ticks('resolve(a promise settled later).then', (o) => {
    let settle;
    const inner = new Promise((r) => { settle = r; });
    new Promise((r) => r(inner)).then(o);
    queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => settle(1))));
  });
  ticks('resolve(P), then resolve(1) is ignored', (o) => {
    new Promise((r) => { r(P()); r(1); }).then(o);
  });
  ticks('resolve(P), then reject is ignored', (o) => {
    new Promise((r, j) => { r(P()); j(new Error('x')); }).then(o);
  });
  ticks('Promise.resolve(P).then', (o) => { Promise.resolve(P()).then(o); });
  ticks('Promise.resolve(thenable).then', (o) => { Promise.resolve(thenable()).then(o); });
  ticks('withResolvers, resolved in sync', (o) => {
    let resolve;
    new Promise((r) => { resolve = r; }).then(o);
    resolve(1);
  });

  // ---- combinators
  ticks('all([]).then', (o) => { Promise.all([]).then(o); });
  ticks('all([1]).then', (o) => { Promise.all([1]).then(o); });
  ticks('all([P, P, P]).then', (o) => { Promise.all([P(), P(), P()]).then(o); });
  ticks('all([P, R]).catch', (o) => { Promise.all([P(), R()]).catch(o); });
  ticks('all([thenable]).then', (o) => { Promise.all([thenable()]).then(o); });
  ticks('all([all([P])]).then', (o) => { Promise.all([Promise.all([P()])]).then(o); });
  ticks('await all([P, P])', async (o) => { await Promise.all([P(), P()]); o(); });
  ticks('await all([async { await 1 }])', async (o) => {
    await Promise.all([(async () => { await 1; })()]);
    o();
  });
  ticks('await all([async { return 1 }])', async (o) => {
    await Promise.all([(async () => 1)()]);
    o();
  });
  ticks('allSettled([]).then', (o) => { Promise.allSettled([]).then(o); });
  ticks('allSettled([P, R]).then', (o) => { Promise.allSettled([P(), R()]).then(o); });
  ticks('race([P, P]).then', (o) => { Promise.race([P(), P()]).then(o); });
  ticks('race([R, P]).catch', (o) => { Promise.race([R(), P()]).catch(o); });
  ticks('race([thenable, async { await 1 }]).then', (o) => {
    Promise.race([thenable(), (async () => { await 1; return 1; })()]).then(o);
  });
  ticks('any([]).catch', (o) => { Promise.any([]).catch(o); });
  ticks('any([P, R]).then', (o) => { Promise.any([P(), R()]).then(o); });
  ticks('any([R, P]).then', (o) => { Promise.any([R(), P()]).then(o); });
  ticks('any([R, R]).catch', (o) => { Promise.any([R(), R()]).catch(o); });

  // ---- the rest
  ticks('queueMicrotask', (o) => { queueMicrotask(o); });
  ticks('nextTick comes before the first', (o) => { process.nextTick(o); });
};
