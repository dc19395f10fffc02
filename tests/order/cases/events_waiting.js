// SPDX-License-Identifier: MIT
// once and on of the events module: when who waits goes on, and who listens meanwhile.
'use strict';
const EventEmitter = require('events');
const {once, on} = EventEmitter;
module.exports = (order) => {
  const both = (name, body) => { order(name, body); order(`${name} (typed)`, body); };
  const ticks = (log, n) => { let p = Promise.resolve(); for (let i = 1; i <= n; i++) p = p.then(() => log(i)); };
  const counts = (log, e) => log(`y${e.listenerCount('y')}`, `-error${e.listenerCount('error')}`);

  both('once gives the arguments of the next emit', async (log) => {
    const e = new EventEmitter();
    const first = once(e, 'y');
    counts(log, e);
    e.emit('y', 1);
    counts(log, e);
    e.emit('y', 2);
    const [n] = await first;
    log('got', n);
  });
  both('the ticks of once', async (log) => {
    const e = new EventEmitter();
    const waits = async () => { const [n] = await once(e, 'y'); log('got', n); };
    waits();
    setImmediate(() => { ticks(log, 5); e.emit('y', 1); log('emitted'); });
  });
  both('the ticks of once that is emitted at once', async (log) => {
    const e = new EventEmitter();
    const promise = once(e, 'y');
    e.emit('y', 1);
    ticks(log, 6);
    await promise;
    log('got');
  });
  both('two wait for the same emit', async (log) => {
    const e = new EventEmitter();
    const wait = async (name) => { const [n] = await once(e, 'y'); log(name, n); };
    wait('a');
    wait('b');
    setImmediate(() => { e.emit('y', 1); log('emitted'); });
  });
  both('an error ends the wait', async (log) => {
    const e = new EventEmitter();
    const promise = once(e, 'y');
    e.emit('error', new Error('boom'));
    counts(log, e);
    ticks(log, 5);
    try { await promise; } catch (error) { log('caught-', error.message); }
  });
  both('an error that is waited for', async (log) => {
    const e = new EventEmitter();
    const promise = once(e, 'error');
    e.emit('error', new Error('boom'));
    const [error] = await promise;
    log('got-', error.message);
  });
  both('a signal ends the wait inside of abort', async (log) => {
    const e = new EventEmitter();
    const c = new AbortController();
    const promise = once(e, 'y', {signal: c.signal});
    c.abort(new Error('mine'));
    counts(log, e);
    ticks(log, 5);
    try { await promise; } catch (error) { log(error.name, '-', error.code, '-', error.cause.message); }
  });
  both('a signal that is aborted before', async (log) => {
    const e = new EventEmitter();
    const promise = once(e, 'y', {signal: AbortSignal.abort()});
    counts(log, e);
    ticks(log, 3);
    try { await promise; } catch (error) { log(error.name); }
  });
  both('an abort after the emit comes too late', async (log) => {
    const e = new EventEmitter();
    const c = new AbortController();
    const promise = once(e, 'y', {signal: c.signal});
    e.emit('y', 1);
    c.abort();
    const [n] = await promise;
    log('got', n);
  });

  both('on gives every emit', async (log) => {
    const e = new EventEmitter();
    const events = on(e, 'y');
    e.emit('y', 1);
    e.emit('y', 2);
    setImmediate(() => { e.emit('y', 3); e.emit('y', 4); log('emitted'); });
    for (let i = 0; i < 4; i++) { const {value: [n]} = await events.next(); log('got', n); }
    await events.return();
    counts(log, e);
  });
  both('the ticks of on', async (log) => {
    const e = new EventEmitter();
    const events = on(e, 'y');
    e.emit('y', 1);
    ticks(log, 3);
    await events.next();
    log('kept');
    const later = events.next();
    process.nextTick(() => { ticks(log, 3); e.emit('y', 2); });
    await later;
    log('waited');
    await events.return();
  });
  both('several wait for the next ones', async (log) => {
    const e = new EventEmitter();
    const events = on(e, 'y');
    const take = async (name) => { const {value, done} = await events.next(); log(name, done ? 'done' : value[0]); };
    take('a');
    take('b');
    take('c');
    e.emit('y', 1);
    e.emit('y', 2);
    await events.return();
  });
  both('an error comes after what was emitted before', async (log) => {
    const e = new EventEmitter();
    const events = on(e, 'y');
    e.emit('y', 1);
    e.emit('error', new Error('boom'));
    counts(log, e);
    log('got', (await events.next()).value[0]);
    try { await events.next(); } catch (error) { log('caught-', error.message); }
    log((await events.next()).done ? 'done' : 'more');
  });
  both('an error while somebody waits', async (log) => {
    const e = new EventEmitter();
    const events = on(e, 'y');
    const take = async (name) => {
      try { log(name, (await events.next()).done ? 'done' : 'more'); } catch (error) { log(name, error.message); }
    };
    take('a');
    take('b');
    e.emit('error', new Error('boom'));
  });
  both('an event that closes', async (log) => {
    const e = new EventEmitter();
    const events = on(e, 'y', {close: ['z']});
    e.emit('y', 1);
    e.emit('z');
    log(yes(e.emit('y', 2)));
    log('got', (await events.next()).value[0]);
    log((await events.next()).done ? 'done' : 'more');
  });
  both('a signal ends the sequence', async (log) => {
    const e = new EventEmitter();
    const c = new AbortController();
    const events = on(e, 'y', {signal: c.signal});
    e.emit('y', 1);
    c.abort(new Error('mine'));
    counts(log, e);
    log('got', (await events.next()).value[0]);
    try { await events.next(); } catch (error) { log(error.name, '-', error.cause.message); }
  });
  both('a sequence with an aborted signal', (log) => {
    const e = new EventEmitter();
    try { on(e, 'y', {signal: AbortSignal.abort()}); } catch (error) { log(error.name); }
    counts(log, e);
  });
  order('the marks pause and resume the emitter', async (log) => {
    const e = new EventEmitter();
    e.pause = log.say('pause');
    e.resume = log.say('resume');
    const events = on(e, 'y', {highWaterMark: 2, lowWaterMark: 2});
    for (let i = 1; i <= 5; i++) { e.emit('y', i); log('emitted', i); }
    for (let i = 1; i <= 5; i++) { log('got', (await events.next()).value[0]); }
    e.emit('y', 6);
    await events.return();
    log((await events.next()).value[0], (await events.next()).done ? 'done' : 'more');
  });
  order('on of a target', async (log) => {
    const t = new EventTarget();
    const events = on(t, 'y', {close: ['z']});
    log(EventEmitter.getEventListeners(t, 'y').length, EventEmitter.getEventListeners(t, 'error').length);
    t.dispatchEvent(new Event('y'));
    log('got-', (await events.next()).value[0].type);
    const take = async (name) => {
      const {value, done} = await events.next();
      log(name, done ? 'done' : value[0].cancelable ? 'cancelable' : 'plain');
    };
    take('a');
    take('b');
    ticks(log, 3);
    t.dispatchEvent(new Event('y', {cancelable: true}));
    t.dispatchEvent(new Event('error'));
    log('dispatched');
    t.dispatchEvent(new Event('z'));
    log(EventEmitter.getEventListeners(t, 'y').length, EventEmitter.getEventListeners(t, 'z').length);
  });
  order('a signal ends the sequence of a target', async (log) => {
    const t = new EventTarget();
    const c = new AbortController();
    const events = on(t, 'y', {signal: c.signal});
    t.dispatchEvent(new Event('y'));
    c.abort(new Error('mine'));
    log(EventEmitter.getEventListeners(t, 'y').length);
    log('got-', (await events.next()).value[0].type);
    try { await events.next(); } catch (error) { log(error.name, '-', error.cause.message); }
  });

  const yes = (b) => (b ? 'true' : 'false');
};
