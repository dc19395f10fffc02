// SPDX-License-Identifier: MIT
// Pipes: what flows, who is told what, and how either side ends.
'use strict';
const {Writable, PassThrough, Transform} = require('stream');
const {
  text, yesNo, ladder, state, watch, onData, show, now, tick, immediate, ways, counting, manual, manualBytes, sink,
} = require('../streams.js');
module.exports = (order) => {
  const uncaught = (log) => process.on('uncaughtException', (e) => log('uncaught-', text(e)));
  const both = (log, r, w, states = false) => { watch(log, r, 'r:', states); watch(log, w, 'w:', states); };

  for (const [name, when] of Object.entries(ways)) {
    order(`a pipe into a sink that is done ${name}`, (log) => {
      const r = counting(3), w = sink(log, when);
      both(log, r, w, true);
      log(yesNo(r.pipe(w) === w), state(r), state(w));
      ladder(log);
    });
    order(`a full sink slows its source, done ${name}`, (log) => {
      const r = counting(4, {highWaterMark: 2}), w = sink(log, when, {highWaterMark: 1});
      both(log, r, w);
      r.pipe(w);
      ladder(log);
    });
    order(`a source that pushes ${name}`, (log) => {
      const r = counting(3, {highWaterMark: 1}, when), w = sink(log, tick, {highWaterMark: 1});
      both(log, r, w);
      r.pipe(w);
      ladder(log);
    });
    order(`two sinks, one of them done ${name}`, (log) => {
      const r = counting(4, {highWaterMark: 2});
      const a = sink(log, now, {}, 'a'), b = sink(log, when, {highWaterMark: 1}, 'b');
      watch(log, r, 'r:');
      watch(log, a, 'a:');
      watch(log, b, 'b:');
      r.pipe(a);
      r.pipe(b);
      ladder(log);
    });
    order(`two slow sinks, the other done ${name}`, (log) => {
      const r = counting(3, {highWaterMark: 2});
      const a = sink(log, tick, {highWaterMark: 1}, 'a'), b = sink(log, when, {highWaterMark: 1}, 'b');
      watch(log, r, 'r:');
      r.pipe(a);
      r.pipe(b);
      ladder(log);
    });
    order(`through a transform, into a sink that is done ${name}`, (log) => {
      const r = counting(3);
      const t = new Transform({objectMode: true, highWaterMark: 1, transform(c, e, cb) { log('x', c); cb(null, c * 10); }});
      const w = sink(log, when, {highWaterMark: 1});
      watch(log, t, 't:');
      watch(log, w, 'w:');
      r.pipe(t).pipe(w);
      ladder(log);
    });
  }
  order('a pipe that does not end its sink', (log) => {
    const r = counting(2), w = sink(log);
    both(log, r, w);
    r.pipe(w, {end: false});
    r.on('end', () => log('ended', state(w)));
    ladder(log);
    setImmediate(() => { log(state(w)); w.end(9); });
  });
  order('two sources, one after the other', (log) => {
    const a = counting(2), b = counting(2), w = sink(log);
    watch(log, w);
    a.pipe(w, {end: false});
    a.on('end', () => b.pipe(w));
    ladder(log);
  });
  order('two sources at once', (log) => {
    const a = counting(2), b = counting(3), w = sink(log);
    watch(log, w);
    a.pipe(w, {end: false});
    b.pipe(w);
    ladder(log);
  });
  order('twice into the same sink', (log) => {
    const r = counting(2), w = sink(log);
    both(log, r, w);
    r.pipe(w);
    r.pipe(w);
    ladder(log);
  });
  order('twice into the same sink, which is full, and unpiped', (log) => {
    const r = manual(), w = sink(log, immediate, {highWaterMark: 1});
    both(log, r, w);
    r.pipe(w); r.pipe(w);
    r.push(1); r.push(2);
    tick(() => tick(() => { log(state(r), state(w)); r.unpipe(w); log(state(r)); }));
    ladder(log);
    setImmediate(() => setImmediate(() => { r.unpipe(w); log(state(r)); }));
  });
  order('unpipe of a full sink resumes a paused source, if there were two', (log) => {
    const r = manual(), a = sink(log, immediate, {highWaterMark: 1}, 'a'), b = sink(log, immediate, {}, 'b');
    watch(log, r, 'r:');
    watch(log, a, 'a:');
    r.pipe(a);
    r.pipe(b);
    setImmediate(() => {
      r.push(1);
      a.once('drain', () => tick(() => { r.pause(); a.write(9); log(state(r), state(a)); r.unpipe(a); log(state(r)); }));
    });
    ladder(log);
  });
  order('unpipe of one of twice', (log) => {
    const r = manual(), w = sink(log);
    both(log, r, w);
    r.pipe(w); r.pipe(w);
    setImmediate(() => {
      r.push(1);
      r.unpipe(w);
      r.push(2);
      r.unpipe(w);
      r.push(3);
      log(state(r));
    });
  });
  order('unpipe inside of data, and again', (log) => {
    const r = counting(4, {highWaterMark: 1}), w = sink(log);
    both(log, r, w);
    r.pipe(w);
    r.on('data', (c) => {
      log('data', c);
      if (c === 2) { r.unpipe(w); log(state(r)); setImmediate(() => { r.pipe(w); }); }
    });
    ladder(log);
  });
  order('unpipe of all', (log) => {
    const r = manual(), a = sink(log, now, {}, 'a'), b = sink(log, now, {}, 'b');
    watch(log, r, 'r:');
    watch(log, a, 'a:');
    watch(log, b, 'b:');
    r.pipe(a);
    r.pipe(b);
    setImmediate(() => {
      r.push(1);
      log(r.unpipe() === r ? 'self' : 'other', state(r));
      r.push(2);
      r.unpipe();
      r.resume();
      ladder(log);
      setImmediate(() => r.push(null));
    });
  });
  order('unpipe of one of two', (log) => {
    const r = manual(), a = sink(log, now, {}, 'a'), b = sink(log, now, {}, 'b');
    r.pipe(a);
    r.pipe(b);
    watch(log, r, 'r:');
    watch(log, a, 'a:');
    watch(log, b, 'b:');
    setImmediate(() => { r.push(1); r.unpipe(a); log(state(r)); r.push(2); r.unpipe(a); r.push(null); ladder(log); });
  });
  order('unpipe of a stranger', (log) => {
    const r = counting(2), w = sink(log), other = sink(log, now, {}, 'o');
    both(log, r, w);
    r.pipe(w);
    r.unpipe(other);
    log(state(r));
    ladder(log);
  });
  order('unpipe while it waits for drain, with a listener for data', (log) => {
    const r = counting(3, {highWaterMark: 1}), w = sink(log, immediate, {highWaterMark: 1});
    both(log, r, w);
    onData(log, r);
    r.pipe(w);
    tick(() => { log(state(r), state(w)); r.unpipe(w); log(state(r)); });
    ladder(log);
  });
  order('unpipe inside of write', (log) => {
    const r = counting(3);
    const w = sink(log, now, {highWaterMark: 1, write(c, e, cb) { log('w', c); r.unpipe(w); tick(() => cb()); }});
    both(log, r, w);
    r.pipe(w);
    ladder(log);
    setImmediate(() => log(state(r)));
  });
  order('unpipe in the listener for pipe', (log) => {
    const r = counting(2), w = sink(log);
    w.on('pipe', (source) => { log('pipe-', yesNo(source === r)); source.unpipe(w); log(state(source)); });
    w.on('unpipe', (source) => log('unpipe-', yesNo(source === r), state(source)));
    r.pipe(w);
    log(state(r));
    ladder(log);
    setImmediate(() => log(state(r)));
  });

  // ---- errors and ends ----
  order('the sink fails', (log) => {
    const r = counting(5), w = sink(log, now, {write(c, e, cb) { log('w', c); c === 2 ? cb(new Error('boom')) : cb(); }});
    both(log, r, w, true);
    r.pipe(w);
    ladder(log);
    setImmediate(() => log(state(r)));
  });
  order('the sink fails and nobody hears', (log) => {
    uncaught(log);
    const r = counting(3), w = sink(log, now, {write(c, e, cb) { cb(new Error('boom')); }});
    watch(log, r, 'r:');
    w.on('close', log.say('close'));
    w.on('unpipe', log.say('unpipe'));
    r.pipe(w);
    ladder(log);
    setImmediate(() => log(state(r), state(w)));
  });
  order('an error emitted on the sink by hand', (log) => {
    const r = counting(3), w = sink(log);
    both(log, r, w);
    r.pipe(w);
    w.emit('error', new Error('by-hand'));
    log(state(r), state(w));
    ladder(log);
  });
  order('an error emitted on the sink by hand that nobody hears', (log) => {
    uncaught(log);
    const r = counting(3), w = sink(log);
    w.on('unpipe', log.say('unpipe'));
    w.on('close', log.say('close'));
    r.pipe(w);
    w.emit('error', new Error('by-hand'));
    log(state(r), state(w));
    ladder(log);
  });
  order('listeners for error: the pipe is first', (log) => {
    const r = counting(1), w = sink(log, now, {write(c, e, cb) { cb(new Error('boom')); }});
    w.on('error', log.say('before'));
    w.on('unpipe', log.say('unpipe'));
    r.pipe(w);
    w.on('error', log.say('after'));
    w.prependListener('error', log.say('first'));
    ladder(log);
  });
  order('one of two sinks fails while it is full', (log) => {
    const r = counting(5, {highWaterMark: 1});
    const a = sink(log, now, {}, 'a');
    const b = sink(log, now, {highWaterMark: 1, write(c, e, cb) { log('b', c); immediate(() => cb(new Error('boom'))); }});
    watch(log, r, 'r:');
    watch(log, a, 'a:');
    watch(log, b, 'b:');
    r.pipe(a);
    r.pipe(b);
    ladder(log);
  });
  order('one of two sinks is destroyed while it is full', (log) => {
    const r = counting(5, {highWaterMark: 1});
    const a = sink(log, now, {}, 'a'), b = sink(log, immediate, {highWaterMark: 1}, 'b');
    watch(log, r, 'r:');
    watch(log, a, 'a:');
    watch(log, b, 'b:');
    r.pipe(a);
    r.pipe(b);
    tick(() => { log(state(r)); b.destroy(); });
    ladder(log);
  });
  order('the sink is destroyed', (log) => {
    const r = counting(3, {}, tick), w = sink(log);
    both(log, r, w, true);
    r.pipe(w);
    tick(() => w.destroy());
    ladder(log);
  });
  order('the sink ends by itself', (log) => {
    const r = counting(4, {}, tick), w = sink(log, now, {write(c, e, cb) { log('w', c); if (c === 2) this.end(); cb(); }});
    both(log, r, w);
    r.pipe(w);
    ladder(log, 12);
  });
  order('the source is destroyed: the sink stays', (log) => {
    const r = counting(3, {}, immediate), w = sink(log);
    both(log, r, w, true);
    r.pipe(w);
    setImmediate(() => { r.destroy(); log(state(r), state(w)); setImmediate(() => { log(state(w)); w.end(); }); });
    ladder(log);
  });
  order('the source fails: the sink stays', (log) => {
    const r = counting(3, {}, tick), w = sink(log);
    both(log, r, w);
    r.pipe(w);
    tick(() => tick(() => r.destroy(new Error('boom'))));
    ladder(log);
    setImmediate(() => { log(state(w)); w.destroy(new Error('too')); });
  });
  order('the source is destroyed and then unpiped', (log) => {
    const r = manual(), w = sink(log);
    both(log, r, w);
    r.pipe(w);
    tick(() => { r.destroy(); r.unpipe(w); log(state(r)); });
    ladder(log);
  });
  order('into a sink that is full already', (log) => {
    const r = counting(2), w = sink(log, immediate, {highWaterMark: 1});
    both(log, r, w);
    w.write(0);
    r.pipe(w);
    log(state(r), state(w));
    ladder(log);
  });
  order('into a sink that is destroyed', (log) => {
    const r = counting(2), w = sink(log);
    both(log, r, w);
    w.destroy();
    r.pipe(w);
    log(state(r));
    ladder(log);
    setImmediate(() => log(state(r)));
  });
  order('into a sink that has ended', (log) => {
    const r = counting(2), w = sink(log, now, {autoDestroy: false});
    both(log, r, w);
    w.end();
    setImmediate(() => { r.pipe(w); log(state(r)); ladder(log); });
  });
  order('a pipe after the end', (log) => {
    const r = counting(1), w = sink(log);
    watch(log, w);
    r.resume();
    r.on('end', () => setImmediate(() => { log(state(r)); r.pipe(w); log(state(r), state(w)); ladder(log); }));
  });
  order('a pipe between the last chunk and the end', (log) => {
    const r = counting(1), w = sink(log);
    both(log, r, w);
    r.once('data', (c) => { log('data', c); r.pipe(w); log(state(r)); });
    ladder(log);
  });
  order('a pipe from a paused source', (log) => {
    const r = counting(2), w = sink(log);
    both(log, r, w);
    r.pause();
    r.pipe(w);
    log(state(r));
    ladder(log);
  });
  order('paused while it is piped', (log) => {
    const r = counting(3), w = sink(log);
    both(log, r, w);
    r.pipe(w);
    r.pause();
    log(state(r));
    ladder(log);
    setImmediate(() => { log(state(r)); r.resume(); });
  });
  order('a listener for readable stops a pipe', (log) => {
    const r = counting(2), w = sink(log);
    both(log, r, w);
    r.pipe(w);
    r.on('readable', () => { log('readable'); log('got', show(r.read())); });
    ladder(log);
  });
  order('the last pipe goes, a listener for data stays', (log) => {
    const r = manual(), w = sink(log);
    both(log, r, w);
    r.pipe(w);
    onData(log, r);
    setImmediate(() => { r.push(1); r.unpipe(w); r.push(2); log(state(r)); r.resume(); ladder(log); });
  });
  order('a writer beside the pipe', (log) => {
    const r = counting(3, {highWaterMark: 1}), w = sink(log, tick, {highWaterMark: 2});
    both(log, r, w);
    r.pipe(w);
    w.write(100);
    w.write(200);
    log(state(w));
    ladder(log);
  });
  order('the sink drains while the source is paused by its user', (log) => {
    const r = manual(), w = sink(log, immediate, {highWaterMark: 1});
    both(log, r, w);
    r.pipe(w);
    tick(() => tick(() => {
      r.push(1);
      log(state(r));
      r.pause();
      r.push(2);
      log(state(r), state(w));
      setImmediate(() => setImmediate(() => { log(state(r)); r.push(null); }));
    }));
    ladder(log);
  });
  order('bytes through a PassThrough', (log) => {
    const r = manualBytes(), p = new PassThrough({highWaterMark: 4});
    const w = new Writable({highWaterMark: 4, write(c, e, cb) { log('w', c); tick(cb); }});
    watch(log, p, 'p:');
    watch(log, w, 'w:');
    r.push('abc'); r.push('defgh'); r.push('i'); r.push(null);
    r.pipe(p).pipe(w);
    ladder(log, 12);
  });
  order('a chain of three PassThroughs', (log) => {
    const r = counting(3);
    const [a, b, c] = ['a:', 'b:', 'c:'].map((label) => watch(log, new PassThrough({objectMode: true, highWaterMark: 1}), label));
    const w = sink(log);
    watch(log, w, 'w:');
    r.pipe(a).pipe(b).pipe(c).pipe(w);
    ladder(log, 20);
  });
};
