// SPDX-License-Identifier: MIT
'use strict';

// What leat/fs.cpp does, with fs/promises and the same arguments.

const fs = require('fs/promises');
const sync = require('fs');

const filesCount = 1000;
const statsCount = 10000;
const bigMiB = 1024;
const MiB = 1 << 20;
const small = Buffer.alloc(1024, 'x');
const names = (kind) => Array.from({ length: filesCount }, (_, i) => kind + i);
const reads = names('r');
const writes = names('w');
let sum = 0;

async function bench(name, operations, prepare, body) {
  const samples = [];
  for (let i = 0; i < 5; i++) {
    prepare();
    const begin = process.hrtime.bigint();
    await body();
    samples.push(Number(process.hrtime.bigint() - begin) / operations);
  }
  samples.sort((a, b) => a - b);
  console.log(name, samples[2].toFixed(2));
}
const nothing = () => {};
async function measure(name, operations, body) {
  for (let i = 0; i < 2; i++) await body();
  await bench(name, operations, nothing, body);
}

const readAll = async () => {
  for (const bytes of await Promise.all(reads.map((name) => fs.readFile(name)))) sum += bytes.length;
};
const readEach = async () => { for (const name of reads) sum += (await fs.readFile(name)).length; };
const statAll = async () => {
  const wanted = Array.from({ length: statsCount }, (_, i) => reads[i % filesCount]);
  for (const stats of await Promise.all(wanted.map((name) => fs.stat(name)))) sum += stats.size;
};
const statEach = async () => { for (const name of reads) sum += (await fs.stat(name)).size; };
const writeAll = () => Promise.all(writes.map((name) => fs.writeFile(name, small)));
// See tools/files.h.
const enterNewFolder = () => {
  sync.mkdirSync('new');
  process.chdir('new');
};
const removeWritten = () => { for (const name of writes) sync.rmSync(name, { force: true }); };

function makeBigFile() {
  const fd = sync.openSync('big', 'w');
  const piece = Buffer.alloc(MiB, 'y');
  for (let i = 0; i < bigMiB; i++) sync.writeSync(fd, piece);
  sync.fsyncSync(fd);
  sync.closeSync(fd);
}

async function cached() {
  for (const name of reads) sync.writeFileSync(name, small);
  await measure('read_1000_files', filesCount, readAll);
  await measure('read_files_one_by_one', filesCount, readEach);
  await measure('stat_10000_files', statsCount, statAll);
  await measure('stat_files_one_by_one', filesCount, statEach);
  process.chdir(process.argv[3]);
  await writeAll();
  await bench('write_1000_files_memory', filesCount, removeWritten, writeAll);
  removeWritten();
}

async function disk() {
  await bench('write_1000_files_disk', filesCount, enterNewFolder, writeAll);
  makeBigFile();
  const readBig = async () => { sum += (await fs.readFile('big')).length; };
  await measure('read_1GiB_per_MiB', bigMiB, readBig);
  sync.unlinkSync('big');
  const bytes = Buffer.alloc(bigMiB * MiB, 'z');
  const removeCopy = () => sync.rmSync('copy', { force: true });
  await bench('write_1GiB_per_MiB', bigMiB, removeCopy, () => fs.writeFile('copy', bytes));
  removeCopy();
}

async function main() {
  process.chdir(process.argv[2]);
  if (process.argv[4] === 'cached') await cached();
  if (process.argv[4] === 'disk') await disk();
  if (!Number.isFinite(sum)) throw new Error('the benches computed nothing');
}

main();
