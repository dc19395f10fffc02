// SPDX-License-Identifier: MIT
'use strict';

// On threads of Node's most used pool: an empty function, from a loop to a worker and back, and how late the timers
// of the loop are while all workers compute.

const os = require('os');
const {isMainThread} = require('worker_threads');

if (!isMainThread) {
  const nothing = () => {};
  nothing.compute = (ms) => {
    for (const end = performance.now() + ms; performance.now() < end;);
  };
  module.exports = nothing;
} else {
  const {Piscina} = require('piscina');
  const trips = 20000;
  const repetitions = 5;
  const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];

  (async () => {
    const pool = new Piscina({filename: __filename, minThreads: 1, maxThreads: 1});
    const means = [], medians = [], worst = [];
    for (let run = 0; run <= repetitions; run++) {
      const times = [];
      for (let i = 0; i < trips; i++) {
        const begin = process.hrtime.bigint();
        await pool.run();
        times.push(Number(process.hrtime.bigint() - begin));
      }
      if (run === 0) continue; // warms up
      means.push(times.reduce((sum, time) => sum + time, 0) / trips);
      medians.push(middle(times));
      worst.push(times[Math.floor(trips * 0.99)]);
    }
    console.log('round_trip', middle(means).toFixed(2));
    console.log('round_trip_p50', middle(medians).toFixed(2));
    console.log('round_trip_p99', middle(worst).toFixed(2));
    await pool.destroy();
    await lateness();
  })();

  async function lateness() {
    const threads = os.availableParallelism ? os.availableParallelism() : os.cpus().length;
    const pool = new Piscina({filename: __filename, minThreads: threads, maxThreads: threads});
    let over = false;
    const offload = async () => {
      while (!over) await pool.run(10, {name: 'compute'});
    };
    const work = Array.from({length: threads}, offload);
    const medians = [], worst = [];
    for (let run = 0; run < repetitions; run++) {
      const late = [];
      for (let i = 0; i < 500; i++) {
        const due = performance.now() + 1;
        await new Promise((resolve) => setTimeout(resolve, 1));
        late.push((performance.now() - due) * 1e6);
      }
      medians.push(middle(late));
      worst.push(late[Math.floor(late.length * 0.99)]);
    }
    over = true;
    await Promise.all(work);
    console.log('timer_late_p50', middle(medians).toFixed(2));
    console.log('timer_late_p99', middle(worst).toFixed(2));
    await pool.destroy();
  }
}
