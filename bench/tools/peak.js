// SPDX-License-Identifier: MIT
'use strict';

// Prints how much memory this process took at its peak.
exports.reportPeak = (name) => {
  const [, kib] = /VmHWM:\s*(\d+)/.exec(require('fs').readFileSync('/proc/self/status', 'utf8'));
  console.log(name, (kib / 1024).toFixed(2), 'MiB');
};
