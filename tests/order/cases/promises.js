// SPDX-License-Identifier: MIT
// What promises and async functions do, and in which order among themselves.
'use strict';
module.exports = (order) => {
  const P = (value) => Promise.resolve(value);
  const thenable = (log, value) => ({then(resolve) { log('then-called'); resolve(value); }});

  order('the code in progress, ticks, promises, a timer', (log) => {
    log('start');
    setTimeout(log.say('timeout'), 1);
    P().then(log.say('promise'));
    process.nextTick(log.say('tick'));
    log('end');
  });
  order('promises only', (log) => {
    log('1');
    P().then(log.say('3')).then(log.say('5'));
    P().then(log.say('4')).then(log.say('6'));
    log('2');
  });
  order('await null', (log) => {
    (async () => { log('a1'); await null; log('a2'); await null; log('a3'); })();
    (async () => { log('b1'); await null; log('b2'); await null; log('b3'); })();
    log('main');
  });
  order('a timer and a promise that a timer makes', (log) => {
    setTimeout(() => { log('timeout'); P().then(log.say('promise')); }, 1);
    setTimeout(log.say('timeout2'), 1);
    P().then(() => { log('first'); setTimeout(log.say('timeout3'), 1); });
  });
  order('the executor runs at once and goes on after resolve', (log) => {
    log('before');
    new Promise((resolve) => { log('executor'); resolve('v'); log('after-resolve'); })
      .then((value) => log('then-', value));
    log('after');
  });
  order('only the first settling counts', (log) => {
    new Promise((resolve, reject) => { resolve(1); resolve(2); reject(new Error('x')); })
      .then((value) => log(value));
    new Promise((resolve, reject) => { reject(new Error('y')); resolve(3); }).catch((e) => log(e.message));
    new Promise((resolve) => { resolve(4); throw new Error('z'); }).then((value) => log(value));
  });
  order('reactions of one promise come in order of subscription', (log) => {
    let resolve;
    const p = new Promise((r) => { resolve = r; });
    p.then(log.say('a'));
    (async () => { await p; log('b'); })();
    p.then(log.say('c')).then(log.say('e'));
    p.finally(log.say('d'));
    resolve();
  });
  order('a reaction of a reaction', (log) => {
    P().then(() => {
      log('outer1');
      P().then(log.say('inner1')).then(log.say('inner2'));
    }).then(log.say('outer2')).then(log.say('outer3'));
  });
  order('return P against return await P against return', (log) => {
    (async () => P())().then(log.say('return-P'));
    (async () => await P())().then(log.say('return-await-P'));
    (async () => 1)().then(log.say('return'));
    let chain = P();
    for (const n of [1, 2, 3, 4]) chain = chain.then(log.say(`t${n}`));
  });
  order('a then-callback that returns a promise, beside a plain chain', (log) => {
    P().then(() => { log('0'); return P(); }).then(log.say('4'));
    P().then(log.say('1')).then(log.say('2')).then(log.say('3')).then(log.say('5')).then(log.say('6'));
  });
  order('two async functions await each other by turns', (log) => {
    const worker = async (name, n) => {
      for (let i = 0; i < n; i++) { log(name, i); await P(i); }
      log(name, 'end');
      return name;
    };
    (async () => {
      const b = worker('b', 3);
      log('got-', await worker('a', 2));
      log('got-', await b);
    })();
  });
  order('an async function is a call up to its first await', (log) => {
    const inner = async () => { log('inner'); await null; log('inner-later'); };
    (async () => { log('outer'); await inner(); log('outer-later'); })();
    log('back');
  });
  order('values and errors through a chain', (log) => {
    P(1).then((v) => v + 1).then((v) => { throw new Error(`e${v}`); }).then(() => log('never'))
      .catch((e) => { log(e.message); return 5; }).finally(log.say('finally')).then((v) => log('v', v));
  });
  order('finally keeps the outcome unless it fails', (log) => {
    P(1).finally(() => 9).then((v) => log('a', v));
    Promise.reject(new Error('r')).finally(() => 9).catch((e) => log('b', e.message));
    P(2).finally(() => { throw new Error('f'); }).catch((e) => log('c', e.message));
    P(3).finally(() => Promise.reject(new Error('g'))).catch((e) => log('d', e.message));
    Promise.reject(new Error('h')).finally(() => { throw new Error('i'); }).catch((e) => log('e', e.message));
  });
  order('then with both callbacks does not catch its own', (log) => {
    P(1).then(() => { throw new Error('a'); }, () => log('never')).catch((e) => log(e.message));
    Promise.reject(new Error('b')).then(() => log('never'), (e) => log('got-', e.message));
  });
  order('a thenable is asked in a microtask', (log) => {
    P(thenable(log, 7)).then((v) => log('v', v));
    log('sync');
    P().then(log.say('p1')).then(log.say('p2')).then(log.say('p3'));
  });
  order('a then-callback returns a thenable', (log) => {
    P().then(() => thenable(log, 7)).then((v) => log('v', v));
    P().then(log.say('p1')).then(log.say('p2')).then(log.say('p3')).then(log.say('p4'));
  });
  order('a promise resolved with itself', (log) => {
    let resolve;
    const p = new Promise((r) => { resolve = r; });
    p.catch((e) => log(e.message.replaceAll(' ', '-')));
    resolve(p);
  });
  order('a promise adopts one that is still pending', (log) => {
    let settle;
    const inner = new Promise((r) => { settle = r; });
    const outer = new Promise((r) => r(inner));
    outer.then((v) => log('outer', v));
    inner.then((v) => log('inner', v));
    setTimeout(() => { settle(1); log('settled'); }, 1);
  });
  order('an adopted promise rejects', (log) => {
    let fail;
    const inner = new Promise((_, j) => { fail = j; });
    const outer = new Promise((r) => r(inner));
    outer.then(() => log('never'), (e) => log('outer-', e.message));
    setImmediate(() => fail(new Error('x')));
  });
  order('await in try, catch and finally', (log) => {
    (async () => {
      try {
        try { await Promise.reject(new Error('x')); } finally { log('finally'); }
      } catch (e) { log('caught-', e.message); }
      await null;
      log('after');
    })();
    P().then(log.say('p1')).then(log.say('p2')).then(log.say('p3'));
  });
  order('async functions in series and in parallel', (log) => {
    const job = async (name, ms) => { log('start-', name); await new Promise((r) => setTimeout(r, ms)); log('end-', name); };
    (async () => {
      await job('a', 1);
      await job('b', 1);
      const c = job('c', 1);
      const d = job('d', 1);
      await c;
      await d;
      log('done');
    })();
  });
  order('the continuation of a sleep, a tick and a microtask', (log) => {
    (async () => {
      await new Promise((r) => setTimeout(r, 1));
      log('awake');
      process.nextTick(log.say('tick'));
      P().then(log.say('micro'));
      await null;
      log('later');
    })();
  });
  order('a loop of awaits lets others in', (log) => {
    (async () => { for (let i = 0; i < 4; i++) { await null; log('a', i); } })();
    (async () => { for (let i = 0; i < 2; i++) { await (async () => i)(); log('b', i); } })();
    P().then(log.say('c0')).then(log.say('c1')).then(log.say('c2'));
  });
};
