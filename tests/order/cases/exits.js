// SPDX-License-Identifier: MIT
// Programs of their own: the body is the main script, and the exit code is part of the comparison.
'use strict';
const {Readable, pipeline} = require('stream');
module.exports = (order, {busy}) => {
  const P = () => Promise.resolve();
  const fail = (text) => { throw new Error(text); };
  const pending = () => new Promise(() => {});

  order('a main script: ticks, microtasks, timers', (log) => {
    setTimeout(log.say('timeout'), 1);
    P().then(log.say('micro'));
    process.nextTick(log.say('tick'));
    (async () => { log('async'); await null; log('async2'); })();
    log('main');
  });
  order('an exception of main', (log) => {
    process.on('exit', (code) => log('exit', code));
    process.nextTick(log.say('never-tick'));
    P().then(log.say('never-micro'));
    setTimeout(log.say('never-timeout'), 1);
    fail('x');
  });
  order('an exception of main that is handled', (log) => {
    process.on('exit', (code) => log('exit', code));
    process.on('uncaughtException', (e) => log('uncaught-', e.message));
    process.nextTick(log.say('tick'));
    P().then(log.say('micro'));
    setImmediate(log.say('immediate'));
    fail('x');
  });
  order('an exception of a timer', (log) => {
    process.on('exit', (code) => log('exit', code));
    setTimeout(() => { process.nextTick(log.say('never-tick')); setImmediate(log.say('never')); fail('x'); }, 1);
    setTimeout(log.say('never-timer'), 1);
  });
  order('an exception of a tick', (log) => {
    process.nextTick(() => fail('x'));
    process.nextTick(log.say('never'));
    P().then(log.say('never-micro'));
  });
  order('an exception of a microtask', (log) => {
    process.on('exit', (code) => log('exit', code));
    queueMicrotask(() => { log('micro'); fail('x'); });
    process.nextTick(log.say('tick'));
    setImmediate(log.say('never'));
  });
  order('an exception of an immediate', (log) => {
    process.on('exit', (code) => log('exit', code));
    setImmediate(() => fail('x'));
    setImmediate(log.say('never'));
  });
  order('an unhandled rejection', (log) => {
    process.on('exit', (code) => log('exit', code));
    Promise.reject(new Error('x'));
    process.nextTick(log.say('tick'));
    P().then(log.say('micro'));
    setImmediate(log.say('never'));
  });
  order('a rejection of an async main', async (log) => {
    process.on('exit', (code) => log('exit', code));
    await null;
    log('awake');
    fail('x');
  });
  order('the handler of exceptions throws', (log) => {
    process.on('exit', (code) => log('exit', code));
    process.on('uncaughtException', (e) => { log('uncaught-', e.message); fail('y'); });
    setImmediate(() => fail('x'));
    setImmediate(log.say('never'));
  });
  order('the handler of rejections throws', (log) => {
    process.on('exit', (code) => log('exit', code));
    process.on('unhandledRejection', (e) => { log('unhandled-', e.message); fail('y'); });
    Promise.reject(new Error('x'));
    setImmediate(log.say('never'));
  });
  order('the handler of rejections throws, and that is handled', (log) => {
    process.on('exit', (code) => log('exit', code));
    process.on('uncaughtException', (e, origin) => log('uncaught-', e.message, '-', origin));
    process.on('unhandledRejection', (e) => { log('unhandled-', e.message); fail('y'); });
    Promise.reject(new Error('x'));
    setImmediate(log.say('immediate'));
  });
  order('the monitor does not handle', (log) => {
    process.on('exit', (code) => log('exit', code));
    process.on('uncaughtExceptionMonitor', (e, origin) => log('monitor-', e.message, '-', origin));
    setImmediate(() => fail('x'));
  });
  order('a rejection handled in a later turn is fatal before', (log) => {
    const p = Promise.reject(new Error('x'));
    setImmediate(() => p.catch(log.say('never')));
  });
  order('handled rejections end well', (log) => {
    process.on('exit', (code) => log('exit', code));
    process.on('unhandledRejection', (e) => log('unhandled-', e.message));
    Promise.reject(new Error('x'));
    setImmediate(log.say('immediate'));
  });

  // ---- beforeExit and exit
  order('beforeExit may arrange for more', (log) => {
    let n = 0;
    process.on('beforeExit', (code) => { log('beforeExit', code); if (++n < 3) setTimeout(() => log('timer', n), 1); });
    process.on('exit', (code) => log('exit', code));
    setImmediate(log.say('immediate'));
  });
  order('beforeExit with a promise and a tick only', (log) => {
    let n = 0;
    process.on('beforeExit', () => {
      log('beforeExit');
      if (++n > 1) return;
      P().then(log.say('micro'));
      process.nextTick(log.say('tick'));
    });
    process.on('exit', log.say('exit'));
  });
  order('exit is synchronous', (log) => {
    process.on('exit', () => {
      log('exit');
      setTimeout(log.say('never'), 1);
      setImmediate(log.say('never'));
      process.nextTick(log.say('never'));
    });
    P().then(log.say('micro'));
  });
  order('process.exitCode', (log) => {
    process.on('beforeExit', (code) => log('beforeExit', code));
    process.on('exit', (code) => log('exit', code));
    process.exitCode = 3;
  });
  order('process.exitCode set by exit', (log) => {
    process.on('exit', (code) => { log('exit', code); process.exitCode = 5; });
  });
  order('an exception beats process.exitCode', (log) => {
    process.on('exit', (code) => log('exit', code));
    process.exitCode = 3;
    setImmediate(() => fail('x'));
  });
  order('exit throws', (log) => {
    process.on('exit', () => { log('exit'); fail('x'); });
  });
  order('exit throws, and that is handled', (log) => {
    process.on('uncaughtException', (e) => log('uncaught-', e.message));
    process.on('exit', (code) => { log('exit', code); fail('x'); });
  });
  order('beforeExit throws, and that is handled', (log) => {
    process.on('uncaughtException', (e) => log('uncaught-', e.message));
    let n = 0;
    process.on('beforeExit', () => { log('beforeExit'); if (++n === 1) fail('x'); });
    process.on('exit', (code) => log('exit', code));
  });
  order('process.exit in a timer', (log) => {
    process.on('beforeExit', log.say('never'));
    process.on('exit', (code) => log('exit', code));
    setTimeout(() => { process.nextTick(log.say('never')); P().then(log.say('never')); process.exit(5); }, 1);
    setTimeout(log.say('never'), 1);
  });
  order('process.exit in an exit listener', (log) => {
    process.on('exit', (code) => { log('exit', code); process.exit(3); });
    process.on('exit', (code) => log('second', code));
  });
  order('process.exit in a microtask of main', (log) => {
    process.on('exit', (code) => log('exit', code));
    P().then(() => { log('micro'); process.exitCode = 5; process.exit(); });
    P().then(log.say('never'));
    process.nextTick(log.say('tick'));
  });
  order('two listeners of one event', (log) => {
    for (const name of ['a', 'b']) {
      process.on('beforeExit', log.say(`beforeExit-${name}`));
      process.on('exit', log.say(`exit-${name}`));
    }
  });
  order('beforeExit throws', (log) => {
    process.on('beforeExit', () => { log('beforeExit'); fail('x'); });
    process.on('exit', (code) => log('exit', code));
  });

  // ---- what holds the loop
  order('an unreferenced timer, interval and immediate do not hold', (log) => {
    setTimeout(log.say('never'), 60000).unref();
    setInterval(log.say('never'), 60000).unref();
    process.on('exit', log.say('exit'));
  });
  order('a timer referenced again holds', (log) => {
    setTimeout(log.say('timer'), 3).unref().ref();
    process.on('exit', log.say('exit'));
  });
  order('a pending promise does not hold', (log) => {
    (async () => { log('waiting'); await pending(); log('never'); })();
    process.on('exit', (code) => log('exit', code));
  });
  order('a cleared timer does not hold', (log) => {
    clearTimeout(setTimeout(log.say('never'), 60000));
    clearInterval(setInterval(log.say('never'), 60000));
    clearImmediate(setImmediate(log.say('never')));
    process.on('exit', log.say('exit'));
  });
  order('the signal of a timeout does not hold', (log) => {
    AbortSignal.timeout(60000).addEventListener('abort', log.say('never'));
    process.on('exit', log.say('exit'));
  });
  order('an aborted sleep does not hold', async (log) => {
    const {setTimeout: sleep} = require('timers/promises');
    const c = new AbortController();
    setImmediate(() => c.abort());
    try { await sleep(60000, null, {signal: c.signal}); } catch (e) { log(e.name); }
  });
  order('an unreferenced immediate runs while something else holds', (log) => {
    setImmediate(log.say('unref')).unref();
    setTimeout(log.say('timer'), 500);
  });

  order('a listener for a signal does not hold', (log) => {
    process.on('SIGUSR2', log.say('never'));
    process.once('SIGTERM', log.say('never'));
    process.on('exit', log.say('exit'));
  });

  // ---- signals that end the process: nobody listens any more
  const raise = (signal) => process.kill(process.pid, signal);
  /// A timer holds, so that the process ends by the signal only.
  const holdOn = (log) => setTimeout(log.say('still-there'), 20000);
  order('the default action is back with the last listener', (log) => {
    const listener = (name) => {
      log(name);
      process.off('SIGUSR2', listener);
      log(process.listenerCount('SIGUSR2'));
      raise('SIGUSR2');
      log('never');
    };
    process.on('SIGUSR2', listener);
    process.on('exit', log.say('never-exit'));
    holdOn(log);
    raise('SIGUSR2');
  });
  order('the default action is back inside of a listener for one signal', (log) => {
    process.once('SIGTERM', (name) => { log(name); raise('SIGTERM'); log('never'); });
    holdOn(log);
    raise('SIGTERM');
  });
  order('the default action is back when all listeners are removed', (log) => {
    process.on('SIGTERM', log.say('never'));
    process.on('SIGTERM', log.say('never'));
    process.removeAllListeners('SIGTERM');
    holdOn(log);
    log('raise');
    raise('SIGTERM');
    log('never');
  });
  order('there is no default action while one listener is left', (log) => {
    const hold = holdOn(log);
    const first = log.say('never');
    process.on('SIGUSR2', first);
    process.on('SIGUSR2', (name) => { log(name); clearTimeout(hold); });
    process.off('SIGUSR2', first);
    raise('SIGUSR2');
    log('raised');
  });
  order('the default action of another signal than the one that is listened for', (log) => {
    process.on('SIGUSR2', log.say('never'));
    holdOn(log);
    log('raise');
    raise('SIGTERM');
    log('never');
  });

  // ---- files: one thread does them, so that they are done in their row
  order('operations on files that fail are told between those that do not', (log) => {
    process.env.UV_THREADPOOL_SIZE = '1';
    const fs = require('fs');
    const ask = (name, path) => fs.access(path, (error) => {
      log(name, error ? error.code : 'ok');
      process.nextTick(log.say(`${name}-tick`));
      P().then(log.say(`${name}-micro`));
    });
    ask('a', '/');
    ask('b', '/leat/is/nowhere');
    ask('c', '/');
    ask('d', '/leat/is/nowhere');
    ask('e', '/');
    // Most of them, or all, are done before anybody looks.
    busy(50);
    log('asked');
  });

  // ---- standard input: what is given is asked for by a word
  const {Writable, pipeline, addAbortSignal} = require('stream');
  const give = (log, bytes) => log('give-', Buffer.from(bytes, 'latin1').toString('hex'));
  const giveEnd = (log) => log('give-end');
  /// Of a file node tells no "close".
  const told = (log, s, closes = true) => {
    for (const event of ['end', 'pause', 'resume', ...(closes ? ['close'] : [])]) s.on(event, log.say(event));
    s.on('error', (e) => log('error-', e.code || e.message));
    process.on('exit', (code) => log('exit', code));
  };
  const sink = (log) => new Writable({write(chunk, encoding, callback) { log('w-', chunk); callback(); }});
  for (const what of ['a pipe', 'a socket']) {
    order(`stdin of ${what}: data, and the end`, (log) => {
      const s = process.stdin;
      let left = 2;
      told(log, s);
      s.on('data', (chunk) => { log('data-', chunk); if (left-- > 0) give(log, `more${left}`); else giveEnd(log); });
      give(log, 'first');
    });
    order(`stdin of ${what}: nobody reads`, (log) => {
      told(log, process.stdin);
      give(log, 'never');
    });
    order(`stdin of ${what}: paused, it does not hold`, (log) => {
      const s = process.stdin;
      told(log, s);
      // Not inside of the listener: there node asks for more once again, and that holds.
      s.on('data', (chunk) => { log('data-', chunk); setImmediate(() => { s.pause(); give(log, 'never'); }); });
      give(log, 'first');
    });
    order(`stdin of ${what}: paused and resumed`, (log) => {
      const s = process.stdin;
      told(log, s);
      s.on('data', (chunk) => {
        log('data-', chunk);
        if (`${chunk}` !== 'one') return giveEnd(log);
        s.pause();
        give(log, 'two');
        setTimeout(() => { log('timer'); s.resume(); }, 20);
      });
      give(log, 'one');
    });
    order(`stdin of ${what}: the end alone`, (log) => {
      const s = process.stdin;
      told(log, s);
      s.on('data', log.say('never'));
      giveEnd(log);
    });
    order(`stdin of ${what}: destroyed inside of data`, (log) => {
      const s = process.stdin;
      told(log, s);
      s.on('data', (chunk) => { log('data-', chunk); s.destroy(); });
      give(log, 'first');
    });
  }
  order('stdin of a pipe: resumed without a listener', (log) => {
    told(log, process.stdin);
    process.stdin.resume();
    give(log, 'first');
    setTimeout(() => giveEnd(log), 20);
  });
  order('stdin of a pipe: readable and read', (log) => {
    const s = process.stdin;
    told(log, s);
    s.on('readable', () => {
      const chunk = s.read();
      log('got-', `${chunk}`);
      if (chunk !== null) `${chunk}` === 'one' ? give(log, 'two') : giveEnd(log);
    });
    give(log, 'one');
  });
  order('stdin of a pipe: text', (log) => {
    const s = process.stdin.setEncoding('utf8');
    told(log, s);
    s.on('data', (text) => { log('data-', text); text === 'a' ? give(log, '\x82\xac\xc3') : giveEnd(log); });
    give(log, 'a\xe2');
  });
  order('stdin of a pipe: it fails', (log) => {
    const s = process.stdin;
    told(log, s);
    s.on('data', (chunk) => { log('data-', chunk); s.destroy(new Error('boom')); });
    give(log, 'first');
  });
  order('stdin of a pipe: an error that nobody listens to', (log) => {
    const s = process.stdin;
    process.on('exit', (code) => log('exit', code));
    s.on('data', (chunk) => { log('data-', chunk); s.destroy(new Error('boom')); });
    give(log, 'first');
  });
  order('stdin of a pipe: a loop to the end', async (log) => {
    told(log, process.stdin, false);
    give(log, 'one');
    for await (const chunk of process.stdin) { log('got-', chunk); `${chunk}` === 'one' ? give(log, 'two') : giveEnd(log); }
    log('after');
  });
  order('stdin of a pipe: a loop that is left', async (log) => {
    const s = process.stdin;
    s.on('close', () => log(s.destroyed ? 'destroyed' : 'goes on'));
    give(log, 'one');
    for await (const chunk of s) { log('got-', chunk); if (`${chunk}` === 'two') break; give(log, 'two'); }
  });
  order('stdin of a pipe: piped', (log) => {
    const s = process.stdin, w = sink(log);
    told(log, s);
    w.on('finish', log.say('finish'));
    s.once('data', () => setTimeout(() => giveEnd(log), 20));
    s.pipe(w);
    give(log, 'one');
  });
  order('stdin of a pipe: in a pipeline', (log) => {
    const w = sink(log);
    w.on('finish', log.say('finish'));
    process.stdin.once('data', () => giveEnd(log));
    pipeline(process.stdin, w, (e) => log('row-', e ? e.message : 'ok'));
    give(log, 'one');
  });
  order('stdin of a pipe: aborted by a signal', (log) => {
    const abort = new AbortController(), s = addAbortSignal(abort.signal, process.stdin);
    told(log, s);
    s.on('data', (chunk) => { log('data-', chunk); abort.abort(); });
    give(log, 'one');
  });
  order('stdin of a pipe: the process ends inside of data', (log) => {
    told(log, process.stdin);
    process.stdin.on('data', (chunk) => { log('data-', chunk); process.exit(5); });
    give(log, 'one');
  });
  for (const what of ['a file', '/dev/null']) {
    order(`stdin of ${what}: data, and the end`, (log) => {
      const s = process.stdin;
      told(log, s, false);
      s.on('data', (chunk) => log('data-', chunk));
    });
    order(`stdin of ${what}: nobody reads`, (log) => told(log, process.stdin));
    order(`stdin of ${what}: a loop to the end`, async (log) => {
      for await (const chunk of process.stdin) log('got-', chunk);
      log('after');
    });
  }
  order('stdin of a file: paused and resumed', (log) => {
    const s = process.stdin;
    told(log, s, false);
    s.on('data', (chunk) => { log('data-', chunk); s.pause(); setTimeout(() => { log('timer'); s.resume(); }, 5); });
  });

  // ---- starvation: these never end, and are killed when they have said `spinning`
  order('what is piped into standard output does not end it, a pipeline does', (log) => {
    const out = process.stdout;
    for (const event of ['pipe', 'unpipe', 'finish']) out.on(event, log.say(event));
    const first = Readable.from('one\n'), second = Readable.from('two\n');
    first.pipe(out);
    first.on('end', () => second.pipe(out));
    second.on('end', () => {
      Readable.from('').pipe(process.stderr);
      setImmediate(() => {
        log(out.writable, out.writableEnded, process.stderr.writableEnded);
        out.write('three\n');
        pipeline(Readable.from('four\n'), out, (error) => log(error ? error.message : 'over'));
      });
    });
  });
  order('starved: ticks let nothing through', (log) => {
    const start = performance.now();
    let told = false;
    setTimeout(log.say('timer'), 1);
    setImmediate(log.say('immediate'));
    P().then(log.say('micro'));
    const again = () => {
      if (!told && performance.now() > start + 30) { told = true; log('spinning'); }
      process.nextTick(again);
    };
    process.nextTick(again);
  });
  order('starved: microtasks let nothing through', (log) => {
    const start = performance.now();
    let told = false;
    setTimeout(log.say('timer'), 1);
    setImmediate(log.say('immediate'));
    const again = () => {
      if (told === false && performance.now() > start + 30) { told = true; process.nextTick(log.say('tick')); log('spinning'); }
      queueMicrotask(again);
    };
    queueMicrotask(again);
  });
  order('starved: an async loop lets nothing through', async (log) => {
    const start = performance.now();
    let told = false;
    setTimeout(log.say('timer'), 1);
    for (;;) {
      await null;
      if (!told && performance.now() > start + 30) { told = true; log('spinning'); }
    }
  });
};
