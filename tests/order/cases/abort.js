// SPDX-License-Identifier: MIT
// AbortController and AbortSignal: the order of listeners, of combined signals and of aborted waits.
'use strict';
const {setTimeout: sleep, setImmediate: nextImmediate} = require('timers/promises');
module.exports = (order) => {
  const on = (signal, f) => { signal.addEventListener('abort', f); return () => signal.removeEventListener('abort', f); };
  const words = (text) => text.replaceAll(' ', '-');

  order('listeners run inside of abort, in order, once', (log) => {
    const c = new AbortController();
    on(c.signal, log.say('a'));
    on(c.signal, log.say('b'));
    Promise.resolve().then(log.say('micro'));
    log('before');
    c.abort();
    log('after');
    c.abort();
    log('again');
  });
  order('the flag is set before the listeners run', (log) => {
    const c = new AbortController();
    log(c.signal.aborted);
    on(c.signal, () => log(c.signal.aborted));
    c.abort();
    log(c.signal.aborted);
  });
  order('reasons', (log) => {
    const a = new AbortController();
    a.abort();
    log(a.signal.reason.name, ':', words(a.signal.reason.message));
    const b = new AbortController();
    b.abort(new Error('mine'));
    b.abort(new Error('later'));
    log(b.signal.reason.message);
    log(AbortSignal.abort(new Error('made')).reason.message);
    log(new AbortController().signal.reason === undefined ? 'none' : 'some');
  });
  order('throwIfAborted throws the reason itself', (log) => {
    const c = new AbortController();
    c.signal.throwIfAborted();
    c.abort(new Error('mine'));
    try { c.signal.throwIfAborted(); } catch (e) { log(e.message); }
  });
  order('a listener removed before, and by the one before it', (log) => {
    const c = new AbortController();
    const off1 = on(c.signal, log.say('never1'));
    off1();
    let off2;
    on(c.signal, () => { log('a'); off2(); });
    off2 = on(c.signal, log.say('never2'));
    on(c.signal, log.say('c'));
    c.abort();
  });
  order('a listener that throws stops no other, and is reported later', (log) => {
    process.on('uncaughtException', (e) => log('uncaught-', e.message));
    const c = new AbortController();
    on(c.signal, () => { log('a'); throw new Error('x'); });
    on(c.signal, log.say('b'));
    process.nextTick(log.say('tick-before'));
    c.abort();
    log('after-abort');
    process.nextTick(log.say('tick-after'));
    Promise.resolve().then(log.say('micro'));
    setImmediate(log.say('immediate'));
  });
  order('two listeners that throw', (log) => {
    process.on('uncaughtException', (e) => log('uncaught-', e.message));
    const c = new AbortController();
    on(c.signal, () => { throw new Error('x'); });
    on(c.signal, () => { throw new Error('y'); });
    setImmediate(() => { c.abort(); log('aborted'); });
    setImmediate(log.say('immediate2'));
  });
  order('abort by a listener of another signal', (log) => {
    const a = new AbortController();
    const b = new AbortController();
    on(a.signal, () => { log('a1'); b.abort(); log('a1-end'); });
    on(a.signal, log.say('a2'));
    on(b.signal, log.say('b1'));
    a.abort();
  });
  order('abort by a listener of the same signal', (log) => {
    const c = new AbortController();
    on(c.signal, () => { log('a'); c.abort(); });
    on(c.signal, log.say('b'));
    c.abort();
  });

  // ---- any
  order('any: the listeners of the source run first', (log) => {
    const c = new AbortController();
    const combined = AbortSignal.any([c.signal]);
    on(combined, log.say('combined'));
    on(c.signal, log.say('source1'));
    on(c.signal, log.say('source2'));
    c.abort();
  });
  order('any: the first source gives the reason', (log) => {
    const a = new AbortController();
    const b = new AbortController();
    const combined = AbortSignal.any([a.signal, b.signal]);
    on(combined, () => log('combined-', combined.reason.message));
    b.abort(new Error('b'));
    a.abort(new Error('a'));
    log(combined.reason.message);
  });
  order('any: of one aborted already', (log) => {
    const b = new AbortController();
    const combined = AbortSignal.any([b.signal, AbortSignal.abort(new Error('x'))]);
    log(combined.aborted, combined.reason.message);
    b.abort(new Error('b'));
    log(combined.reason.message);
  });
  order('any: two combined signals of one source', (log) => {
    const c = new AbortController();
    const first = AbortSignal.any([c.signal]);
    const second = AbortSignal.any([c.signal]);
    on(second, log.say('second'));
    on(first, log.say('first'));
    on(c.signal, log.say('source'));
    c.abort();
  });
  order('any: of nothing', (log) => {
    log(AbortSignal.any([]).aborted);
  });
  order('any: the same source twice', (log) => {
    const c = new AbortController();
    const combined = AbortSignal.any([c.signal, c.signal]);
    on(combined, log.say('combined'));
    c.abort();
  });

  // ---- waits
  const waiting = async (log, name, promise) => {
    try { await promise; log(name, '-done'); } catch (e) { log(name, '-', e.name, '-', e.code, '-', words(String(e.cause && e.cause.message))); }
  };
  order('an aborted sleep', (log) => {
    const c = new AbortController();
    waiting(log, 'sleep', sleep(60000, null, {signal: c.signal}));
    setImmediate(() => {
      c.abort(new Error('mine'));
      log('aborted');
      process.nextTick(log.say('tick'));
      setImmediate(log.say('immediate'));
    });
  });
  order('a sleep under a signal aborted before', (log) => {
    waiting(log, 'sleep', sleep(60000, null, {signal: AbortSignal.abort(new Error('early'))}));
    log('sync');
    Promise.resolve().then(log.say('micro'));
  });
  order('an aborted immediate', (log) => {
    const c = new AbortController();
    waiting(log, 'immediate', nextImmediate(null, {signal: c.signal}));
    c.abort();
    setImmediate(log.say('other'));
  });
  order('waits are aborted in the order in which they began', (log) => {
    const c = new AbortController();
    waiting(log, 'a', sleep(60000, null, {signal: c.signal}));
    on(c.signal, log.say('listener'));
    waiting(log, 'b', sleep(50000, null, {signal: c.signal}));
    waiting(log, 'c', nextImmediate(null, {signal: c.signal}));
    c.abort();
    log('aborted');
  });
  order('an abort after the wait is over changes nothing', (log) => {
    const c = new AbortController();
    waiting(log, 'sleep', sleep(1, null, {signal: c.signal})).then(() => { c.abort(); log('aborted'); });
  });
  order('a signal that aborts by itself', (log) => {
    const signal = AbortSignal.timeout(2);
    on(signal, () => log(signal.reason.name, ':', words(signal.reason.message)));
    setTimeout(log.say('held'), 30);
  });
  order('a sleep under a timeout', (log) => {
    waiting(log, 'sleep', sleep(60000, null, {signal: AbortSignal.timeout(2)}));
  });
  order('what follows a combined signal follows its sources', (log) => {
    const a = new AbortController();
    const b = new AbortController();
    const first = AbortSignal.any([a.signal]);
    const second = AbortSignal.any([a.signal]);
    const third = AbortSignal.any([first, b.signal, a.signal]);
    on(third, () => log('third', second.aborted ? 'after' : 'before'));
    on(second, () => log('second', third.aborted ? 'after' : 'before'));
    on(first, log.say('first'));
    a.abort();
  });
  order('a combined signal aborts a wait', (log) => {
    const a = new AbortController();
    const b = new AbortController();
    waiting(log, 'sleep', sleep(60000, null, {signal: AbortSignal.any([a.signal, b.signal])}));
    setTimeout(() => b.abort(new Error('b')), 1);
  });
};
