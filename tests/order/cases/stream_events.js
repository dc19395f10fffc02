// SPDX-License-Identifier: MIT
// The emitter in a stream: names, counts, and listeners that all go at once.
'use strict';
const {Duplex} = require('stream');
const {yesNo, ladder, state, onData, counting, manual, sink} = require('../streams.js');
module.exports = (order) => {
  // Node's streams have a list of names that they begin with, and tell nobody of the last listener that leaves one of
  // these; after this they are as other emitters.
  const plain = (s) => { s.removeAllListeners(); return s; };
  const names = (log, s) => log('[', s.eventNames().join(','), ']');

  order('the events that somebody listens to', (log) => {
    const r = plain(counting(1)), w = plain(sink(log));
    names(log, r);
    r.on('end', () => {});
    r.once('close', () => {});
    r.on('error', () => {});
    const pause = () => {};
    r.on('pause', pause);
    r.prependListener('end', () => {});
    names(log, r);
    r.removeListener('pause', pause);
    r.removeAllListeners('end');
    names(log, r);
    w.on('finish', () => {});
    w.prependOnceListener('drain', () => {});
    w.addListener('removeListener', () => {});
    names(log, w);
    w.emit('drain');
    names(log, w);
  });
  order('how often, and which', (log) => {
    const w = sink(log);
    const say = () => log('drain');
    w.on('drain', say);
    w.on('drain', () => log('other'));
    w.once('drain', say);
    log(w.listenerCount('drain'), w.listenerCount('drain', say), w.listenerCount('finish', say));
    log(w.listeners('drain').length, w.rawListeners('drain').length);
    w.rawListeners('drain')[2]();
    log(w.listenerCount('drain', say));
    w.listeners('drain')[1]();
    log(yesNo(w.emit('drain')), yesNo(w.emit('unpipe', null)));
    w.off('drain', say);
    w.removeListener('drain', say);
    log(w.listenerCount('drain'));
  });
  order('all listeners go', (log) => {
    const d = plain(new Duplex({read() {}, write(c, e, cb) { cb(); }}));
    const say = (name) => () => log(name);
    d.on('finish', say('finish'));
    d.on('pause', say('pause'));
    d.on('finish', say('finish2'));
    d.on('error', () => {});
    d.on('removeListener', (name) => log('removed-', name));
    d.on('removeListener', (name) => log('again-', name));
    d.removeAllListeners();
    names(log, d);
    d.end();
    ladder(log, 2);
  });
  order('all listeners of a source that is read go', (log) => {
    const r = manual();
    r.on('readable', () => log('readable'));
    r.push(1);
    r.removeAllListeners();
    log(state(r));
    setImmediate(() => {
      log(state(r));
      onData(log, r);
      r.push(2);
      log(state(r));
    });
  });
  order('all listeners of a source that flows go', (log) => {
    const r = counting(3);
    onData(log, r);
    r.on('end', () => log('end'));
    setImmediate(() => log(state(r)));
    process.nextTick(() => { r.removeAllListeners(); names(log, r); log(state(r)); });
  });
  order('a pipe whose listeners go', (log) => {
    const r = counting(3, {}, (f) => setImmediate(f)), w = plain(sink(log));
    w.on('pipe', () => log('pipe'));
    w.on('finish', () => log('finish'));
    r.pipe(w);
    setImmediate(() => {
      w.removeAllListeners('finish');
      w.removeAllListeners('pipe');
      names(log, w);
    });
    r.on('end', () => setImmediate(() => log(state(w))));
  });
};
