// SPDX-License-Identifier: MIT
// Runs the programs that generate.py describes. programs.cpp does the same, statement by statement.
'use strict';
const {AsyncLocalStorage} = require('async_hooks');
const als = new AsyncLocalStorage();

function parse(text) {
  const programs = [];
  let block;
  for (const line of text.split('\n')) {
    const words = line.trim().split(' ');
    if (words[0] === 'program') {
      programs.push({name: words.slice(1).join(' '), timers: false, blocks: new Map()});
    } else if (words[0] === 'timers' || words[0] === 'immediates') {
      programs.at(-1).timers = words[0] === 'timers';
    } else if (words[0] === 'block') {
      block = {number: Number(words[1]), statements: []};
      programs.at(-1).blocks.set(block.number, block);
    } else if (words[0] !== '') {
      block.statements.push({op: words[0], args: words.slice(1).map(Number)});
    }
  }
  for (const program of programs) {
    for (const each of program.blocks.values()) each.end = each.statements.pop();
  }
  return programs;
}

const text = (e) => (e instanceof AggregateError ? `all(${e.errors.map(text).join(',')})` : e.message);

function interpret(program, log) {
  const vars = [];
  const settlers = [];
  const rejected = new Map();
  const block = (number) => program.blocks.get(number);
  const note = (...parts) => log(...parts, als.getStore() === undefined ? '' : `@${als.getStore()}`);

  process.on('unhandledRejection', (e, p) => { rejected.set(p, text(e)); log('unhandled:', text(e)); });
  process.on('rejectionHandled', (p) => log('handled:', rejected.get(p)));
  process.on('uncaughtException', (e) => log('uncaught:', text(e)));

  const thenable = (name, say = note) => ({then(resolve) { say('asked:', name); resolve(name); }});
  const promiseOf = (index) => vars[index] ?? Promise.resolve('none');

  const end = ({number, end: {op, args}}) => {
    if (op === 'throw') throw new Error(`e${number}`);
    if (op === 'return-promise') return promiseOf(args[0]);
    if (op === 'return-thenable') return thenable(`t${number}`);
    return `v${number}`;
  };
  const run = (number, why = '') => {
    const b = block(number);
    note(number, why);
    for (const statement of b.statements) execute(statement);
    return end(b);
  };
  const callback = (number) => () => { run(number); };
  const onValue = (number) => (v) => run(number, `=${v}`);
  const onError = (number) => (e) => run(number, `!${text(e)}`);

  async function asyncBlock(number) {
    const b = block(number);
    note(number);
    for (const {op, args} of b.statements) {
      if (op === 'null') {
        await null;
        note(number, '.');
      } else if (op === 'await') {
        if (vars[args[0]] !== undefined) note(number, '~', await vars[args[0]]);
      } else if (op === 'try') {
        if (vars[args[0]] === undefined) continue;
        let word;
        try { word = `~${await vars[args[0]]}`; } catch (e) { word = `~!${text(e)}`; }
        note(number, word);
      } else if (op === 'call') {
        note(number, '~', await asyncBlock(args[0]));
      } else {
        execute({op, args});
      }
    }
    return end(b);
  }

  const combine = {
    all: (inputs) => Promise.all(inputs).then((values) => values.join('+')),
    settled: (inputs) => Promise.allSettled(inputs).then((results) =>
      results.map((r) => (r.status === 'fulfilled' ? r.value : `!${text(r.reason)}`)).join('+')),
    race: (inputs) => Promise.race(inputs),
    any: (inputs) => Promise.any(inputs),
  };

  function execute({op, args: [a, b, c, d], args}) {
    switch (op) {
      case 'tick': return process.nextTick(callback(a));
      case 'micro': return queueMicrotask(callback(a));
      case 'later': return program.timers ? setTimeout(callback(a), 1) : setImmediate(callback(a));
      case 'resolved': vars[a] = Promise.resolve(`p${a}`); return;
      case 'rejected': vars[a] = Promise.reject(new Error(`r${a}`)); return;
      case 'asked': vars[a] = Promise.resolve(thenable(`a${a}`)); return;
      case 'deferred': vars[a] = new Promise((resolve, reject) => { settlers[a] = {resolve, reject}; }); return;
      case 'settle': settlers[a]?.resolve(`s${a}`); return;
      case 'fail': settlers[a]?.reject(new Error(`f${a}`)); return;
      case 'adopt': if (vars[b] !== undefined) settlers[a]?.resolve(vars[b]); return;
      case 'adopt-thenable': settlers[a]?.resolve(thenable(`d${a}`, log)); return;
      case 'then': if (vars[b] !== undefined) vars[a] = vars[b].then(onValue(c)); return;
      case 'catch': if (vars[b] !== undefined) vars[a] = vars[b].catch(onError(c)); return;
      case 'both': if (vars[b] !== undefined) vars[a] = vars[b].then(onValue(c), onError(d)); return;
      case 'finally': if (vars[b] !== undefined) vars[a] = vars[b].finally(() => run(c)); return;
      case 'async': vars[a] = asyncBlock(b); return;
      case 'store': als.run(a, () => run(a)); return;
      default: vars[a] = combine[op](args.slice(1).filter((i) => vars[i] !== undefined).map((i) => vars[i]));
    }
  }
  callback(0)();
}

module.exports = {parse, interpret};
