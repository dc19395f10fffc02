// SPDX-License-Identifier: MIT
// EventTarget: who is called when listeners come and go during a dispatch, and what becomes of exceptions.
'use strict';
const {once, on, setMaxListeners, getMaxListeners, getEventListeners, addAbortListener} = require('events');
module.exports = (order) => {
  const yesNo = (yes) => (yes ? 'true' : 'false');
  const sayWarnings = (log) => {
    process.on('warning', (w) => log(w.name, ':', w.message.replaceAll(' ', '-')));
    log.atEnd(() => process.removeAllListeners('warning'));
  };

  order('listeners are called in order, equal ones once', (log) => {
    const t = new EventTarget();
    const a = () => log('a');
    t.addEventListener('x', a);
    t.addEventListener('x', log.say('b'));
    t.addEventListener('x', a);
    t.addEventListener('x', a, {capture: true});
    log(yesNo(t.dispatchEvent(new Event('x'))));
    t.removeEventListener('x', a);
    t.dispatchEvent(new Event('x'));
    t.removeEventListener('x', a, {capture: true});
    t.dispatchEvent(new Event('x'));
    log(getEventListeners(t, 'x').length, getEventListeners(t, 'y').length);
  });
  order('a target listener for once', (log) => {
    const t = new EventTarget();
    t.addEventListener('x', () => { log('once'); t.dispatchEvent(new Event('x')); }, {once: true});
    t.addEventListener('x', log.say('on'));
    t.dispatchEvent(new Event('x'));
  });
  order('added during a dispatch', (log) => {
    const t = new EventTarget();
    let first = true;
    t.addEventListener('x', () => { log('a'); if (first) t.addEventListener('x', log.say('by-a')); first = false; });
    t.addEventListener('x', log.say('b'));
    t.dispatchEvent(new Event('x'));
    log('again');
    t.dispatchEvent(new Event('x'));
  });
  order('added during a dispatch by the last', (log) => {
    const t = new EventTarget();
    let first = true;
    t.addEventListener('x', () => { log('a'); if (first) t.addEventListener('x', log.say('new')); first = false; });
    t.dispatchEvent(new Event('x'));
    log('again');
    t.dispatchEvent(new Event('x'));
  });
  order('removed during a dispatch', (log) => {
    const t = new EventTarget();
    const b = () => log('b');
    const c = () => log('c');
    t.addEventListener('x', () => { log('a'); t.removeEventListener('x', b); t.removeEventListener('x', c); });
    t.addEventListener('x', b);
    t.addEventListener('x', c);
    t.addEventListener('x', log.say('d'));
    t.dispatchEvent(new Event('x'));
  });
  order('the last one removed during a dispatch, and another added', (log) => {
    const t = new EventTarget();
    const a = () => { log('a'); t.removeEventListener('x', a); t.addEventListener('x', log.say('new')); };
    t.addEventListener('x', a);
    t.dispatchEvent(new Event('x'));
    log('again');
    t.dispatchEvent(new Event('x'));
  });
  order('a once listener that adds another', (log) => {
    const t = new EventTarget();
    t.addEventListener('x', () => { log('a'); t.addEventListener('x', log.say('new')); }, {once: true});
    t.dispatchEvent(new Event('x'));
    log('again');
    t.dispatchEvent(new Event('x'));
  });
  order('what a listener throws stops no other', (log) => {
    const t = new EventTarget();
    process.on('uncaughtException', (e) => log('uncaught-', e.message));
    t.addEventListener('x', () => { throw new Error('boom'); });
    t.addEventListener('x', log.say('b'));
    process.nextTick(() => log('tick'));
    log(yesNo(t.dispatchEvent(new Event('x'))));
    process.nextTick(() => log('tick2'));
    Promise.resolve().then(() => log('micro'));
  });
  order('what a coroutine throws is an uncaught exception', (log) => {
    const t = new EventTarget();
    process.on('uncaughtException', (e) => log('uncaught-', e.message));
    t.addEventListener('x', async () => { await null; log('x'); throw new Error('boom'); });
    t.dispatchEvent(new Event('x'));
    setImmediate(log.say('immediate'));
  });
  order('stopImmediatePropagation', (log) => {
    const t = new EventTarget();
    t.addEventListener('x', (e) => { log('a'); e.stopPropagation(); });
    t.addEventListener('x', (e) => { log('b'); e.stopImmediatePropagation(); });
    t.addEventListener('x', log.say('c'));
    const e = new Event('x');
    t.dispatchEvent(e);
    log(yesNo(e.cancelBubble));
    t.dispatchEvent(e);
    t.dispatchEvent(new Event('x'));
  });
  order('preventDefault', (log) => {
    const t = new EventTarget();
    t.addEventListener('x', (e) => e.preventDefault(), {passive: true});
    const e = new Event('x', {cancelable: true});
    log(yesNo(t.dispatchEvent(e)), yesNo(e.defaultPrevented), yesNo(e.returnValue));
    log(yesNo(t.dispatchEvent(new Event('x'))));
  });
  order('what an event knows', (log) => {
    const t = new EventTarget();
    const e = new Event('x', {bubbles: true, composed: true});
    const say = () => log(e.type, yesNo(e.target === t), yesNo(e.currentTarget === t), e.eventPhase, yesNo(e.bubbles),
                          yesNo(e.composed), yesNo(e.cancelable), yesNo(e.isTrusted), e.composedPath().length,
                          yesNo(e.composedPath()[0] === t));
    log(Event.NONE, Event.CAPTURING_PHASE, Event.AT_TARGET, Event.BUBBLING_PHASE);
    say();
    t.addEventListener('x', say);
    t.addEventListener('x', () => say());
    t.dispatchEvent(e);
    say();
    e.initEvent('z', false, true);
    say();
  });
  order('a custom event', (log) => {
    const t = new EventTarget();
    t.addEventListener('x', (e) => log(e.detail));
    t.addEventListener('x', (e) => log(e.type));
    t.dispatchEvent(new CustomEvent('x', {detail: 'inside'}));
  });
  order('a signal removes the listener', (log) => {
    const t = new EventTarget();
    const c = new AbortController();
    t.addEventListener('x', log.say('a'), {signal: c.signal});
    t.addEventListener('x', () => { log('b'); c.abort(); });
    t.addEventListener('x', log.say('c'), {signal: c.signal});
    t.addEventListener('x', log.say('d'), {signal: AbortSignal.abort()});
    t.dispatchEvent(new Event('x'));
    log('again');
    t.dispatchEvent(new Event('x'));
  });
  order('an event that is being dispatched', (log) => {
    const t = new EventTarget();
    process.on('uncaughtException', (e) => log(e.code));
    t.addEventListener('x', (e) => { log('a'); t.dispatchEvent(e); });
    t.dispatchEvent(new Event('x'));
  });
  order('the target goes away in one of its listeners', (log) => {
    let t = new EventTarget();
    t.addEventListener('x', () => { log('a'); t = null; });
    t.addEventListener('x', log.say('b'), {once: true});
    t.addEventListener('x', log.say('c'));
    log(yesNo(t.dispatchEvent(new Event('x'))));
  });
  order('a target warns once', (log) => {
    const t = new EventTarget();
    sayWarnings(log);
    setMaxListeners(2, t);
    for (let i = 0; i < 4; i++) t.addEventListener('x', () => {});
    for (let i = 0; i < 4; i++) t.addEventListener('y', () => {});
    log('done');
  });
  order('once of a target', async (log) => {
    const t = new EventTarget();
    const promise = once(t, 'x');
    t.dispatchEvent(new Event('x'));
    log(getEventListeners(t, 'x').length);
    let p = Promise.resolve();
    for (let i = 1; i <= 4; i++) p = p.then(() => log(i));
    const [e] = await promise;
    log(e.type);
  });
  order('listeners of a signal', (log) => {
    const c = new AbortController();
    c.signal.addEventListener('abort', (e) => log('a-', e.type));
    const kept = addAbortListener(c.signal, log.say('b'));
    const gone = addAbortListener(c.signal, log.say('gone'));
    gone[Symbol.dispose]();
    c.signal.addEventListener('abort', log.say('c'));
    c.abort();
    log('after');
    addAbortListener(c.signal, log.say('late'));
    c.signal.addEventListener('abort', log.say('never'));
    process.nextTick(() => log('tick'));
  });
  order('a signal warns once of the eleventh listener', (log) => {
    const c = new AbortController();
    sayWarnings(log);
    log(getMaxListeners(c.signal));
    for (let i = 0; i < 10; i++) addAbortListener(c.signal, () => {});
    log('ten');
    setImmediate(() => {
      log('later');
      for (let i = 0; i < 5; i++) c.signal.addEventListener('abort', () => {});
      log(getEventListeners(c.signal, 'abort').length);
    });
  });
  order('the limit of a signal', (log) => {
    const c = new AbortController();
    const d = new AbortController();
    const e = AbortSignal.any([d.signal]);
    sayWarnings(log);
    setMaxListeners(2, c.signal, e);
    setMaxListeners(0, d.signal);
    log(getMaxListeners(c.signal), getMaxListeners(e));
    for (let i = 0; i < 12; i++) {
      if (i < 3) addAbortListener(c.signal, () => {});
      d.signal.addEventListener('abort', () => {});
      if (i < 2) e.addEventListener('abort', () => {});
    }
    setMaxListeners(3, c.signal);
    for (let i = 0; i < 2; i++) addAbortListener(c.signal, () => {});
  });
  order('listeners of a signal that have left are not counted', async (log) => {
    const c = new AbortController();
    const limit = new AbortController();
    sayWarnings(log);
    setMaxListeners(2, c.signal);
    const a = addAbortListener(c.signal, () => {});
    c.signal.addEventListener('abort', () => {}, {signal: limit.signal});
    const waiting = once(c.signal, 'abort', {signal: limit.signal});
    log(getEventListeners(c.signal, 'abort').length);
    a[Symbol.dispose]();
    log(getEventListeners(c.signal, 'abort').length);
    limit.abort();
    log(getEventListeners(c.signal, 'abort').length);
    await waiting.catch((error) => log(error.name));
    for (let i = 0; i < 2; i++) addAbortListener(c.signal, () => {});
    log(getEventListeners(c.signal, 'abort').length);
  });
  order('a listener of a signal that another signal removes', (log) => {
    const c = new AbortController();
    const limit = new AbortController();
    c.signal.addEventListener('abort', log.say('gone'), {signal: limit.signal});
    c.signal.addEventListener('abort', log.say('there'));
    limit.abort();
    c.abort();
  });
  order('once of a signal', async (log) => {
    const c = new AbortController();
    const promise = once(c.signal, 'abort');
    setImmediate(() => { c.abort(); log('aborted'); });
    const [e] = await promise;
    log(e.type);
  });
};
