// SPDX-License-Identifier: MIT
// Streams out of streams and functions: compose and Duplex.from.
'use strict';
const {Writable, Duplex, Transform, PassThrough, compose, pipeline} = require('stream');
const {ladder, state, watch, onData, done, now, tick, immediate, counting, manual, sink} = require('../streams.js');
module.exports = (order) => {
  const times = (log, label = 't', when = now) => new Transform({
    objectMode: true,
    transform(chunk, encoding, callback) { log(label, chunk); when(() => callback(null, chunk * 10)); },
  });
  /// Fails at the chunk `at`.
  const failing = (log, at) => new Transform({
    objectMode: true,
    transform(chunk, encoding, callback) { log('f', chunk); chunk === at ? callback(new Error('boom')) : callback(null, chunk); },
  });
  const held = (log) => new Writable({objectMode: true, highWaterMark: 2, write(chunk, encoding, callback) { log('w', chunk); held.callback = callback; }});

  // ---- Duplex.from of two streams ----
  for (const [name, when] of Object.entries({now, tick, immediate})) {
    order(`two streams as one that end both, writes done ${name}`, (log) => {
      const r = counting(3), w = sink(log, when);
      const d = Duplex.from({readable: r, writable: w});
      watch(log, r, 'r:');
      watch(log, w, 'w:');
      watch(log, d, 'd:');
      onData(log, d);
      d.write(1, done(log, 'one'));
      d.end(2, done(log, 'end'));
      ladder(log, 8);
    });
    order(`two streams as one, the sink first, writes done ${name}`, (log) => {
      const r = manual(), w = sink(log, when);
      const d = Duplex.from({readable: r, writable: w});
      watch(log, d, 'd:');
      onData(log, d);
      d.end(1);
      setImmediate(() => setImmediate(() => {
        log(state(d));
        r.push(7);
        r.push(null);
        ladder(log, 8);
      }));
    });
  }
  order('a source as a duplex', (log) => {
    const r = counting(3);
    const d = Duplex.from(r);
    watch(log, r, 'r:');
    watch(log, d, 'd:');
    log(state(d));
    onData(log, d);
    ladder(log, 8);
  });
  order('a sink as a duplex', (log) => {
    const w = sink(log);
    const d = Duplex.from(w);
    watch(log, w, 'w:');
    watch(log, d, 'd:');
    log(state(d));
    d.write(1);
    d.end(2, done(log, 'end'));
    ladder(log, 8);
  });
  order('a sink that has enough makes its duplex wait', (log) => {
    const w = held(log);
    const d = Duplex.from(w);
    watch(log, d, 'd:');
    for (let i = 1; i <= 4; ++i) d.write(i, done(log, 'done'));
    const next = () => { const callback = held.callback; held.callback = null; if (callback) { log('next', state(d)); callback(); setImmediate(next); } };
    setImmediate(next);
    d.end();
  });
  order('the source of two streams fails', (log) => {
    const r = manual(), w = sink(log);
    const d = Duplex.from({readable: r, writable: w});
    watch(log, r, 'r:');
    watch(log, d, 'd:');
    d.write(1);
    r.destroy(new Error('boom'));
    ladder(log, 8);
  });
  order('the sink of two streams fails', (log) => {
    const r = manual(), w = new Writable({objectMode: true, write(chunk, encoding, callback) { callback(new Error('boom')); }});
    const d = Duplex.from({readable: r, writable: w});
    watch(log, r, 'r:');
    watch(log, w, 'w:');
    watch(log, d, 'd:');
    d.write(1, done(log, 'one'));
    ladder(log, 8);
  });
  for (const fails of [false, true]) {
    order(`two streams as one are destroyed${fails ? ' with an error' : ''}`, (log) => {
      const r = manual(), w = sink(log);
      const d = Duplex.from({readable: r, writable: w});
      watch(log, r, 'r:');
      watch(log, w, 'w:');
      watch(log, d, 'd:');
      fails ? d.destroy(new Error('enough')) : d.destroy();
      log(state(r), state(w), state(d));
      ladder(log, 8);
    });
  }

  // ---- compose ----
  for (const [name, when] of Object.entries({now, tick, immediate})) {
    order(`two transforms as one, done ${name}`, (log) => {
      const a = times(log, 'a', when), b = times(log, 'b');
      const d = compose(a, b);
      watch(log, a, 'a:');
      watch(log, b, 'b:');
      watch(log, d, 'd:');
      onData(log, d);
      d.write(1, done(log, 'one'));
      d.end(2, done(log, 'end'));
      ladder(log, 8);
    });
  }
  order('a source and a transform as one', (log) => {
    const d = compose(counting(2), times(log));
    watch(log, d, 'd:');
    log(state(d));
    onData(log, d);
    ladder(log, 8);
  });
  order('a transform and a sink as one', (log) => {
    const d = compose(times(log), sink(log));
    watch(log, d, 'd:');
    log(state(d));
    d.write(1);
    d.end(2, done(log, 'end'));
    ladder(log, 8);
  });
  order('a source and a sink as one', (log) => {
    const d = compose(counting(2), sink(log));
    watch(log, d, 'd:');
    log(state(d));
    ladder(log, 8);
  });
  for (const at of ['first', 'last']) {
    order(`the ${at} of the composed fails`, (log) => {
      const f = failing(log, 2), p = new PassThrough({objectMode: true});
      const d = at === 'first' ? compose(f, p) : compose(p, f);
      watch(log, f, 'f:');
      watch(log, p, 'p:');
      watch(log, d, 'd:');
      onData(log, d);
      d.write(1);
      d.write(2, done(log, 'two'));
      d.write(3, done(log, 'three'));
      ladder(log, 8);
    });
  }
  for (const fails of [false, true]) {
    order(`what is composed is destroyed${fails ? ' with an error' : ''}`, (log) => {
      const a = times(log, 'a'), b = times(log, 'b');
      const d = compose(a, b);
      watch(log, a, 'a:');
      watch(log, b, 'b:');
      watch(log, d, 'd:');
      d.write(1);
      fails ? d.destroy(new Error('enough')) : d.destroy();
      ladder(log, 8);
    });
  }
  order('what is composed stands in a pipeline', (log) => {
    const d = compose(times(log, 'a'), times(log, 'b'));
    watch(log, d, 'd:');
    pipeline(counting(2), d, sink(log), done(log, 'pipeline'));
    ladder(log, 8);
  });
};
