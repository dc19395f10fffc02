// SPDX-License-Identifier: MIT
// The JavaScript side of the comparison: `node order.js cases`, `programs FILE`, `stream-programs FILE`, `exit NAME` or `list`.
// One process runs all cases: a case has ended when the process has nothing left to do, which is what
// `beforeExit` tells; the next one then starts in an immediate. A line of output is the name, a tab, the trace.
'use strict';
const fs = require('fs');

const topics = {};
for (const topic of fs.readdirSync(`${__dirname}/cases`)) {
  if (topic.endsWith('.js')) topics[topic.slice(0, -3)] = require(`./cases/${topic}`);
}

const listened = ['unhandledRejection', 'rejectionHandled', 'uncaughtException', 'uncaughtExceptionMonitor'];

/// To standard output, whoever reads it how slowly: a case may have made it a pipe that does not block.
function say(text) {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(1, rest));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/// Runs until `ms` milliseconds have passed: whoever waits for them is then late.
function busy(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

function makeLog(write) {
  const log = (...parts) => write(parts.join(''));
  log.say = (word) => () => log(word);
  return log;
}

function runAll(cases) {
  let index = 0;
  let ending = [];
  let words = [];
  const finish = () => {
    for (const end of ending) end();
    for (const event of listened) process.removeAllListeners(event);
    say(`${cases[index].name}\t${words.join(' ')}\n`);
  };
  const start = () => {
    words = [];
    ending = [];
    const mine = words;
    const log = makeLog((word) => mine.push(word));
    log.atEnd = (f) => ending.push(f);
    setImmediate(() => cases[index].body(log));
  };
  process.on('beforeExit', () => {
    finish();
    if (++index < cases.length) start();
  });
  start();
}

function ordinaryCases() {
  const cases = [];
  for (const [topic, define] of Object.entries(topics)) {
    if (topic !== 'exits') define((name, body) => cases.push({name: `${topic}: ${name}`, body}), {busy});
  }
  return cases;
}

function exitCases() {
  const cases = new Map();
  topics.exits((name, body) => cases.set(name, body), {busy});
  return cases;
}

const [mode, argument] = process.argv.slice(2);
if (mode === 'cases') {
  runAll(ordinaryCases().filter((each) => !argument || each.name.includes(argument)));
} else if (mode === 'programs' || mode === 'stream-programs') {
  const {parse, interpret} = require(mode === 'programs' ? './programs.js' : './stream_programs.js');
  const programs = parse(fs.readFileSync(argument, 'utf8'));
  runAll(programs.map(({name, ...program}) => ({name, body: (log) => interpret(program, log)})));
} else if (mode === 'list') {
  for (const name of exitCases().keys()) console.log(name);
} else if (mode === 'exit') {
  exitCases().get(argument)(makeLog((word) => say(word + '\n')));
} else {
  console.error('usage: node order.js cases [PART] | programs FILE | stream-programs FILE | list | exit NAME');
  process.exitCode = 2;
}
