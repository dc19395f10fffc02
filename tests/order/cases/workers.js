// SPDX-License-Identifier: MIT
// Ports, channels and workers. Only what Node promises: which turn a message of another thread comes in it does not.
'use strict';
const {Worker, MessageChannel, receiveMessageOnPort} = require('worker_threads');

module.exports = (order, {busy}) => {
  const note = (worker, log) => {
    worker.on('online', log.say('online'));
    worker.on('message', (m) => log('message', m));
    worker.on('error', (e) => log('error-', e.message));
    worker.on('exit', (code) => log('exit', code));
    return worker;
  };
  // What tells that a worker is online and its messages go two ways in Node: either may come first. So it waits for a word.
  const told = (body, log) => {
    const worker = note(start(`parentPort.once('message', () => {\n${body}\n});`), log);
    worker.on('online', () => worker.postMessage(0));
    return worker;
  };
  const start = (body) => new Worker(`const {parentPort} = require('worker_threads');\n${body}`, {eval: true});

  order('ports: one drain for each message', (log) => {
    const {port1, port2} = new MessageChannel();
    port1.on('message', (m) => {
      log('message', m);
      process.nextTick(() => log('tick', m));
      Promise.resolve().then(() => log('micro', m));
      setImmediate(() => log('immediate', m));
      if (m === 2) port1.close();
    });
    for (let i = 0; i < 3; ++i) port2.postMessage(i);
    log.atEnd(() => port2.close());
    process.nextTick(log.say('tick'));
    setImmediate(log.say('immediate'));
  });
  order('ports: what was about to come still comes behind close, which has a phase of its own', (log) => {
    const {port1, port2} = new MessageChannel();
    port1.on('message', (m) => {
      log('message', m);
      if (m !== 1) return;
      setImmediate(log.say('immediate'));
      port1.close();
    });
    port1.on('close', log.say('close1'));
    for (let i = 0; i < 4; ++i) port2.postMessage(i);
    log.atEnd(() => port2.close());
  });
  order('ports: a port that was closed first is told nothing', (log) => {
    const {port1, port2} = new MessageChannel();
    port1.on('message', log.say('never'));
    port1.on('close', log.say('close1'));
    port2.postMessage(1);
    port1.close();
    process.nextTick(log.say('tick'));
    Promise.resolve().then(log.say('micro'));
    setImmediate(log.say('immediate'));
    log.atEnd(() => port2.close());
  });
  order('ports: the end of the sender comes behind its messages', (log) => {
    const {port1, port2} = new MessageChannel();
    port1.on('message', (m) => log('message', m));
    port1.on('close', log.say('close1'));
    port2.on('close', log.say('close2'));
    port2.postMessage(1);
    port2.postMessage(2);
    port2.close();
  });
  order('ports: an exception of a listener puts the rest off to the next turn', (log) => {
    process.on('uncaughtException', (e) => log('uncaught-', e.message));
    const {port1, port2} = new MessageChannel();
    port1.on('message', (m) => {
      log('message', m);
      process.nextTick(() => log('tick', m));
      if (m === 1) throw new Error('x');
      if (m === 3) port1.close();
    });
    for (let i = 0; i < 4; ++i) port2.postMessage(i);
    log.atEnd(() => port2.close());
    setImmediate(log.say('immediate'));
  });
  order('ports: receiveMessageOnPort takes what waits', (log) => {
    const {port1, port2} = new MessageChannel();
    log('none-', receiveMessageOnPort(port1) === undefined);
    port2.postMessage(1);
    port2.postMessage(2);
    log('got', receiveMessageOnPort(port1).message);
    port1.on('message', (m) => {
      log('message', m);
      port1.close();
    });
    log.atEnd(() => port2.close());
  });
  order('ports: a listener refs its port, and unref lets go of it', (log) => {
    const {port1, port2} = new MessageChannel();
    port1.on('message', log.say('never'));
    port1.unref();
    setTimeout(log.say('timeout'), 1);
    log.atEnd(() => { port1.close(); port2.close(); });
  });
  order('ports: both ends answer each other', (log) => {
    const {port1, port2} = new MessageChannel();
    port1.on('message', (m) => {
      log('one-', m);
      if (m < 6) port1.postMessage(m + 1);
      else port1.close();
    });
    port2.on('message', (m) => {
      log('two-', m);
      port2.postMessage(m + 1);
    });
    port1.postMessage(1);
  });

  order('workers: online, messages, exit', (log) => {
    told('parentPort.postMessage(1); parentPort.postMessage(2);', log);
  });
  order('workers: a listener holds the worker until it is off or the port closes', (log) => {
    const worker = note(start(`parentPort.on('message', (m) => {
      parentPort.postMessage(m * 2);
      if (m === 3) parentPort.close();
    });`), log);
    worker.on('online', () => {
      for (let i = 1; i <= 3; ++i) worker.postMessage(i);
    });
  });
  order('workers: an exception of its main', (log) => {
    note(start('throw new Error("x");'), log);
  });
  order('workers: a rejection', (log) => {
    note(start('setInterval(() => {}, 1000); Promise.reject(new Error("r"));'), log);
  });
  order('workers: an exception of a callback, handled there', (log) => {
    told(`process.on('uncaughtException', () => parentPort.postMessage(7));
      setTimeout(() => { throw new Error('x'); }, 1);`, log);
  });
  // Node's 'exit' comes first in some runs.
  order('workers: an error that nobody listens to', (log) => {
    const seen = {};
    const both = (what) => {
      Object.assign(seen, what);
      if ('error' in seen && 'code' in seen) log(`uncaught-${seen.error}-`, seen.code);
    };
    process.on('uncaughtException', (e) => both({error: e.message}));
    start('throw new Error("x");').on('exit', (code) => both({code}));
  });
  order('workers: exit codes', (log) => {
    note(start('process.exitCode = 3;'), log).on('exit', () => {
      told(`process.on('exit', (code) => parentPort.postMessage(100 + code)); process.exit(5);`, log).on('exit', () => {
        note(start('setInterval(() => {}, 1000); setTimeout(() => process.exit(6), 1);'), log);
      });
    });
  });
  order('workers: terminate', (log) => {
    const worker = note(start('setInterval(() => {}, 1000); process.on("exit", () => parentPort.postMessage(9));'), log);
    worker.on('online', () => worker.terminate().then((code) => log('terminated', code)));
  });
  order('workers: the id is gone with the worker', (log) => {
    const worker = start('');
    log('before-', worker.threadId > 0);
    worker.on('exit', () => {
      log('after-', worker.threadId);
      worker.postMessage(1);
    });
  });
};
