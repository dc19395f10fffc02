// SPDX-License-Identifier: MIT
// The tick queue, the microtask queue and the phases of the loop.
'use strict';
const fs = require('fs');
const {MessageChannel} = require('worker_threads');
module.exports = (order, {busy}) => {
  const P = () => Promise.resolve();
  // A callback of the poll phase.
  const onIo = (f) => fs.stat('/', f);
  /// Calls `f` with the code of the error of an operation on a file that is not there.
  const onFailure = (what, f) => fs[what]('/leat/is/nowhere', (error) => f(error ? error.code : 'ok'));

  order('ticks before microtasks', (log) => {
    P().then(log.say('micro1'));
    queueMicrotask(log.say('micro2'));
    process.nextTick(log.say('tick1'));
    process.nextTick(log.say('tick2'));
    log('sync');
  });
  order('a tick made by a microtask waits for all microtasks', (log) => {
    P().then(() => {
      log('micro1');
      process.nextTick(log.say('tick'));
      P().then(log.say('micro3')).then(log.say('micro4'));
    });
    P().then(log.say('micro2'));
  });
  order('microtasks made by ticks wait for all ticks', (log) => {
    process.nextTick(() => {
      log('tick1');
      P().then(log.say('micro'));
      process.nextTick(() => { log('tick3'); process.nextTick(log.say('tick4')); });
    });
    process.nextTick(log.say('tick2'));
  });
  order('ticks and microtasks by turns', (log) => {
    process.nextTick(() => {
      log('tick1');
      queueMicrotask(() => {
        log('micro2');
        process.nextTick(() => { log('tick3'); queueMicrotask(log.say('micro4')); });
      });
    });
    queueMicrotask(() => {
      log('micro1');
      process.nextTick(() => { log('tick2'); queueMicrotask(log.say('micro3')); });
    });
  });
  order('arguments of nextTick', (log) => {
    process.nextTick((a, b) => log(a, b), 1, 'x');
  });
  order('a recursion of microtasks comes before ticks and immediates', (log) => {
    let n = 0;
    const again = () => { if (++n < 5) queueMicrotask(again); else log('micro', n); };
    queueMicrotask(again);
    setImmediate(log.say('immediate'));
    queueMicrotask(() => process.nextTick(log.say('tick')));
  });
  order('a recursion of ticks comes before microtasks', (log) => {
    let n = 0;
    const again = () => { if (++n < 5) process.nextTick(again); else log('tick', n); };
    P().then(log.say('micro'));
    process.nextTick(again);
  });
  order('drained between two immediates', (log) => {
    for (const name of ['a', 'b']) {
      setImmediate(() => {
        log(name);
        process.nextTick(log.say(`${name}-tick`));
        P().then(() => { log(name, '-micro'); process.nextTick(log.say(`${name}-tick-of-micro`)); });
      });
    }
  });
  order('drained between two callbacks of the poll phase', (log) => {
    let left = 2;
    const callback = () => {
      log('io');
      process.nextTick(log.say('tick'));
      P().then(log.say('micro'));
      if (--left === 0) log('both');
    };
    onIo(callback);
    onIo(callback);
  });
  order('from a callback of the poll phase', (log) => {
    onIo(() => {
      setTimeout(log.say('timeout'), 0);
      setImmediate(log.say('immediate'));
      process.nextTick(log.say('tick'));
      P().then(log.say('micro'));
      log('io');
    });
  });
  order('from a callback of the poll phase that blocks', (log) => {
    onIo(() => {
      setTimeout(log.say('timeout'), 1);
      setImmediate(() => { log('immediate'); setImmediate(log.say('immediate2')); });
      busy(5);
      log('io');
    });
  });
  order('from a wait on a descriptor', (log) => {
    onIo(() => {
      setTimeout(log.say('timeout'), 1);
      setImmediate(log.say('immediate'));
      process.nextTick(log.say('tick'));
      P().then(log.say('micro'));
      log('io');
    });
  });
  order('drained between two waits on descriptors', (log) => {
    const callback = () => {
      log('io');
      process.nextTick(log.say('tick'));
      P().then(log.say('micro'));
    };
    onIo(callback);
    onIo(callback);
  });
  order('drained between two messages of a port', (log) => {
    const {port1, port2} = new MessageChannel();
    port1.on('message', (n) => {
      log('message', n);
      process.nextTick(() => { log('tick', n); P().then(log.say(`micro-of-tick${n}`)); });
      P().then(log.say(`micro${n}`));
      setImmediate(log.say(`immediate${n}`));
      if (n === 2) port1.close();
    });
    port2.postMessage(1);
    port2.postMessage(2);
  });
  order('from a timer: the immediate comes before the next timer', (log) => {
    setTimeout(() => {
      setTimeout(log.say('timeout'), 1);
      setImmediate(log.say('immediate'));
      process.nextTick(log.say('tick'));
      P().then(log.say('micro'));
    }, 1);
  });
  order('a tick of a microtask of a timer comes before the next timer', (log) => {
    setTimeout(() => P().then(() => process.nextTick(log.say('tick'))), 1);
    setTimeout(log.say('timeout'), 1);
    busy(4);
  });
  for (const what of ['access', 'stat', 'open', 'readFile']) {
    order(`a failed ${what} is told in the poll phase`, (log) => {
      onFailure(what, (code) => {
        setTimeout(log.say('timeout'), 1);
        setImmediate(log.say('immediate'));
        P().then(log.say('micro-of-it'));
        process.nextTick(log.say('tick-of-it'));
        busy(5);
        log(code);
      });
      P().then(log.say('micro'));
      process.nextTick(log.say('tick'));
      log('asked');
    });
    order(`a failed ${what} comes behind a timer that is due`, (log) => {
      onFailure(what, log);
      setTimeout(log.say('timeout'), 1);
      busy(5);
    });
    order(`a failed ${what} of the poll phase waits for the next one`, (log) => {
      onIo(() => {
        onFailure(what, log);
        setTimeout(log.say('timeout'), 1);
        setImmediate(log.say('immediate'));
        busy(5);
        log('io');
      });
    });
  }
  order('all kinds from one callback', (log) => {
    setImmediate(() => {
      log('start');
      setTimeout(log.say('timeout'), 1);
      setImmediate(log.say('immediate'));
      P().then(log.say('promise')).then(log.say('promise2'));
      queueMicrotask(log.say('microtask'));
      process.nextTick(log.say('tick'));
      (async () => { log('async'); await null; log('async2'); })();
      busy(5);
      log('end');
    });
  });
  order('a callback that is an async function', (log) => {
    const callback = (name) => async () => { log(name); await null; log(name, '2'); };
    setImmediate(callback('immediate'));
    setImmediate(log.say('next-immediate'));
    process.nextTick(callback('tick'));
    process.nextTick(log.say('next-tick'));
    queueMicrotask(callback('micro'));
    queueMicrotask(log.say('next-micro'));
  });
};
