// SPDX-License-Identifier: MIT
// setEncoding: bytes that come as text. In leat the text is a stream of its own, which takes ticks to follow that of the
// bytes: what is pushed comes in immediates here, and is told before the next.
'use strict';
const {Readable, Writable, PassThrough, finished, addAbortSignal} = require('stream');
const promises = require('stream/promises');
const consumers = require('stream/consumers');
const {text, watch, onData, show, done, attempt, tick, immediate, manualBytes} = require('../streams.js');
module.exports = (order) => {
  /// Does one after the other, each in an immediate of its own.
  const steps = (log, all, at = 0) => setImmediate(() => {
    if (at === all.length) return;
    log('step', at + 1);
    all[at]();
    steps(log, all, at + 1);
  });
  const push = (r, hex) => () => r.push(Buffer.from(hex, 'hex'));
  const end = (r) => () => r.push(null);
  const pushes = (r, pieces) => pieces.map((hex) => push(r, hex));
  /// Pushes these bytes, and the end.
  const feed = (log, r, pieces) => steps(log, [...pushes(r, pieces), end(r)]);
  const flowing = (log, encoding, pieces) => {
    const r = manualBytes(), t = r.setEncoding(encoding);
    watch(log, t);
    onData(log, t);
    feed(log, r, pieces);
  };
  /// What has come since it was asked the last time. How the text is cut differs.
  const collect = (t) => {
    let got = '';
    t.on('data', (piece) => { got += piece; });
    return () => { const all = got; got = ''; return all; };
  };
  const textSink = (log, options = {}) => new Writable({
    decodeStrings: false,
    write(piece, encoding, callback) { log('w', piece); callback(); },
    ...options,
  });
  const uncaught = (log) => process.on('uncaughtException', (e) => log('uncaught-', text(e)));
  const told = (log, word) => (e) => log(word, '-', e ? text(e) : 'ok');

  // ---- characters that are cut ----
  const whole = {  // 'aä€😀z'
    utf8: '61c3a4e282acf09f98807a',
    utf16le: '6100e400ac203dd800de7a00',
    hex: '61c3a47a',
    base64: '61c3a4e282ac7a',
    base64url: 'fbffbffb',
    latin1: '61e47a',
    ascii: '617a',
  };
  for (const [encoding, bytes] of Object.entries(whole)) {
    // Of UTF-16 node gives halves of characters, where bytes are cut as well.
    for (const size of encoding === 'utf16le' ? [2, 4] : [1, 3]) {
      order(`${size} at a time, ${encoding}`, (log) => {
        flowing(log, encoding, bytes.match(new RegExp(`.{1,${2 * size}}`, 'g')));
      });
    }
  }
  const cut = {
    utf8: ['61e282', '61f09f98', 'c3', '61c3a4', 'f0'],
    utf16le: ['61', '610062', '3dd8', '61003dd8'],
    base64: ['61', '6162', '61626364'],
    base64url: ['fb', 'fbff'],
    hex: ['6', '61'],
  };
  for (const [encoding, all] of Object.entries(cut)) {
    all.forEach((bytes, i) => order(`the end comes too early, ${encoding} ${i}`, (log) => flowing(log, encoding, [bytes])));
  }
  const wrong = ['61ff62', 'e28261', 'c328', 'eda08061', 'f4908080', 'c080', 'f09f9861', '8061'];
  for (const bytes of wrong) {
    order(`bytes that are no text, ${bytes}`, (log) => flowing(log, 'utf8', [bytes]));
    order(`bytes that are no text, one at a time, ${bytes}`, (log) => flowing(log, 'utf8', bytes.match(/../g)));
  }
  order('a byte order mark stays', (log) => flowing(log, 'utf8', ['ef', 'bb', 'bf61']));
  order('chunks that complete nothing, and empty ones', (log) => flowing(log, 'utf8', ['e2', '', '82', '', 'ac', '']));
  order('nothing but the end', (log) => flowing(log, 'utf8', []));
  order('an encoding that is not known', (log) => {
    const r = manualBytes();
    attempt(log, () => r.setEncoding('utf-9'));
    log(r.destroyed ? 'destroyed' : 'goes on');
    r.destroy();
  });
  order('encodings have many names', (log) => {
    for (const name of ['UTF-8', 'utf8', 'ucs2', 'UCS-2', 'binary', 'HEX']) {
      const r = manualBytes(), t = r.setEncoding(name);
      onData(log, t, `${name}:`);
      r.push(Buffer.from('6161', 'hex'));
      r.push(null);
    }
  });

  // ---- before it, and between ----
  order('half of a character was pushed before setEncoding', (log) => {
    const r = manualBytes();
    r.push(Buffer.from('61e2', 'hex'));
    r.push(Buffer.from('82', 'hex'));
    const t = r.setEncoding('utf8');
    watch(log, t);
    const got = collect(t);
    steps(log, [() => log(got()), push(r, 'ac62'), () => log(got()), end(r), () => log(got())]);
  });
  order('the first bytes are read as bytes', (log) => {
    const r = manualBytes();
    r.push(Buffer.from('414263e282', 'hex'));
    log(show(r.read(2).toString()));
    const t = r.setEncoding('utf8');
    watch(log, t);
    onData(log, t);
    feed(log, r, ['ac', '64']);
  });
  order('the end was pushed before setEncoding', (log) => {
    const r = manualBytes();
    r.push(Buffer.from('61e282ac', 'hex'));
    r.push(null);
    const t = r.setEncoding('utf8');
    watch(log, t);
    const got = collect(t);
    steps(log, [() => log(got())]);
  });
  order('nobody listens for a while', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    let got;
    steps(log, [push(r, '61e2'), push(r, '82'), () => { got = collect(t); }, () => log(got()), push(r, 'ac'), () => log(got()), end(r)]);
  });
  order('nobody listens', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    steps(log, [push(r, '61'), end(r), () => log(t.readableEnded ? 'ended' : 'not yet'), () => t.resume()]);
  });

  // ---- pause and resume ----
  order('paused in the middle of a character', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    onData(log, t);
    steps(log, [push(r, '61e2'), () => t.pause(), push(r, '82ac'), () => t.resume(), push(r, '62'), end(r)]);
  });
  order('paused inside of data, resumed later', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    t.on('data', (piece) => { log('data', piece); t.pause(); });
    const go = () => { log(t.isPaused() ? 'paused' : 'flows'); t.resume(); };
    steps(log, [push(r, '61'), go, push(r, 'c3'), push(r, 'a4'), go, end(r), () => log('at the end')]);
  });
  order('much comes while it is paused', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    const got = collect(t);
    t.pause();
    steps(log, [...pushes(r, ['61', 'e2', '82', 'ac', '62', 'c3']), end(r), () => log('nothing', got()), () => t.resume(), () => log(got())]);
  });
  order('pause and resume at once', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    t.on('data', (piece) => { log('data', piece); t.pause(); t.resume(); });
    feed(log, r, ['61', 'c3', 'a462', '63']);
  });
  order('the end comes while it is paused', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    onData(log, t);
    steps(log, [push(r, '61e2'), () => t.pause(), end(r), () => log(t.readableEnded ? 'ended' : 'not yet'), () => t.resume()]);
  });

  // ---- readable, unshift ----
  order('readable and read', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    t.on('readable', () => { for (let c; (c = t.read()) !== null;) log('got', c); });
    feed(log, r, ['61', 'e282', 'ac62c3', 'a4', 'c3']);
  });
  order('read without a listener', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    const all = () => { let got = ''; for (let c; (c = t.read()) !== null;) got += c; log('got-', got); };
    t.once('readable', log.say('readable'));
    steps(log, [push(r, '61e2'), all, push(r, '82'), all, push(r, 'ac'), all, end(r), all]);
  });
  order('unshift of text', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    let got;
    steps(log, [
      push(r, '6364e2'),
      () => { t.unshift('b€'); t.unshift('a'); got = collect(t); },
      () => log(got()), push(r, '82ac'), () => log(got()), end(r),
    ]);
  });
  order('unshift inside of readable, as parsers do', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    let head = '';
    const headOnly = () => {
      for (let c; (c = t.read()) !== null;) {
        head += c;
        const at = head.indexOf('|');
        if (at < 0) continue;
        t.off('readable', headOnly);
        log('head-', head.slice(0, at));
        t.unshift(head.slice(at + 1));
        log('rest-', t.read());
        onData(log, t);
        t.resume();
        return;
      }
    };
    t.on('readable', headOnly);
    feed(log, r, ['61c3', 'a4', '627ce282ac', '64', 'c3a4']);
  });
  order('unshift inside of data', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    let back = 2;
    t.on('data', (piece) => { log('data', piece); if (back-- > 0) t.unshift(`ä${back}`); });
    feed(log, r, ['61', '62']);
  });

  // ---- errors and destroy ----
  const hooked = (log) => new Readable({
    read() {},
    destroy(e, callback) { log('destroy-', e ? text(e) : ''); callback(e); },
  });
  for (const fails of [false, true]) {
    const name = fails ? 'fails' : 'is destroyed';
    const why = fails ? () => new Error('boom') : () => undefined;
    order(`it ${name} in the middle of a character`, (log) => {
      const r = hooked(log), t = r.setEncoding('utf8');
      watch(log, t);
      onData(log, t);
      steps(log, [push(r, '61e2'), () => t.destroy(why()), () => log(r.destroyed ? 'destroyed' : 'goes on')]);
    });
    order(`the bytes: it ${name} in the middle of a character`, (log) => {
      const r = hooked(log), t = r.setEncoding('utf8');
      watch(log, t);
      onData(log, t);
      steps(log, [push(r, '61e2'), () => r.destroy(why()), () => log(t.destroyed ? 'destroyed' : 'goes on')]);
    });
    order(`it ${name} inside of data`, (log) => {
      const r = hooked(log), t = r.setEncoding('utf8');
      watch(log, t);
      t.on('data', (piece) => { log('data', piece); t.destroy(why()); });
      steps(log, [push(r, '61'), push(r, '62'), end(r)]);
    });
    order(`it ${name} before anything`, (log) => {
      const r = hooked(log), t = r.setEncoding('utf8');
      watch(log, t);
      onData(log, t);
      t.destroy(why());
      steps(log, [push(r, '61'), end(r)]);
    });
    order(`it ${name} while it is paused`, (log) => {
      const r = hooked(log), t = r.setEncoding('utf8');
      watch(log, t);
      onData(log, t);
      steps(log, [() => t.pause(), push(r, '61'), () => t.destroy(why()), () => t.resume()]);
    });
    order(`it ${name} inside of end`, (log) => {
      const r = manualBytes(), t = r.setEncoding('utf8');
      watch(log, t);
      onData(log, t);
      t.on('end', () => t.destroy(why()));
      feed(log, r, ['61c3']);
    });
    order(`it ${name}, and who waits is told`, (log) => {
      const r = hooked(log), t = r.setEncoding('utf8');
      finished(t, told(log, 'over'));
      t.on('error', (e) => log('error-', text(e)));
      t.resume();
      steps(log, [push(r, '61e2'), () => t.destroy(why())]);
    });
  }
  order('read throws', (log) => {
    let i = 0;
    const r = new Readable({read() { immediate(() => { if (++i === 3) this.destroy(new Error('boom')); else this.push(Buffer.from('e282', 'hex')); }); }});
    const t = r.setEncoding('utf8');
    watch(log, t);
    onData(log, t);
  });
  order('an error that nobody listens to', (log) => {
    uncaught(log);
    const r = manualBytes(), t = r.setEncoding('utf8');
    onData(log, t);
    t.on('close', log.say('close'));
    steps(log, [push(r, '61e2'), () => r.destroy(new Error('boom'))]);
  });
  order('a listener for data throws', (log) => {
    uncaught(log);
    const r = manualBytes(), t = r.setEncoding('utf8');
    t.on('data', (piece) => { log('data', piece); tick(() => { throw new Error(piece); }); });
    t.on('end', log.say('end'));
    feed(log, r, ['61', 'c3', 'a4']);
  });
  order('aborted by a signal', (log) => {
    const abort = new AbortController(), r = hooked(log), t = addAbortSignal(abort.signal, r.setEncoding('utf8'));
    watch(log, t);
    onData(log, t);
    steps(log, [push(r, '61e2'), () => abort.abort(), () => log(r.destroyed ? 'destroyed' : 'goes on')]);
  });
  order('push after the end', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    onData(log, t);
    t.pause();
    steps(log, [push(r, '61'), end(r), push(r, '62'), () => t.resume()]);
  });
  order('it ends, and who waits is told', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    finished(t, told(log, 'over'));
    watch(log, t);
    onData(log, t);
    feed(log, r, ['61e2']);
  });

  // ---- waiting ----
  order('a loop over the text', async (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    feed(log, r, ['61', 'e2', '82ac', '62c3']);
    for await (const piece of t) log('got', piece);
    log('after');
  });
  order('a loop that fails', async (log) => {
    const r = hooked(log), t = r.setEncoding('utf8');
    t.on('close', log.say('close'));
    steps(log, [push(r, '61e2'), push(r, '82ac'), push(r, 'c3'), () => r.destroy(new Error('boom'))]);
    try {
      for await (const piece of t) log('got', piece);
    } catch (e) {
      log('caught-', text(e));
    }
  });
  order('a loop that is left', async (log) => {
    const r = hooked(log), t = r.setEncoding('utf8');
    watch(log, t);
    steps(log, [push(r, '61e2'), push(r, '82ac'), push(r, '62'), () => log(r.destroyed ? 'destroyed' : 'goes on')]);
    for await (const piece of t) {
      log('got', piece);
      if (piece === '€') break;
    }
  });
  order('a loop that is destroyed', async (log) => {
    const r = hooked(log), t = r.setEncoding('utf8');
    t.on('close', log.say('close'));
    steps(log, [push(r, '61e2'), () => t.destroy()]);
    try {
      for await (const piece of t) log('got', piece);
    } catch (e) {
      log('caught-', text(e));
    }
  });
  order('a loop that begins late', async (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8');
    watch(log, t);
    feed(log, r, ['61', 'e2', '82ac', '62c3']);
    await new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(() => setImmediate(resolve)))));
    let all = '';
    for await (const piece of t) all += piece;
    log('all-', all);
  });
  order('all of it as one text', async (log) => {
    const r = manualBytes(), t = r.setEncoding('hex');
    feed(log, r, ['61', 'e282', 'ac']);
    log('all-', await consumers.text(t));
  });
  order('all of it as a list', async (log) => {
    const r = manualBytes(), t = r.setEncoding('base64');
    feed(log, r, ['61', 'e282', 'ac', '62', '63']);
    log('all-', (await t.toArray()).join('+'));
  });

  // ---- rows of streams ----
  order('piped', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8'), w = textSink(log);
    watch(log, t, 't:');
    watch(log, w, 'w:');
    t.pipe(w);
    feed(log, r, ['61', 'e282', 'ac62', 'c3']);
  });
  order('piped to a slow sink', (log) => {
    const w = textSink(log, {highWaterMark: 1, objectMode: true, write(piece, encoding, callback) { log('w-', piece); immediate(callback); }});
    const r = manualBytes(), t = r.setEncoding('utf8');
    w.on('finish', log.say('finish'));
    t.pipe(w);
    steps(log, [push(r, '61e2'), () => {}, () => {}, push(r, '82ac'), () => {}, () => {}, push(r, '62'), () => {}, () => {}, end(r)]);
  });
  order('in a pipeline', (log) => {
    const r = manualBytes(), t = r.setEncoding('utf8'), w = textSink(log);
    w.on('close', log.say('w:close'));
    promises.pipeline(t, w).then(() => log('row-ok'), (e) => log('row-', text(e)));
    feed(log, r, ['61', 'e282', 'ac62', 'c3']);
  });
  order('in a pipeline that fails', (log) => {
    const r = hooked(log), t = r.setEncoding('utf8'), w = textSink(log);
    promises.pipeline(t, w).then(() => log('row-ok'), (e) => log('row-', text(e)));
    steps(log, [push(r, '61e2'), () => r.destroy(new Error('boom')), () => log(w.destroyed ? 'destroyed' : 'goes on')]);
  });
  order('in a pipeline whose sink fails', (log) => {
    const r = hooked(log), t = r.setEncoding('utf8');
    const w = textSink(log, {write(piece, encoding, callback) { log('w', piece); callback(piece === 'a' ? null : new Error('full')); }});
    promises.pipeline(t, w).then(() => log('row-ok'), (e) => log('row-', text(e)));
    steps(log, [push(r, '61e2'), push(r, '82ac'), () => log(t.destroyed ? 'destroyed' : 'goes on')]);
  });
  order('of a PassThrough', (log) => {
    const p = new PassThrough(), t = p.setEncoding('utf8');
    t.on('end', log.say('end'));
    onData(log, t);
    const write = (hex) => () => p.write(Buffer.from(hex, 'hex'));
    steps(log, [write('61e2'), write('82ac'), write('c3'), () => p.end()]);
  });

  // ---- text that becomes bytes ----
  order('text in an encoding is pushed and put back', (log) => {
    const r = manualBytes();
    log(r.push('c3a4', 'hex'), r.push('YmM', 'base64'), r.push('\u00e4', 'latin1'));
    log(r.unshift('first'), r.unshift('_-8', 'base64url'), r.unshift('ab', 'utf16le'));
    attempt(log, () => r.push('x', 'nonsense'));
    attempt(log, () => r.unshift('x', 'nonsense'));
    log(r.readableLength, r.read().toString('hex'));
    attempt(log, () => r.unshift(''));
    log(r.readableLength);
  });
  const hexSink = (log) => watch(log, new Writable({
    write(chunk, encoding, callback) { log('w', chunk.toString('hex')); callback(); },
  }));
  order('text in an encoding is written', (log) => {
    const w = hexSink(log);
    w.cork();
    log(w.write('c3a4', 'hex'), w.write('YmM', 'base64', done(log, 'second')));
    attempt(log, () => w.write('x', 'nonsense'));
    attempt(log, () => w.end('x', 'nonsense'));
    log(w.writableLength, w.writableEnded);
    w.end('6566', 'HEX', done(log, 'last'));
  });
  order('the last text, with a callback', (log) => {
    const w = hexSink(log);
    w.end('end', done(log, 'end'));
  });
  order('the last text in an encoding', (log) => {
    const w = hexSink(log);
    w.end('\u00e4', 'latin1');
  });
  order('the last text is refused after the end, with a callback', (log) => {
    const w = hexSink(log);
    w.end();
    w.end('late', done(log, 'first'));
    w.end('6c', 'hex', done(log, 'second'));
  });
};
