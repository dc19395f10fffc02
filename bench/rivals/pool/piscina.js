// SPDX-License-Identifier: MIT
'use strict';

// An empty function on a thread of Node's most used pool: from a loop to a worker and back.

const {isMainThread} = require('worker_threads');

if (!isMainThread) {
  module.exports = () => {};
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
  })();
}
