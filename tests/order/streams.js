// SPDX-License-Identifier: MIT
// What the cases of streams are written with. streams.hpp is its counterpart.
'use strict';
const {Readable, Writable} = require('stream');

const text = (e) => `${e.code || e.message}`;
const yesNo = (yes) => (yes ? 'true' : 'false');

/// Marks between which the ticks, microtasks and immediates of the stream are seen.
function ladder(log, steps = 6) {
  const step = (i) => process.nextTick(() => {
    log('t', i);
    queueMicrotask(() => log('m', i));
    if (i < steps) step(i + 1);
  });
  step(1);
  setImmediate(() => { log('i1'); setImmediate(() => log('i2')); });
}

/// All that is to be seen of a stream from outside.
function state(s) {
  let all = '[';
  if (s._readableState) {
    all += s.readableFlowing === null ? 'none' : s.readableFlowing ? 'flow' : 'stop';
    all += s.readableLength;
    if (s.isPaused()) all += 'p';
    if (s.readable) all += 'r';
    if (s.readableDidRead) all += 'd';
    if (s.readableEnded) all += 'e';
    if (s.readableAborted) all += 'a';
  }
  if (s._readableState && s._writableState) all += '|';
  if (s._writableState) {
    all += s.writableLength;
    if (s.writable) all += 'w';
    if (s.writableNeedDrain) all += 'n';
    if (s.writableCorked) all += `k${s.writableCorked}`;
    if (s.writableEnded) all += 'e';
    if (s.writableFinished) all += 'f';
    // A Duplex of Node does not have it.
    if (!s._readableState && s.writableAborted) all += 'a';
  }
  return `${all}${s.destroyed ? 'D' : ''}${s.errored ? 'E' : ''}${s.closed ? 'C' : ''}]`;
}

/// Tells every event that does not change the mode of the stream; with `states` also how it is then.
/// After "close" leat's streams have let their listeners go. Node's source still tells of "pause" and "resume" when its
/// sinks end.
function watch(log, s, label = '', states = false) {
  let closed = false;
  const tell = (event) => s.on(event, () => {
    if (!closed || (event !== 'pause' && event !== 'resume')) log(label, event, states ? state(s) : '');
  });
  if (s._readableState) ['end', 'pause', 'resume'].forEach(tell);
  if (s._writableState) ['drain', 'prefinish', 'finish', 'pipe', 'unpipe'].forEach(tell);
  s.on('error', (e) => log(label, 'error-', text(e), states ? state(s) : ''));
  tell('close');
  s.on('close', () => { closed = true; });
  return s;
}
function onData(log, s, label = '') {
  s.on('data', (chunk) => log(label, 'data', chunk));
}
/// What `read(size)` gives.
function show(chunk) { return chunk === null ? 'null' : `${chunk}`; }
/// The callback of a write or an end.
const done = (log, word) => (e) => log(word, '-', e ? text(e) : 'ok');
function attempt(log, f) { try { f(); } catch (e) { log('threw-', text(e)); } }

const now = (f) => f();
const tick = (f) => process.nextTick(f);
const micro = (f) => queueMicrotask(f);
const immediate = (f) => setImmediate(f);
/// When an implementation is done. In C++ the last one has no callback: it gives what it has by returning.
const ways = {now, tick, micro, immediate, 'by returning': now};

/// Pushes 1 to n when it is asked, one at a time, and the end.
function counting(n, options = {}, when = now) {
  let i = 0;
  return new Readable({
    objectMode: true,
    read() { when(() => this.push(i < n ? ++i : null)); },
    ...options,
  });
}
/// Is pushed to from outside.
const manual = (options = {}) => new Readable({objectMode: true, read() {}, ...options});
const manualBytes = (options = {}) => new Readable({read() {}, ...options});
/// Says what it is written, and is done when `when` says.
const sink = (log, when = now, options = {}, label = 'w') => new Writable({
  objectMode: true,
  write(chunk, encoding, callback) { log(label, chunk); when(() => callback()); },
  ...options,
});

module.exports = {
  text, yesNo, ladder, state, watch, onData, show, done, attempt, now, tick, micro, immediate, ways, counting, manual, manualBytes, sink,
};
