// SPDX-License-Identifier: MIT
// Runs the programs that generate_streams.py describes. stream_programs.cpp does the same, statement by statement.
'use strict';
const {Readable, Writable, Duplex, Transform, PassThrough, pipeline, finished, addAbortSignal} = require('stream');
const promises = require('stream/promises');
const {text, state: fullState, show, done} = require('./streams.js');

const mostWords = 3000;
const moments = ['now', 'tick', 'micro', 'immediate', 'tick2', 'immediate2'];
const later = {
  now: (f) => f(),
  tick: (f) => process.nextTick(f),
  micro: (f) => queueMicrotask(f),
  immediate: (f) => setImmediate(f),
  tick2: (f) => process.nextTick(() => process.nextTick(f)),
  immediate2: (f) => setImmediate(() => setImmediate(f)),
};

/// Without what pipes change after "close", when their sinks drain.
const state = (s) => (s.closed ? fullState(s).replace(/^\[(flow|stop|none)\d+p?/, '[') : fullState(s));

function parse(input) {
  const programs = [];
  for (const line of input.split('\n')) {
    const words = line.trim().split(' ');
    const program = programs.at(-1);
    if (words[0] === 'program') {
      programs.push({name: words.slice(1).join(' '), bytes: false, streams: {}, operations: []});
    } else if (words[0] === 'bytes' || words[0] === 'items' || words[0] === 'quiet') {
      program.bytes = words[0] === 'bytes';
      program.quiet = words[0] === 'quiet';
    } else if (words[0] === 'stream') {
      const [mark, delay, autoDestroy, listens, hooks, a, b] = words.slice(2).map(Number);
      program.streams[words[1]] = {mark, when: later[moments[delay]], autoDestroy: !!autoDestroy, listens, hooks, a, b};
      program.streams[words[1]].emitClose = !'wx'.includes(words[1]) || !!a;
    } else if (words[0] !== '') {
      program.operations.push({moment: words[0], op: words[1], args: words.slice(2)});
    }
  }
  return programs;
}

/// The words of a quiet program, put in order by who tells them: see generate_streams.py.
function sorting(write) {
  let told = new Map();
  const teller = (word) => (/^[a-z]\.(loop|got)/.test(word) ? word.slice(0, 5) : /^[a-z][.:]/.test(word) ? word.slice(0, 2) : '');
  const log = (...parts) => {
    const word = parts.join(''), who = teller(word);
    told.set(who, [...(told.get(who) ?? []), word]);
  };
  log.flush = () => {
    for (const who of [...told.keys()].sort()) for (const word of told.get(who)) write(word);
    told = new Map();
  };
  return log;
}

function interpret(program, say) {
  let count = 0;
  const write = program.quiet ? sorting(say) : say;
  const log = (...parts) => { if (++count <= mostWords) write(...parts); };
  const {bytes} = program;
  const streams = {};
  const controller = new AbortController();
  const chunkOf = (n) => (bytes ? Buffer.from('abcdefghi'.slice(0, n)) : n);
  const numberOf = (chunk) => {
    if (bytes) return chunk.length;
    while (chunk > 9) chunk /= 10;
    return chunk;
  };
  const changed = (chunk) => (bytes ? Buffer.from(`${chunk}`.toUpperCase()) : chunk * 10);

  process.on('uncaughtException', (e) => log('uncaught-', text(e)));
  process.on('unhandledRejection', (e) => log('unhandled-', text(e)));

  // ---- operations that wait for a moment in a listener or a method ----
  const waiting = new Map();
  const reached = (place) => { const f = waiting.get(place)?.shift(); if (f) f(); };

  // ---- the streams ----
  const common = (letter, {mark, autoDestroy, hooks, when, b}) => ({
    objectMode: !bytes,
    highWaterMark: mark,
    autoDestroy,
    ...(hooks && {
      construct(callback) {
        log(letter, ':construct');
        reached(`${letter}:construct`);
        when(() => (b === 7 ? callback(new Error('fc')) : callback()));
      },
      destroy(error, callback) {
        log(letter, ':destroy', error ? `-${text(error)}` : '');
        reached(`${letter}:destroy`);
        when(() => callback(b === 8 ? new Error('fd') : error));
      },
    }),
  });
  const sinkMethods = (letter, {hooks, when, b}, take = () => {}, end = () => {}) => ({
    write(chunk, encoding, callback) {
      log(letter, ':write', chunk);
      reached(`${letter}:write`);
      when(() => {
        if (b !== 0 && numberOf(chunk) === b) return callback(new Error('fw'));
        take.call(this, chunk);
        callback();
      });
    },
    ...(hooks && {
      final(callback) {
        log(letter, ':final');
        reached(`${letter}:final`);
        when(() => {
          if (b === 9) return callback(new Error('ff'));
          end.call(this);
          callback();
        });
      },
    }),
  });
  const writevMethod = (letter, {hooks, when}) => (!hooks ? {} : {
    writev(chunks, callback) {
      log(letter, ':writev', chunks.map((each) => each.chunk).join('+'));
      when(() => callback());
    },
  });
  const makeReadable = (letter, config) => {
    let i = 0;
    const {when, a: mode, b: most} = config;
    return new Readable({
      ...common(letter, {...config, b: 0}),
      read(size) {
        log(letter, ':read', size);
        reached(`${letter}:read`);
        if (mode === 1) return when(() => this.push(i < most ? chunkOf(++i) : null));
        if (mode === 2) {
          while (i < most) if (!this.push(chunkOf(++i))) return;
          this.push(null);
        }
        if (mode === 3) when(() => (i < most ? this.push(chunkOf(++i)) : this.destroy(new Error('boom'))));
      },
    });
  };
  const makeTransform = (letter, config) => {
    const {hooks, when, a: mode, b} = config;
    return new Transform({
      ...common(letter, config),
      transform(chunk, encoding, callback) {
        log(letter, ':transform', chunk);
        reached(`${letter}:transform`);
        when(() => {
          if (b !== 0 && numberOf(chunk) === b) return callback(new Error('ft'));
          if (mode === 1) { this.push(changed(chunk)); this.push(changed(chunk)); return callback(); }
          if (mode === 2 && numberOf(chunk) % 2 === 1) return callback();
          if (mode === 3) { this.push(changed(chunk)); return callback(); }
          callback(null, changed(chunk));
        });
      },
      ...(hooks && {
        flush(callback) {
          log(letter, ':flush');
          reached(`${letter}:flush`);
          when(() => {
            if (b === 9) return callback(new Error('ff'));
            if (mode === 1) this.push(chunkOf(9));
            callback(null, chunkOf(8));
          });
        },
      }),
    });
  };
  const makeDuplex = (letter, config) => new Duplex({
    ...common(letter, config),
    allowHalfOpen: !!config.a,
    read(size) { log(letter, ':read', size); reached(`${letter}:read`); },
    ...sinkMethods(letter, config, function(chunk) { this.push(chunk); }, function() { this.push(null); }),
  });
  const makePassThrough = (letter, {mark, autoDestroy, a}) =>
    new PassThrough({objectMode: !bytes, highWaterMark: mark, autoDestroy, allowHalfOpen: !!a});
  const makeWritable = (letter, config) => new Writable({
    ...common(letter, config),
    emitClose: !!config.a,
    ...sinkMethods(letter, config),
    ...writevMethod(letter, config),
  });
  const makers = {r: makeReadable, t: makeTransform, d: makeDuplex, p: makePassThrough, w: makeWritable, x: makeWritable};

  /// Tells the events. After "close", told or not, leat's streams have let their listeners go.
  const watch = (letter, s, {listens, emitClose}) => {
    let closed = false;
    const tell = (event) => s.on(event, (e) => {
      if (closed || (!emitClose && (s._readableState ?? s._writableState).closeEmitted)) return;
      log(letter, '.', event, event === 'error' ? `-${text(e)}` : '', program.quiet ? '' : state(s));
      reached(`${letter}.${event}`);
    });
    if (s._readableState) ['end', 'pause', 'resume'].forEach(tell);
    if (s._writableState) ['drain', 'prefinish', 'finish', 'pipe', 'unpipe'].forEach(tell);
    if (listens) tell('error');
    tell('close');
    s.setMaxListeners(0);
    const {emit} = s;
    s.emit = function(event, ...args) {
      const listened = emit.call(this, event, ...args);
      if (event === 'close') closed = true;
      return listened;
    };
  };
  for (const [letter, config] of Object.entries(program.streams)) {
    streams[letter] = makers[letter](letter, config);
    watch(letter, streams[letter], config);
  }

  // ---- the operations ----
  const onData = {}, onReadable = {};
  const told = (word) => (e) => log(word, e ? text(e) : 'ok');
  const row = (letters) => [...letters].map((letter) => streams[letter]);
  const awaited = (letters, options) => {
    promises.pipeline(...row(letters), options).then(() => log('row-', letters, '-ok'), (e) => log('row-', letters, '-', text(e)));
  };
  const looping = {};
  const loop = async (s, most, letter, {slow, keeps}) => {
    if (looping[letter]) return;
    looping[letter] = true;
    try {
      for await (const chunk of s.iterator({destroyOnReturn: !keeps})) {
        log(letter, '.got-', chunk);
        if (--most === 0) break;
        if (slow) await new Promise((resolve) => setImmediate(resolve));
      }
      log(letter, '.loop-ok');
    } catch (e) {
      log(letter, '.loop-', text(e));
    }
    looping[letter] = false;
  };
  const operations = {
    push: (s, k) => log(s.push(chunkOf(k))),
    pushEnd: (s) => log(s.push(null)),
    unshift: (s, k) => log(s.unshift(chunkOf(k))),
    read: (s) => log('got-', s.closed ? 'closed' : show(s.read())),
    readSome: (s, k) => log('got-', s.closed ? 'closed' : show(s.read(k))),
    readZero: (s) => log('got-', s.closed ? 'closed' : show(s.read(0))),
    pause: (s) => s.pause(),
    resume: (s) => s.resume(),
    onData(s, k, letter) {
      const f = (chunk) => log(letter, '.data-', show(chunk));
      (onData[letter] ??= []).push(f);
      s.on('data', f);
    },
    offData(s, k, letter) { const f = onData[letter]?.pop(); if (f) s.off('data', f); },
    onReadable(s, k, letter) {
      const f = () => { log(letter, '.readable', state(s)); log('got-', show(s.read())); };
      (onReadable[letter] ??= []).push(f);
      s.on('readable', f);
    },
    offReadable(s, k, letter) { const f = onReadable[letter]?.pop(); if (f) s.off('readable', f); },
    onceReadable(s, k, letter) { s.once('readable', () => log(letter, '.once-', show(s.read()))); },
    write: (s, k) => log(s.write(chunkOf(k))),
    writeTold: (s, k, letter) => log(s.write(chunkOf(k), done(log, `${letter}.written${k}`))),
    end: (s) => s.end(),
    endTold: (s, k, letter) => s.end(done(log, `${letter}.ended`)),
    endWith: (s, k) => s.end(chunkOf(k)),
    cork: (s) => s.cork(),
    uncork: (s) => s.uncork(),
    destroy: (s) => s.destroy(),
    fail: (s, k, letter) => s.destroy(new Error(`e${letter}`)),
    finished: (s, k, letter) => finished(s, told(`${letter}.over-`)),
    pipe: (s, to) => s.pipe(streams[to]),
    pipeOpen: (s, to) => s.pipe(streams[to], {end: false}),
    unpipe: (s, to) => s.unpipe(streams[to]),
    unpipeAll: (s) => s.unpipe(),
    pipeline: (s, k, letters) => { pipeline(...row(letters), told(`row-${letters}-`)); },
    pipelineAwaited: (s, k, letters) => awaited(letters, {}),
    pipelineOpen: (s, k, letters) => awaited(letters, {end: false}),
    pipelineAborted: (s, k, letters) => awaited(letters, {signal: controller.signal}),
    loop: (s, k, letter) => void loop(s, k, letter, {}),
    slowLoop: (s, k, letter) => void loop(s, k, letter, {slow: true}),
    nextLoop: (s, k, letter) => void loop(s, k, letter, {keeps: true}),
    abort: () => controller.abort(),
    abortable: (s) => addAbortSignal(controller.signal, s),
  };
  const execute = ({op, args}) => {
    const [first = '', second] = args;
    log(op, first && `-${first}`, second === undefined ? '' : `-${second}`);
    try {
      operations[op](streams[first], second === undefined || second in streams ? second : Number(second), first);
    } catch (e) {
      log('threw-', text(e));
    }
    if (streams[first] && !program.quiet) log(state(streams[first]));
  };
  const sayStates = () => { for (const [letter, s] of Object.entries(streams)) log(letter, state(s)); };
  const later20 = (f, turns = 20) => setImmediate(() => (turns > 0 ? later20(f, turns - 1) : f()));
  const quietly = (at) => {
    write.flush();
    sayStates();
    write.flush();
    if (at === program.operations.length) return;
    execute(program.operations[at]);
    later20(() => quietly(at + 1));
  };
  if (program.quiet) return later20(() => quietly(0));
  for (const each of program.operations) {
    const f = () => execute(each);
    if (later[each.moment]) {
      later[each.moment](f);
    } else {
      if (!waiting.has(each.moment)) waiting.set(each.moment, []);
      waiting.get(each.moment).push(f);
    }
  }
  log('--');
  later20(sayStates);
}

module.exports = {parse, interpret};
