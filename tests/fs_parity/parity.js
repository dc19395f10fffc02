// SPDX-License-Identifier: MIT
// The side of Node: does the operations of a file, a line each, in the working folder, and prints what each
// gave. parity.cpp is its other side.
'use strict';
const fs = require('fs/promises');
const { appendFileSync, chmodSync, closeSync, mkdirSync, openSync, readFileSync, renameSync, rmdirSync, unlinkSync,
        writeFileSync } = require('fs');
const { getSystemErrorMap } = require('util');

const handles = new Map();
const spare = [];
const text = (token) => decodeURIComponent(token);
const number = (token) => Number(token);
const has = (options, name) => options.split(',').includes(name);
const kind = (s) => ['isFile', 'isDirectory', 'isSymbolicLink', 'isFIFO', 'isSocket', 'isBlockDevice', 'isCharacterDevice']
  .filter((name) => s[name]()).join('');
const about = (s) => [kind(s), (s.mode & 0o7777).toString(8), s.isFile() ? s.size : '-', s.isFile() ? s.nlink : '-',
                      Math.floor(s.mtimeMs) < 2e12 && s.mtimeMs < 1.5e12 ? s.mtimeMs : '-'].join(' ');
const handle = (name) => {
  if (!handles.has(name)) throw new Error('no such handle');
  return handles.get(name);
};
const buffers = (sizes) => sizes.split(',').map((size) => Buffer.alloc(Number(size), '.'));
const types = (entries) => entries.map((e) => `${e.parentPath}|${e.name}|${kind(e)}`).join(' ');
// What is told of changes, until `ends`. How often the same is told in a row depends on when it is looked at.
const events = async (path, change, ends) => {
  const watcher = fs.watch(path);
  const told = [];
  let next = watcher.next();  // it watches since it was asked
  change();
  while (!ends(told)) {
    const { eventType, filename } = (await next).value;
    const event = `${eventType} ${filename}`;
    if (event !== told.at(-1)) told.push(event);
    if (!ends(told)) next = watcher.next();
  }
  await watcher.return();  // or it holds the process
  return told.join(', ');
};
const aborted = (work) => work.then(() => 'done', (e) => `${e.name} ${e.code} ${e.message}`);

const operations = {
  open: async (name, path, flags, mode) => {
    if (handles.has(name)) await handles.get(name).close();
    handles.delete(name);
    handles.set(name, await fs.open(path, flags, number(mode)));
  },
  openText: async (name, path, flags, mode) => {
    if (handles.has(name)) await handles.get(name).close();
    handles.delete(name);
    handles.set(name, await fs.open(path, flags, mode));
  },
  hclose: async (name) => handle(name).close(),
  // Again and again, with an operation in flight and without.
  hcloses: async (name) => {
    const h = handle(name);
    let told = '';
    const note = (text) => () => { told += text; };
    const all = [h.stat().then(note('stat ')), h.close().then(note('closed ')), h.close().then(note('closed '))];
    await Promise.all(all);
    await h.close();
    return told;
  },
  hread: async (name, size, offset, length, position) => {
    const r = await handle(name).read(Buffer.alloc(number(size), '.'), { offset: number(offset), length: number(length), position: number(position) });
    return `${r.bytesRead} ${r.buffer}`;
  },
  hreadv: async (name, sizes, position) => {
    const r = await handle(name).readv(buffers(sizes), number(position) < 0 ? null : number(position));
    return `${r.bytesRead} ${Buffer.concat(r.buffers)}`;
  },
  hwrite: async (name, data, offset, length, position) => {
    const at = number(position);
    const r = await handle(name).write(Buffer.from(data), number(offset), number(length), at < 0 ? null : at);
    return r.bytesWritten;
  },
  hwritev: async (name, sizes, position) =>
    (await handle(name).writev(buffers(sizes), number(position) < 0 ? null : number(position))).bytesWritten,
  hreadFile: async (name) => handle(name).readFile('utf8'),
  hwriteFile: async (name, data) => handle(name).writeFile(data),
  hstat: async (name) => about(await handle(name).stat()),
  htruncate: async (name, size) => handle(name).truncate(number(size)),
  hsync: async (name) => handle(name).sync(),
  hdatasync: async (name) => handle(name).datasync(),
  hchmod: async (name, mode) => handle(name).chmod(number(mode)),
  hchmodText: async (name, mode) => handle(name).chmod(mode),
  hchown: async (name) => handle(name).chown(process.getuid(), process.getgid()),
  hutimes: async (name, a, m) => handle(name).utimes(number(a), number(m)),
  readFile: async (path, flag) => fs.readFile(path, { encoding: 'utf8', flag }),
  readProc: async (path) => (await fs.readFile(path, 'utf8')).length > 0,
  writeFile: async (path, data, flag, mode) => fs.writeFile(path, data, { flag, mode: number(mode) }),
  appendFile: async (path, data) => fs.appendFile(path, data),
  readFileOf: async (name) => fs.readFile(handle(name), 'utf8'),
  writeFileOf: async (name, data) => fs.writeFile(handle(name), data),
  appendFileOf: async (name, data) => fs.appendFile(handle(name), data),
  writeFileText: async (path, data, mode) => fs.writeFile(path, data, { mode }),
  writeFileIn: async (path, data, encoding) => fs.writeFile(path, data, encoding),
  appendFileIn: async (path, data, encoding) => fs.appendFile(path, data, encoding),
  readFileIn: async (path, encoding) => fs.readFile(path, encoding),
  truncate: async (path, size) => fs.truncate(path, number(size)),
  stat: async (path) => about(await fs.stat(path)),
  lstat: async (path) => about(await fs.lstat(path)),
  statfs: async (path) => (await fs.statfs(path)).bsize,
  access: async (path, mode) => fs.access(path, number(mode)),
  chmod: async (path, mode) => fs.chmod(path, number(mode)),
  chmodText: async (path, mode) => fs.chmod(path, mode),
  chown: async (path) => fs.chown(path, process.getuid(), process.getgid()),
  lchown: async (path) => fs.lchown(path, process.getuid(), process.getgid()),
  utimes: async (path, a, m) => fs.utimes(path, number(a), number(m)),
  lutimes: async (path, a, m) => fs.lutimes(path, number(a), number(m)),
  rename: async (a, b) => fs.rename(a, b),
  link: async (a, b) => fs.link(a, b),
  symlink: async (a, b) => fs.symlink(a, b),
  unlink: async (path) => fs.unlink(path),
  readlink: async (path) => (await fs.readlink(path)).replace(process.cwd(), 'CWD'),
  realpath: async (path) => (await fs.realpath(path)).replace(process.cwd(), 'CWD'),
  mkdir: async (path, options, mode) => fs.mkdir(path, { recursive: has(options, 'recursive'), mode: number(mode) }),
  mkdirText: async (path, options, mode) => fs.mkdir(path, { recursive: has(options, 'recursive'), mode }),
  mkdtemp: async (prefix) => (await fs.mkdtemp(prefix)).slice(0, -6),
  rmdir: async (path) => fs.rmdir(path),
  rm: async (path, options) => fs.rm(path, { recursive: has(options, 'recursive'), force: has(options, 'force') }),
  readdir: async (path, options) => (await fs.readdir(path, { recursive: has(options, 'recursive') })).join(' '),
  readdirTypes: async (path, options) => types(await fs.readdir(path, { recursive: has(options, 'recursive'), withFileTypes: true })),
  opendir: async (path) => {
    const names = [];
    for await (const entry of await fs.opendir(path)) names.push(entry.name);
    return names.sort().join(' ');
  },
  opendirDeep: async (path) => {
    const found = [];
    for await (const entry of await fs.opendir(path, { recursive: true })) found.push(`${entry.parentPath}|${entry.name}|${kind(entry)}`);
    return found.sort().join(' ');
  },
  copyFile: async (a, b, mode) => fs.copyFile(a, b, number(mode)),
  // Node takes away what a folder is copied to; leat does not.
  copyFileOnly: async (a, b, mode) => {
    const found = await fs.stat(a).catch(() => null);
    return found?.isDirectory() ? 'a folder' : fs.copyFile(a, b, number(mode));
  },
  cp: async (a, b, options) => {
    const chosen = {};
    for (const name of options.split(',')) chosen[name.replace(/^no-/, '')] = !name.startsWith('no-');
    delete chosen.none;
    return fs.cp(a, b, chosen);
  },
  // Without what ends in `refused`, and with what the filter was asked, which is in the order of the file system.
  cpFilter: async (a, b, options, refused, how) => {
    const asked = [];
    const wants = (src, dest) => {
      asked.push(`${src}>${dest}`);
      if (how === 'throws' && src.endsWith(refused)) throw new Error('the filter throws');
      return !src.endsWith(refused);
    };
    const waits = async (src, dest) => {
      await null;
      return wants(src, dest);
    };
    const chosen = { recursive: has(options, 'recursive'), dereference: has(options, 'dereference'),
                     verbatimSymlinks: has(options, 'verbatimSymlinks') };
    try {
      await fs.cp(a, b, { ...chosen, filter: how === 'async' ? waits : wants });
    } catch (e) {
      await fs.rm(b, { recursive: true, force: true }).catch(() => {});
      throw e;
    }
    return asked.sort().join(' ');
  },
  // What is there of a tree when its copy fails depends on the order of the file system.
  cpTree: async (a, b, options) => {
    try {
      return await operations.cp(a, b, options);
    } catch (e) {
      await fs.rm(b, { recursive: true, force: true }).catch(() => {});
      throw e;
    }
  },
  // Opens files until no more can be, and gives some of them back.
  exhaust: async (left) => {
    try {
      for (;;) spare.push(openSync('/dev/null'));
    } catch (e) {
      for (let i = 0; i < number(left); ++i) closeSync(spare.pop());
      return e.code;
    }
  },
  watchFolder: async (path) => events(path, () => {
    writeFileSync(`${path}/a`, 'text');
    appendFileSync(`${path}/a`, 'more');
    renameSync(`${path}/a`, `${path}/b`);
    chmodSync(`${path}/b`, 0o600);
    unlinkSync(`${path}/b`);
    mkdirSync(`${path}/c`);
    rmdirSync(`${path}/c`);
    writeFileSync(`${path}/last`, '');
  }, (told) => told.at(-1) === 'rename last'),
  watchFile: async (path) => events(path, () => {
    appendFileSync(path, 'more');
    renameSync(path, `${path}-moved`);
    appendFileSync(`${path}-moved`, 'end');
    unlinkSync(`${path}-moved`);
  }, (told) => told.filter((event) => event.startsWith('rename')).length === 2),
  readFileAborted: async (path) => aborted(fs.readFile(path, { signal: AbortSignal.abort() })),
  writeFileAborted: async (path, data) => aborted(fs.writeFile(path, data, { signal: AbortSignal.abort() })),
  // Of the numbers of the system; libuv has some of its own, for what no call of the system gives.
  errorTexts: async () => [...getSystemErrorMap()].filter(([n]) => n > -1000).sort(([a], [b]) => b - a)
    .map(([n, [name, about]]) => `${-n} ${name} ${about}`).join('\n'),
  // On the thread that all of this runs on.
  say: async (data) => new Promise((resolve) => process.stderr.write(data, (e) => resolve(e ? e.code : 'ok'))),
  watch: async (path) => { for await (const event of fs.watch(path)) return event.eventType; },
};

function failure(e) {
  // The characters that mkdtemp has put in by then are random.
  const hide = (s) => e.syscall === 'mkdtemp' && s ? String(s).replace(/[A-Za-z0-9]{6}('?)$/, 'XXXXXX$1') : s;
  const errno = e.errno === undefined ? '-' : Math.abs(e.errno);
  const system = errno !== '-' ? `${e.syscall} path=${hide(e.path) ?? '-'} dest=${e.dest ?? '-'}` : '-';
  return `FAILED ${e.code} ${errno} ${system} | ${hide(e.message)}`.replaceAll(process.cwd(), 'CWD');
}

async function main() {
  process.stderr.on('error', () => {});  // told by `say`
  for (const line of readFileSync(process.argv[2], 'utf8').split('\n')) {
    if (line === '') continue;
    const [name, ...args] = line.split(' ');
    let result;
    try {
      result = await operations[name](...args.map(text));
    } catch (e) {
      result = failure(e);
    }
    process.stdout.write(`${encodeURIComponent(String(result ?? 'ok'))}\n`);
  }
}
main();
