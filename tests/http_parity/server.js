// SPDX-License-Identifier: MIT
// The side of Node: a server whose answers are compared, byte for byte, with those of server.cpp.
'use strict';
const http = require('http');

const routes = {
  '/hello': (req, res) => res.end('hello'),
  '/empty': (req, res) => res.end(),
  '/set': (req, res) => {
    res.setHeader('X-One', '1');
    res.setHeader('X-Two', '2');
    res.setHeader('x-one', '3');
    res.setHeader('Set-Cookie', ['a', 'b']);
    res.setHeader('Gone', 'x');
    res.removeHeader('GONE');
    res.end('set');
  },
  '/status': (req, res) => { res.statusCode = 404; res.end('no'); },
  '/words': (req, res) => { res.statusCode = 299; res.statusMessage = 'Odd'; res.end(); },
  '/unknown': (req, res) => { res.statusCode = 299; res.end(); },
  '/pieces': (req, res) => { res.write('a'); res.write('bcd'); res.end('e'); },
  '/trailers': (req, res) => {
    res.setHeader('Trailer', 'x');
    res.write('a');
    res.addTrailers({ x: 'y' });
    res.end();
  },
  '/length': (req, res) => { res.setHeader('Content-Length', '3'); res.write('ab'); res.end('c'); },
  '/corked': (req, res) => {
    res.cork();
    res.write('a');
    res.cork();
    res.write('bc');
    res.uncork();
    setTimeout(() => {
      res.uncork();
      res.write('d');
      res.cork();
      res.end('e');
    }, 10);
  },
  '/corked-whole': (req, res) => { res.cork(); res.end('whole'); },
  '/204': (req, res) => { res.statusCode = 204; res.end(); },
  '/304': (req, res) => { res.statusCode = 304; res.end(); },
  '/205': (req, res) => { res.statusCode = 205; res.end(); },
  '/close': (req, res) => { res.setHeader('Connection', 'close'); res.end('bye'); },
  '/keep': (req, res) => { res.setHeader('Connection', 'keep-alive'); res.end('kept'); },
  '/date': (req, res) => { res.sendDate = false; res.end('no date'); },
  '/mydate': (req, res) => { res.setHeader('Date', 'today'); res.end('mine'); },
  '/hints': (req, res) => { res.writeProcessing(); res.end('x'); },
  '/flush': (req, res) => { res.flushHeaders(); res.end('x'); },
  '/late': (req, res) => setTimeout(() => res.end('late'), 10),
  '/echo': (req, res) => {
    let body = '';
    req.on('data', (chunk) => { body += chunk; });
    req.on('end', () => res.end(body));
  },
  '/request': (req, res) => {
    const one = (name) => req.headers[name] === undefined ? '-' : String(req.headers[name]);
    res.end([req.method, req.url, req.httpVersion, one('x'), one('cookie'), one('user-agent'), one('set-cookie'), req.rawHeaders.length / 2, one('content-type'), one('host')].join(' '));
  },
};
routes['http://b/request'] = routes['/request'];

const limited = process.argv[2] === 'limit';
const options = { joinDuplicateHeaders: process.argv[2] === 'join', keepAliveTimeout: limited ? 1000 : 5000 };
const server = http.createServer(options, (req, res) => {
  const route = routes[req.url.split('?')[0]];
  if (route) return route(req, res);
  res.statusCode = 404;
  res.end();
});
if (limited) server.maxRequestsPerSocket = 2;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
