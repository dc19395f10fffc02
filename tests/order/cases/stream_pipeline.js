// SPDX-License-Identifier: MIT
// What streams do together: pipeline, finished, Readable.from, iteration, operators.
'use strict';
const {Readable, Writable, Duplex, Transform, PassThrough, pipeline, finished, addAbortSignal} = require('stream');
const promises = require('stream/promises');
const {
  text, yesNo, ladder, state, watch, onData, done, now, tick, micro, immediate, counting, manual, sink,
} = require('../streams.js');
module.exports = (order) => {
  const told = (log, promise, word = 'pipeline') =>
    promise.then(() => log(word, '-ok'), (e) => log(word, '-', text(e)));
  const times = (log, when = now, options = {}) => new Transform({
    objectMode: true,
    transform(chunk, encoding, callback) { log('t', chunk); when(() => callback(null, chunk * 10)); },
    ...options,
  });
  /// Pushes 1 to n, then fails.
  const failing = (n, when = now) => {
    let i = 0;
    return new Readable({
      objectMode: true,
      read() { when(() => (i < n ? this.push(++i) : this.destroy(new Error('boom')))); },
    });
  };
  /// A sink that fails at the chunk `at`.
  const refusing = (log, at, when) => new Writable({
    objectMode: true,
    write(chunk, encoding, callback) {
      log('w', chunk);
      when(() => (chunk === at ? callback(new Error('full')) : callback()));
    },
  });
  const both = (log, r, w, states = false) => { watch(log, r, 'r:', states); watch(log, w, 'w:', states); };
  const three = (log, r, t, w) => { both(log, r, w); watch(log, t, 't:'); };

  // ---- pipeline: all goes well ----
  for (const [name, when] of Object.entries({now, tick, micro, immediate})) {
    order(`a source and a sink that is done ${name}`, (log) => {
      const r = counting(3), w = sink(log, when, {highWaterMark: 2});
      both(log, r, w, true);
      log(yesNo(pipeline(r, w, done(log, 'cb')) === w));
      ladder(log, 8);
    });
    order(`a source that pushes ${name}, a transform, a sink; awaited`, (log) => {
      const r = counting(2, {}, when), t = times(log), w = sink(log);
      three(log, r, t, w);
      told(log, promises.pipeline(r, t, w));
      ladder(log, 8);
    });
    order(`a transform that is done ${name}`, (log) => {
      const r = counting(2), t = times(log, when), w = sink(log);
      three(log, r, t, w);
      pipeline(r, t, w, done(log, 'cb'));
      ladder(log, 8);
    });
  }
  order('an empty source', (log) => {
    const r = counting(0), w = sink(log);
    both(log, r, w);
    pipeline(r, w, done(log, 'cb'));
    ladder(log);
  });

  // ---- pipeline: errors ----
  for (const [name, when] of Object.entries({now, tick, immediate})) {
    order(`the source fails ${name}`, (log) => {
      const r = failing(2, when), w = sink(log);
      both(log, r, w);
      pipeline(r, w, done(log, 'cb'));
      ladder(log);
    });
    order(`the source fails ${name} in front of a transform`, (log) => {
      const r = failing(2, when), t = times(log), w = sink(log);
      three(log, r, t, w);
      told(log, promises.pipeline(r, t, w));
      ladder(log);
    });
    order(`the transform fails ${name}`, (log) => {
      const t = new Transform({
        objectMode: true,
        transform(chunk, encoding, callback) { when(() => (chunk > 1 ? callback(new Error('bad')) : callback(null, chunk))); },
      });
      const r = counting(3), w = sink(log);
      three(log, r, t, w);
      pipeline(r, t, w, done(log, 'cb'));
      ladder(log);
    });
    order(`the sink fails ${name}`, (log) => {
      const r = counting(4), w = refusing(log, 2, when);
      both(log, r, w);
      pipeline(r, w, done(log, 'cb'));
      ladder(log);
    });
    order(`the sink fails ${name} behind a transform`, (log) => {
      const r = counting(4, {}, tick), t = times(log), w = refusing(log, 20, when);
      three(log, r, t, w);
      told(log, promises.pipeline(r, t, w));
      ladder(log);
    });
    order(`the end of the sink fails ${name}`, (log) => {
      const r = counting(1);
      const w = new Writable({
        objectMode: true,
        write(chunk, encoding, callback) { callback(); },
        final(callback) { when(() => callback(new Error('last'))); },
      });
      both(log, r, w);
      pipeline(r, w, done(log, 'cb'));
      ladder(log);
    });
  }
  order('the construction of the sink fails', (log) => {
    const r = counting(1);
    const w = new Writable({
      objectMode: true,
      construct(callback) { tick(() => callback(new Error('no'))); },
      write(chunk, encoding, callback) { callback(); },
    });
    both(log, r, w);
    pipeline(r, w, done(log, 'cb'));
    ladder(log);
  });
  order('the tear-down of the source fails too', (log) => {
    const r = new Readable({objectMode: true, read() {}, destroy(error, callback) { log('destroy-', text(error)); callback(new Error('worse')); }});
    const w = refusing(log, 1, now);
    both(log, r, w);
    pipeline(r, w, done(log, 'cb'));
    r.push(1);
    ladder(log);
  });
  order('an error after all is over', (log) => {
    const r = counting(1), w = sink(log, now, {autoDestroy: false});
    both(log, r, w);
    pipeline(r, w, done(log, 'cb'));
    setImmediate(() => { w.destroy(new Error('late')); });
  });

  // ---- pipeline: closed before the end ----
  for (const [name, when] of Object.entries({now, immediate})) {
    for (const [index, which] of ['source', 'transform', 'sink'].entries()) {
      order(`the ${which} is destroyed ${name}`, (log) => {
        const r = manual(), t = times(log), w = sink(log);
        three(log, r, t, w);
        pipeline(r, t, w, done(log, 'cb'));
        r.push(1);
        when(() => { [r, t, w][index].destroy(); });
        ladder(log);
      });
    }
  }
  order('the source closes between its end and "end"', (log) => {
    const r = manual(), w = sink(log, immediate, {highWaterMark: 1});
    both(log, r, w);
    pipeline(r, w, done(log, 'cb'));
    r.push(1);
    r.push(null);
    setImmediate(() => r.destroy());
  });

  // ---- pipeline: signals ----
  order('aborted before', (log) => {
    const ac = new AbortController();
    ac.abort();
    const r = counting(2), w = sink(log);
    both(log, r, w);
    told(log, promises.pipeline(r, w, {signal: ac.signal}));
    ladder(log);
  });
  order('aborted at once', (log) => {
    const ac = new AbortController();
    const r = counting(2), w = sink(log);
    both(log, r, w);
    told(log, promises.pipeline(r, w, {signal: ac.signal}));
    ac.abort();
    ladder(log);
  });
  order('aborted in the middle', (log) => {
    const ac = new AbortController();
    const r = manual(), t = times(log), w = sink(log);
    three(log, r, t, w);
    told(log, promises.pipeline(r, t, w, {signal: ac.signal}));
    r.push(1);
    setImmediate(() => { log('abort'); ac.abort(); ladder(log, 4); });
  });
  order('aborted when it is over', (log) => {
    const ac = new AbortController();
    const r = counting(1), w = sink(log);
    both(log, r, w);
    told(log, promises.pipeline(r, w, {signal: ac.signal}));
    setImmediate(() => setImmediate(() => ac.abort()));
  });

  // ---- pipeline: end: false ----
  order('the sink is not ended', (log) => {
    const r = counting(2), w = sink(log);
    both(log, r, w);
    told(log, promises.pipeline(r, w, {end: false}));
    ladder(log);
    setImmediate(() => { log(state(w)); w.end(3); });
  });
  order('the sink is not ended, the transform is', (log) => {
    const r = counting(2), t = times(log), w = sink(log);
    three(log, r, t, w);
    told(log, promises.pipeline(r, t, w, {end: false}));
    ladder(log);
  });
  order('a sink that is not to be ended outlives the error of its source', (log) => {
    const r = failing(1), w = sink(log);
    both(log, r, w);
    told(log, promises.pipeline(r, w, {end: false}));
    ladder(log);
    setImmediate(() => log(state(w)));
  });

  // ---- pipeline: what is over already ----
  order('a source that has ended', (log) => {
    const r = counting(1), w = sink(log);
    r.resume();
    setImmediate(() => {
      both(log, r, w);
      log(state(r));
      pipeline(r, w, done(log, 'cb'));
      ladder(log);
    });
  });
  order('a source that has ended and is not destroyed', (log) => {
    const r = counting(1, {autoDestroy: false}), w = sink(log);
    r.resume();
    setImmediate(() => {
      both(log, r, w);
      log(state(r));
      pipeline(r, w, done(log, 'cb'));
      ladder(log);
    });
  });
  order('a source that is destroyed', (log) => {
    const r = manual(), w = sink(log);
    r.destroy();
    both(log, r, w);
    pipeline(r, w, done(log, 'cb'));
    ladder(log);
  });
  order('a source that has closed', (log) => {
    const r = manual(), w = sink(log);
    r.destroy();
    setImmediate(() => {
      both(log, r, w);
      pipeline(r, w, done(log, 'cb'));
      ladder(log);
    });
  });
  order('a source that has failed', (log) => {
    const r = manual(), w = sink(log);
    r.on('error', log.say('error'));
    r.destroy(new Error('boom'));
    setImmediate(() => {
      both(log, r, w);
      pipeline(r, w, done(log, 'cb'));
      ladder(log);
    });
  });
  order('a sink that is destroyed', (log) => {
    const r = counting(2), w = sink(log);
    w.destroy();
    both(log, r, w);
    pipeline(r, w, done(log, 'cb'));
    ladder(log);
  });
  order('a sink that has closed', (log) => {
    const r = counting(2), w = sink(log);
    w.destroy();
    setImmediate(() => {
      both(log, r, w);
      pipeline(r, w, done(log, 'cb'));
      ladder(log);
    });
  });
  order('a sink that has ended', (log) => {
    const r = counting(2), w = sink(log);
    w.end();
    both(log, r, w);
    pipeline(r, w, done(log, 'cb'));
    ladder(log);
  });

  // ---- pipeline: functions ----
  const onlyEnds = (log, s, label) => {
    s.on('error', (e) => log(label, 'error-', text(e)));
    s.on('close', () => log(label, 'close'));
  };
  order('a generator as the source', (log) => {
    const w = sink(log);
    onlyEnds(log, w, 'w:');
    pipeline(async function* () { yield 1; yield 2; }, w, done(log, 'cb'));
  });
  order('a generator as the source fails', (log) => {
    const w = sink(log);
    onlyEnds(log, w, 'w:');
    pipeline(async function* () { yield 1; throw new Error('boom'); }, w, done(log, 'cb'));
  });
  order('a generator in the middle', (log) => {
    const r = counting(3, {}, immediate), w = sink(log);
    onlyEnds(log, r, 'r:');
    onlyEnds(log, w, 'w:');
    pipeline(r, async function* (chunks) { for await (const c of chunks) yield c * 2; }, w, done(log, 'cb'));
  });
  order('a generator in the middle fails', (log) => {
    const r = counting(3, {}, immediate), w = sink(log);
    onlyEnds(log, r, 'r:');
    pipeline(r, async function* (chunks) {
      for await (const c of chunks) { if (c > 1) throw new Error('bad'); yield c; }
    }, w, done(log, 'cb'));
  });
  order('the source of a generator fails', (log) => {
    const r = failing(1, immediate), w = sink(log);
    onlyEnds(log, w, 'w:');
    watch(log, r, 'r:');
    pipeline(r, async function* (chunks) {
      try { for await (const c of chunks) yield c; } finally { log('finally'); }
    }, w, done(log, 'cb'));
  });
  order('a generator behind a transform fails', (log) => {
    pipeline(counting(9, {}, immediate), times(log), async function* (chunks) {
      for await (const c of chunks) { if (c > 10) throw new Error('bad'); yield c; }
    }, times(log), sink(log), done(log, 'cb'));
  });
  order('a generator in the middle leaves early', (log) => {
    const r = counting(9, {}, immediate), w = sink(log);
    onlyEnds(log, r, 'r:');
    onlyEnds(log, w, 'w:');
    pipeline(r, async function* (chunks) { for await (const c of chunks) { yield c; if (c > 1) return; } }, w, done(log, 'cb'));
  });
  order('a function at the end leaves early', (log) => {
    const r = counting(9, {}, immediate);
    onlyEnds(log, r, 'r:');
    pipeline(r, async (chunks) => { for await (const c of chunks) { log('got', c); if (c > 1) return; } }, done(log, 'cb'));
  });
  order('a function at the end leaves a transform early', (log) => {
    const t = times(log);
    onlyEnds(log, t, 't:');
    pipeline(counting(9, {}, immediate), t, async (chunks) => { for await (const c of chunks) { log('got', c); if (c > 10) return; } },
             done(log, 'cb'));
  });
  order('a function at the end', (log) => {
    const r = counting(3, {}, immediate);
    watch(log, r, 'r:');
    pipeline(r, async (chunks) => { for await (const c of chunks) log('got', c); log('over'); }, done(log, 'cb'));
  });
  order('a function at the end fails', (log) => {
    const r = counting(3, {}, immediate);
    watch(log, r, 'r:');
    told(log, promises.pipeline(r, async (chunks) => { for await (const c of chunks) if (c > 1) throw new Error('bad'); else log('got', c); }));
  });
  order('the source of a function fails', (log) => {
    const r = failing(1, immediate), t = times(log);
    watch(log, r, 'r:');
    watch(log, t, 't:');
    pipeline(r, t, async (chunks) => { for await (const c of chunks) log('got', c); }, done(log, 'cb'));
  });
  order('an array, generators and a function', (log) => {
    pipeline([1, 2, 3], async function* (chunks) { for await (const c of chunks) yield c + 1; },
             async function* (chunks) { for await (const c of chunks) { yield c; yield c; } },
             async (chunks) => { for await (const c of chunks) log('got', c); }, done(log, 'cb'));
  });

  // ---- finished ----
  const ends = (s, log, options = {}, word = 'fin') => finished(s, options, done(log, word));
  for (const autoDestroy of [true, false]) {
    const kind = autoDestroy ? '' : ', not destroyed';
    order(`finished: a source${kind}`, (log) => {
      const r = counting(2, {autoDestroy});
      watch(log, r);
      ends(r, log);
      r.resume();
      ladder(log);
    });
    order(`finished: a sink${kind}`, (log) => {
      const w = sink(log, tick, {autoDestroy});
      watch(log, w);
      ends(w, log);
      w.end(1);
      ladder(log);
    });
    order(`finished: what has ended${kind}`, (log) => {
      const r = counting(1, {autoDestroy}), w = sink(log, now, {autoDestroy});
      r.resume();
      w.end();
      setImmediate(() => { ends(r, log, {}, 'r'); ends(w, log, {}, 'w'); told(log, promises.finished(r), 'p'); ladder(log, 3); });
    });
    order(`finished: what has failed${kind}`, (log) => {
      const r = manual({autoDestroy}), w = sink(log, now, {autoDestroy});
      watch(log, r);
      watch(log, w);
      r.destroy(new Error('boom'));
      w.destroy(new Error('full'));
      ends(r, log, {}, 'r1');
      ends(w, log, {}, 'w1');
      setImmediate(() => { ends(r, log, {}, 'r2'); ends(w, log, {}, 'w2'); ladder(log, 3); });
    });
    order(`finished: what was destroyed${kind}`, (log) => {
      const r = manual({autoDestroy}), w = sink(log, now, {autoDestroy});
      r.destroy();
      w.destroy();
      ends(r, log, {}, 'r1');
      ends(w, log, {}, 'w1');
      setImmediate(() => { ends(r, log, {}, 'r2'); ends(w, log, {}, 'w2'); ladder(log, 3); });
    });
    order(`finished: a failed write${kind}`, (log) => {
      const w = new Writable({objectMode: true, autoDestroy, write(c, e, callback) { callback(new Error('full')); }});
      watch(log, w);
      ends(w, log);
      w.write(1);
      ladder(log);
      setImmediate(() => ends(w, log, {}, 'late'));
    });
    for (const which of [{}, {writable: false}, {readable: false}]) {
      const side = which.writable === false ? 'the readable side' : which.readable === false ? 'the writable side' : 'both sides';
      order(`finished: ${side} of a duplex${kind}`, (log) => {
        const d = new Duplex({objectMode: true, autoDestroy, read() {}, write(c, e, callback) { callback(); }});
        watch(log, d);
        ends(d, log, which);
        d.resume();
        d.push(1);
        d.push(null);
        setImmediate(() => {
          log('now');
          ends(d, log, which, 'half');
          d.end();
          setImmediate(() => ends(d, log, which, 'late'));
        });
      });
      order(`finished: ${side} of a duplex whose writing ends first${kind}`, (log) => {
        const d = new Duplex({objectMode: true, autoDestroy, read() {}, write(c, e, callback) { callback(); }});
        watch(log, d);
        ends(d, log, which);
        d.end();
        setImmediate(() => {
          log('now');
          ends(d, log, which, 'half');
          d.resume();
          d.push(null);
          setImmediate(() => ends(d, log, which, 'late'));
        });
      });
      order(`finished: ${side} of a duplex that is destroyed${kind}`, (log) => {
        const d = new Duplex({objectMode: true, autoDestroy, read() {}, write(c, e, callback) { callback(); }});
        watch(log, d);
        ends(d, log, which);
        d.end();
        setImmediate(() => d.destroy());
      });
    }
  }
  order('finished: without "close"', (log) => {
    const r = counting(1, {emitClose: false}), w = sink(log, now, {emitClose: false});
    watch(log, r);
    watch(log, w);
    ends(r, log, {}, 'r');
    ends(w, log, {}, 'w');
    r.resume();
    w.end();
    ladder(log);
  });
  order('finished: an error that does not count', (log) => {
    const r = manual();
    watch(log, r);
    ends(r, log, {error: false});
    r.destroy(new Error('boom'));
    ladder(log);
  });
  order('finished: cleaned up', (log) => {
    const r = counting(1);
    watch(log, r);
    const cleanup = ends(r, log);
    log(r.listenerCount('end'), r.listenerCount('error'));
    cleanup();
    log(r.listenerCount('end'), r.listenerCount('error'));
    r.resume();
  });
  order('finished: by a signal', (log) => {
    const ac = new AbortController(), r = manual();
    watch(log, r);
    ends(r, log, {signal: ac.signal});
    ac.abort();
    log('aborted');
    r.push(null);
    r.resume();
    setImmediate(() => ends(r, log, {signal: ac.signal}, 'closed'));
  });
  order('finished: by a signal that is aborted', (log) => {
    const ac = new AbortController(), r = manual();
    ac.abort();
    ends(r, log, {signal: ac.signal});
    told(log, promises.finished(r, {signal: ac.signal}), 'p');
    ladder(log, 2);
  });
  order('finished: awaited', (log) => {
    const r = counting(2), w = sink(log), gone = manual();
    told(log, promises.finished(r), 'r');
    told(log, promises.finished(w), 'w');
    told(log, promises.finished(gone), 'gone');
    r.pipe(w);
    gone.destroy();
    ladder(log);
  });

  // ---- Readable.from ----
  order('from an array', (log) => {
    const r = Readable.from([1, 2, 3]);
    watch(log, r, '', true);
    log(r.readableHighWaterMark);
    onData(log, r);
  });
  order('from an array with a mark', (log) => {
    const r = Readable.from([1, 2, 3], {highWaterMark: 2});
    watch(log, r);
    r.on('readable', () => { log('readable', state(r)); let c; while ((c = r.read()) !== null) log('got', c); });
  });
  order('from nothing', (log) => {
    const r = Readable.from([]);
    watch(log, r);
    r.resume();
  });
  order('from a string', (log) => {
    const r = Readable.from('one');
    watch(log, r);
    onData(log, r);
    ladder(log);
  });
  order('from a generator', (log) => {
    const r = Readable.from((async function* () { log('start'); yield 1; yield 2; })());
    watch(log, r);
    onData(log, r);
  });
  order('from a generator that fails', (log) => {
    const r = Readable.from((async function* () { yield 1; throw new Error('boom'); })());
    watch(log, r);
    onData(log, r);
  });
  order('from a generator that fails at once', (log) => {
    const r = Readable.from((async function* () { throw new Error('boom'); })());
    watch(log, r);
    onData(log, r);
  });
  order('from a generator, destroyed while it waits', (log) => {
    const r = Readable.from((async function* () {
      try {
        yield 1;
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
        log('goes on');
        yield 2;
      } finally { log('finally'); }
    })());
    watch(log, r);
    r.on('data', (c) => { log('data', c); setImmediate(() => { log('destroy'); r.destroy(); }); });
  });
  order('from a generator that was never asked, destroyed', (log) => {
    const r = Readable.from((async function* () { log('never'); yield 1; })());
    watch(log, r);
    r.destroy();
  });

  // ---- iteration ----
  const reading = async (log, r, options = {}, until = 0) => {
    try {
      for await (const c of r.iterator(options)) { log('got', c); if (c === until) break; }
      log('over');
    } catch (e) { log('caught-', text(e)); }
  };
  order('iterated to the end', (log) => {
    const r = counting(3, {}, immediate);
    watch(log, r);
    reading(log, r);
  });
  order('iterated to the end, not destroyed', (log) => {
    const r = counting(2, {autoDestroy: false}, immediate);
    watch(log, r);
    reading(log, r);
  });
  order('iterated, and left', (log) => {
    const r = counting(3, {}, immediate);
    watch(log, r);
    reading(log, r, {}, 2);
  });
  order('iterated, and left, without autoDestroy', (log) => {
    const r = counting(3, {autoDestroy: false}, immediate);
    watch(log, r);
    reading(log, r, {}, 2);
  });
  order('iterated, and left, with destroyOnReturn: false', (log) => {
    const r = counting(3, {}, immediate);
    watch(log, r);
    reading(log, r, {destroyOnReturn: false}, 2).then(() => {
      log(yesNo(r.destroyed));
      setImmediate(() => reading(log, r));
    });
  });
  order('iterated, and it fails', (log) => {
    const r = failing(1, immediate);
    watch(log, r);
    reading(log, r);
  });
  order('iterated, and it fails after an iteration that shall not destroy', (log) => {
    const r = failing(1, immediate);
    watch(log, r);
    reading(log, r, {destroyOnReturn: false});
  });
  order('iterated, and destroyed meanwhile', (log) => {
    const r = counting(9, {}, immediate);
    watch(log, r);
    reading(log, r);
    setImmediate(() => setImmediate(() => r.destroy()));
  });

  // ---- addAbortSignal ----
  order('addAbortSignal before and after', (log) => {
    const ac = new AbortController(), r = manual(), w = sink(log, immediate);
    watch(log, r, 'r:');
    watch(log, w, 'w:');
    log(yesNo(addAbortSignal(ac.signal, r) === r));
    addAbortSignal(ac.signal, w);
    w.write(1);
    r.push(1);
    ac.abort();
    log(state(r), state(w));
    const late = addAbortSignal(ac.signal, manual());
    log(state(late));
    watch(log, late, 'late:');
    ladder(log);
  });
  order('addAbortSignal of what is over', (log) => {
    const ac = new AbortController(), r = addAbortSignal(ac.signal, counting(1));
    watch(log, r);
    r.resume();
    setImmediate(() => { ac.abort(); log(state(r)); });
  });

  // ---- operators ----
  const source = (log, n = 4) => watch(log, counting(n, {}, immediate), 'r:');
  const told2 = (log, promise) => promise.then((value) => log('value-', value), (e) => log('failed-', text(e)));
  const shown = (log, s) => { watch(log, s, 's:'); onData(log, s); };
  order('map', (log) => shown(log, source(log).map((c) => c * 2)));
  order('map by an async function', (log) => shown(log, source(log).map(async (c) => { await null; return c * 2; })));
  order('map fails', (log) => shown(log, counting(4, {}, immediate).map((c) => { if (c === 2) throw new Error('bad'); return c; })));
  order('the source of map fails', (log) => shown(log, watch(log, failing(2, immediate), 'r:').map((c) => c)));
  order('filter', (log) => shown(log, source(log).filter((c) => c % 2)));
  order('flatMap', (log) => shown(log, source(log, 3).flatMap((c) => [c, c * 10])));
  order('take', (log) => shown(log, source(log).take(2)));
  order('take more than there is', (log) => shown(log, source(log, 2).take(5)));
  order('drop', (log) => shown(log, source(log).drop(2)));
  order('drop more than there is', (log) => shown(log, source(log, 2).drop(5)));
  order('toArray', (log) => told2(log, source(log).toArray().then((all) => all.join('+'))));
  order('forEach', (log) => told2(log, source(log).forEach((c) => log('each', c)).then(() => 'none')));
  order('forEach fails', (log) => told2(log, source(log).forEach((c) => { if (c === 2) throw new Error('bad'); })));
  order('find', (log) => told2(log, source(log).find((c) => c === 2)));
  order('find nothing', (log) => told2(log, source(log).find((c) => c > 9).then((c) => (c === undefined ? 'none' : c))));
  order('some', (log) => told2(log, source(log).some((c) => c === 2).then(yesNo)));
  order('some, of none', (log) => told2(log, source(log).some((c) => c > 9).then(yesNo)));
  order('every', (log) => told2(log, source(log).every((c) => c > 0).then(yesNo)));
  order('every, but one', (log) => told2(log, source(log).every((c) => c !== 2).then(yesNo)));
  order('reduce', (log) => told2(log, source(log).reduce((sum, c) => sum + c, 100)));
  order('reduce fails', (log) => told2(log, watch(log, failing(2, immediate), 'r:').reduce((sum, c) => sum + c, 0)));
  order('operators in a row', (log) =>
    told2(log, source(log, 6).filter((c) => c % 2).map((c) => c * c).drop(1).take(2).toArray().then((all) => all.join('+'))));
};
