// SPDX-License-Identifier: MIT
// Asks the server on a port one thing after the other with Node's client, and prints what it gets. client.cpp asks the same with leat's.
'use strict';
const http = require('node:http');

const port = Number(process.argv[2]);
const agent = new http.Agent({ keepAlive: true });

function ask(name, options, send) {
  return new Promise((resolve) => {
    const said = [];
    const done = (text) => {
      said.push(text);
      console.log(`${name}: ${said.join('; ')}`);
      resolve();
    };
    const request = http.request({ host: '127.0.0.1', port, agent, path: '/' + name.replaceAll(' ', '-'), ...options });
    request.on('information', (info) => said.push(`info ${info.statusCode} ${info.headers.link ?? ''}`));
    request.on('continue', () => {
      said.push('continue');
      request.end('body');
    });
    request.on('error', (error) => done(`error ${error.code}`));
    request.on('response', (answer) => {
      said.push(`${answer.statusCode} ${answer.statusMessage} HTTP/${answer.httpVersion} x=${answer.headers['x-a'] ?? ''} etag=${answer.headers.etag ?? ''} cookie=${answer.headers['set-cookie'] ?? ''}`);
      let body = '';
      answer.on('data', (chunk) => (body += chunk));
      answer.on('error', (error) => done(`body ${body} error ${error.code} ${error.message}`));
      answer.on('end', () => done(`body ${body} trailer=${answer.trailers['x-t'] ?? ''} reused=${request.reusedSocket}`));
    });
    request.on('upgrade', (answer, socket, head) => {
      socket.destroy();
      done(`upgrade ${answer.statusCode} ${head}`);
    });
    request.on('connect', (answer, socket, head) => {
      socket.destroy();
      done(`connect ${answer.statusCode} ${head}`);
    });
    if (send) send(request);
    else request.end();
  });
}

async function main() {
  await ask('get', {});
  await ask('again', {});
  await ask('query', { path: '/query?a=b&c' });
  await ask('head', { method: 'HEAD' });
  await ask('delete', { method: 'DELETE' });
  await ask('options', { method: 'OPTIONS', path: '*' });
  await ask('post', { method: 'POST' }, (r) => r.end('body'));
  await ask('post empty', { method: 'POST' });
  await ask('put pieces', { method: 'PUT' }, (r) => {
    r.write('one');
    r.write('two');
    r.end('three');
  });
  await ask('length', { method: 'PUT', headers: { 'Content-Length': 6 } }, (r) => {
    r.write('one');
    r.end('two');
  });
  await ask('trailers', { method: 'POST', headers: { Trailer: 'X-T' } }, (r) => {
    r.write('one');
    r.addTrailers({ 'X-T': '1' });
    r.end();
  });
  await ask('fields', { headers: { 'X-One': '1', accept: 'a', 'X-Two': ['2', '3'] } });
  await ask('host', { headers: { Host: 'other' } });
  await ask('user', { auth: 'a b:c' });
  await ask('close', { headers: { Connection: 'close' } });
  await ask('chunked', {});
  await ask('until close', {});
  await ask('old', {});
  await ask('no content', {});
  await ask('not modified', {});
  await ask('joined', {});
  await ask('all joined', { joinDuplicateHeaders: true });
  await ask('hints', {});
  await ask('expect', { method: 'POST', headers: { Expect: '100-continue' } }, (r) => r.flushHeaders());
  await ask('cut', {});
  await ask('hang up', {});
  await ask('bad status', {});
  await ask('two lengths', {});
  await ask('both lengths', {});
  await ask('no number', {});
  await ask('upgrade', { headers: { Connection: 'Upgrade', Upgrade: 'x' } });
  await ask('connect', { method: 'CONNECT', path: 'a:1' });
  await ask('refused connect', { method: 'CONNECT', path: 'a:2' });
  agent.destroy();
}
main();
