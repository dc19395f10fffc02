// SPDX-License-Identifier: MIT
// all, allSettled, race and any: every outcome, empty, nested, and what becomes of the others.
'use strict';
module.exports = (order) => {
  const P = (value) => Promise.resolve(value);
  const R = (text) => Promise.reject(new Error(text));
  const after = (ms, value) => new Promise((r) => setTimeout(r, ms, value));
  const failAfter = (ms, text) => new Promise((_, j) => setTimeout(() => j(new Error(text)), ms));
  const text = (e) => (e instanceof AggregateError ? `all(${e.errors.map(text).join(',')})` : e.message);
  const words = (results) => results.map((r) => (r.status === 'fulfilled' ? r.value : `!${text(r.reason)}`)).join(',');
  // Says how a promise ends.
  const tell = (log, name, p, show = (v) => v) =>
    p.then((v) => log(name, '=', show(v)), (e) => log(name, '!', text(e)));
  const list = (v) => v.join(',');
  const task = async (log, name, value) => {
    log('start-', name);
    await null;
    log('end-', name);
    return value;
  };

  order('all: values in the order of the inputs', (log) => {
    tell(log, 'all', Promise.all([after(1, 1), P(2), 3]), list);
  });
  order('all: the first rejection wins, the others go on', (log) => {
    tell(log, 'all', Promise.all([task(log, 'a', 1), R('x'), R('y')]), list);
  });
  order('all: a late rejection after the first is not unhandled', (log) => {
    process.on('unhandledRejection', (e) => log('unhandled-', text(e)));
    tell(log, 'all', Promise.all([failAfter(1, 'x'), failAfter(1, 'y')]), list);
  });
  order('all: async functions start left to right at once', (log) => {
    tell(log, 'all', Promise.all([task(log, 'a', 1), task(log, 'b', 2), task(log, 'c', 3)]), list);
    log('sync');
  });
  order('all: nested', (log) => {
    tell(log, 'nested', Promise.all([Promise.all([P(1), P(2)]).then(list), Promise.race([P(3), P(4)])]), list);
    let chain = P(0);
    for (const n of [1, 2, 3, 4, 5]) chain = chain.then(() => log('t', n));
  });
  order('all: of nothing, beside a chain', (log) => {
    tell(log, 'all', Promise.all([]), list);
    P().then(log.say('t1')).then(log.say('t2'));
  });
  order('all: the same promise twice', (log) => {
    const p = after(1, 5);
    tell(log, 'all', Promise.all([p, p]), list);
  });
  order('all: settled by the last input, in its own turn', (log) => {
    tell(log, 'all', Promise.all([after(1, 'a'), after(1, 'b')]), list);
    setTimeout(log.say('timer'), 1);
  });
  order('allSettled: every outcome', (log) => {
    tell(log, 'settled', Promise.allSettled([P(1), R('x'), after(1, 3), failAfter(1, 'y')]), words);
  });
  order('allSettled: of nothing', (log) => {
    tell(log, 'settled', Promise.allSettled([]), words);
    P().then(log.say('t1')).then(log.say('t2'));
  });
  order('allSettled: of failures never rejects', (log) => {
    tell(log, 'settled', Promise.allSettled([R('x'), R('y')]), words);
  });
  order('race: the first to settle, by value', (log) => {
    tell(log, 'race', Promise.race([after(1, 1), P(2), R('x')]));
  });
  order('race: the first to settle, by error', (log) => {
    tell(log, 'race', Promise.race([R('x'), P(2)]));
  });
  order('race: the loser goes on', (log) => {
    tell(log, 'race', Promise.race([task(log, 'a', 1), P(2)]));
  });
  order('race: a loser that rejects is not unhandled', (log) => {
    process.on('unhandledRejection', (e) => log('unhandled-', text(e)));
    tell(log, 'race', Promise.race([P(1), failAfter(1, 'x')]));
  });
  order('race: of nothing stays pending', (log) => {
    Promise.race([]).then(log.say('never'), log.say('never'));
    setTimeout(log.say('timer'), 1);
  });
  order('race: a sleep against an immediate', (log) => {
    tell(log, 'race', Promise.race([after(1, 'sleep'), new Promise((r) => setImmediate(r, 'immediate'))]).then(() => 'one'));
  });
  order('any: the first value, errors do not matter', (log) => {
    tell(log, 'any', Promise.any([R('x'), after(1, 2), P(3)]));
  });
  order('any: all fail, the reasons in the order of the inputs', (log) => {
    tell(log, 'any', Promise.any([failAfter(1, 'x'), R('y'), R('z')]));
  });
  order('any: of nothing', (log) => {
    tell(log, 'any', Promise.any([]));
    P().then(log.say('t1')).then(log.say('t2'));
  });
  order('any: the message of its error', (log) => {
    Promise.any([R('x')]).catch((e) => log(e.name, ':', e.message.replaceAll(' ', '-')));
  });
  order('any: nested errors', (log) => {
    tell(log, 'any', Promise.any([Promise.any([R('a'), R('b')]), R('c')]));
  });
  order('four combinators over the same promises', (log) => {
    const inputs = [P(1), R('x'), P(2)];
    tell(log, 'all', Promise.all(inputs), list);
    tell(log, 'settled', Promise.allSettled(inputs), words);
    tell(log, 'race', Promise.race(inputs));
    tell(log, 'any', Promise.any(inputs));
    P().then(log.say('t1')).then(log.say('t2')).then(log.say('t3'));
  });
  order('four combinators over promises that settle later', (log) => {
    let settle;
    let fail;
    const inputs = [new Promise((r) => { settle = r; }), new Promise((_, j) => { fail = j; })];
    tell(log, 'all', Promise.all(inputs), list);
    tell(log, 'settled', Promise.allSettled(inputs), words);
    tell(log, 'race', Promise.race(inputs));
    tell(log, 'any', Promise.any(inputs));
    setImmediate(() => { fail(new Error('x')); log('failed'); setImmediate(() => { settle(1); log('settled'); }); });
  });
  order('await of the results', async (log) => {
    const [a, b] = await Promise.all([P(1), P('two')]);
    log(a, b);
    log(await Promise.race([P('r'), P('s')]));
    try { await Promise.any([R('x'), R('y')]); } catch (e) { log(text(e)); }
  });
  order('all in a row: batches of three', async (log) => {
    for (let batch = 0; batch < 2; batch++) {
      await Promise.all([0, 1, 2].map(async (i) => { await null; log(batch, '.', i); }));
      log('batch', batch);
    }
  });
};
