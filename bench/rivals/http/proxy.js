// SPDX-License-Identifier: MIT
'use strict';

// proxy.js PORT UPSTREAM_PORT: the proxy of leat/http_proxy.cpp on node:http.

const http = require('node:http');
const { pipeline } = require('node:stream');

const [port, upstream] = process.argv.slice(2);
if (upstream === undefined) {
  console.error('usage: proxy.js PORT UPSTREAM_PORT');
  process.exit(2);
}

const answerMs = 60_000; // as long as nginx waits
const ofOneConnection = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'host'];
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

// The client goes as it likes, when its time is over.
const done = () => {};

function passedOn(headers) {
  const passed = { ...headers };
  for (const name of ofOneConnection) delete passed[name];
  return passed;
}

const server = http.createServer((request, response) => {
  const onward = http.request({
    agent, host: '127.0.0.1', port: upstream, method: request.method, path: request.url,
    headers: passedOn(request.headers), timeout: answerMs,
  }, (answer) => {
    response.writeHead(answer.statusCode, passedOn(answer.headers));
    pipeline(answer, response, done);
  });
  onward.on('timeout', () => onward.destroy());
  onward.on('error', () => response.destroy());
  pipeline(request, onward, done);
});
server.listen(Number(port), '127.0.0.1', 1024, () => console.log(server.address().port));
