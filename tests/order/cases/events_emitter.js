// SPDX-License-Identifier: MIT
// EventEmitter: who is called, in which order, when listeners come and go in between. Each case runs twice
// in C++: with names of run time, and typed.
'use strict';
const EventEmitter = require('events');
const {once, errorMonitor} = EventEmitter;
module.exports = (order) => {
  const both = (name, body) => { order(name, body); order(`${name} (typed)`, body); };
  const yesNo = (yes) => (yes ? 'true' : 'false');
  const text = (e) => `${e.code || e.message}`;
  const attempt = (log, f) => { try { f(); } catch (e) { log('threw-', text(e)); } };

  both('listeners run in order, inside of emit', (log) => {
    const e = new EventEmitter();
    e.on('x', log.say('a'));
    e.on('x', log.say('b'));
    log('before');
    log(yesNo(e.emit('x')));
    log('after');
    log(yesNo(e.emit('z')));
  });
  both('arguments reach listeners that want them', (log) => {
    const e = new EventEmitter();
    e.on('y', (n) => log('y', n));
    e.on('y', log.say('none'));
    e.emit('y', 7);
  });
  both('prepended listeners come first', (log) => {
    const e = new EventEmitter();
    e.on('x', log.say('a'));
    e.prependListener('x', log.say('b'));
    e.prependOnceListener('x', log.say('c'));
    e.emit('x');
    e.emit('x');
  });
  both('once is for the next time only', (log) => {
    const e = new EventEmitter();
    e.once('x', log.say('once'));
    e.on('x', log.say('on'));
    log(e.listenerCount('x'));
    e.emit('x');
    log(e.listenerCount('x'));
    e.emit('x');
  });
  both('a once listener has left when it is called, and may emit', (log) => {
    const e = new EventEmitter();
    e.once('x', () => { log('once', e.listenerCount('x')); e.emit('x'); });
    e.on('x', log.say('on'));
    e.emit('x');
  });
  both('a once listener that a nested emit has called is not called again', (log) => {
    const e = new EventEmitter();
    let depth = 0;
    e.on('x', () => { log('outer', depth); if (depth++ === 0) e.emit('x'); });
    e.once('x', log.say('once'));
    e.on('x', log.say('last'));
    e.emit('x');
  });
  both('a listener that is added in an emit waits for the next', (log) => {
    const e = new EventEmitter();
    e.on('x', () => { log('a'); e.on('x', log.say('new')); });
    e.on('x', log.say('b'));
    e.emit('x');
    log('again');
    e.emit('x');
  });
  both('many listeners added in an emit', (log) => {
    const e = new EventEmitter();
    e.setMaxListeners(0);
    let adds = 0;
    e.on('x', () => { for (let i = 0; i < 20 && adds < 60; i++, adds++) e.on('x', () => {}); });
    for (let i = 0; i < 4; i++) { e.emit('x'); log(e.listenerCount('x')); }
  });
  both('a listener prepended in an emit waits for the next', (log) => {
    const e = new EventEmitter();
    let first = true;
    e.on('x', () => { log('a'); if (first) e.prependListener('x', log.say('new')); first = false; });
    e.on('x', log.say('b'));
    e.emit('x');
    e.emit('x');
  });
  both('a listener that is removed in an emit is still called in it', (log) => {
    const e = new EventEmitter();
    const b = () => log('b');
    e.on('x', () => { log('a'); e.off('x', b); log(e.listenerCount('x')); });
    e.on('x', b);
    e.on('x', log.say('c'));
    e.emit('x');
    log('again');
    e.emit('x');
  });
  both('a listener removes itself', (log) => {
    const e = new EventEmitter();
    const a = () => { log('a'); e.off('x', a); };
    e.on('x', a);
    e.on('x', log.say('b'));
    e.emit('x');
    e.emit('x');
  });
  both('a once listener that is removed in an emit is still called, once', (log) => {
    const e = new EventEmitter();
    const b = () => log('b');
    e.on('x', () => { log('a'); e.off('x', b); });
    e.once('x', b);
    e.emit('x');
    e.emit('x');
  });
  both('all listeners removed in an emit', (log) => {
    const e = new EventEmitter();
    e.on('x', () => { log('a'); e.removeAllListeners('x'); log(yesNo(e.emit('x'))); });
    e.on('x', log.say('b'));
    e.on('x', log.say('c'));
    log(yesNo(e.emit('x')));
    log(yesNo(e.emit('x')));
  });
  both('removed and added again in an emit', (log) => {
    const e = new EventEmitter();
    const b = () => log('b');
    let first = true;
    e.on('x', () => { log('a'); if (first) { e.off('x', b); e.on('x', b); } first = false; });
    e.on('x', b);
    e.on('x', log.say('c'));
    e.emit('x');
    log('again');
    e.emit('x');
  });
  both('nested emits each see who is there when they begin', (log) => {
    const e = new EventEmitter();
    let depth = 0;
    e.on('x', () => {
      const mine = depth++;
      log('in', mine);
      e.on('x', () => log('added', mine));
      if (mine < 2) e.emit('x');
      log('out', mine);
    });
    e.emit('x');
  });
  both('the emitter goes away in one of its listeners', (log) => {
    let e = new EventEmitter();
    e.on('x', () => { log('a'); e = null; });
    e.on('x', log.say('b'));
    e.once('x', log.say('c'));
    log(yesNo(e.emit('x')));
  });
  both('off removes the newest of two', (log) => {
    const e = new EventEmitter();
    const a = () => log('a');
    e.on('x', a);
    e.on('x', log.say('b'));
    e.on('x', a);
    log(e.listenerCount('x', a), e.listenerCount('x'));
    e.off('x', a);
    e.emit('x');
    e.off('x', a);
    e.off('x', a);
    e.emit('x');
    log(e.listenerCount('x', a), e.listenerCount('x'));
  });
  both('newListener comes before the listener is there', (log) => {
    const e = new EventEmitter();
    e.on('newListener', (name) => log('new-', name, e.listenerCount(name)));
    e.on('x', log.say('a'));
    e.once('x', log.say('b'));
    e.on('newListener', log.say('second'));
    e.on('z', log.say('z'));
  });
  both('what a listener for newListener adds comes first', (log) => {
    const e = new EventEmitter();
    e.once('newListener', (name) => { if (name === 'x') e.on('x', log.say('inserted')); });
    e.on('x', log.say('a'));
    e.emit('x');
  });
  both('removeListener comes when the listener is gone', (log) => {
    const e = new EventEmitter();
    const a = () => log('a');
    e.on('removeListener', (name, f) => log('gone-', name, f === a ? '-a' : '-other', e.listenerCount(name)));
    e.on('x', a);
    e.on('x', a);
    e.once('z', a);
    e.off('x', a);
    e.emit('z');
    e.off('x', a);
    e.off('x', a);
  });
  both('removeListener comes before a once listener is called', (log) => {
    const e = new EventEmitter();
    e.on('removeListener', (name) => log('gone-', name));
    e.once('x', log.say('called'));
    e.emit('x');
  });
  both('removeAllListeners tells of the newest first', (log) => {
    const e = new EventEmitter();
    const a = () => {};
    const b = () => {};
    const c = () => {};
    const name = (f) => (f === a ? 'a' : f === b ? 'b' : f === c ? 'c' : '?');
    e.on('removeListener', (event, f) => log(event, '-', name(f)));
    e.on('x', a);
    e.on('x', b);
    e.on('x', c);
    e.on('z', a);
    e.removeAllListeners('x');
    log(e.listenerCount('x'), e.listenerCount('z'));
    e.on('x', b);
    e.removeAllListeners();
    log(e.eventNames().length);
  });
  both('removeAllListeners without anybody to tell', (log) => {
    const e = new EventEmitter();
    e.on('x', log.say('x'));
    e.on('z', log.say('z'));
    e.removeAllListeners('x');
    log(e.eventNames().join());
    e.removeAllListeners();
    log(e.eventNames().length, yesNo(e.emit('z')));
  });
  both('eventNames are in the order in which they began', (log) => {
    const e = new EventEmitter();
    const a = () => {};
    e.on('z', a);
    e.on('x', a);
    e.on('y', a);
    e.on('z', a);
    log(e.eventNames().join());
    e.off('z', a);
    log(e.eventNames().join());
    e.off('z', a);
    log(e.eventNames().join());
    e.on('z', a);
    log(e.eventNames().join());
  });
  both('an exception goes to who emits, and stops the rest', (log) => {
    const e = new EventEmitter();
    e.on('x', log.say('a'));
    e.once('x', () => { log('once'); throw new Error('boom'); });
    e.on('x', log.say('b'));
    attempt(log, () => e.emit('x'));
    log(e.listenerCount('x'));
    attempt(log, () => e.emit('x'));
  });
  both('an exception out of a listener for removeListener', (log) => {
    const e = new EventEmitter();
    const a = () => log('a');
    e.on('removeListener', () => { throw new Error('told'); });
    e.on('x', a);
    e.once('z', log.say('once'));
    attempt(log, () => e.off('x', a));
    log(e.listenerCount('x'));
    attempt(log, () => e.emit('z'));
    log(e.listenerCount('z'));
  });
  both('an exception out of a listener for newListener', (log) => {
    const e = new EventEmitter();
    e.on('newListener', () => { throw new Error('no'); });
    attempt(log, () => e.on('x', log.say('a')));
    log(e.listenerCount('x'));
  });
  both('an error without a listener is thrown', (log) => {
    const e = new EventEmitter();
    attempt(log, () => e.emit('error', new Error('mine')));
    e.on('x', log.say('x'));
    attempt(log, () => e.emit('error', new Error('again')));
    e.on('error', (error) => log('heard-', error.message));
    attempt(log, () => e.emit('error', new Error('third')));
  });
  order('an error that is no exception', (log) => {
    const e = new EventEmitter();
    const dashed = (f) => { try { f(); } catch (er) { log(er.code, ':', er.message.replaceAll(' ', '-')); } };
    dashed(() => e.emit('error'));
    dashed(() => e.emit('error', 'text'));
    dashed(() => e.emit('error', 42));
    dashed(() => e.emit('error', true));
  });
  both('errorMonitor is told first, and handles nothing', (log) => {
    const e = new EventEmitter();
    e.on(errorMonitor, (error) => log('monitor-', error.message));
    attempt(log, () => e.emit('error', new Error('one')));
    e.on('error', (error) => log('heard-', error.message));
    attempt(log, () => e.emit('error', new Error('two')));
    log(e.listenerCount('error'), e.listenerCount(errorMonitor));
  });
  both('a monitor may add the listener that handles', (log) => {
    const e = new EventEmitter();
    e.on(errorMonitor, () => e.on('error', (error) => log('heard-', error.message)));
    attempt(log, () => e.emit('error', new Error('one')));
  });
  both('listeners and rawListeners', (log) => {
    const e = new EventEmitter();
    e.on('x', log.say('on'));
    e.once('x', log.say('once'));
    for (const f of e.listeners('x')) f();
    log(e.listenerCount('x'));
    const raw = e.rawListeners('x');
    raw[1].listener();
    log(e.listenerCount('x'));
    for (const f of raw) f();
    log(e.listenerCount('x'));
    for (const f of raw) f();
    log(e.listeners('z').length);
  });
  both('a warning tells of a leak, once per event', (log) => {
    const e = new EventEmitter();
    process.on('warning', (w) => log(w.name, ':', w.message.replaceAll(' ', '-').replace(/-to-\[.*/, '')));
    log.atEnd?.(() => process.removeAllListeners('warning'));
    for (let i = 0; i < 10; i++) e.on('x', () => {});
    log(10);
    for (let i = 0; i < 5; i++) e.on('x', () => {});
    for (let i = 0; i < 11; i++) e.on('z', () => {});
    log('done');
    process.nextTick(() => log('tick'));
  });
  both('the limit of an emitter', (log) => {
    const e = new EventEmitter();
    process.on('warning', (w) => log(w.message.replaceAll(' ', '-').replace(/-to-\[.*/, '')));
    log.atEnd?.(() => process.removeAllListeners('warning'));
    log(e.getMaxListeners());
    e.setMaxListeners(2);
    log(e.getMaxListeners());
    const a = () => {};
    for (let i = 0; i < 3; i++) e.on('x', a);
    // Down to one and up again: it is told again.
    e.off('x', a);
    e.off('x', a);
    for (let i = 0; i < 2; i++) e.on('x', a);
    e.setMaxListeners(0);
    for (let i = 0; i < 30; i++) e.on('z', a);
    attempt(log, () => e.setMaxListeners(-1));
  });
  both('coroutines that listen run to their first await, in order', (log) => {
    const e = new EventEmitter();
    e.on('x', async () => { log('a1'); await null; log('a2'); });
    e.on('x', async () => { log('b1'); await null; log('b2'); });
    e.on('x', log.say('c'));
    log(yesNo(e.emit('x')));
    Promise.resolve().then(log.say('micro'));
  });
  both('what a coroutine throws is an unhandled rejection', (log) => {
    const e = new EventEmitter();
    process.on('unhandledRejection', (error) => log('unhandled-', error.message));
    e.on('x', async () => { throw new Error('boom'); });
    e.on('error', log.say('error'));
    e.emit('x');
    log('after');
    process.nextTick(() => log('tick'));
  });
  both('a captured rejection is an error, in a tick', (log) => {
    const e = new EventEmitter({captureRejections: true});
    e.on('error', (error) => log('error-', error.message));
    e.on('x', async () => { throw new Error('boom'); });
    e.emit('x');
    log('after');
    process.nextTick(() => log('tick'));
    Promise.resolve().then(() => { log('micro'); process.nextTick(() => log('tick2')); });
  });
  both('a captured rejection later', (log) => {
    const e = new EventEmitter({captureRejections: true});
    e.on('error', (error) => log('error-', error.message));
    e.on('x', async () => { await null; log('x'); throw new Error('boom'); });
    e.emit('x');
    setImmediate(log.say('immediate'));
  });
  both('a captured rejection that nobody hears is an uncaught exception', (log) => {
    const e = new EventEmitter({captureRejections: true});
    process.on('uncaughtException', (error) => log('uncaught-', error.message));
    e.on('x', async () => { throw new Error('boom'); });
    e.emit('x');
    log('after');
  });
  both('a rejection of a listener for error is not captured again', (log) => {
    const e = new EventEmitter({captureRejections: true});
    process.on('unhandledRejection', (error) => log('unhandled-', error.message));
    e.on('error', async (error) => { log('error-', error.message); throw new Error('second'); });
    e.on('x', async () => { throw new Error('first'); });
    e.emit('x');
  });
  both('a handler of rejections takes the place of error', (log) => {
    const e = new EventEmitter({captureRejections: true});
    e[Symbol.for('nodejs.rejection')] = (error, name) => log(name, '-', error.message);
    e.on('error', log.say('error'));
    e.on('x', async () => { throw new Error('boom'); });
    e.emit('x');
  });
  both('emits from ticks, microtasks and immediates', (log) => {
    const e = new EventEmitter();
    e.on('y', (n) => { log('y', n); if (n < 3) process.nextTick(() => e.emit('y', n + 10)); });
    process.nextTick(() => e.emit('y', 1));
    Promise.resolve().then(() => e.emit('y', 2));
    setImmediate(() => e.emit('y', 3));
    e.emit('y', 0);
  });
  both('a queue of tasks', (log) => {
    const e = new EventEmitter();
    const tasks = [];
    let running = 0;
    const next = () => {
      while (running < 1 && tasks.length > 0) {
        const n = tasks.shift();
        running++;
        log('start', n);
        setImmediate(() => { running--; log('done', n); e.emit('y', n); });
      }
    };
    e.on('y', next);
    const add = (n) => { tasks.push(n); log('added', n); next(); };
    add(1);
    add(2);
    add(3);
    e.on('y', (n) => { if (n === 3) log('all'); });
  });
  both('an order bus', (log) => {
    const bus = new EventEmitter();
    bus.on('y', (id) => { log('stock', id); if (id === 2) bus.emit('error', new Error('sold-out')); });
    bus.on('y', async (id) => { await null; log('mail', id); });
    bus.on('y', (id) => log('count', id));
    bus.once('y', log.say('first'));
    bus.on('error', (error) => log(error.message));
    bus.emit('y', 1);
    bus.emit('y', 2);
    log('placed');
  });
};
