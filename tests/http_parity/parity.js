// SPDX-License-Identifier: MIT
// The side of Node: its own parser over what each line of a file holds. parity.cpp is its other side.
'use strict';
process.removeAllListeners('warning');
process.on('warning', () => {});
const { HTTPParser, methods } = process.binding('http_parser');
const { readFileSync } = require('fs');

const hex = (text) => Buffer.from(text, 'latin1').toString('hex');
function fields(list) {
  let text = '';
  for (let i = 0; i < list.length; i += 2) text += hex(list[i]) + '=' + hex(list[i + 1]) + ';';
  return text;
}

function parse(request, bytes, cuts) {
  const parser = new HTTPParser();
  parser.initialize(request ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {}, 16384, 0);
  let text = '';
  let body = '';
  let open = false;
  let headed = false;
  let pending = [];
  let url = '';
  let upgraded = false;
  const close = () => {
    if (open) text += body + ',';
    open = false;
    body = '';
  };
  parser[HTTPParser.kOnMessageBegin | 0] = () => { headed = false; pending = []; url = ''; };
  // Trailers, and fields when there are many.
  parser[HTTPParser.kOnHeaders | 0] = (list, u) => { pending.push(...list); url += u; };
  parser[HTTPParser.kOnHeadersComplete | 0] = (major, minor, list, method, u, status, reason, upgrade, keep) => {
    if (list === undefined) { list = pending; u = url; }
    pending = [];
    headed = true;
    open = true;
    upgraded = request ? upgrade : status === 101;
    text += request ? methods[method] + ',' + hex(u) : status + ',' + hex(reason);
    text += ',' + major + '.' + minor + (keep ? ',keep' : ',close') + (upgraded ? ',upgrade,' : ',,') + fields(list) + ',';
    if (upgraded) return 2;
    return 0;
  };
  parser[HTTPParser.kOnBody | 0] = (b) => { body += b.toString('hex'); };
  parser[HTTPParser.kOnMessageComplete | 0] = () => {
    if (upgraded) return;
    close();
    text += fields(pending) + '|';
    pending = [];
  };
  let end = '';
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    const piece = bytes.subarray(from, to);
    from = to;
    if (piece.length === 0) continue;
    const result = parser.execute(piece);
    if (upgraded) { end = '#upgrade'; break; }
    if (result instanceof Error) { end = '#' + result.code + ' ' + result.reason; break; }
  }
  if (end === '') {
    const result = parser.finish();
    if (result instanceof Error) end = '#' + result.code + ' ' + result.reason;
  }
  close();
  return text + (end || '#ok');
}

const lines = readFileSync(process.argv[2], 'latin1').split('\n');
const out = [];
for (const line of lines) {
  if (line === '') continue;
  const [kind, bytes, cuts] = line.split(' ');
  out.push(parse(kind === 'request', Buffer.from(bytes === '-' ? '' : bytes, 'hex'), cuts === '-' ? [] : cuts.split(',').map(Number)));
}
process.stdout.write(out.join('\n') + '\n');
