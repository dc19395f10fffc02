// SPDX-License-Identifier: MIT
// clients.js PORT: Node's http and its fetch (undici) against the server; throws when something is otherwise.
'use strict';
const assert = require('node:assert');
const http = require('node:http');
const { once } = require('node:events');
const { setTimeout: sleep } = require('node:timers/promises');

const port = Number(process.argv[2]);
const url = (path) => `http://127.0.0.1:${port}${path}`;

async function text(stream) {
  let all = '';
  for await (const chunk of stream) all += chunk;
  return all;
}
/// The response, and its body.
async function ask(options, write = () => {}) {
  const request = http.request({ host: '127.0.0.1', port, ...options });
  const hints = [];
  request.on('information', (info) => hints.push(info.statusCode));
  write(request);
  request.end();
  const [response] = await once(request, 'response');
  const body = await text(response);
  return { request, response, body, hints };
}

const cases = {
  async 'a kept connection is used again'() {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (const reused of [false, true, true]) {
      const { request, response, body } = await ask({ path: '/', agent });
      assert.strictEqual(body, 'hello');
      assert.strictEqual(response.headers.connection, 'keep-alive');
      assert.strictEqual(request.reusedSocket, reused);
    }
    agent.destroy();
  },
  async 'a body goes there in chunks and comes back in chunks'() {
    const piece = 'x'.repeat(30_000);
    const { response, body } = await ask({ path: '/echo', method: 'POST' }, (request) => {
      for (let i = 0; i < 40; ++i) request.write(piece);
    });
    assert.strictEqual(response.headers['transfer-encoding'], 'chunked');
    assert.strictEqual(body, piece.repeat(40));
  },
  async 'trailers and early hints come'() {
    const { response, body, hints } = await ask({ path: '/trailers' });
    assert.deepStrictEqual(hints, [103]);
    assert.strictEqual(body, 'body');
    assert.deepStrictEqual(response.trailers, { 'x-sum': '4' });
  },
  async 'Expect: 100-continue is answered before the body is sent'() {
    const request = http.request({ host: '127.0.0.1', port, path: '/echo', method: 'POST', headers: { Expect: '100-continue' } });
    request.flushHeaders();
    await once(request, 'continue');
    request.end('late body');
    const [response] = await once(request, 'response');
    assert.strictEqual(await text(response), 'late body');
  },
  async 'HEAD has no body'() {
    const { response, body } = await ask({ path: '/', method: 'HEAD' });
    assert.strictEqual(response.statusCode, 200);
    assert.strictEqual(body, '');
  },
  async 'a handler that throws is answered 500'() {
    const { response } = await ask({ path: '/throw' });
    assert.strictEqual(response.statusCode, 500);
  },
  async 'a client that gives up is noticed'() {
    const request = http.get(url('/never'));
    request.on('error', () => {});
    await once(request, 'socket');
    await sleep(50);
    request.destroy();
    for (;;) {
      const { body } = await ask({ path: '/stats' });
      if (/^aborted [1-9]/m.test(body)) break;
      await sleep(10);
    }
  },
  async 'fetch: many at once'() {
    const answers = await Promise.all(Array.from({ length: 100 }, async () => (await fetch(url('/'))).text()));
    assert.ok(answers.every((each) => each === 'hello'));
  },
  async 'fetch: a stream there and back'() {
    const body = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 20; ++i) controller.enqueue(new Uint8Array(50_000).fill(i));
        controller.close();
      },
    });
    const response = await fetch(url('/echo'), { method: 'POST', body, duplex: 'half' });
    const back = Buffer.from(await response.arrayBuffer());
    assert.strictEqual(back.length, 1_000_000);
    for (let i = 0; i < 20; ++i) assert.ok(back.subarray(i * 50_000, (i + 1) * 50_000).every((byte) => byte === i));
  },
  async 'fetch: a large body that is given up'() {
    const response = await fetch(url('/bytes/1000000000'));
    const reader = response.body.getReader();
    await reader.read();
    await reader.cancel();
  },
  async 'fetch: status codes'() {
    assert.strictEqual((await fetch(url('/none'))).status, 404);
  },
};

(async () => {
  for (const [name, run] of Object.entries(cases)) {
    try {
      await run();
    } catch (error) {
      console.error(`${name}: ${error.stack}`);
      process.exit(1);
    }
  }
  console.log(`${Object.keys(cases).length} cases`);
  process.exit(0);
})();
