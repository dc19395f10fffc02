// SPDX-License-Identifier: MIT
// What the random programs of streams found, in a few lines each.
'use strict';
const stream = require('stream');
const {Readable, Writable, Duplex, Transform, PassThrough, addAbortSignal} = stream;
const promises = require('stream/promises');
const {text, state, watch, ladder, counting, manual, sink, micro, immediate, now} = require('../streams.js');
module.exports = (order) => {
  const row = (log, streams, options = {}, word = 'row') =>
    promises.pipeline(...streams, options).then(() => log(word, '-ok'), (e) => log(word, '-', text(e)));
  const uncaught = (log) => process.on('uncaughtException', (e) => log('uncaught-', text(e)));
  const through = () => new PassThrough({objectMode: true});
  const plainDuplex = () => new Duplex({objectMode: true, read() {}, write(chunk, encoding, callback) { callback(); }});
  const refusing = (options = {}) => new Writable({
    objectMode: true,
    write(chunk, encoding, callback) { callback(new Error('full')); },
    ...options,
  });

  for (const [name, when] of Object.entries({now, micro, immediate})) {
    order(`a pipeline of an aborted signal, begun ${name}`, (log) => {
      const ac = new AbortController(), r = watch(log, manual(), 'r:', true), w = watch(log, sink(log), 'w:', true);
      ac.abort();
      when(() => { row(log, [r, w], {signal: ac.signal}); ladder(log, 2); });
    });
  }
  order('a pipeline that begins inside another one is aborted after it', (log) => {
    const ac = new AbortController(), r = manual(), q = manual(), w = sink(log);
    watch(log, r, 'r:');
    watch(log, q, 'q:');
    w.once('pipe', () => row(log, [q, w], {signal: ac.signal}, 'inner'));
    row(log, [r, w], {signal: ac.signal}, 'outer');
    setImmediate(() => ac.abort());
  });
  order('a pipeline with a stage that has failed', (log) => {
    const r = watch(log, manual(), 'r:'), d = watch(log, plainDuplex(), 'd:'), w = watch(log, sink(log), 'w:');
    d.destroy(new Error('before'));
    d.on('error', () => row(log, [r, d, w]));
  });
  order('a pipeline with a sink that is about to fail, and a source that is destroyed', (log) => {
    const r = manual(), p = watch(log, through(), 'p:'), w = watch(log, refusing(), 'w:');
    r.destroy();
    w.write(1);
    row(log, [r, p, w]);
  });
  order('a pipeline with a stage that is aborted, and could not be constructed either', (log) => {
    const ac = new AbortController(), r = watch(log, manual(), 'r:');
    const t = new Transform({
      objectMode: true,
      construct(callback) { setImmediate(() => setImmediate(callback)); },
      transform(chunk, encoding, callback) { callback(); },
    });
    const w = new Writable({
      objectMode: true,
      construct(callback) { callback(new Error('construct')); },
      write(chunk, encoding, callback) { callback(); },
    });
    watch(log, t, 't:');
    watch(log, w, 'w:');
    row(log, [r, t, w]);
    addAbortSignal(ac.signal, w);
    ac.abort();
  });
  order('an error of the last stage after the end of the pipeline is nobody\'s, if it can be read', (log) => {
    uncaught(log);
    const r = counting(1), p = through();
    row(log, [r, p]).then(() => { log(state(p)); p.write(1); });
  });
  order('an error of the last stage after the end of the pipeline, which did not end it', (log) => {
    uncaught(log);
    const r = counting(1), p = through();
    row(log, [r, p], {end: false}).then(() => { log(state(p)); p.destroy(new Error('late')); });
  });
  order('destroyed without an error, after one, before it is constructed', (log) => {
    const w = new Writable({
      objectMode: true,
      autoDestroy: false,
      construct(callback) { setImmediate(callback); },
      write(chunk, encoding, callback) { callback(); },
      destroy(error, callback) { log('destroy-', error ? text(error) : 'none'); callback(error); },
    });
    watch(log, w, '', true);
    w.end();
    w.write(1);
    w.destroy();
  });
  order('addAbortSignal of what has ended, and is not destroyed', (log) => {
    const ac = new AbortController(), r = counting(1, {autoDestroy: false}), w = sink(log, now, {autoDestroy: false});
    const d = watch(log, plainDuplex(), 'd:');
    for (const s of [watch(log, r, 'r:'), watch(log, w, 'w:'), d]) addAbortSignal(ac.signal, s);
    r.resume();
    w.end();
    d.end();
    setImmediate(() => { ac.abort(); log(state(r), state(w), state(d)); });
  });
  order('addAbortSignal of what has failed, and is not destroyed', (log) => {
    const ac = new AbortController(), w = watch(log, refusing({autoDestroy: false}));
    addAbortSignal(ac.signal, w);
    w.write(1);
    setImmediate(() => { ac.abort(); log(state(w)); });
  });
  order('addAbortSignal, and nobody listens for "error"', (log) => {
    uncaught(log);
    const ac = new AbortController(), r = addAbortSignal(ac.signal, manual());
    r.on('close', () => log('close'));
    ac.abort();
    log(state(r));
  });
  /// Node gives null of a side that is not there.
  const asked = (s) => [stream.isReadable(s), stream.isWritable(s), stream.isErrored(s), stream.isDisturbed(s)]
    .map((is) => (is ? 1 : 0)).join('');
  const ask = (name, s, ...steps) => order(`isReadable, isWritable, isErrored, isDisturbed of ${name}`, (log) => {
    const made = s(log);
    made.on('error', (e) => log('error', asked(made)));
    made.on('close', () => log('close', asked(made)));
    log(asked(made));
    const next = () => {
      if (steps.length === 0) return;
      steps.shift()(made);
      log('now', asked(made));
      process.nextTick(() => {
        log('tick', asked(made));
        setImmediate(() => { log('later', asked(made)); next(); });
      });
    };
    next();
  });
  const gone = (s) => s.destroy(new Error('x'));
  ask('a source that is read', () => counting(2), (s) => s.read(), (s) => s.resume());
  ask('a source that is destroyed', () => manual(), (s) => s.destroy());
  ask('a source that fails', () => manual(), gone);
  ask('a source that fails and is not destroyed', () => new Readable({
    objectMode: true, autoDestroy: false, read() { throw new Error('x'); },
  }), (s) => s.read(0));
  ask('a source that fails after its end', () => counting(0, {autoDestroy: false}), (s) => s.resume(), gone);
  ask('a sink that ends', (log) => sink(log, immediate), (s) => s.write(1), (s) => s.end());
  ask('a sink that is destroyed', (log) => sink(log), (s) => s.destroy());
  ask('a sink that fails', () => refusing(), (s) => s.write(1));
  ask('a Duplex', () => plainDuplex(), (s) => s.end(), (s) => { s.push(1); s.read(); }, gone);
  ask('a Duplex without a readable side', () => new Duplex({
    objectMode: true, readable: false, read() {}, write(chunk, encoding, callback) { callback(); },
  }), (s) => s.write(1), gone);
  ask('a Duplex without a writable side', () => new Duplex({
    objectMode: true, writable: false, read() {}, write(chunk, encoding, callback) { callback(); },
  }), (s) => { s.push(1); s.read(); }, (s) => s.destroy());
  ask('a PassThrough', () => through(), (s) => s.end(1), (s) => s.resume());
};
