// SPDX-License-Identifier: MIT
// Signals of the system. What is raised comes to a listener in a later turn; a timer holds the loop until then.
'use strict';
module.exports = (order) => {
  const raise = () => process.kill(process.pid, 'SIGUSR2');
  /// Calls `f` when the signal has come; nothing else listens any more then.
  const afterwards = (f) => {
    const hold = setTimeout(() => {}, 10000);
    process.once('SIGUSR2', () => setImmediate(() => {
      clearTimeout(hold);
      process.removeAllListeners('SIGUSR2');
      f();
    }));
  };

  order('listeners in order, with name and number; none inside of kill', (log) => {
    process.on('SIGUSR2', (name, number) => log(name, number));
    process.on('SIGUSR2', (name) => log('second-', name));
    process.on('SIGUSR2', log.say('third'));
    afterwards(log.say('end'));
    raise();
    log('raised');
  });
  order('ticks and microtasks come behind the last listener', (log) => {
    process.on('SIGUSR2', () => {
      log('one');
      process.nextTick(log.say('tick'));
      queueMicrotask(log.say('micro'));
    });
    process.on('SIGUSR2', log.say('two'));
    afterwards(() => {});
    raise();
  });
  order('once is called for the first signal only', (log) => {
    process.once('SIGUSR2', log.say('once'));
    process.on('SIGUSR2', log.say('on'));
    afterwards(() => {
      log(process.listenerCount('SIGUSR2'));
      process.on('SIGUSR2', log.say('again'));
      afterwards(() => log('end'));
      raise();
    });
    raise();
  });
  order('listeners that are removed or added by another one', (log) => {
    const second = log.say('second');
    process.on('SIGUSR2', () => {
      log('first');
      process.off('SIGUSR2', second);
      process.on('SIGUSR2', log.say('added'));
      log(process.listenerCount('SIGUSR2'));
    });
    process.on('SIGUSR2', second);
    afterwards(log.say('end'));
    raise();
  });
  order('counts of listeners', (log) => {
    const f = () => {};
    log(process.listenerCount('SIGUSR2'));
    process.on('SIGUSR2', f);
    process.on('SIGUSR2', f);
    process.once('SIGUSR2', f);
    log(process.listenerCount('SIGUSR2'));
    process.off('SIGUSR2', f);
    log(process.listenerCount('SIGUSR2'));
    process.removeAllListeners('SIGUSR2');
    log(process.listenerCount('SIGUSR2'));
  });
};
