// SPDX-License-Identifier: MIT
// What the random programs of streams found, in a few lines each.
'use strict';
const {Writable, Duplex, Transform, PassThrough, addAbortSignal} = require('stream');
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
};
