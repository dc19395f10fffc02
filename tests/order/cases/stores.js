// SPDX-License-Identifier: MIT
// AsyncLocalStorage: what is in the store wherever a callback or a coroutine goes on.
'use strict';
const {AsyncLocalStorage} = require('async_hooks');
module.exports = (order, {busy}) => {
  const als = new AsyncLocalStorage();
  const P = (v) => Promise.resolve(v);
  const store = () => als.getStore() ?? '-';
  const sayer = (log) => (word) => log(word, '=', store());
  const said = (log) => (word) => () => sayer(log)(word);

  order('run, nested, and back', (log) => {
    const say = sayer(log);
    say('before');
    als.run(1, () => { say('in1'); als.run(2, () => say('in2')); say('in1-again'); });
    say('after');
  });
  order('run gives back what the function gives, and lets exceptions through', (log) => {
    const say = sayer(log);
    log(als.run(1, () => 5));
    log(als.run(1, (a, b) => a + b, 2, 3));
    try { als.run(1, () => { throw new Error('x'); }); } catch (e) { log(e.message); }
    say('after');
  });
  order('every kind of callback', (log) => {
    const say = said(log);
    als.run(7, () => {
      process.nextTick(say('tick'));
      queueMicrotask(say('microtask'));
      P().then(say('then'));
      Promise.reject(new Error('x')).catch(say('catch'));
      P().finally(say('finally'));
      setImmediate(say('immediate'));
      setTimeout(say('timeout'), 1);
      const interval = setInterval(() => { say('interval')(); clearInterval(interval); }, 1);
      busy(3);
    });
    process.nextTick(say('tick-outside'));
    setImmediate(say('immediate-outside'));
  });
  order('the store of a then is the one where it was called', (log) => {
    const say = said(log);
    const p = als.run(1, () => P(0));
    p.then(say('outside'));
    als.run(2, () => p.then(say('in2')).then(say('in2-chained')));
    let resolve;
    const later = als.run(3, () => new Promise((r) => { resolve = r; }));
    als.run(4, () => later.then(say('in4')));
    later.then(say('outside-later'));
    als.run(5, () => resolve());
  });
  order('an await goes on in its own store, whoever settles', (log) => {
    const say = sayer(log);
    let resolve;
    const p = new Promise((r) => { resolve = r; });
    als.run(1, async () => { say('a'); await p; say('b'); await null; say('c'); });
    als.run(2, () => resolve());
    say('outside');
  });
  order('two async functions side by side', (log) => {
    const say = sayer(log);
    const work = async (name) => { for (let i = 0; i < 3; i++) { say(name); await P(i); } };
    als.run('x', () => work('a'));
    als.run('y', () => work('b'));
    work('c');
  });
  order('through calls of async functions', (log) => {
    const say = sayer(log);
    const inner = async () => { say('inner'); await null; say('inner2'); als.run(2, () => say('other')); };
    als.run(1, async () => { await inner(); say('outer'); });
  });
  order('sleeping', (log) => {
    const say = sayer(log);
    const nap = () => new Promise((r) => setTimeout(r, 1));
    als.run(1, async () => { await nap(); say('a'); await nap(); say('b'); });
    als.run(2, async () => { await nap(); say('c'); });
  });
  order('exit', (log) => {
    const say = sayer(log);
    als.run(1, () => {
      als.exit(() => { say('exited'); setImmediate(() => say('immediate')); });
      say('in');
    });
  });
  order('enterWith lasts to the end of the callback and in what starts from it', (log) => {
    const say = sayer(log);
    setImmediate(() => {
      say('before');
      als.enterWith(3);
      say('after');
      process.nextTick(() => say('tick'));
      P().then(() => say('micro'));
      setTimeout(() => say('timeout'), 1);
    });
    setImmediate(() => say('next'));
  });
  order('enterWith inside of run ends with it', (log) => {
    const say = sayer(log);
    als.run(1, () => { als.enterWith(2); say('in'); });
    say('after');
  });
  order('enterWith in an async function', (log) => {
    const say = sayer(log);
    setImmediate(async () => {
      als.enterWith(1);
      await null;
      say('one');
      als.enterWith(2);
      await null;
      say('two');
    });
    setImmediate(() => say('outside'));
  });
  order('enterWith after an await does not reach the caller', (log) => {
    const say = sayer(log);
    const f = async () => { await null; als.enterWith(9); say('f'); };
    (async () => { await f(); say('caller'); })();
  });
  order('a timer set by a timer, a promise made by an immediate', (log) => {
    const say = said(log);
    als.run(1, () => {
      setTimeout(() => { setTimeout(say('timer'), 1); setImmediate(() => P().then(say('promise'))); }, 1);
    });
  });
  order('combinators', (log) => {
    const say = sayer(log);
    const work = async (name) => { say(name); await null; say(`${name}2`); return name; };
    als.run(1, () => Promise.all([work('a'), als.run(2, () => work('b'))]).then(() => say('all')));
    als.run(3, async () => { await Promise.race([work('c'), work('d')]); say('race'); });
  });
  order('finally and then that return promises', (log) => {
    const say = said(log);
    als.run(1, () => P(1).finally(() => { say('finally')(); return P(); }).then(say('then')));
    als.run(2, () => P(1).then(() => { say('callback')(); return P(); }).then(say('then2')));
  });
  order('a refreshed timer keeps the store where it was made', (log) => {
    const say = said(log);
    const timer = als.run(1, () => setTimeout(say('timer'), 1));
    als.run(2, () => timer.refresh());
  });
  order('two storages', (log) => {
    const other = new AsyncLocalStorage();
    const say = (word) => log(word, '=', als.getStore() ?? '-', '/', other.getStore() ?? '-');
    als.run(1, () => other.run(2, () => { say('both'); process.nextTick(say, 'tick'); als.exit(() => say('one')); }));
    other.run(3, () => P().then(() => say('other')));
  });
  order('a snapshot calls with the stores of where it was made', (log) => {
    const say = sayer(log);
    const there = als.run(1, () => AsyncLocalStorage.snapshot());
    const nowhere = AsyncLocalStorage.snapshot();
    als.run(2, () => {
      log(there((a, b) => a + b, 2, 3));
      there(say, 'there');
      there(() => { say('a'); there(say, 'b'); nowhere(say, 'nowhere'); say('c'); });
      say('here');
      there(() => process.nextTick(say, 'tick'));
      try { there(() => { throw new Error('x'); }); } catch (e) { log(e.message); }
      say('here-again');
    });
    als.run(4, async () => {
      await there(async () => { say('async'); await null; say('async2'); });
      say('after');
    });
  });
  order('a bound function is called with the stores of where it was bound', (log) => {
    const say = sayer(log);
    const other = new AsyncLocalStorage();
    const both = () => log(als.getStore() ?? '-', '/', other.getStore() ?? '-');
    const bound = als.run(1, () => other.run(2, () => AsyncLocalStorage.bind(both)));
    bound();
    als.run(3, () => { bound(); setImmediate(bound); process.nextTick(bound); both(); });
    const free = AsyncLocalStorage.bind(say);
    als.run(4, () => { say('in'); free('free'); });
    const async = als.run(5, () => AsyncLocalStorage.bind(async () => { say('f'); await null; say('g'); }));
    als.run(6, async () => { await async(); say('after'); });
  });
  order('a thenable is asked in the store of the resolve', (log) => {
    const say = sayer(log);
    const thenable = {then(r) { say('then-called'); r(1); }};
    als.run(1, () => P(thenable).then(() => say('then')));
  });
  order('listeners of a timeout signal run where the signal was made', (log) => {
    const say = said(log);
    const signal = als.run(1, () => AbortSignal.timeout(1));
    als.run(2, () => signal.addEventListener('abort', say('from2')));
    signal.addEventListener('abort', say('outside'));
    const any = als.run(3, () => AbortSignal.any([signal]));
    any.addEventListener('abort', say('any'));
    setTimeout(() => {}, 8);
    als.enterWith(4);
  });
  order('listeners run where the signal is aborted', (log) => {
    const say = said(log);
    const controller = new AbortController();
    als.run(1, () => controller.signal.addEventListener('abort', say('listener')));
    als.run(2, () => setTimeout(() => controller.abort(), 1));
  });
};
