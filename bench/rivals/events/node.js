// SPDX-License-Identifier: MIT
'use strict';

// What an emit costs in Node: two warm-up runs, then the median of seven.

const EventEmitter = require('events');
const emits = 1e7;
const warmups = 2;
const repetitions = 7;

function bench(name, listeners) {
  const emitter = new EventEmitter();
  let sum = 0;
  for (let i = 0; i < listeners; i++) emitter.on('data', (value) => { sum += value; });
  emitter.on('end', () => {});
  const samples = [];
  for (let run = 0; run < warmups + repetitions; run++) {
    const begin = process.hrtime.bigint();
    for (let i = 0; i < emits; i++) emitter.emit('data', i);
    const end = process.hrtime.bigint();
    if (run >= warmups) samples.push(Number(end - begin) / emits);
  }
  samples.sort((a, b) => a - b);
  console.log(name, samples[repetitions >> 1].toFixed(2));
  if (sum < 0) throw new Error('sum');
}

bench('named_emit_1', 1);
bench('named_emit_10', 10);
