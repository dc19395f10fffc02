// SPDX-License-Identifier: MIT
// A main that waits for something that never happens; only a module can say it.
import fs from 'node:fs';
process.on('exit', () => fs.writeSync(1, 'exit\n'));
setTimeout(() => fs.writeSync(1, 'timer\n'), 1);
fs.writeSync(1, 'main\n');
await new Promise(() => {});
