// SPDX-License-Identifier: MIT
'use strict';

// Items through a row of five streams in Node: two warm-up runs, then the median of seven.

const {Readable, Transform, Writable} = require('stream');
const {pipeline} = require('stream/promises');
const {reportPeak} = require('../../tools/peak.js');
const items = 1e6;
const warmups = 2;
const repetitions = 7;
let sum = 0;

function source() {
  let at = 0;
  return new Readable({objectMode: true, read() {
    while (at < items) if (!this.push(at++)) return;
    this.push(null);
  }});
}
function stage(f) {
  return new Transform({objectMode: true, transform(x, _, done) { done(null, f(x)); }});
}
function sink() {
  return new Writable({objectMode: true, write(x, _, done) { sum += x; done(); }});
}

(async () => {
  const samples = [];
  for (let run = 0; run < warmups + repetitions; run++) {
    const begin = process.hrtime.bigint();
    await pipeline(source(), stage((x) => x + 1), stage((x) => x * 2), stage((x) => x ^ 1), sink());
    if (run >= warmups) samples.push(Number(process.hrtime.bigint() - begin) / items);
  }
  samples.sort((a, b) => a - b);
  console.log('pipeline_3_transforms', samples[repetitions >> 1].toFixed(2));
  reportPeak('pipeline_peak');
  if (sum < 0) throw new Error('sum');
})();
