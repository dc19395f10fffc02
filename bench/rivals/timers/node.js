// SPDX-License-Identifier: MIT
'use strict';

// Node's timers, with the delays of tools/measure.h: one warm-up round, then the median of three.

const timers = 1e6;
const rounds = 3;
let fired = 0;
const onTimer = () => { fired++; };

function randomDelays(offset, range) {
  const delays = new Uint32Array(timers);
  let state = 1;
  for (let i = 0; i < timers; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    delays[i] = offset + (state >>> 16) % range;
  }
  return delays;
}

const longDelays = randomDelays(10000, 30000);
const shortDelays = randomDelays(0, 10);

function nsPerTimer(begin) { return Number(process.hrtime.bigint() - begin) / timers; }

function startAndClearAtOnce() {
  const begin = process.hrtime.bigint();
  for (let i = 0; i < timers; i++) clearTimeout(setTimeout(onTimer, 1000));
  return nsPerTimer(begin);
}

function startThenClear() {
  const started = new Array(timers);
  const begin = process.hrtime.bigint();
  for (let i = 0; i < timers; i++) started[i] = setTimeout(onTimer, longDelays[i]);
  for (let i = 0; i < timers; i++) clearTimeout(started[i]);
  return nsPerTimer(begin);
}

async function startThenClearLater() {
  const started = new Array(timers);
  const begin = process.hrtime.bigint();
  for (let i = 0; i < timers; i++) started[i] = setTimeout(onTimer, longDelays[i]);
  await new Promise(setImmediate);
  for (let i = 0; i < timers; i++) clearTimeout(started[i]);
  return nsPerTimer(begin);
}

function sleepMs(ms) { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms); }

function fireDue() {
  return new Promise((resolve) => {
    let left = timers;
    let begin = 0n;
    const onDue = () => { if (--left === 0) resolve(nsPerTimer(begin)); };
    for (let i = 0; i < timers; i++) setTimeout(onDue, shortDelays[i]);
    sleepMs(15);
    begin = process.hrtime.bigint();
  });
}

async function main() {
  const samples = { timer_start_clear_at_once: [], timer_start_clear_1e6: [], timer_clear_later_1e6: [],
    timer_fire_1e6: [] };
  for (let round = 0; round <= rounds; round++) {
    const figures = [startAndClearAtOnce(), startThenClear(), await startThenClearLater(), await fireDue()];
    if (round === 0) continue;
    Object.values(samples).forEach((list, i) => list.push(figures[i]));
  }
  if (fired !== 0) throw new Error('a cleared timer fired');
  for (const [name, list] of Object.entries(samples)) {
    list.sort((a, b) => a - b);
    console.log(name, list[rounds >> 1].toFixed(2));
  }
}

main();
