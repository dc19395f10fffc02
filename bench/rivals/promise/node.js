// SPDX-License-Identifier: MIT
'use strict';

// What promises, microtasks and ticks cost in Node: two warm-up runs, then the median of seven.

const warmups = 2;
const repetitions = 7;
let sum = 0;

async function bench(name, operations, body) {
  const samples = [];
  for (let i = 0; i < warmups + repetitions; i++) {
    const begin = process.hrtime.bigint();
    await body(operations);
    const end = process.hrtime.bigint();
    if (i >= warmups) samples.push(Number(end - begin) / operations);
  }
  samples.sort((a, b) => a - b);
  console.log(name, samples[repetitions >> 1].toFixed(2));
}

// Runs `n` callbacks of which each schedules the next.
function chained(schedule) {
  return (n) => new Promise((resolve) => {
    let done = 0;
    const step = () => { if (++done < n) schedule(step); else resolve(); };
    schedule(step);
  });
}

async function finished(i) { return i; }

async function allOfFinished(n) {
  for (let done = 0; done < n; done += 1000) {
    const calls = new Array(1000);
    for (let k = 0; k < 1000; k++) calls[k] = finished(k);
    sum += (await Promise.all(calls))[0];
  }
}

async function main() {
  const resolved = Promise.resolve(1);
  await bench('await_resolved_promise', 1e6, async (n) => {
    for (let i = 0; i < n; i++) sum += await resolved;
  });
  await bench('await_fresh_promise', 1e6, async (n) => {
    for (let i = 0; i < n; i++) sum += await Promise.resolve(i);
  });
  await bench('queue_microtask', 1e6, chained(queueMicrotask));
  await bench('next_tick', 1e6, chained(process.nextTick));
  await bench('then', 1e6, chained((step) => resolved.then(step)));
  await bench('all_1000_per_item', 1e6, allOfFinished);
  if (!Number.isFinite(sum)) throw new Error('the benches computed nothing');
}

main();
