// SPDX-License-Identifier: MIT
// Files as streams: the whole life of a copy, and of streams that are given a descriptor or closed.
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const {text, yesNo} = require('../streams.js');
module.exports = (order) => {
  let made = 0;
  /// A name in a folder that goes with the process.
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'leat-order-'));
  process.on('exit', () => fs.rmSync(folder, {recursive: true}));
  const place = (content) => {
    const name = path.join(folder, `${++made}`);
    if (content !== undefined) fs.writeFileSync(name, content);
    return name;
  };
  const isOpen = (fd) => { try { fs.fstatSync(fd); return 'open'; } catch (error) { return 'shut'; } };
  const watch = (log, s, label, events) => {
    for (const event of [...events, 'open', 'ready', 'close']) s.on(event, () => log(label, event));
    s.on('error', (error) => log(label, text(error)));
    return s;
  };
  const reads = (log, s, label = 'r:') => watch(log, s, label, ['end']);
  const writes = (log, s, label = 'w:') => watch(log, s, label, ['pipe', 'drain', 'prefinish', 'finish', 'unpipe']);

  /// What happens to both, each for itself: which file is opened first, and whether the source is closed before the sink has
  /// written, is for the disk to say. The rest is in order.
  const life = (log, r, w) => {
    const words = [];
    const say = (word) => () => words.push(word);
    const before = (a, b) => log(a, words.indexOf(a) < words.indexOf(b) ? '<' : '>', b);
    for (const event of ['resume', 'open', 'ready', 'end', 'close']) r.on(event, say(event));
    for (const event of ['pipe', 'open', 'ready', 'prefinish', 'finish', 'unpipe', 'close']) w.on(event, say(`w.${event}`));
    r.on('error', (error) => words.push(text(error)));
    let closed = 0;
    const bothClosed = () => {
      if (++closed < 2) return;
      log(words.filter((word) => !word.startsWith('w.')).join());
      log(words.filter((word) => word.startsWith('w.')).join());
      if (!words.includes('end')) return;
      before('w.pipe', 'open');
      before('end', 'w.prefinish');
      before('ready', 'w.finish');
    };
    r.on('close', bothClosed);
    w.on('close', bothClosed);
    r.pipe(w);
    r.on('data', (chunk) => words.push(`data${chunk.length}`));
  };

  order('the life of a copy', (log) => {
    const to = place();
    const r = fs.createReadStream(place('some text')), w = fs.createWriteStream(to);
    life(log, r, w);
    w.on('close', () => log(fs.readFileSync(to, 'utf8').length, '-', r.bytesRead, '-', w.bytesWritten));
  });
  order('the life of a copy in pieces', (log) => {
    life(log, fs.createReadStream(place('0123456789'), {highWaterMark: 4}), fs.createWriteStream(place()));
  });
  order('the life of a copy of nothing', (log) => {
    life(log, fs.createReadStream(place('')), fs.createWriteStream(place()));
  });
  order('a copy from what is not there', (log) => {
    const r = fs.createReadStream(place()), w = fs.createWriteStream(place());
    life(log, r, w);
    r.on('close', () => w.destroy());
  });
  order('a descriptor is read and closed', (log) => {
    const fd = fs.openSync(place('0123456789'), 'r');
    const r = reads(log, fs.createReadStream('ignored', {fd, start: 2, end: 4}));
    log(yesNo(r.pending), r.path === undefined ? 'nowhere' : 'somewhere');
    r.on('data', (chunk) => log(chunk.toString()));
    r.on('close', () => log(isOpen(fd)));
  });
  order('a descriptor that is kept is closed by destroy', (log) => {
    const fd = fs.openSync(place('text'), 'r');
    const r = reads(log, fs.createReadStream(null, {fd, autoClose: false}));
    r.on('data', (chunk) => log(chunk.toString()));
    r.on('end', () => setImmediate(() => { log(isOpen(fd), yesNo(r.destroyed)); r.destroy(); }));
    r.on('close', () => log(isOpen(fd)));
  });
  order('a descriptor is written and kept', (log) => {
    const name = place('0123456789');
    const fd = fs.openSync(name, 'r+');
    const w = writes(log, fs.createWriteStream(null, {fd, autoClose: false, start: 3}));
    w.write('ab');
    w.end('cd', () => setImmediate(() => {
      log(isOpen(fd), fs.readFileSync(name, 'utf8'));
      fs.closeSync(fd);
    }));
  });
  order('a descriptor that is none', (log) => {
    const r = reads(log, fs.createReadStream(null, {fd: 99999}));
    r.on('data', log.say('data'));
    try { fs.createReadStream(null, {fd: -1}); } catch (error) { log(error.name); }
    try { fs.createWriteStream(null, {fd: -1}); } catch (error) { log(error.name); }
  });
  order('close of a sink', (log) => {
    const to = place();
    const w = writes(log, fs.createWriteStream(to));
    w.write('text');
    w.close(() => { log('told', fs.readFileSync(to, 'utf8')); w.close(log.say('again')); log('not-yet'); });
    log('asked');
  });
  order('close of a sink that keeps its file', (log) => {
    const w = writes(log, fs.createWriteStream(place(), {autoClose: false}));
    w.write('text');
    w.close(log.say('told'));
  });
  order('close of a sink that cannot be opened', (log) => {
    const w = writes(log, fs.createWriteStream(path.join(place(), 'none')));
    w.close((error) => log('told-', error === undefined ? 'ok' : text(error)));
  });
  order('close of a source', (log) => {
    const r = reads(log, fs.createReadStream(place('text')));
    r.close((error) => log('told-', error ? text(error) : 'ok'));
    r.on('close', () => {
      const whole = reads(log, fs.createReadStream(place('text')), 'whole:');
      whole.on('close', () => whole.close((error) => log('whole-', error ? text(error) : 'ok')));
      whole.resume();
    });
  });
};
