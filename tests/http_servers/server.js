// SPDX-License-Identifier: MIT
// server.js [NAME=VALUE...]: Node's http server, on a port and on the Unix socket `path`; `maxRequestsPerSocket` is its option. It
// is also a proxy, for whole URLs and CONNECT, with `secret` only for those who say who they are. Prints its port, and a line when it holds an answer.
'use strict';
const http = require('node:http');
const { once } = require('node:events');
const net = require('node:net');

const options = Object.fromEntries(process.argv.slice(2).map((word) => word.split('=')));
const counts = { connections: 0, requests: 0, aborted: 0, tunnels: 0 };
const sockets = new Set();

const bytes = (size) => Buffer.alloc(Number(size), 'b');
function say(word) {
  process.stdout.write(`${word}\n`);
}

const answers = {
  '/': (request, response) => response.end('hello'),
  '/stats': (request, response) => response.end(JSON.stringify(counts)),
  '/echo': (request, response) => {
    response.setHeader('X-Framing', request.headers['content-length'] ?? request.headers['transfer-encoding'] ?? 'none');
    request.on('end', () => response.addTrailers({ 'X-Back': request.trailers['x-sum'] ?? 'none' }));
    request.pipe(response);
  },
  // nginx sends no more of a request once its answer has begun, unless it passes both on as they come.
  '/collect': (request, response) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece)).on('end', () => response.end(Buffer.concat(pieces)));
  },
  '/fields': (request, response) => response.end(JSON.stringify({ method: request.method, url: request.url, fields: request.rawHeaders })),
  '/bytes': (request, response, size) => response.writeHead(200, { 'Content-Length': size }).end(bytes(size)),
  '/pieces': (request, response, count) => {
    let left = Number(count);
    const next = () => (left-- > 0 ? response.write('piece', next) : response.end());
    next();
  },
  '/status': (request, response, status) => response.writeHead(Number(status), { ETag: '"e"' }).end(),
  // Without a length, in a connection that ends with it.
  '/until-close': (request, response) => {
    response.useChunkedEncodingByDefault = false;
    response.removeHeader('transfer-encoding');
    response.write('all ');
    response.end('of it');
  },
  '/close': (request, response) => response.writeHead(200, { Connection: 'close' }).end('last'),
  '/keeps': (request, response, seconds) => response.writeHead(200, { 'Keep-Alive': `timeout=${seconds}` }).end(),
  '/hints': (request, response) => {
    response.writeProcessing();
    response.writeEarlyHints({ link: '</style.css>; rel=preload', 'x-trace': 'id' }, () => response.end('behind hints'));
  },
  '/trailers': (request, response) => {
    response.writeHead(200, { Trailer: 'X-Sum, X-Other' });
    response.write('body');
    response.addTrailers({ 'X-Sum': '4', 'X-Other': 'two words' });
    response.end();
  },
  '/refused': (request, response) => response.writeHead(413).end('too large'),
  // Node reads what comes behind the answer, and throws it away.
  '/early': (request, response) => response.writeHead(413, { 'Content-Length': 9 }).end('too large'),
  '/to': (request, response, status) => response.writeHead(Number(status), { Location: `/echo?${status}` }).end('moved'),
  '/to-other': (request, response, port) => response.writeHead(302, { Location: `http://127.0.0.1:${port}/fields` }).end(),
  '/circle': (request, response) => response.writeHead(302, { Location: '/circle' }).end(),
  // All connections but this one.
  '/end-others': async (request, response, how) => {
    const others = [...sockets].filter((socket) => socket !== request.socket);
    const closed = others.map((socket) => once(socket, 'close'));
    for (const socket of others) how === 'reset' ? socket.resetAndDestroy() : socket.destroy();
    await Promise.all(closed);
    response.end();
  },
  '/break-length': (request, response) => broken(response.writeHead(200, { 'Content-Length': 1000 })),
  '/break-chunks': (request, response) => broken(response.writeHead(200)),
  '/break-nothing': (request) => request.socket.destroy(),
  '/hold': (request, response) => {
    response.writeHead(200, { 'Content-Length': 1000 }).write('part', () => say('holds'));
  },
  '/never': () => say('holds'),
};

function broken(response) {
  response.write('part', () => response.socket.destroy());
}

/// A request for a whole URL goes there.
function forward(request, response) {
  const onward = http.request(request.url, { method: request.method, headers: { ...request.headers, via: '1.1 proxy' } });
  onward.on('response', (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.writeHead(502).end());
  request.pipe(onward);
}

function answer(request, response) {
  counts.requests += 1;
  response.on('close', () => (counts.aborted += Number(!response.writableFinished)));
  if (request.url.startsWith('http:')) return forward(request, response);
  const [path, word] = request.url.split('?');
  (answers[path] ?? (() => response.writeHead(404).end('none')))(request, response, word);
}

const server = http.createServer(answer);
server.maxRequestsPerSocket = Number(options.maxRequestsPerSocket ?? 0);
server.on('connection', (socket) => {
  counts.connections += 1;
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
});
server.on('checkContinue', (request, response) => {
  if (request.url !== '/refused') response.writeContinue();
  answer(request, response);
});
server.on('connect', (request, socket, head) => {
  if (request.headers['proxy-authorization'] === undefined && options.secret) return socket.end('HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n');
  counts.tunnels += 1;
  const [host, port] = request.url.split(':');
  const there = net.connect(Number(port), host, () => {
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    there.write(head);
    there.pipe(socket).pipe(there);
  });
  there.on('error', () => socket.end('HTTP/1.1 502 Nobody there\r\nContent-Length: 0\r\n\r\n'));
  socket.on('error', () => there.destroy());
  return undefined;
});
server.on('upgrade', (request, socket, head) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  socket.write(head);
  socket.on('error', () => {});
  socket.pipe(socket);
});
server.listen(0, '127.0.0.1', () => {
  const ready = () => say(server.address().port);
  if (!options.path) return ready();
  return net.createServer((socket) => server.emit('connection', socket)).listen(options.path, ready);
});
