// SPDX-License-Identifier: MIT
// Histograms, marks and measures: what does not depend on the time that it takes.
'use strict';
const {performance, createHistogram, monitorEventLoopDelay} = require('perf_hooks');
module.exports = (order) => {
  const thousandths = (number) => (Number.isNaN(number) ? 'NaN' : Math.round(number * 1000));
  const show = (log, h) => {
    log(h.count, '/', h.exceeds, '/', h.count === 0 ? '-' : h.min, '/', h.max, '/', thousandths(h.mean), '/', thousandths(h.stddev));
    for (const p of [0.1, 1, 25, 50, 75, 90, 99, 99.9, 100]) log(p, ':', h.percentile(p));
    for (const [p, value] of h.percentiles) log('p', thousandths(p), '=', value);
  };
  const outcome = (log, f) => {
    try { log(f()); } catch (error) { log(error.name, '-', error.code, '-', error.message.replaceAll(' ', '_')); }
  };
  const entry = (log, e) => log(e.name, '|', e.entryType, '|', e.startTime, '|', e.duration, '|', e.detail ?? '');
  const clear = () => { performance.clearMarks(); performance.clearMeasures(); };
  const names = (list) => list.map((e) => e.name).join();

  for (const [lowest, highest, figures] of [[1, 9007199254740991, 3], [1, 1000, 1], [1000, 3600000000000, 3], [7, 123456, 2], [1, 2, 5], [3, 99999, 4]]) {
    order(`histogram of ${lowest} to ${highest}, ${figures} figures`, (log) => {
      const h = createHistogram({lowest, highest, figures});
      show(log, h);
      let state = 12345n;
      for (let i = 0; i < 3000; ++i) {
        state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
        const shift = 11n + (state & 0x1fn);
        const value = Number((state >> 11n) >> (shift));
        h.record(value < 1 ? 1 : value);
      }
      show(log, h);
      h.reset();
      show(log, h);
      h.record(2);
      show(log, h);
    });
  }
  order('histograms are added', (log) => {
    const a = createHistogram();
    const b = createHistogram({highest: 1000});
    for (const v of [5, 70, 900, 900]) a.record(v);
    for (const v of [1, 70, 5000]) b.record(v);
    a.add(b);
    show(log, a);
    show(log, b);
  });
  order('what a histogram refuses', (log) => {
    const h = createHistogram();
    for (const v of [0, -1]) outcome(log, () => h.record(v));
    outcome(log, () => createHistogram({lowest: 0}));
    outcome(log, () => createHistogram({lowest: 10, highest: 15}));
    outcome(log, () => createHistogram({figures: 0}));
    outcome(log, () => createHistogram({figures: 6}));
    outcome(log, () => monitorEventLoopDelay({resolution: 0}));
  });
  order('a monitor says whether it was on', (log) => {
    const m = monitorEventLoopDelay({resolution: 1});
    show(log, m);
    log(m.enable(), m.enable(), m.disable(), m.disable(), m.enable());
    const later = () => {  // on a machine that stood still it may have measured nothing yet
      if (m.count === 0) return setTimeout(later, 5);
      log(m.count > 0, m.min > 0, m.max >= m.min, m.mean > 0);
      m.disable();
      const count = m.count;
      setTimeout(() => {
        log(m.count === count);
        m.reset();
        log(m.count, m.max);
      }, 10);
    };
    setTimeout(later, 20);
  });
  order('a monitor does not hold the loop', (log) => {
    monitorEventLoopDelay({resolution: 1}).enable();
    log('main');
  });
  order('marks and measures', (log) => {
    clear();
    entry(log, performance.mark('a', {startTime: 5, detail: 'x'}));
    entry(log, performance.mark('b', {startTime: 15}));
    entry(log, performance.mark('a', {startTime: 7}));
    entry(log, performance.measure('m1', 'a', 'b'));
    entry(log, performance.measure('m2', {start: 3, end: 9}));
    entry(log, performance.measure('m3', {start: 3, duration: 2.5}));
    entry(log, performance.measure('m4', {end: 30, duration: 2.5}));
    entry(log, performance.measure('m5', {start: 'b', end: 'a', detail: 'back'}));
    entry(log, performance.measure('m6', undefined, 'b'));
    entry(log, performance.measure('m7', {start: 'a', duration: 1}));
    log(names(performance.getEntries()));
    log(names(performance.getEntriesByName('a')), '/', names(performance.getEntriesByName('a', 'measure')));
    log(names(performance.getEntriesByType('mark')), '/', names(performance.getEntriesByType('measure')), '/', names(performance.getEntriesByType('x')));
    performance.clearMarks('a');
    log(names(performance.getEntries()));
    performance.clearMarks();
    log(names(performance.getEntries()));
    performance.clearMeasures('m2');
    log(names(performance.getEntries()));
    performance.clearMeasures();
    log(names(performance.getEntries()));
  });
  order('marks and measures of now', (log) => {
    clear();
    const before = performance.now();
    const a = performance.mark('a');
    const since = performance.measure('since', 'a');
    const all = performance.measure('all');
    const ignored = performance.measure('ignored', {duration: 3});
    const after = performance.now();
    log(before <= a.startTime, a.startTime <= after, since.startTime === a.startTime, since.duration >= 0, a.startTime + since.duration <= after);
    log(all.startTime, all.duration >= before, all.duration <= after, ignored.startTime, ignored.duration >= before);
    log(Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 1000);
    clear();
  });
  order('what marks and measures refuse', (log) => {
    clear();
    const code = (f) => {
      try { f(); log('fine'); } catch (error) { log(error.name === 'SyntaxError' ? error.message.replaceAll(' ', '_') : error.code); }
    };
    code(() => performance.mark('n', {startTime: -1}));
    code(() => performance.measure('m', 'zz'));
    code(() => performance.measure('m', {end: 'zz'}));
    code(() => performance.measure('m', {start: 1, end: 30, duration: 2.5}));
    code(() => performance.measure('m', {start: -1}));
    code(() => performance.measure('m', {start: 10, duration: -5}));
    code(() => performance.measure('m', {end: 10, duration: -5}));
    log(performance.getEntries().length);
  });
  order('utilization of two results, and of none', (log) => {
    const u = performance.eventLoopUtilization({idle: 10, active: 30}, {idle: 4, active: 12});
    log(u.idle, '/', u.active, '/', thousandths(u.utilization));
    setTimeout(() => {
      const first = performance.eventLoopUtilization();
      log(first.idle >= 0, first.active > 0, first.utilization > 0 && first.utilization <= 1);
      const last = () => {
        const idle = performance.eventLoopUtilization(first);
        // It took so long to come to the wait that there was none.
        if (idle.idle === 0) return setTimeout(last, 40);
        log(idle.idle > 0, idle.active > 0, idle.utilization < 1);
        log(performance.eventLoopUtilization().idle > first.idle);
      };
      setTimeout(last, 40);
    }, 5);
  });
  order('timerify records how long calls take', (log) => {
    const histogram = createHistogram();
    const add = performance.timerify((a, b) => a + b, {histogram});
    log(add(1, 2), add(3, 4), histogram.count, histogram.min > 0);
    const fail = performance.timerify(() => { throw new Error('x'); }, {histogram});
    try { fail(); } catch (error) { log(error.message, histogram.count); }
    const slow = performance.timerify(async () => { await new Promise((done) => setTimeout(done, 5)); return 7; }, {histogram});
    const p = slow();
    const count = histogram.count;
    p.then((value) => setImmediate(() => log(value, histogram.count - count, histogram.max >= 4e6)));
  });
};
