// SPDX-License-Identifier: MIT
// Readable: when it asks, when it tells, how it ends.
'use strict';
const {Readable} = require('stream');
const {
  text, ladder, state, watch, onData, show, attempt, now, tick, immediate, ways, counting, manual, manualBytes,
} = require('../streams.js');
module.exports = (order) => {
  // ---- flowing ----
  for (const [name, when] of Object.entries(ways)) {
    order(`flows, pushed ${name}`, (log) => {
      const r = counting(3, {}, when);
      watch(log, r, '', true);
      onData(log, r);
      log(state(r));
      ladder(log);
    });
    order(`readable and read, pushed ${name}`, (log) => {
      const r = counting(3, {}, when);
      watch(log, r, '', true);
      r.on('readable', () => {
        log('readable', state(r));
        for (let c; (c = r.read()) !== null;) log('got', c);
        log('null', state(r));
      });
      ladder(log);
    });
    order(`a mark of 1, pushed ${name}`, (log) => {
      const r = counting(4, {highWaterMark: 1}, when);
      watch(log, r);
      r.on('readable', () => { log('readable', state(r)); log(show(r.read())); });
      ladder(log);
    });
    order(`a mark of 0, pushed ${name}`, (log) => {
      const r = counting(2, {highWaterMark: 0}, when);
      watch(log, r);
      onData(log, r);
      ladder(log);
    });
  }
  order('a mark of 0 and readable', (log) => {
    const r = counting(3, {highWaterMark: 0});
    watch(log, r);
    r.on('readable', () => { log('readable', state(r)); log(show(r.read())); });
    ladder(log);
  });
  order('nobody reads', (log) => {
    const r = counting(3);
    watch(log, r);
    ladder(log);
    setImmediate(() => log(state(r)));
  });
  order('resume without a listener drops it all', (log) => {
    const r = counting(3);
    watch(log, r, '', true);
    log(state(r.resume()));
    ladder(log);
  });
  order('how often it asks, and with which mark', (log) => {
    let i = 0;
    const r = new Readable({objectMode: true, highWaterMark: 2, read(size) { log('read', size); this.push(i < 5 ? ++i : null); }});
    onData(log, r);
    watch(log, r);
    ladder(log);
  });
  order('asks ahead up to the mark', (log) => {
    let i = 0;
    const r = new Readable({objectMode: true, highWaterMark: 3, read() { log('read'); log(this.push(++i)); }});
    log(show(r.read()), state(r));
    ladder(log);
    setImmediate(() => { log(show(r.read()), state(r)); r.destroy(); });
  });
  order('several pushes in a read', (log) => {
    let i = 0;
    const r = new Readable({
      objectMode: true, highWaterMark: 3,
      read() { log('read'); for (let k = 0; k < 3; k++) log(this.push(++i)); if (i === 6) this.push(null); },
    });
    watch(log, r);
    onData(log, r);
    ladder(log);
  });
  order('pushed from outside, flowing', (log) => {
    const r = manual();
    watch(log, r);
    onData(log, r);
    log(r.push(1), state(r));
    setImmediate(() => { log(r.push(2)); log('after', state(r)); r.push(null); log('ended', state(r)); ladder(log); });
    ladder(log);
  });
  order('pushed from outside, with a listener for readable', (log) => {
    const r = manual();
    watch(log, r);
    r.on('readable', () => log('readable', show(r.read()), state(r)));
    setImmediate(() => { r.push(1); r.push(2); log('pushed', state(r)); ladder(log); });
    setImmediate(() => setImmediate(() => { r.push(null); log('ended', state(r)); ladder(log); }));
  });
  order('the end alone', (log) => {
    const r = manual();
    watch(log, r, '', true);
    r.on('readable', () => log('readable', show(r.read()), state(r)));
    r.push(null);
    ladder(log);
  });
  order('the end in an immediate, readable', (log) => {
    const r = manual();
    watch(log, r);
    r.on('readable', () => log('readable', show(r.read())));
    setImmediate(() => { r.push(null); log('pushed', state(r)); ladder(log); });
  });

  // ---- pause and resume ----
  order('paused and resumed inside of data', (log) => {
    const r = counting(3);
    watch(log, r, '', true);
    r.on('data', (c) => {
      log('data', c);
      if (c === 2) { r.pause(); log(state(r)); setImmediate(() => { r.resume(); log('resumed', state(r)); }); }
    });
    ladder(log);
  });
  order('pause and resume at once, inside of data', (log) => {
    const r = counting(3);
    watch(log, r);
    r.on('data', (c) => { log('data', c); r.pause(); r.resume(); });
    ladder(log);
  });
  order('paused before anybody listens', (log) => {
    const r = counting(2);
    watch(log, r);
    r.pause();
    onData(log, r);
    log(state(r));
    ladder(log);
    setImmediate(() => r.resume());
  });
  order('resume twice, pause twice', (log) => {
    const r = counting(2);
    watch(log, r);
    r.pause(); r.pause(); r.resume(); r.resume();
    onData(log, r);
    r.pause();
    log(state(r));
    tick(() => { log(state(r)); r.resume(); });
    ladder(log);
  });
  order('resume in the listener for pause, pause in the one for resume', (log) => {
    const r = counting(2);
    let left = 2;
    r.on('pause', () => { log('pause'); if (left-- > 0) r.resume(); });
    r.on('resume', () => { log('resume'); if (left-- > 0) r.pause(); });
    r.on('end', log.say('end'));
    onData(log, r);
    ladder(log);
  });
  order('paused while pushes come from outside', (log) => {
    const r = manual({highWaterMark: 2});
    watch(log, r);
    onData(log, r);
    setImmediate(() => {
      log(r.push(1));
      r.pause();
      log(r.push(2), state(r)); log(r.push(3), state(r)); r.push(null);
      setImmediate(() => { log(state(r)); r.resume(); ladder(log); });
    });
  });

  // ---- who listens ----
  order('data and readable: readable decides', (log) => {
    const r = counting(2);
    watch(log, r);
    onData(log, r);
    r.on('readable', () => { log('readable', state(r)); r.read(); });
    log(state(r));
    ladder(log);
  });
  order('readable and data: read tells both', (log) => {
    const r = counting(2);
    watch(log, r);
    r.on('readable', () => { log('readable'); log('got', show(r.read())); });
    onData(log, r);
    log(state(r));
    ladder(log);
  });
  order('the listener for readable goes, data flows', (log) => {
    const r = counting(4, {highWaterMark: 2});
    watch(log, r);
    const listener = () => { log('readable', state(r)); log('got', show(r.read())); r.off('readable', listener); log(state(r)); };
    r.on('readable', listener);
    onData(log, r);
    ladder(log);
  });
  order('once readable, then resume', (log) => {
    const r = counting(3);
    watch(log, r, '', true);
    r.once('readable', () => { log('readable', show(r.read()), state(r)); r.resume(); log(state(r)); });
    ladder(log);
  });
  order('once readable again and again', (log) => {
    const r = counting(3, {highWaterMark: 1});
    watch(log, r);
    const again = () => r.once('readable', () => { log('readable', show(r.read()), state(r)); if (!r.readableEnded) again(); });
    again();
    ladder(log);
  });
  order('removed listeners for readable leave no mode', (log) => {
    const r = counting(2);
    const listener = () => log('readable');
    r.on('readable', listener);
    log(state(r));
    r.off('readable', listener);
    log(state(r));
    tick(() => log(state(r)));
    setImmediate(() => { watch(log, r); onData(log, r); ladder(log); });
  });
  order('several listeners for readable go in one tick', (log) => {
    for (const stays of [true, false]) {
      const r = manual();
      watch(log, r, stays ? 'a:' : 'b:', true);
      if (stays) r.on('readable', () => log('readable', show(r.read()), state(r)));
      for (let i = 0; i < 2; i++) r.once('readable', () => { log('once', i, show(r.read())); r.resume(); });
      setImmediate(() => { r.push(1); tick(() => log(state(r))); });
      setImmediate(() => setImmediate(() => { log(state(r)); r.destroy(); }));
    }
    ladder(log);
  });
  order('removeAllListeners of readable', (log) => {
    const r = counting(3, {highWaterMark: 1});
    watch(log, r);
    r.on('readable', () => { log('readable', show(r.read())); r.removeAllListeners('readable'); log(state(r)); });
    onData(log, r);
    ladder(log);
  });
  order('once data: the rest flows away', (log) => {
    const r = counting(3);
    watch(log, r);
    r.once('data', (c) => log('data', c));
    ladder(log);
  });
  order('the listener for data goes, pushes come', (log) => {
    const r = manual();
    watch(log, r);
    const listener = (c) => { log('data', c); r.off('data', listener); };
    r.on('data', listener);
    setImmediate(() => {
      r.push(1); r.push(2); log(state(r));
      ladder(log);
      setImmediate(() => { log(state(r)); r.push(null); });
    });
  });
  order('a listener for data added inside of data', (log) => {
    const r = counting(2);
    let first = true;
    r.on('data', (c) => { log('a', c); if (first) r.on('data', (d) => log('b', d)); first = false; });
    r.on('data', (c) => log('c', c));
    watch(log, r);
    ladder(log);
  });
  order('prepended listeners for data do not start it', (log) => {
    const r = counting(2);
    r.prependListener('data', (c) => log('data', c));
    log(state(r));
    setImmediate(() => { log(state(r)); watch(log, r); r.resume(); ladder(log); });
  });
  order('readable listened to after the end was told', (log) => {
    const r = counting(1);
    watch(log, r);
    r.resume();
    r.on('end', () => { r.on('readable', log.say('readable')); log(state(r)); });
    ladder(log);
  });
  order('a listener for readable that does not read', (log) => {
    const r = counting(3, {highWaterMark: 2});
    watch(log, r);
    r.on('readable', () => log('readable', state(r)));
    ladder(log);
    setImmediate(() => { log(show(r.read())); setImmediate(() => { log(show(r.read()), state(r)); r.destroy(); }); });
  });
  order('new listeners are told of', (log) => {
    const r = counting(1);
    r.on('newListener', (name) => log('new-', name, state(r)));
    r.on('removeListener', (name) => log('gone-', name, state(r)));
    for (const event of ['readable', 'data', 'end']) r.on(event, log.say('first'));
    r.once('readable', () => log('readable', show(r.read())));
    r.once('data', (c) => log('data', c));
    r.once('end', log.say('end'));
    ladder(log);
  });

  // ---- read(n), unshift, bytes ----
  order('read of so many bytes', (log) => {
    const r = manualBytes();
    watch(log, r);
    r.push('abc'); r.push('defgh');
    log(show(r.read(2)), state(r));
    log(show(r.read(3)), state(r));
    log(show(r.read(9)), state(r));
    log(r.readableHighWaterMark);
    log(show(r.read()), state(r));
    log(show(r.read()), state(r));
    r.push(null);
    log(show(r.read()), state(r));
    ladder(log);
  });
  order('fewer bytes than asked for, at the end', (log) => {
    const r = manualBytes();
    watch(log, r);
    r.push('abc');
    r.push(null);
    log(show(r.read(2)), state(r));
    log(show(r.read(2)), state(r));
    ladder(log);
  });
  order('read of more than the mark raises it', (log) => {
    const r = new Readable({highWaterMark: 4, read(size) { log('asked', size); }});
    log(show(r.read(5)), r.readableHighWaterMark);
    r.push('abcdefghij');
    log(show(r.read(9)), r.readableHighWaterMark, state(r));
    attempt(log, () => r.read(2 ** 30 + 1));
    r.destroy();
    ladder(log);
  });
  order('read of nothing asks', (log) => {
    const r = new Readable({objectMode: true, read() { log('asked'); this.push(1); }, highWaterMark: 1});
    log(show(r.read(0)), state(r));
    log(show(r.read(0)), state(r));
    log(show(r.read()), state(r));
    r.destroy();
    ladder(log);
  });
  order('paused reading joins, flowing does not', (log) => {
    const r = manualBytes();
    r.push('a'); r.push('b'); r.push('c');
    watch(log, r);
    onData(log, r);
    r.pause();
    log(show(r.read()));
    r.push('d'); r.push('e');
    r.resume();
    r.push(null);
    ladder(log);
  });
  order('an empty push', (log) => {
    let i = 0;
    const r = new Readable({read() { log('read'); this.push(i++ < 2 ? '' : i < 5 ? 'x' : null); }});
    watch(log, r);
    onData(log, r);
    ladder(log);
  });
  order('an empty push from outside ends the asking', (log) => {
    let asked = 0;
    const r = new Readable({read() { log('read', ++asked); }});
    onData(log, r);
    watch(log, r);
    setImmediate(() => { log(r.push(''), state(r)); ladder(log); setImmediate(() => r.push(null)); });
  });
  order('unshift', (log) => {
    const r = manualBytes();
    watch(log, r);
    r.push('def');
    log(r.unshift(Buffer.from('abc')), state(r));
    log(show(r.read(4)));
    r.unshift(Buffer.from('x'));
    r.on('readable', () => { log('readable', show(r.read()), state(r)); });
    r.push(null);
    ladder(log);
  });
  order('unshift inside of readable, as parsers do', (log) => {
    const r = counting(2);
    watch(log, r);
    let back = true;
    r.on('readable', () => {
      log('readable');
      for (let c; (c = r.read()) !== null;) { log('got', c); if (back) { back = false; log(r.unshift(9)); } }
    });
    ladder(log);
  });
  order('unshift while it flows', (log) => {
    const r = manual();
    watch(log, r);
    onData(log, r);
    setImmediate(() => { log(r.unshift(1), state(r)); r.push(2); r.push(null); ladder(log); });
  });
  order('unshift between the last read and the end', (log) => {
    const r = counting(1);
    watch(log, r);
    r.once('data', (c) => { log('data', c); tick(() => { log(r.unshift(7), state(r)); onData(log, r); }); });
    ladder(log);
  });
  order('unshift after the end', (log) => {
    const r = counting(1, {autoDestroy: false});
    watch(log, r);
    r.resume();
    r.on('end', () => { log(r.unshift(1), state(r)); ladder(log); });
  });

  // ---- errors ----
  order('push after the end', (log) => {
    const r = manual();
    watch(log, r, '', true);
    r.push(null);
    log(r.push(1), state(r));
    log(r.push(null), state(r));
    ladder(log);
  });
  order('push after the end, told to nobody', (log) => {
    process.on('uncaughtException', (e) => log('uncaught-', text(e)));
    const r = manual();
    r.on('close', log.say('close'));
    r.push(null);
    r.push(1);
    ladder(log);
  });
  order('push after the end without autoDestroy', (log) => {
    const r = manual({autoDestroy: false});
    watch(log, r, '', true);
    onData(log, r);
    setImmediate(() => { r.push(1); r.push(null); log('ended'); log(r.push(2), state(r)); ladder(log); });
  });
  order('read throws', (log) => {
    const r = new Readable({objectMode: true, read() { log('read'); throw new Error('boom'); }});
    watch(log, r, '', true);
    onData(log, r);
    ladder(log);
  });
  order('read throws in the call of the user', (log) => {
    const r = new Readable({objectMode: true, read() { this.push(1); throw new Error('boom'); }});
    watch(log, r, '', true);
    log(show(r.read()), state(r));
    log(show(r.read()), state(r));
    ladder(log);
  });
  for (const [name, when] of Object.entries({now, tick, immediate})) {
    order(`read fails by destroy, ${name}`, (log) => {
      let i = 0;
      const r = new Readable({
        objectMode: true,
        read() { if (++i < 3) { this.push(i); } else { when(() => this.destroy(new Error('boom'))); } },
      });
      watch(log, r, '', true);
      r.on('readable', () => { log('readable', show(r.read()), state(r)); });
      ladder(log);
    });
  }
  order('a listener for data throws', (log) => {
    process.on('uncaughtException', (e) => log('uncaught-', text(e)));
    const r = counting(3);
    watch(log, r);
    r.on('data', (c) => { log('data', c); if (c === 2) throw new Error('boom'); });
    ladder(log);
    setImmediate(() => { log(state(r)); r.resume(); setImmediate(() => log(state(r))); });
  });
  order('a listener for data throws out of push', (log) => {
    const r = manual();
    watch(log, r);
    r.on('data', (c) => { log('data', c); throw new Error('boom'); });
    setImmediate(() => { attempt(log, () => r.push(1)); log(state(r)); r.push(null); ladder(log); });
  });
  order('a listener for end throws', (log) => {
    process.on('uncaughtException', (e) => log('uncaught-', text(e)));
    const r = counting(1);
    watch(log, r);
    r.on('end', () => { throw new Error('boom'); });
    r.resume();
    ladder(log);
    setImmediate(() => setImmediate(() => log(state(r))));
  });

  // ---- destroy ----
  order('destroyed before the first read', (log) => {
    const r = new Readable({objectMode: true, read() { log('read'); }, destroy(e, cb) { log('destroy', e ? text(e) : ''); cb(e); }});
    watch(log, r, '', true);
    onData(log, r);
    r.destroy();
    log(state(r));
    ladder(log);
  });
  order('destroyed with an error before the first read', (log) => {
    const r = new Readable({objectMode: true, read() { log('read'); }, destroy(e, cb) { log('destroy-', e ? text(e) : ''); cb(e); }});
    watch(log, r, '', true);
    r.destroy(new Error('boom'));
    r.destroy(new Error('second'));
    log(state(r), r.push(1), show(r.read()));
    ladder(log);
  });
  order('destroyed inside of data', (log) => {
    const r = counting(4);
    watch(log, r, '', true);
    r.on('data', (c) => { log('data', c); if (c === 2) { r.destroy(); log(state(r)); } });
    ladder(log);
  });
  order('destroyed with an error inside of readable', (log) => {
    const r = counting(4, {highWaterMark: 2});
    watch(log, r);
    r.on('readable', () => { log('readable', show(r.read())); r.destroy(new Error('boom')); log(show(r.read()), state(r)); });
    ladder(log);
  });
  order('destroyed inside of end', (log) => {
    const r = counting(1);
    watch(log, r);
    r.on('end', () => { r.destroy(new Error('late')); log(state(r)); });
    r.resume();
    ladder(log);
  });
  order('destroyed between the last chunk and the end', (log) => {
    const r = counting(2);
    watch(log, r);
    r.on('data', (c) => { log('data', c); if (c === 2) tick(() => tick(() => { log(state(r)); r.destroy(); })); });
    ladder(log);
  });
  order('destroyed in the listener for error', (log) => {
    const r = manual();
    watch(log, r);
    r.on('error', () => { r.destroy(new Error('again')); log(state(r)); });
    r.destroy(new Error('boom'));
    ladder(log);
  });
  order('destroy answers later, and twice', (log) => {
    const r = new Readable({objectMode: true, read() {}, destroy(e, cb) { log('destroy'); setImmediate(() => { cb(); cb(new Error('second')); log('answered', state(r)); }); }});
    watch(log, r, '', true);
    r.destroy();
    log(state(r));
    ladder(log);
  });
  for (const [name, when] of Object.entries(ways)) {
    order(`destroy fails, ${name}`, (log) => {
      const make = () => new Readable({
        objectMode: true, read() {}, destroy(e, cb) { log('destroy-', e ? text(e) : ''); when(() => cb(new Error('failed'))); },
      });
      const plain = watch(log, make(), 'a:', true), failed = watch(log, make(), 'b:', true);
      plain.destroy();
      failed.destroy(new Error('first'));
      failed.on('close', () => log(text(failed.errored)));
      log(state(plain), state(failed));
      ladder(log);
    });
  }
  order('destroy throws, and loses the first error', (log) => {
    const r = new Readable({objectMode: true, read() {}, destroy() { throw new Error('thrown'); }});
    watch(log, r);
    r.destroy(new Error('first'));
    r.on('close', () => log(text(r.errored)));
    ladder(log);
  });
  order('destroy swallows the error', (log) => {
    const r = new Readable({objectMode: true, read() {}, destroy(e, cb) { cb(); }});
    watch(log, r, '', true);
    r.destroy(new Error('first'));
    ladder(log);
  });
  order('no listener for error: close does not come', (log) => {
    process.on('uncaughtException', (e) => log('uncaught-', text(e)));
    const r = manual();
    r.on('close', log.say('close'));
    r.destroy(new Error('boom'));
    ladder(log);
    setImmediate(() => log(state(r)));
  });
  order('without emitClose', (log) => {
    const r = counting(1, {emitClose: false});
    watch(log, r);
    r.resume();
    ladder(log);
    setImmediate(() => setImmediate(() => log(state(r))));
  });
  order('without autoDestroy', (log) => {
    const r = counting(1, {autoDestroy: false});
    watch(log, r, '', true);
    r.resume();
    ladder(log);
    setImmediate(() => setImmediate(() => { r.destroy(); log(state(r)); }));
  });
  order('without autoDestroy: an error in read, and the next', (log) => {
    let i = 0;
    const r = new Readable({objectMode: true, autoDestroy: false, read() { throw new Error(`boom${++i}`); }});
    watch(log, r, '', true);
    attempt(log, () => r.read());
    attempt(log, () => r.read());
    log(r.push(1), state(r));
    r.destroy(new Error('end'));
    ladder(log);
  });
  order('aborted by a signal', (log) => {
    const abort = new AbortController();
    const r = manual({signal: abort.signal});
    watch(log, r, '', true);
    onData(log, r);
    setImmediate(() => { r.push(1); abort.abort(); log(state(r)); abort.abort(); ladder(log); });
  });
  order('made with an aborted signal', (log) => {
    const r = manual({signal: AbortSignal.abort()});
    watch(log, r);
    log(state(r));
    ladder(log);
  });

  // ---- construct ----
  for (const [name, when] of Object.entries({now, tick, immediate})) {
    order(`constructed ${name}`, (log) => {
      const r = counting(2, {construct(cb) { log('construct'); when(cb); }});
      watch(log, r);
      onData(log, r);
      log(state(r), show(r.read()));
      ladder(log);
    });
    order(`construct fails ${name}`, (log) => {
      const r = counting(2, {
        construct(cb) { log('construct'); when(() => cb(new Error('boom'))); },
        destroy(e, cb) { log('destroy-', e ? text(e) : ''); cb(e); },
      });
      watch(log, r, '', true);
      r.on('readable', () => log('readable'));
      ladder(log);
    });
    order(`destroyed while it is constructed, ${name}`, (log) => {
      const r = counting(2, {
        construct(cb) { log('construct'); when(cb); },
        destroy(e, cb) { log('destroy-', e ? text(e) : ''); cb(e); },
      });
      watch(log, r, '', true);
      r.destroy(new Error('early'));
      log(state(r));
      ladder(log);
    });
  }
  order('construct throws', (log) => {
    const r = counting(2, {construct() { log('construct'); throw new Error('boom'); }});
    watch(log, r);
    ladder(log);
  });
  order('construct answers twice', (log) => {
    const r = counting(2, {construct(cb) { cb(); cb(); }});
    watch(log, r);
    onData(log, r);
    ladder(log);
  });
  order('destroyed and the construction fails: two errors', (log) => {
    const r = counting(2, {construct(cb) { immediate(() => cb(new Error('inner'))); }});
    watch(log, r);
    r.destroy(new Error('outer'));
    r.on('error', (e) => log('all-', e.errors.map(text)));
  });
  order('pushes while it is constructed', (log) => {
    const r = manual({construct(cb) { immediate(cb); }});
    watch(log, r);
    onData(log, r);
    log(r.push(1), state(r));
    ladder(log);
    setImmediate(() => setImmediate(() => { log(state(r)); r.push(null); }));
  });
};
