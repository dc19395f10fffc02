// SPDX-License-Identifier: MIT
// Sockets and servers: their events, failures and closes. Words come from one end of a connection only, as
// the kernel decides when the other one hears of it.
'use strict';
const net = require('net');
module.exports = (order) => {
  // Two connected sockets, in an immediate; the server has closed.
  const pair = (f) => {
    const server = net.createServer((there) => {
      server.close();
      setImmediate(f, client, there);
    });
    let client;
    server.listen(0, '127.0.0.1', () => { client = net.connect(server.address().port, '127.0.0.1'); });
  };
  const withServer = (f) => {
    const server = net.createServer((socket) => socket.resume());
    server.listen(0, '127.0.0.1', () => setImmediate(f, server));
  };
  const listen = (socket, log) => {
    socket.on('data', (data) => log('data ', data));
    socket.on('end', log.say('end')).on('finish', log.say('finish')).on('close', log.say('close'));
    socket.on('error', (error) => log('error ', error.code));
  };
  const around = (log) => {
    setImmediate(log.say('immediate'));
    process.nextTick(log.say('tick'));
    Promise.resolve().then(log.say('micro'));
  };

  order('the peer says a word and ends', (log) => pair((here, there) => {
    listen(here, log);
    there.resume();
    there.end('word');
  }));
  order('this side says a word and ends first', (log) => pair((here, there) => {
    listen(here, log);
    there.resume();
    here.end('word', log.say('ended'));
    log('called');
  }));
  order('destroy: "close" comes in the close phase', (log) => pair((here, there) => {
    there.resume();
    listen(here, log);
    here.destroy();
    around(log);
    log('destroyed');
  }));
  order('destroy with an error', (log) => pair((here, there) => {
    there.resume();
    listen(here, log);
    here.destroy(Object.assign(new Error('mine'), {code: 'MINE'}));
    setImmediate(log.say('immediate'));
    log('destroyed');
  }));
  order('destroyed inside of a listener', (log) => pair((here, there) => {
    there.resume();
    listen(here, log);
    here.on('data', () => { here.destroy(); around(log); });
    there.write('word');
  }));
  order('the peer resets', (log) => pair((here, there) => {
    listen(here, log);
    there.resetAndDestroy();
  }));
  order('a write behind the end', (log) => pair((here, there) => {
    there.resume();
    here.on('error', (error) => log('error ', error.code)).on('close', log.say('close'));
    here.end();
    here.write('late', (error) => log('write ', error.code));
  }));
  order('a write behind destroy', (log) => pair((here, there) => {
    there.resume();
    listen(here, log);
    here.destroy();
    here.write('late', (error) => log('write ', error.code));
  }));
  order('a timeout tells, and destroys nothing', (log) => pair((here, there) => {
    there.resume();
    here.on('close', log.say('close'));
    here.setTimeout(1, () => {
      log('timeout ', here.destroyed);
      here.destroy();
    });
  }));

  order('a connect that is refused', (log) => {
    setImmediate(() => {
      const client = net.connect(1, '127.0.0.1');
      client.on('error', (error) => {
        log(error.message);
        log(error.code, ' ', error.syscall, ' ', error.address, ' ', error.port);
        process.nextTick(log.say('tick behind it'));
      });
      setImmediate(log.say('immediate'));
      log('called');
    });
  });
  order('a Unix socket that is not there', (log) => {
    net.connect('/nowhere/socket').on('error', (error) => log(error.message, ' ', error.code));
  });
  order('a connect that is aborted before it begins', (log) => {
    const controller = new AbortController();
    controller.abort();
    net.connect({port: 1, host: '127.0.0.1', signal: controller.signal}).on('error', (error) => log(error.code, ' ', error.message));
  });
  order('a name that is none', (log) => {
    const client = net.connect({port: 1, host: 'no-such-host.invalid'});
    // Without a network it is EAI_AGAIN.
    client.on('error', (error) => log(error.message.replace(/ENOTFOUND|EAI_AGAIN/, 'CODE')));
  });
  order('a port that is taken', (log) => withServer((first) => {
    const {port} = first.address();
    const second = net.createServer();
    second.on('error', (error) => {
      log(error.message.replace(port, 'PORT'), ' ', error.code, ' ', second.listening);
      first.close(log.say('closed'));
    });
    second.listen(port, '127.0.0.1');
  }));

  order('a server without connections closes before the next immediate', (log) => withServer((server) => {
    server.close(log.say('closed'));
    setImmediate(log.say('immediate'));
    log('closing ', server.listening, ' ', server.address() === null);
  }));
  order('a server closes when its last connection is gone', (log) => {
    const server = net.createServer((socket) => {
      server.close(log.say('closed'));
      log('closing ', server.listening);
      setTimeout(() => {
        log('destroying');
        socket.destroy();
        setImmediate(log.say('immediate'));
      }, 5);
    });
    server.listen(0, '127.0.0.1', () => net.connect(server.address().port, '127.0.0.1').resume());
  });
  order('a server that is closed may listen again', (log) => withServer((server) => {
    server.close(() => {
      log('closed');
      server.listen(0, '127.0.0.1', () => {
        log('listening ', server.listening);
        server.close(log.say('closed again'));
      });
    });
  }));
};
