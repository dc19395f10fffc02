// SPDX-License-Identifier: MIT
// Duplex, Transform and PassThrough: two sides, and what one does to the other.
'use strict';
const {Duplex, Transform, PassThrough} = require('stream');
const {text, ladder, state, watch, onData, show, done, attempt, now, tick, immediate, ways} = require('../streams.js');
module.exports = (order) => {
  const uncaught = (log) => process.on('uncaughtException', (e) => log('uncaught-', text(e)));
  const loudly = (log) => ({destroy(e, cb) { log('destroy-', e ? text(e) : ''); cb(e); }});
  /// Pushes 1 to n when asked; says what it is written.
  const duplex = (log, n, when = now, options = {}) => {
    let i = 0;
    return new Duplex({
      objectMode: true,
      read() { this.push(i < n ? ++i : null); },
      write(c, e, cb) { log('w', c); when(() => cb()); },
      ...options,
    });
  };
  const times10 = (log, when = now, options = {}) => new Transform({
    objectMode: true,
    transform(c, e, cb) { log('x', c); when(() => cb(null, c * 10)); },
    ...options,
  });
  const passes = (options = {}) => new PassThrough({objectMode: true, ...options});

  // ---- Duplex ----
  for (const [name, when] of Object.entries({now, tick, immediate})) {
    order(`a duplex that ends on both sides, writes done ${name}`, (log) => {
      const d = duplex(log, 2, when);
      watch(log, d, '', true);
      onData(log, d);
      d.write(1);
      d.write(2, done(log, 'two'));
      d.end(done(log, 'end'));
      log(state(d));
      ladder(log);
    });
    order(`without allowHalfOpen, writes done ${name}`, (log) => {
      const d = duplex(log, 2, when, {allowHalfOpen: false});
      watch(log, d, '', true);
      onData(log, d);
      d.write(1);
      d.write(2, done(log, 'two'));
      ladder(log);
    });
    order(`a duplex whose write fails ${name}`, (log) => {
      const d = duplex(log, 3, now, {write(c, e, cb) { log('w', c); when(() => cb(new Error('boom'))); }, ...loudly(log)});
      watch(log, d, '', true);
      d.on('readable', () => log('readable', show(d.read())));
      d.write(1, done(log, 'one'));
      d.write(2, done(log, 'two'));
      d.end(done(log, 'end'));
      ladder(log);
    });
    order(`a duplex is constructed ${name}`, (log) => {
      const d = duplex(log, 2, now, {construct(cb) { log('construct'); when(() => cb()); }});
      watch(log, d);
      onData(log, d);
      d.write(1, done(log, 'one'));
      d.end(done(log, 'end'));
      log(state(d));
      ladder(log);
    });
    order(`the construction of a duplex fails ${name}`, (log) => {
      const d = duplex(log, 2, now, {construct(cb) { when(() => cb(new Error('boom'))); }, ...loudly(log)});
      watch(log, d, '', true);
      onData(log, d);
      d.write(1, done(log, 'one'));
      ladder(log);
    });
  }
  order('the readable side ends, the other stays', (log) => {
    const d = duplex(log, 1);
    watch(log, d, '', true);
    d.resume();
    ladder(log);
    setImmediate(() => { log(state(d)); d.end(1); });
  });
  order('the writable side ends, the other stays', (log) => {
    const d = duplex(log, 1);
    watch(log, d, '', true);
    d.end(1);
    ladder(log);
    setImmediate(() => { log(state(d)); d.resume(); });
  });
  order('without allowHalfOpen the writable side may end first', (log) => {
    const d = duplex(log, 1, now, {allowHalfOpen: false});
    watch(log, d);
    d.end();
    ladder(log);
    setImmediate(() => { log(state(d)); d.resume(); });
  });
  order('without allowHalfOpen, destroyed in end', (log) => {
    const d = duplex(log, 1, now, {allowHalfOpen: false});
    watch(log, d);
    d.on('end', () => d.destroy());
    d.resume();
    ladder(log);
  });
  order('without allowHalfOpen, ended in end', (log) => {
    const d = duplex(log, 1, now, {allowHalfOpen: false});
    watch(log, d);
    d.on('end', () => { d.end(7, done(log, 'end')); });
    d.resume();
    ladder(log);
  });
  order('readable: false', (log) => {
    const d = duplex(log, 1, now, {readable: false});
    watch(log, d, '', true);
    log(state(d), show(d.read()));
    d.write(1);
    d.end();
    ladder(log);
  });
  order('writable: false', (log) => {
    const d = duplex(log, 2, now, {writable: false});
    watch(log, d, '', true);
    log(state(d));
    onData(log, d);
    ladder(log);
  });
  order('a write to a duplex with writable: false', (log) => {
    const d = duplex(log, 2, now, {writable: false});
    watch(log, d, '', true);
    log(d.write(1, done(log, 'one')), state(d));
    d.end(done(log, 'end'));
    ladder(log);
  });
  order('a push to a duplex with readable: false', (log) => {
    const d = duplex(log, 2, now, {readable: false});
    watch(log, d, '', true);
    log(d.push(1), state(d));
    ladder(log);
  });
  order('a duplex destroyed while both sides are busy', (log) => {
    const d = duplex(log, 5, immediate, loudly(log));
    watch(log, d, '', true);
    d.on('data', (c) => { log('data', c); if (c === 2) d.destroy(); });
    d.write(1, done(log, 'one'));
    d.write(2, done(log, 'two'));
    d.end(done(log, 'end'));
    ladder(log);
  });
  order('a duplex destroyed with an error that nobody hears', (log) => {
    uncaught(log);
    const d = duplex(log, 5);
    d.on('close', log.say('close'));
    d.write(1, done(log, 'one'));
    d.destroy(new Error('boom'));
    ladder(log);
    setImmediate(() => log(state(d)));
  });
  order('push after the end of a duplex', (log) => {
    const d = duplex(log, 0, immediate);
    watch(log, d);
    d.resume();
    d.write(1, done(log, 'one'));
    d.once('end', () => { log(d.push(1)); log(state(d)); });
    ladder(log);
  });
  order('a duplex with autoDestroy: false and emitClose: false', (log) => {
    const d = duplex(log, 1, now, {autoDestroy: false, emitClose: false});
    watch(log, d, '', true);
    d.resume();
    d.end();
    ladder(log);
    setImmediate(() => { d.destroy(new Error('boom')); log(state(d)); });
  });
  order('marks of both sides', (log) => {
    const tell = (d) => log(d.readableHighWaterMark, '-', d.writableHighWaterMark);
    tell(duplex(log, 1));
    tell(duplex(log, 1, now, {highWaterMark: 3}));
    tell(duplex(log, 1, now, {readableHighWaterMark: 1, writableHighWaterMark: 2}));
    tell(duplex(log, 1, now, {highWaterMark: 3, writableHighWaterMark: 2}));
    tell(times10(log, now, {highWaterMark: 0}));
    tell(times10(log, now, {readableHighWaterMark: 0}));
    tell(times10(log, now, {readableHighWaterMark: 0, writableHighWaterMark: 5}));
    tell(times10(log, now, {highWaterMark: 0, writableHighWaterMark: 5}));
    tell(new PassThrough());
  });
  order('a duplex that echoes', (log) => {
    const d = new Duplex({
      objectMode: true, highWaterMark: 1,
      read() { log('read'); },
      write(c, e, cb) { log('w', c, this.push(c)); tick(() => cb()); },
      final(cb) { log('final'); this.push(null); cb(); },
    });
    watch(log, d);
    onData(log, d);
    d.write(1); d.write(2); d.end(3);
    ladder(log);
  });

  // ---- Transform ----
  for (const [name, when] of Object.entries(ways)) {
    order(`a transform that is done ${name}`, (log) => {
      const t = times10(log, when);
      watch(log, t, '', true);
      onData(log, t);
      log(t.write(1), state(t));
      log(t.write(2), state(t));
      t.end(done(log, 'end'));
      ladder(log);
    });
    order(`a transform and readable, done ${name}`, (log) => {
      const t = times10(log, when, {highWaterMark: 2});
      watch(log, t);
      t.on('readable', () => { log('readable', state(t)); for (let c; (c = t.read()) !== null;) log('got', c); });
      for (let i = 1; i < 5; i++) log(t.write(i));
      t.end();
      ladder(log);
    });
    order(`a transform that nobody reads, done ${name}`, (log) => {
      const t = times10(log, when, {highWaterMark: 2});
      watch(log, t);
      for (let i = 1; i < 6; i++) log(t.write(i, done(log, `done${i}`)), state(t));
      t.end(done(log, 'end'));
      ladder(log);
      setImmediate(() => setImmediate(() => { log(state(t)); onData(log, t); }));
    });
    order(`a mark of 1, a transform that is done ${name}`, (log) => {
      const t = times10(log, when, {highWaterMark: 1});
      watch(log, t, '', true);
      onData(log, t);
      let i = 0;
      const more = () => { while (i < 3) if (!t.write(++i)) return; t.end(); };
      t.on('drain', more);
      more();
      ladder(log);
    });
    order(`flush ${name}`, (log) => {
      const t = times10(log, now, {flush(cb) { log('flush'); when(() => { this.push(98); cb(null, 99); }); }});
      watch(log, t, '', true);
      onData(log, t);
      t.write(1);
      t.end(done(log, 'end'));
      ladder(log);
    });
    order(`flush fails ${name}`, (log) => {
      const t = times10(log, now, {flush(cb) { log('flush'); when(() => cb(new Error('boom'))); }});
      watch(log, t);
      onData(log, t);
      t.end(1, done(log, 'end'));
      ladder(log);
    });
    order(`a transform fails ${name}`, (log) => {
      const t = times10(log, now, {transform(c, e, cb) { log('x', c); when(() => (c === 2 ? cb(new Error('boom')) : cb(null, c))); }});
      watch(log, t, '', true);
      onData(log, t);
      for (let i = 1; i < 4; i++) t.write(i, done(log, `done${i}`));
      t.end(done(log, 'end'));
      ladder(log);
    });
    order(`destroyed while it transforms, done ${name}`, (log) => {
      const t = times10(log, when, loudly(log));
      watch(log, t, '', true);
      onData(log, t);
      t.write(1, done(log, 'one'));
      t.write(2, done(log, 'two'));
      t.destroy();
      log(state(t));
      ladder(log);
    });
    order(`destroyed in flush, done ${name}`, (log) => {
      const t = times10(log, now, {flush(cb) { log('flush'); this.destroy(); when(() => cb(null, 99)); }});
      watch(log, t);
      onData(log, t);
      t.end(1, done(log, 'end'));
      ladder(log);
    });
  }
  order('a transform that gives nothing', (log) => {
    const t = times10(log, now, {transform(c, e, cb) { log('x', c); cb(); }});
    watch(log, t);
    onData(log, t);
    t.write(1); t.write(2); t.end();
    ladder(log);
  });
  order('a transform that gives many', (log) => {
    const t = times10(log, now, {highWaterMark: 2, transform(c, e, cb) { for (let i = 0; i < 3; i++) log(this.push(c * 10 + i)); cb(); }});
    watch(log, t);
    for (let i = 1; i < 4; i++) log(t.write(i), state(t));
    t.end();
    setImmediate(() => { onData(log, t); ladder(log); });
    ladder(log);
  });
  order('a transform that pushes and answers with one', (log) => {
    const t = times10(log, now, {transform(c, e, cb) { this.push(c); cb(null, -c); }});
    watch(log, t);
    onData(log, t);
    t.write(1); t.end(2);
    ladder(log);
  });
  order('a transform that pushes later', (log) => {
    const t = times10(log, now, {transform(c, e, cb) { cb(); immediate(() => log(this.push(c), state(this))); }});
    watch(log, t);
    onData(log, t);
    t.write(1); t.write(2);
    ladder(log);
    setImmediate(() => setImmediate(() => t.end()));
  });
  order('a transform that ends its reading side itself', (log) => {
    const t = times10(log, now, {transform(c, e, cb) { log('x', c); this.push(c); if (c === 2) this.push(null); cb(); }});
    watch(log, t, '', true);
    onData(log, t);
    t.write(1); t.write(2, done(log, 'two')); t.write(3, done(log, 'three'));
    t.end(done(log, 'end'));
    ladder(log);
  });
  order('a transform that ends its reading side and is written on', (log) => {
    const t = times10(log, now, {transform(c, e, cb) { log('x', c); if (c === 1) this.push(null); else this.push(c); cb(); }});
    watch(log, t, '', true);
    onData(log, t);
    t.write(1);
    ladder(log);
    setImmediate(() => { log(t.write(2, done(log, 'two')), state(t)); });
  });
  order('a transform throws to who writes', (log) => {
    const t = times10(log, now, {transform() { throw new Error('boom'); }});
    watch(log, t, '', true);
    attempt(log, () => t.write(1));
    log(state(t));
    ladder(log);
  });
  order('flush throws', (log) => {
    const t = times10(log, now, {flush() { throw new Error('boom'); }});
    watch(log, t);
    onData(log, t);
    attempt(log, () => t.end(done(log, 'end')));
    ladder(log);
  });
  order('a transform answers twice', (log) => {
    const t = times10(log, now, {transform(c, e, cb) { cb(null, c); cb(null, c); }});
    watch(log, t, '', true);
    onData(log, t);
    t.write(1, done(log, 'one'));
    ladder(log);
  });
  order('flush without a listener for what it gives', (log) => {
    const t = times10(log, now, {flush(cb) { cb(null, 99); }});
    watch(log, t, '', true);
    t.end();
    ladder(log);
    setImmediate(() => { log(state(t), show(t.read()), show(t.read())); });
  });
  order('prefinish comes after flush', (log) => {
    const t = times10(log, now, {flush(cb) { log('flush'); immediate(() => cb()); }});
    t.on('prefinish', log.say('prefinish'));
    watch(log, t);
    t.resume();
    t.end();
    ladder(log);
  });
  order('corked transform', (log) => {
    const t = times10(log);
    watch(log, t, '', true);
    onData(log, t);
    t.cork();
    t.write(1); t.write(2);
    log(state(t));
    tick(() => { t.uncork(); t.end(3); });
    ladder(log);
  });
  order('a transform without allowHalfOpen', (log) => {
    const t = times10(log, now, {allowHalfOpen: false, transform(c, e, cb) { log('x', c); this.push(c); this.push(null); cb(); }});
    watch(log, t);
    onData(log, t);
    t.write(1);
    ladder(log);
  });
  order('a transform of mark 0', (log) => {
    const t = times10(log, now, {highWaterMark: 0});
    watch(log, t, '', true);
    for (let i = 1; i < 4; i++) log(t.write(i), state(t));
    ladder(log);
    setImmediate(() => { onData(log, t); t.end(); });
  });
  order('a transform is constructed', (log) => {
    const t = times10(log, now, {construct(cb) { log('construct'); immediate(() => cb()); }});
    watch(log, t);
    onData(log, t);
    t.write(1, done(log, 'one'));
    t.end(done(log, 'end'));
    ladder(log);
  });
  order('a transform without autoDestroy fails', (log) => {
    const t = times10(log, now, {autoDestroy: false, transform(c, e, cb) { c === 1 ? cb(new Error('boom')) : cb(null, c); }});
    watch(log, t, '', true);
    onData(log, t);
    t.write(1, done(log, 'one'));
    t.write(2, done(log, 'two'));
    ladder(log);
  });

  // ---- PassThrough ----
  order('a PassThrough passes on', (log) => {
    const p = passes();
    watch(log, p, '', true);
    onData(log, p);
    p.write(1); p.write(2); p.end(3);
    log(state(p));
    ladder(log);
  });
  order('a PassThrough of bytes', (log) => {
    const p = new PassThrough({highWaterMark: 4});
    watch(log, p);
    log(p.write('abc'), state(p)); log(p.write('def'), state(p)); log(p.write('ghi'), state(p));
    p.end();
    log(show(p.read(4)), state(p));
    log(show(p.read()), state(p));
    onData(log, p);
    ladder(log);
  });
  order('a PassThrough that is read by readable', (log) => {
    const p = passes({highWaterMark: 2});
    watch(log, p);
    p.on('readable', () => { log('readable', state(p)); log(show(p.read()), state(p)); });
    for (let i = 1; i < 5; i++) log(p.write(i));
    p.end();
    ladder(log);
  });
  order('a PassThrough that is ended and never read', (log) => {
    const p = passes();
    watch(log, p, '', true);
    p.end(1, done(log, 'end'));
    ladder(log);
    setImmediate(() => { log(state(p)); p.destroy(); });
  });
  order('a listener for data throws out of write', (log) => {
    for (const [label, s] of [['p:', passes()], ['t:', times10(log)]]) {
      watch(log, s, label, true);
      s.on('data', (c) => { log(label, 'data', c); throw new Error('boom'); });
      attempt(log, () => s.write(1));
      log(state(s));
      attempt(log, () => s.write(2));
      log(state(s));
      setImmediate(() => s.destroy());
    }
    ladder(log);
  });
  order('a PassThrough written to after it was destroyed in data', (log) => {
    const p = passes();
    watch(log, p);
    p.on('data', (c) => { log('data', c); p.destroy(); log(p.write(9, done(log, 'nine'))); });
    p.write(1, done(log, 'one'));
    p.write(2, done(log, 'two'));
    ladder(log);
  });
};
