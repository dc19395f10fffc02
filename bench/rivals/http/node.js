// SPDX-License-Identifier: MIT
'use strict';

// node.js PORT FILE: the server of leat/http.cpp on node:http.

const fs = require('node:fs');
const http = require('node:http');
const { pipeline } = require('node:stream');

const [port, file] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node.js PORT FILE');
  process.exit(2);
}

// The client goes as it likes, when its time is over.
const done = () => {};

const server = http.createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  if (request.url === '/') {
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': 13 });
    response.end('Hello, World!');
  } else if (request.url === '/echo') {
    pipeline(request, response, done);
  } else {
    response.setHeader('Content-Length', fs.statSync(file).size);
    pipeline(fs.createReadStream(file), response, done);
  }
});
server.listen(Number(port), '127.0.0.1', 1024, () => console.log(server.address().port));
