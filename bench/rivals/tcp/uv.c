// SPDX-License-Identifier: MIT

// uv PORT: an echo server on libuv in its fastest form: uv_try_write from one shared read buffer,
// and a queued uv_write only for what the socket did not take.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

typedef struct {
  uv_write_t request;
  char data[];
} PendingWrite;

static char readBuffer[65536];

static void check(int result, const char* call) {
  if (result >= 0) return;
  fprintf(stderr, "%s: %s\n", call, uv_strerror(result));
  exit(1);
}

static void* allocate(size_t size) {
  void* memory = malloc(size);
  if (memory) return memory;
  fprintf(stderr, "out of memory\n");
  exit(1);
}

static void onAllocate(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer) {
  (void)handle;
  (void)suggested;
  *buffer = uv_buf_init(readBuffer, sizeof readBuffer);
}

static void onClosed(uv_handle_t* handle) { free(handle); }

static void closeStream(uv_stream_t* stream) {
  if (!uv_is_closing((uv_handle_t*)stream)) uv_close((uv_handle_t*)stream, onClosed);
}

static void onWritten(uv_write_t* request, int status) {
  if (status < 0) closeStream(request->handle);
  free(request);
}

static void queueRest(uv_stream_t* stream, const char* data, size_t size) {
  PendingWrite* pending = allocate(sizeof *pending + size);
  memcpy(pending->data, data, size);
  const uv_buf_t buffer = uv_buf_init(pending->data, (unsigned)size);
  if (uv_write(&pending->request, stream, &buffer, 1, onWritten) < 0) {
    free(pending);
    closeStream(stream);
  }
}

static void onRead(uv_stream_t* stream, ssize_t size, const uv_buf_t* read) {
  if (size < 0) {
    closeStream(stream);
    return;
  }
  if (size == 0) return;
  const uv_buf_t buffer = uv_buf_init(read->base, (unsigned)size);
  int written = uv_try_write(stream, &buffer, 1);
  if (written == UV_EAGAIN) written = 0;
  if (written < 0) {
    closeStream(stream);
  } else if (written < size) {
    queueRest(stream, read->base + written, (size_t)(size - written));
  }
}

static void onConnection(uv_stream_t* server, int status) {
  check(status, "uv_listen");
  uv_tcp_t* client = allocate(sizeof *client);
  check(uv_tcp_init(server->loop, client), "uv_tcp_init");
  check(uv_accept(server, (uv_stream_t*)client), "uv_accept");
  check(uv_tcp_nodelay(client, 1), "uv_tcp_nodelay");
  check(uv_read_start((uv_stream_t*)client, onAllocate, onRead), "uv_read_start");
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s PORT\n", argv[0]);
    return 2;
  }
  uv_loop_t* loop = uv_default_loop();
  uv_tcp_t server;
  struct sockaddr_in address;
  int length = sizeof address;
  check(uv_tcp_init(loop, &server), "uv_tcp_init");
  check(uv_ip4_addr("127.0.0.1", atoi(argv[1]), &address), "uv_ip4_addr");
  check(uv_tcp_bind(&server, (struct sockaddr*)&address, 0), "uv_tcp_bind");
  check(uv_listen((uv_stream_t*)&server, 511, onConnection), "uv_listen");
  check(uv_tcp_getsockname(&server, (struct sockaddr*)&address, &length), "uv_tcp_getsockname");
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return uv_run(loop, UV_RUN_DEFAULT);
}
