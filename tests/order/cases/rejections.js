// SPDX-License-Identifier: MIT
// Rejections that nobody handles, and exceptions out of callbacks.
'use strict';
const fs = require('fs');
module.exports = (order, {busy}) => {
  const P = () => Promise.resolve();
  const R = (text) => Promise.reject(new Error(text));
  const onIo = (f) => fs.stat('/', f);
  const sayUnhandled = (log) => process.on('unhandledRejection', (e) => log('unhandled-', e.message));
  const sayUncaught = (log) => process.on('uncaughtException', (e) => log('uncaught-', e.message));
  const fail = (text) => { throw new Error(text); };

  // ---- unhandled rejections
  order('reported after the ticks and microtasks of the same callback', (log) => {
    sayUnhandled(log);
    R('r');
    process.nextTick(() => { log('tick'); process.nextTick(log.say('tick2')); });
    P().then(log.say('micro')).then(log.say('micro2'));
    queueMicrotask(() => process.nextTick(log.say('tick-of-micro')));
    setImmediate(log.say('immediate'));
    log('sync');
  });
  order('a handler added by a tick or a microtask suppresses it', (log) => {
    sayUnhandled(log);
    const a = R('a');
    process.nextTick(() => a.catch(log.say('caught-by-tick')));
    const b = R('b');
    P().then(() => b.catch(log.say('caught-by-micro')));
    const c = R('c');
    P().then(() => process.nextTick(() => c.catch(log.say('caught-by-tick-of-micro'))));
    R('d');
  });
  order('a handler added by an immediate comes too late', (log) => {
    sayUnhandled(log);
    process.on('rejectionHandled', log.say('rejectionHandled'));
    const p = R('r');
    setImmediate(() => {
      log('immediate');
      p.catch(log.say('late-catch'));
      P().then(log.say('micro'));
      process.nextTick(log.say('tick'));
      setImmediate(log.say('immediate2'));
    });
  });
  order('only the end of a chain is reported', (log) => {
    sayUnhandled(log);
    R('a').then(log.say('never')).then(log.say('never')).finally(log.say('finally'));
  });
  order('each branch is reported', (log) => {
    sayUnhandled(log);
    const p = R('a');
    p.then(log.say('never'));
    p.then(log.say('never'));
    p.catch(log.say('caught'));
  });
  order('in the order of the rejections', (log) => {
    sayUnhandled(log);
    P().then(() => fail('third'));
    R('first');
    (async () => fail('second'))();
    P().then(() => {}).then(() => fail('fourth'));
  });
  order('of async functions', (log) => {
    sayUnhandled(log);
    (async () => { await null; fail('a'); })();
    (async () => { try { await R('b'); } catch (e) { log('caught-', e.message); throw e; } })();
    setTimeout(async () => { log('timer'); fail('c'); }, 1);
  });
  order('between two timers and between two immediates', (log) => {
    sayUnhandled(log);
    setTimeout(() => { log('timer1'); R('a'); }, 1);
    setTimeout(() => { log('timer2'); R('b'); }, 1);
    setImmediate(() => { log('immediate1'); R('c'); });
    setImmediate(log.say('immediate2'));
    busy(4);
  });
  order('what the handler queues comes before the next callback', (log) => {
    process.on('unhandledRejection', (e) => {
      log('unhandled-', e.message);
      process.nextTick(log.say(`tick-of-${e.message}`));
      P().then(log.say(`micro-of-${e.message}`));
    });
    setImmediate(() => { R('a'); R('b'); });
    setImmediate(log.say('immediate'));
  });
  order('a rejection made by the handler is reported too', (log) => {
    let n = 0;
    process.on('unhandledRejection', (e) => { log('unhandled-', e.message); if (++n < 3) R(`r${n}`); });
    R('r0');
    setImmediate(log.say('immediate'));
  });
  order('a catch added by the handler', (log) => {
    const p = R('a');
    process.on('unhandledRejection', (e) => { log('unhandled-', e.message); p.catch(log.say('caught')); });
    process.on('rejectionHandled', log.say('rejectionHandled'));
    setImmediate(log.say('immediate'));
  });
  order('handled late twice, of two promises', (log) => {
    sayUnhandled(log);
    process.on('rejectionHandled', log.say('rejectionHandled'));
    const a = R('a');
    const b = R('b');
    setImmediate(() => { b.catch(log.say('b')); a.catch(log.say('a')); b.catch(log.say('b-again')); });
  });
  order('a rejection that is awaited in time', (log) => {
    sayUnhandled(log);
    const p = R('a');
    (async () => { await null; await null; try { await p; } catch (e) { log('caught-', e.message); } })();
  });
  order('a promise that adopts a rejected one', (log) => {
    sayUnhandled(log);
    new Promise((r) => r(R('a')));
    Promise.resolve(R('b'));
    (async () => R('c'))();
  });
  order('a rejection goes to uncaughtException when only that is handled', (log) => {
    process.on('uncaughtException', (e, origin) => log('uncaught-', e.message, '-', origin));
    R('a');
    process.nextTick(log.say('tick'));
    setImmediate(log.say('immediate'));
  });
  order('with both handlers a rejection goes to its own', (log) => {
    sayUncaught(log);
    sayUnhandled(log);
    R('a');
    setImmediate(() => fail('b'));
  });

  // ---- exceptions
  order('out of a timer: at once', (log) => {
    process.on('uncaughtException', (e, origin) => log('uncaught-', e.message, '-', origin));
    setTimeout(() => {
      process.nextTick(log.say('tick'));
      P().then(log.say('micro'));
      log('timer');
      fail('t');
    }, 1);
  });
  order('out of a timer: the next late timer comes before its ticks', (log) => {
    sayUncaught(log);
    const timer = (name, throws) => () => {
      log(name);
      process.nextTick(log.say(`${name}-tick`));
      P().then(log.say(`${name}-micro`));
      if (throws) fail(name);
    };
    setTimeout(timer('a', true), 1);
    setTimeout(timer('b', false), 1);
    setTimeout(timer('c', false), 1);
    busy(5);
  });
  order('out of a timer: the immediates come before its ticks', (log) => {
    sayUncaught(log);
    setTimeout(() => {
      setImmediate(log.say('immediate'));
      process.nextTick(log.say('tick'));
      P().then(log.say('micro'));
      fail('t');
    }, 1);
  });
  order('out of an immediate: the next one comes before its ticks', (log) => {
    sayUncaught(log);
    const immediate = (name, throws) => () => {
      log(name);
      process.nextTick(log.say(`${name}-tick`));
      P().then(log.say(`${name}-micro`));
      if (throws) fail(name);
    };
    setImmediate(immediate('a', true));
    setImmediate(immediate('b', false));
    setImmediate(immediate('c', false));
  });
  order('out of the last immediate', (log) => {
    sayUncaught(log);
    setImmediate(() => {
      process.nextTick(log.say('tick'));
      P().then(log.say('micro'));
      setImmediate(log.say('next-turn'));
      fail('i');
    });
  });
  order('out of two immediates', (log) => {
    sayUncaught(log);
    setImmediate(() => { process.nextTick(log.say('tick1')); fail('a'); });
    setImmediate(() => { process.nextTick(log.say('tick2')); fail('b'); });
    setImmediate(log.say('c'));
  });
  order('out of two timers', (log) => {
    sayUncaught(log);
    setTimeout(() => { process.nextTick(log.say('tick1')); fail('a'); }, 1);
    setTimeout(() => { process.nextTick(log.say('tick2')); fail('b'); }, 1);
    setTimeout(log.say('c'), 1);
    setTimeout(log.say('d'), 3);
    busy(6);
  });
  order('out of a tick', (log) => {
    sayUncaught(log);
    process.nextTick(() => { log('tick1'); fail('t'); });
    process.nextTick(log.say('tick2'));
    P().then(log.say('micro'));
    setImmediate(log.say('immediate'));
  });
  order('out of a tick of an immediate that has another behind it', (log) => {
    sayUncaught(log);
    setImmediate(() => {
      process.nextTick(() => { log('tick1'); fail('t'); });
      process.nextTick(log.say('tick2'));
      P().then(log.say('micro'));
    });
    setImmediate(log.say('immediate2'));
    setImmediate(log.say('immediate3'));
  });
  order('out of a tick of a timer that has another behind it', (log) => {
    sayUncaught(log);
    setTimeout(() => {
      process.nextTick(() => { log('tick1'); fail('t'); });
      process.nextTick(log.say('tick2'));
      P().then(log.say('micro'));
    }, 1);
    setTimeout(log.say('timer2'), 1);
    setTimeout(log.say('timer3'), 1);
    busy(5);
  });
  order('out of a microtask: those behind it go on', (log) => {
    sayUncaught(log);
    queueMicrotask(() => { log('micro1'); process.nextTick(log.say('tick')); fail('m'); });
    queueMicrotask(log.say('micro2'));
    P().then(log.say('micro3'));
    setImmediate(log.say('immediate'));
  });
  order('out of a microtask of an immediate that has another behind it', (log) => {
    sayUncaught(log);
    setImmediate(() => {
      queueMicrotask(() => { process.nextTick(log.say('tick')); fail('m'); });
      queueMicrotask(log.say('micro2'));
    });
    setImmediate(log.say('immediate2'));
  });
  order('out of a callback of the poll phase', (log) => {
    sayUncaught(log);
    onIo(() => {
      process.nextTick(log.say('tick'));
      P().then(log.say('micro'));
      setImmediate(log.say('immediate'));
      log('io');
      fail('io');
    });
  });
  order('out of an interval, which goes on', (log) => {
    sayUncaught(log);
    let n = 0;
    const interval = setInterval(() => {
      log(++n);
      if (n === 3) clearInterval(interval);
      else fail(`n${n}`);
    }, 1);
  });
  order('a rejection and an exception of one callback', (log) => {
    sayUncaught(log);
    sayUnhandled(log);
    setImmediate(() => { R('r'); process.nextTick(log.say('tick')); fail('e'); });
    setImmediate(log.say('immediate2'));
  });
  order('the handler queues a tick and a microtask', (log) => {
    process.on('uncaughtException', (e) => {
      log('uncaught-', e.message);
      process.nextTick(log.say('tick-of-handler'));
      P().then(log.say('micro-of-handler'));
    });
    setImmediate(() => { process.nextTick(log.say('tick')); fail('a'); });
    setImmediate(log.say('immediate2'));
  });
  order('the monitor is told first', (log) => {
    sayUncaught(log);
    process.on('uncaughtExceptionMonitor', (e, origin) => log('monitor-', e.message, '-', origin));
    setImmediate(() => fail('a'));
    setImmediate(() => { R('b'); });
  });
  order('an exception in a then-callback is a rejection', (log) => {
    sayUncaught(log);
    sayUnhandled(log);
    P().then(() => fail('a')).catch((e) => log('caught-', e.message));
    P().then(() => fail('b'));
  });
};
