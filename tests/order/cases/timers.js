// SPDX-License-Identifier: MIT
// setTimeout, setInterval, setImmediate. Where the order depends on the clock, a busy loop makes everything
// late that is meant to be late, so that a slow machine changes nothing.
'use strict';
module.exports = (order, {busy}) => {
  order('one duration is first in, first out', (log) => {
    for (const name of ['a', 'b', 'c', 'd']) setTimeout(log.say(name), 2);
  });
  order('delays that are no delays are one millisecond', (log) => {
    setTimeout(log.say('1'), 1);
    setTimeout(log.say('0'), 0);
    setTimeout(log.say('-5'), -5);
    setTimeout(log.say('nan'), NaN);
    setTimeout(log.say('2^31'), 2 ** 31);
    setTimeout(log.say('infinity'), Infinity);
    setTimeout(log.say('1.9'), 1.9);
    setTimeout(log.say('none'));
    setTimeout(log.say('1-again'), 1);
  });
  order('the shorter one first', (log) => {
    setTimeout(log.say('long'), 800);
    setTimeout(log.say('short'), 2);
  });
  order('a late loop empties one duration before the next', (log) => {
    setTimeout(log.say('5-due-5'), 5);
    setTimeout(log.say('6-due-6'), 6);
    busy(12);
    setTimeout(log.say('5-due-17'), 5);
    busy(12);
  });
  order('a late loop: three durations', (log) => {
    setTimeout(log.say('2a'), 2);
    setTimeout(log.say('9a'), 9);
    setTimeout(log.say('30a'), 30);
    busy(10);
    setTimeout(log.say('9b'), 9);
    setTimeout(log.say('2b'), 2);
    busy(40);
    setTimeout(log.say('2c-not-due'), 60);
  });
  order('the clock is read again for each timer', (log) => {
    setTimeout(log.say('15-set-before'), 15);
    busy(30);
    setTimeout(log.say('1-set-after'), 1);
  });
  order('late timers are drained one by one', (log) => {
    const timer = (name) => () => {
      log(name);
      process.nextTick(log.say(`${name}-tick`));
      Promise.resolve().then(log.say(`${name}-micro`));
    };
    setTimeout(timer('a'), 1);
    setTimeout(timer('b'), 1);
    setTimeout(timer('c'), 3);
    busy(8);
  });
  order('a timer set by a timer waits for another turn', (log) => {
    setTimeout(() => {
      log('outer');
      setTimeout(log.say('inner'), 1);
      setImmediate(log.say('immediate'));
      busy(5);
    }, 1);
  });
  order('a timer of a shorter duration set by a late timer waits too', (log) => {
    setTimeout(() => {
      log('outer');
      setTimeout(log.say('inner'), 1);
      setImmediate(log.say('immediate'));
      busy(5);
    }, 4);
    setTimeout(log.say('other'), 5);
    busy(10);
  });
  order('extra arguments', (log) => {
    setTimeout((a, b) => log('timeout', a, b), 1, 1, 'x');
    const interval = setInterval((a) => { log('interval', a); clearInterval(interval); }, 1, 2);
    setTimeout(() => setImmediate((a, b) => log('immediate', a, b), 3, 'y'), 1);
  });

  // ---- clearing
  order('clear inside of a batch', (log) => {
    let b;
    setTimeout(() => { log('a'); clearTimeout(b); }, 1);
    b = setTimeout(log.say('b'), 1);
    setTimeout(log.say('c'), 1);
    busy(4);
  });
  order('clear inside of a batch, another duration', (log) => {
    let b;
    setTimeout(() => { log('a'); clearTimeout(b); }, 1);
    b = setTimeout(log.say('b'), 2);
    setTimeout(log.say('c'), 2);
    busy(5);
  });
  order('clear by a tick or a microtask of the timer before', (log) => {
    let b;
    let c;
    setTimeout(() => {
      log('a');
      process.nextTick(() => clearTimeout(b));
      Promise.resolve().then(() => clearTimeout(c));
    }, 1);
    b = setTimeout(log.say('b'), 1);
    c = setTimeout(log.say('c'), 1);
    setTimeout(log.say('d'), 1);
    busy(4);
  });
  order('clear twice, clear itself, clear what has fired', (log) => {
    const never = setTimeout(log.say('never'), 1);
    clearTimeout(never);
    clearTimeout(never);
    const self = setTimeout(() => { log('self'); clearTimeout(self); }, 1);
    const fired = setTimeout(log.say('fired'), 1);
    setTimeout(() => { clearTimeout(fired); clearTimeout(undefined); log('end'); }, 1);
  });
  order('clearTimeout clears an interval, clearInterval a timeout', (log) => {
    const interval = setInterval(() => { log('interval'); clearTimeout(interval); }, 1);
    const timeout = setTimeout(log.say('never'), 1);
    clearInterval(timeout);
  });
  order('all of a duration cleared, then one set again', (log) => {
    const a = setTimeout(log.say('never'), 2);
    clearTimeout(a);
    setTimeout(log.say('b'), 2);
    setTimeout(log.say('c'), 2);
  });

  // ---- intervals
  order('an interval ends when its callback clears it', (log) => {
    let n = 0;
    const interval = setInterval(() => {
      log(++n);
      process.nextTick(log.say(`tick${n}`));
      if (n === 3) clearInterval(interval);
    }, 1);
  });
  order('after a block an interval does not catch up', (log) => {
    let n = 0;
    const interval = setInterval(() => {
      log(++n);
      setImmediate(log.say(`immediate${n}`));
      if (n === 1) busy(45);
      if (n === 3) clearInterval(interval);
    }, 10);
  });
  order('the next of an interval is counted from the start of the callback', (log) => {
    let n = 0;
    const interval = setInterval(() => {
      log('interval', ++n);
      if (n === 2) return clearInterval(interval);
      busy(80);
      setTimeout(log.say('timeout'), 60);
    }, 100);
  });
  order('two intervals of one duration', (log) => {
    let left = 6;
    const every = (name) => {
      const timer = setInterval(() => {
        log(name);
        if (--left <= 1) clearInterval(timer);
      }, 2);
    };
    every('a');
    every('b');
  });

  // ---- refresh
  order('refresh sends a waiting timer to the end', (log) => {
    const a = setTimeout(log.say('a'), 5);
    setTimeout(log.say('b'), 5);
    a.refresh();
  });
  order('refresh starts a fired timer again', (log) => {
    let n = 0;
    const timer = setTimeout(() => {
      log('fired', ++n);
      if (n < 3) setImmediate(() => timer.refresh());
    }, 1);
  });
  order('refresh inside of the callback', (log) => {
    let n = 0;
    const timer = setTimeout(() => {
      log('fired', ++n);
      if (n < 3) timer.refresh();
    }, 1);
  });
  order('refresh does nothing after clear', (log) => {
    const timer = setTimeout(log.say('never'), 1);
    clearTimeout(timer);
    timer.refresh();
    setTimeout(log.say('end'), 3);
  });
  order('refresh by a tick of the timer before', (log) => {
    let b;
    let c;
    setTimeout(() => {
      log('a');
      process.nextTick(() => { b.refresh(); c.refresh(); });
    }, 2);
    b = setTimeout(log.say('b'), 2);
    c = setTimeout(log.say('c'), 2);
    setTimeout(log.say('d'), 2);
    setImmediate(log.say('immediate'));
    busy(5);
  });
  order('refresh by a microtask of a timer of another duration', (log) => {
    let b;
    setTimeout(() => {
      log('a');
      Promise.resolve().then(() => b.refresh());
    }, 2);
    b = setTimeout(log.say('b'), 3);
    setTimeout(log.say('c'), 3);
    setImmediate(log.say('immediate'));
    busy(8);
  });
  order('refresh, then clear, by a tick of the timer before', (log) => {
    let b;
    setTimeout(() => {
      log('a');
      process.nextTick(() => { b.refresh(); clearTimeout(b); });
    }, 2);
    b = setTimeout(log.say('never'), 2);
    setTimeout(log.say('c'), 2);
    busy(5);
  });
  order('refresh of an interval by a tick of the timer before', (log) => {
    let n = 0;
    let b;
    setTimeout(() => {
      log('a');
      process.nextTick(() => b.refresh());
    }, 2);
    b = setInterval(() => { log('b', ++n); if (n === 2) clearInterval(b); }, 2);
    setTimeout(log.say('c'), 2);
    setImmediate(log.say('immediate'));
    busy(5);
  });

  // ---- ref and unref
  order('hasRef', (log) => {
    const timer = setTimeout(() => {}, 1);
    log(timer.hasRef());
    timer.unref();
    log(timer.hasRef());
    timer.ref();
    log(timer.hasRef());
    const immediate = setImmediate(() => {});
    log(immediate.hasRef());
    immediate.unref();
    log(immediate.hasRef());
    immediate.ref();
    log(immediate.hasRef());
  });
  order('an unreferenced timer fires while something else holds the loop', (log) => {
    setTimeout(log.say('unref'), 1).unref();
    setTimeout(log.say('ref'), 1);
    busy(4);
  });
  order('an unreferenced timer in a list with others keeps its place', (log) => {
    setTimeout(log.say('a'), 1);
    setTimeout(log.say('b'), 1).unref();
    setTimeout(log.say('c'), 1);
    busy(4);
  });
  order('an unreferenced timer does not hold the loop', (log) => {
    const timer = setTimeout(log.say('never'), 60000).unref();
    log.atEnd(() => clearTimeout(timer));
    setTimeout(log.say('end'), 1);
  });

  // ---- immediates
  order('immediates in order, those made by them in the next turn', (log) => {
    setImmediate(() => {
      log('a');
      setImmediate(log.say('a-next'));
      process.nextTick(log.say('a-tick'));
      Promise.resolve().then(log.say('a-micro'));
    });
    setImmediate(() => { log('b'); setImmediate(log.say('b-next')); });
    setImmediate(log.say('c'));
  });
  order('clearImmediate inside of the batch', (log) => {
    let b;
    setImmediate(() => { log('a'); clearImmediate(b); });
    b = setImmediate(log.say('b'));
    setImmediate(log.say('c'));
  });
  order('clearImmediate before, twice, and of itself', (log) => {
    const never = setImmediate(log.say('never'));
    clearImmediate(never);
    clearImmediate(never);
    const self = setImmediate(() => { log('self'); clearImmediate(self); });
    setImmediate(() => { clearImmediate(self); log('end'); });
  });
  order('clearImmediate by a tick of the immediate before', (log) => {
    let b;
    setImmediate(() => { log('a'); process.nextTick(() => clearImmediate(b)); });
    b = setImmediate(log.say('b'));
    setImmediate(log.say('c'));
  });
  order('a due timer comes between two turns of immediates', (log) => {
    setImmediate(() => {
      log('immediate1');
      setTimeout(log.say('timeout'), 1);
      setImmediate(log.say('immediate2'));
      busy(5);
    });
  });
  order('work in chunks by immediates lets a timer through', (log) => {
    let done = false;
    setTimeout(() => { log('timer'); done = true; }, 1);
    let chunks = 0;
    const chunk = () => {
      busy(3);
      if (++chunks < 3) setImmediate(chunk);
      else log(done ? 'timer-was-let-through' : 'timer-starved');
    };
    chunk();
  });
  order('an immediate set by a tick or a microtask of an immediate', (log) => {
    setImmediate(() => {
      process.nextTick(() => setImmediate(log.say('from-tick')));
      Promise.resolve().then(() => setImmediate(log.say('from-micro')));
      setImmediate(log.say('direct'));
    });
  });
};
