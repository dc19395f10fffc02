// SPDX-License-Identifier: MIT
// Writable: what waits, when it drains, how it ends.
'use strict';
const {Writable} = require('stream');
const {text, ladder, state, watch, done, attempt, now, tick, immediate, ways, sink} = require('../streams.js');
module.exports = (order) => {
  const uncaught = (log) => process.on('uncaughtException', (e) => log('uncaught-', text(e)));
  const bytes = (log, when, options) => new Writable({
    write(chunk, encoding, callback) { log('w', chunk); when(() => callback()); },
    ...options,
  });
  const loudly = (log) => ({destroy(e, cb) { log('destroy-', e ? text(e) : ''); cb(e); }});

  // ---- life ----
  for (const [name, when] of Object.entries(ways)) {
    order(`writes and an end, done ${name}`, (log) => {
      const w = sink(log, when);
      watch(log, w, '', true);
      log(w.write(1), state(w));
      log(w.write(2), state(w));
      w.end();
      log('ended', state(w));
      ladder(log);
    });
    order(`callbacks of writes and of the end, done ${name}`, (log) => {
      const w = sink(log, when);
      watch(log, w);
      w.write(1, done(log, 'one'));
      w.write(2, done(log, 'two'));
      w.end(3, done(log, 'end'));
      w.end(done(log, 'again'));
      ladder(log);
    });
    order(`some writes with a callback, done ${name}`, (log) => {
      const w = sink(log, when);
      watch(log, w);
      w.write(1);
      w.write(2, done(log, 'two'));
      w.write(3);
      w.end();
      ladder(log);
    });
    order(`bytes, some with a callback, done ${name}`, (log) => {
      const w = bytes(log, when);
      watch(log, w, '', true);
      w.write('a', done(log, 'one'));
      w.write('b');
      w.write('c', done(log, 'three'));
      w.end('d');
      ladder(log);
    });
    order(`a mark of 1, done ${name}`, (log) => {
      const w = sink(log, when, {highWaterMark: 1});
      watch(log, w, '', true);
      let i = 0;
      const more = () => { while (i < 3) if (!w.write(++i)) { log('full', state(w)); return; } w.end(); };
      w.on('drain', more);
      more();
      ladder(log);
    });
    order(`a mark of 0, done ${name}`, (log) => {
      const w = sink(log, when, {highWaterMark: 0});
      watch(log, w, '', true);
      log(w.write(1), state(w));
      w.once('drain', () => { log(w.write(2)); w.end(); });
      ladder(log);
    });
    order(`bytes up to the mark, done ${name}`, (log) => {
      const w = bytes(log, when, {highWaterMark: 4});
      watch(log, w);
      log(w.write('abc'), state(w));
      log(w.write('d'), state(w));
      log(w.write('efgh'), state(w));
      log(w.write(''), state(w));
      ladder(log);
      setImmediate(() => setImmediate(() => { log(state(w)); w.end(); }));
    });
    order(`final, done ${name}`, (log) => {
      const w = sink(log, now, {final(cb) { log('final', state(w)); when(() => cb()); }});
      watch(log, w, '', true);
      w.write(1);
      w.end(done(log, 'end'));
      ladder(log);
    });
    order(`final fails ${name}`, (log) => {
      const w = sink(log, now, {final(cb) { log('final'); when(() => cb(new Error('boom'))); }});
      watch(log, w, '', true);
      w.end(1, done(log, 'end'));
      w.end(done(log, 'again'));
      ladder(log);
    });
    order(`a write fails ${name}`, (log) => {
      const w = sink(log, now, {
        write(c, e, cb) { log('w', c); when(() => (c === 2 ? cb(new Error('boom')) : cb())); },
        ...loudly(log),
      });
      watch(log, w, '', true);
      for (let i = 1; i < 5; i++) log(w.write(i, done(log, `done${i}`)));
      w.end(done(log, 'end'));
      ladder(log);
    });
    order(`a write fails ${name}, without autoDestroy`, (log) => {
      const w = sink(log, now, {
        autoDestroy: false,
        write(c, e, cb) { log('w', c); when(() => (c === 2 ? cb(new Error('boom')) : cb())); },
      });
      watch(log, w, '', true);
      for (let i = 1; i < 4; i++) log(w.write(i, done(log, `done${i}`)));
      ladder(log);
      setImmediate(() => setImmediate(() => { log(w.write(4, done(log, 'done4')), state(w)); w.end(done(log, 'end')); }));
    });
    order(`constructed ${name}`, (log) => {
      const w = sink(log, now, {construct(cb) { log('construct'); when(() => cb()); }});
      watch(log, w);
      log(w.write(1), state(w));
      w.write(2, done(log, 'two'));
      w.end(done(log, 'end'));
      ladder(log);
    });
    order(`construct fails ${name}`, (log) => {
      const w = sink(log, now, {construct(cb) { log('construct'); when(() => cb(new Error('boom'))); }, ...loudly(log)});
      watch(log, w, '', true);
      w.write(1, done(log, 'one'));
      w.end(done(log, 'end'));
      ladder(log);
    });
    order(`destroyed while it writes, done ${name}`, (log) => {
      const w = sink(log, when, loudly(log));
      watch(log, w, '', true);
      for (let i = 1; i < 4; i++) w.write(i, done(log, `done${i}`));
      w.end(done(log, 'end'));
      w.destroy();
      log(state(w));
      ladder(log);
    });
    order(`destroyed with an error while it writes, done ${name}`, (log) => {
      const w = sink(log, when);
      watch(log, w);
      for (let i = 1; i < 4; i++) w.write(i, done(log, `done${i}`));
      w.destroy(new Error('boom'));
      log(w.write(4, done(log, 'done4')), state(w));
      w.end(done(log, 'end'));
      ladder(log);
    });
    order(`destroyed inside of write, done ${name}`, (log) => {
      const w = sink(log, now, {write(c, e, cb) { log('w', c); if (c === 2) this.destroy(); when(() => cb()); }});
      watch(log, w, '', true);
      for (let i = 1; i < 4; i++) log(w.write(i, done(log, `done${i}`)));
      w.end(done(log, 'end'));
      ladder(log);
    });
    order(`corked writes, done ${name}`, (log) => {
      const w = sink(log, when, {writev(chunks, cb) { log('v', chunks.map((c) => c.chunk)); when(() => cb()); }});
      watch(log, w, '', true);
      w.cork();
      w.write(1, done(log, 'one'));
      w.write(2);
      log(w.write(3, done(log, 'three')), state(w));
      tick(() => { w.uncork(); log(state(w)); w.write(4); w.end(); });
      ladder(log);
    });
    order(`writev without cork, done ${name}`, (log) => {
      const w = sink(log, when, {highWaterMark: 2, writev(chunks, cb) { log('v', chunks.map((c) => c.chunk)); when(() => cb()); }});
      watch(log, w);
      for (let i = 1; i < 6; i++) log(w.write(i));
      w.end();
      ladder(log);
    });
    order(`writev fails ${name}`, (log) => {
      const w = sink(log, now, {writev(chunks, cb) { log('v', chunks.length); when(() => cb(new Error('boom'))); }});
      watch(log, w);
      w.cork();
      for (let i = 1; i < 4; i++) w.write(i, done(log, `done${i}`));
      w.end(done(log, 'end'));
      ladder(log);
    });
  }
  order('an end without a write', (log) => {
    const w = sink(log);
    watch(log, w, '', true);
    w.end();
    log(state(w));
    ladder(log);
  });
  order('never ended', (log) => {
    const w = sink(log);
    watch(log, w, '', true);
    w.write(1);
    ladder(log);
    setImmediate(() => log(state(w)));
  });
  order('a write without a callback after one with, in the same tick', (log) => {
    for (const w of [sink(log), bytes(log, now)]) {
      watch(log, w);
      const of = (n) => (w.writableObjectMode ? n : `${n}`);
      w.write(of(1), done(log, 'one'));
      tick(() => { log('between'); tick(() => log('after')); });
      w.write(of(2));
      w.end();
    }
    ladder(log);
  });
  order('writes with and without a callback, in ticks of each other', (log) => {
    const w = sink(log);
    watch(log, w);
    w.write(1, () => { log('one'); w.write(3); w.write(4, done(log, 'four')); });
    w.write(2, () => { log('two'); w.write(5); tick(() => { log('later'); w.write(6); w.end(); }); });
    ladder(log);
  });
  order('an end inside of drain', (log) => {
    const w = sink(log, tick, {highWaterMark: 1});
    watch(log, w);
    w.on('drain', () => { w.end(); log(state(w)); });
    log(w.write(1));
    ladder(log);
  });
  order('an end before drain: drain does not come', (log) => {
    const w = sink(log, immediate, {highWaterMark: 1});
    watch(log, w);
    log(w.write(1), state(w));
    w.end();
    log(state(w));
    ladder(log);
  });
  order('a write inside of a callback of write', (log) => {
    const w = sink(log, tick);
    watch(log, w);
    w.write(1, () => { log('one', state(w)); w.write(2, () => { log('two'); w.end(); }); });
    ladder(log);
  });
  order('an end inside of write', (log) => {
    const w = sink(log, now, {write(c, e, cb) { log('w', c); this.end(); log(state(this)); cb(); }});
    watch(log, w);
    w.write(1);
    ladder(log);
  });
  order('a write inside of write', (log) => {
    const w = sink(log, now, {write(c, e, cb) { log('w', c); if (c < 3) log(this.write(c + 1), state(this)); cb(); log('out', c); }});
    watch(log, w);
    w.write(1);
    w.end();
    ladder(log);
  });
  order('the callback of finish and of the end', (log) => {
    const w = sink(log);
    w.on('prefinish', () => log('prefinish', state(w)));
    w.on('finish', () => log('finish', state(w)));
    w.end(() => log('callback', state(w)));
    w.on('close', () => { log('close'); w.end(done(log, 'closed')); });
    ladder(log);
  });
  order('an end after finish', (log) => {
    const w = sink(log);
    watch(log, w);
    w.end();
    w.on('finish', () => { w.end(done(log, 'again')); w.end(1, done(log, 'chunk')); });
    ladder(log);
  });
  order('an end after finish, without autoDestroy', (log) => {
    const w = sink(log, now, {autoDestroy: false});
    watch(log, w);
    w.end();
    setImmediate(() => { w.end(done(log, 'again')); log(state(w)); w.end(1, done(log, 'chunk')); log(state(w)); ladder(log); });
  });
  order('a write after the end', (log) => {
    const w = sink(log, immediate);
    watch(log, w, '', true);
    w.write(1, done(log, 'one'));
    w.end(done(log, 'end'));
    log(w.write(2, done(log, 'two')), state(w));
    ladder(log);
  });
  order('a write after the end, told to nobody', (log) => {
    uncaught(log);
    const w = sink(log);
    w.on('close', log.say('close'));
    w.end();
    w.write(1);
    ladder(log);
  });
  order('a write after the end, without autoDestroy', (log) => {
    const w = sink(log, now, {autoDestroy: false});
    watch(log, w, '', true);
    w.end(done(log, 'end'));
    log(w.write(2, done(log, 'two')), state(w));
    ladder(log);
  });
  order('an end with a chunk after the end', (log) => {
    const w = sink(log);
    watch(log, w);
    w.end(1, done(log, 'first'));
    w.end(2, done(log, 'second'));
    w.end(done(log, 'third'));
    ladder(log);
  });
  order('write and end after destroy', (log) => {
    const w = sink(log);
    watch(log, w, '', true);
    w.destroy();
    log(w.write(1, done(log, 'one')), state(w));
    w.end(done(log, 'end'));
    w.end(2, done(log, 'two'));
    ladder(log);
  });
  order('write and end after destroy with an error', (log) => {
    const w = sink(log);
    watch(log, w);
    w.destroy(new Error('boom'));
    log(w.write(1, done(log, 'one')));
    w.end(done(log, 'end'));
    w.end(2, done(log, 'two'));
    ladder(log);
  });
  order('write and end after close', (log) => {
    const w = sink(log);
    watch(log, w);
    w.destroy();
    setImmediate(() => {
      log(state(w));
      log(w.write(1, done(log, 'one')));
      w.end(done(log, 'end'));
      w.end(2, done(log, 'two'));
      w.destroy(new Error('late'));
      log(state(w));
      ladder(log);
    });
  });

  // ---- cork ----
  order('corked twice', (log) => {
    const w = sink(log);
    watch(log, w, '', true);
    w.cork(); w.cork();
    w.write(1); w.write(2);
    log(state(w));
    w.uncork();
    log(state(w));
    w.uncork();
    w.uncork();
    log(state(w));
    w.end();
    ladder(log);
  });
  order('an end uncorks', (log) => {
    const w = sink(log, now, {writev(chunks, cb) { log('v', chunks.length); cb(); }});
    watch(log, w, '', true);
    w.cork(); w.cork();
    w.write(1, done(log, 'one')); w.write(2, done(log, 'two'));
    w.end(done(log, 'end'));
    log(state(w));
    ladder(log);
  });
  order('corked over the mark', (log) => {
    const w = sink(log, tick, {highWaterMark: 2});
    watch(log, w, '', true);
    w.cork();
    log(w.write(1)); log(w.write(2)); log(w.write(3));
    w.uncork();
    log(state(w));
    ladder(log);
  });
  order('one corked chunk goes to write', (log) => {
    const w = sink(log, now, {writev(chunks, cb) { log('v', chunks.length); cb(); }});
    watch(log, w);
    w.cork(); w.write(1); w.uncork();
    w.end();
    ladder(log);
  });
  order('writev alone takes single chunks too', (log) => {
    const w = new Writable({objectMode: true, writev(chunks, cb) { log('v', chunks.map((c) => c.chunk)); tick(() => cb()); }});
    watch(log, w);
    w.write(1); w.write(2); w.write(3);
    w.end();
    ladder(log);
  });
  order('destroyed while corked', (log) => {
    const w = sink(log);
    watch(log, w);
    w.cork();
    w.write(1, done(log, 'one')); w.write(2, done(log, 'two'));
    w.destroy();
    log(state(w));
    w.uncork();
    ladder(log);
    setImmediate(() => log(state(w)));
  });
  order('corked inside of write', (log) => {
    const w = sink(log, now, {write(c, e, cb) { log('w', c); if (c === 1) { this.cork(); tick(() => this.uncork()); } cb(); }});
    watch(log, w);
    w.write(1); w.write(2); w.write(3);
    log(state(w));
    w.end();
    ladder(log);
  });

  // ---- errors ----
  order('write throws to who writes', (log) => {
    const w = sink(log, now, {write() { throw new Error('boom'); }});
    watch(log, w, '', true);
    attempt(log, () => w.write(1));
    log(state(w));
    log(w.write(2), state(w));
    ladder(log);
    setImmediate(() => w.destroy());
  });
  order('final throws', (log) => {
    const w = sink(log, now, {final() { log('final'); throw new Error('boom'); }});
    watch(log, w);
    attempt(log, () => w.end(done(log, 'end')));
    ladder(log);
  });
  order('a write answers twice', (log) => {
    const w = sink(log, now, {write(c, e, cb) { log('w', c); cb(); cb(); }});
    watch(log, w, '', true);
    w.write(1, done(log, 'one'));
    ladder(log);
  });
  order('a write answers twice, later', (log) => {
    const w = sink(log, now, {write(c, e, cb) { log('w', c); tick(() => { cb(); cb(); }); }});
    watch(log, w);
    w.write(1, done(log, 'one'));
    w.write(2, done(log, 'two'));
    ladder(log);
  });
  order('final answers twice', (log) => {
    const w = sink(log, now, {final(cb) { cb(); cb(); }});
    watch(log, w);
    w.end(done(log, 'end'));
    ladder(log);
  });
  order('a write fails after destroy', (log) => {
    const w = sink(log, now, {write(c, e, cb) { immediate(() => { cb(new Error('late')); log(state(w)); }); }});
    watch(log, w);
    w.write(1, done(log, 'one'));
    w.write(2, done(log, 'two'));
    w.destroy();
    ladder(log);
  });
  order('an error nobody hears: close does not come', (log) => {
    uncaught(log);
    const w = sink(log, now, {write(c, e, cb) { cb(new Error('boom')); }});
    w.on('close', log.say('close'));
    w.write(1, done(log, 'one'));
    ladder(log);
    setImmediate(() => log(state(w)));
  });
  order('a listener for drain throws', (log) => {
    uncaught(log);
    const w = sink(log, tick, {highWaterMark: 1});
    watch(log, w);
    w.once('drain', () => { throw new Error('boom'); });
    w.write(1, done(log, 'one'));
    ladder(log);
    setImmediate(() => { log(state(w)); w.end(); });
  });
  order('a callback of write throws', (log) => {
    uncaught(log);
    const w = sink(log, tick);
    watch(log, w);
    w.write(1, () => { throw new Error('boom'); });
    w.write(2, done(log, 'two'));
    ladder(log);
    setImmediate(() => { log(state(w)); w.end(done(log, 'end')); });
  });
  order('a listener for finish throws', (log) => {
    uncaught(log);
    const w = sink(log);
    w.on('finish', () => { log('finish'); throw new Error('boom'); });
    w.on('close', log.say('close'));
    w.end(done(log, 'end'));
    ladder(log);
    setImmediate(() => log(state(w)));
  });

  // ---- destroy ----
  order('destroyed before all', (log) => {
    const w = sink(log, now, loudly(log));
    watch(log, w, '', true);
    w.destroy();
    w.destroy(new Error('second'));
    log(state(w));
    ladder(log);
  });
  order('destroyed between the end and finish', (log) => {
    const w = sink(log, now, loudly(log));
    watch(log, w, '', true);
    w.write(1);
    w.end(done(log, 'end'));
    w.destroy();
    ladder(log);
  });
  order('destroyed between final and finish', (log) => {
    const w = sink(log, now, {final(cb) { log('final'); cb(); }});
    watch(log, w);
    w.end(done(log, 'end'));
    w.destroy(new Error('boom'));
    ladder(log);
  });
  order('destroyed inside of final', (log) => {
    const w = sink(log, now, {final(cb) { log('final'); this.destroy(); cb(); }});
    watch(log, w, '', true);
    w.end(done(log, 'end'));
    ladder(log);
  });
  order('destroyed inside of prefinish and finish', (log) => {
    for (const event of ['prefinish', 'finish']) {
      const w = sink(log);
      watch(log, w, `${event}:`);
      w.once(event, () => w.destroy(new Error('boom')));
      w.end(done(log, `${event}:end`));
    }
    ladder(log);
  });
  order('destroyed inside of drain', (log) => {
    const w = sink(log, tick, {highWaterMark: 1});
    watch(log, w, '', true);
    w.once('drain', () => w.destroy());
    w.write(1, done(log, 'one'));
    w.write(2, done(log, 'two'));
    ladder(log);
  });
  order('destroyed inside of a callback of write', (log) => {
    const w = sink(log, tick);
    watch(log, w);
    w.write(1, () => { log('one'); w.destroy(); });
    w.write(2, done(log, 'two'));
    w.end(done(log, 'end'));
    ladder(log);
  });
  order('destroy answers later', (log) => {
    const w = sink(log, immediate, {destroy(e, cb) { log('destroy'); immediate(() => cb(e)); }});
    watch(log, w, '', true);
    w.write(1, done(log, 'one'));
    w.write(2, done(log, 'two'));
    w.destroy(new Error('boom'));
    ladder(log);
  });
  order('destroyed while it is constructed', (log) => {
    const w = sink(log, now, {construct(cb) { immediate(() => cb()); }, ...loudly(log)});
    watch(log, w, '', true);
    w.write(1, done(log, 'one'));
    w.end(done(log, 'end'));
    w.destroy();
    log(state(w));
    ladder(log);
  });
  order('without emitClose', (log) => {
    const w = sink(log, now, {emitClose: false});
    watch(log, w);
    w.end();
    ladder(log);
    setImmediate(() => setImmediate(() => log(state(w))));
  });
  order('without autoDestroy', (log) => {
    const w = sink(log, now, {autoDestroy: false});
    watch(log, w);
    w.end(1);
    ladder(log);
    setImmediate(() => setImmediate(() => { log(state(w)); w.destroy(); log(state(w)); }));
  });
  order('without autoDestroy: an error of final', (log) => {
    const w = sink(log, now, {autoDestroy: false, final(cb) { cb(new Error('boom')); }});
    watch(log, w, '', true);
    w.end(done(log, 'end'));
    ladder(log);
    setImmediate(() => { w.end(done(log, 'again')); log(w.write(1, done(log, 'late'))); });
  });
  order('aborted by a signal while it writes', (log) => {
    const abort = new AbortController();
    const w = sink(log, immediate, {signal: abort.signal});
    watch(log, w, '', true);
    w.write(1, done(log, 'one'));
    w.write(2, done(log, 'two'));
    abort.abort();
    log(state(w));
    ladder(log);
  });
  order('a signal that comes after the end changes nothing', (log) => {
    const abort = new AbortController();
    const w = sink(log, now, {signal: abort.signal});
    watch(log, w);
    w.end();
    w.on('close', () => { abort.abort(); log(state(w)); });
    ladder(log);
  });
};
