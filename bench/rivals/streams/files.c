// SPDX-License-Identifier: MIT

// Files by plain loops of calls that block, by cp and by cat: `files FOLDER [WAY]`, where FOLDER has `source` and
// `rows.csv`. The limit of what leat's streams do.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

enum { repetitions = 3, chunk = 65536, mebi = 1 << 20 };

static void require(int holds, const char* what) {
  if (holds) return;
  perror(what);
  exit(1);
}

static int source(void) {
  const int fd = open("source", O_RDONLY);
  require(fd >= 0, "source");
  return fd;
}

static int target(const char* name) {
  const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  require(fd >= 0, name);
  return fd;
}

static void copy(void) {
  const int from = source(), to = target("copy");
  ssize_t n;
  while ((n = copy_file_range(from, NULL, to, NULL, mebi, 0)) > 0) {
  }
  require(n == 0, "copy_file_range");
  close(from);
  close(to);
}

static void run(char* const* words, const char* output) {
  const pid_t child = fork();
  require(child >= 0, "fork");
  if (child == 0) {
    if (output != NULL) dup2(target(output), STDOUT_FILENO);
    execvp(words[0], words);
    _exit(127);
  }
  int status;
  require(waitpid(child, &status, 0) == child && status == 0, words[0]);
}

static void copyByCp(void) { run((char*[]){"cp", "source", "copy", NULL}, NULL); }
static void copyByCat(void) { run((char*[]){"cat", "source", NULL}, "copy"); }

#if !defined(__clang__)
__attribute__((optimize("O3")))
#endif
static void
upperCase(unsigned char* bytes, ssize_t count) {
  for (ssize_t i = 0; i < count; ++i)
    bytes[i] = (unsigned char)(bytes[i] - ((bytes[i] >= 'a') & (bytes[i] <= 'z')) * 32);
}

static void upper(void) {
  static unsigned char bytes[chunk];
  const int from = source(), to = target("upper");
  ssize_t n;
  while ((n = read(from, bytes, sizeof bytes)) > 0) {
    upperCase(bytes, n);
    require(write(to, bytes, (size_t)n) == n, "write");
  }
  require(n == 0, "read");
  close(from);
  close(to);
}

// The peer receives and drops.
static void* drop(void* address) {
  static char bytes[1 << 18];
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  require(connect(fd, address, sizeof(struct sockaddr_in)) == 0, "connect");
  while (recv(fd, bytes, sizeof bytes, 0) > 0) {
  }
  close(fd);
  return NULL;
}

static void sendAll(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  require(bind(server, (struct sockaddr*)&address, sizeof address) == 0, "bind");
  require(listen(server, 1) == 0, "listen");
  require(getsockname(server, (struct sockaddr*)&address, &length) == 0, "getsockname");
  pthread_t peer;
  require(pthread_create(&peer, NULL, drop, &address) == 0, "pthread_create");
  const int to = accept(server, NULL, NULL), from = source();
  require(to >= 0, "accept");
  ssize_t n;
  while ((n = sendfile(to, from, NULL, mebi)) > 0) {
  }
  require(n == 0, "sendfile");
  close(to);
  pthread_join(peer, NULL);
  close(from);
  close(server);
}

static void measure(const char* name, void (*body)(void), const char* made) {
  double samples[repetitions];
  for (int i = 0; i < repetitions; ++i) {
    if (made != NULL) unlink(made);
    const double begin = nowNs();
    body();
    samples[i] = (nowNs() - begin) / 1024;
  }
  if (made != NULL) unlink(made);
  reportMedian(name, samples, repetitions);
}

// "cp" and "cat" copy with that program; else all, or the one that is named.
int main(int count, char** arguments) {
  require(count > 1 && chdir(arguments[1]) == 0, "the folder");
  const char* only = count > 2 ? arguments[2] : "";
  const int all = *only == 0;
  if (strcmp(only, "cp") == 0) measure("copy_1GiB_per_MiB", copyByCp, "copy");
  if (strcmp(only, "cat") == 0) measure("copy_1GiB_per_MiB", copyByCat, "copy");
  if (all || strcmp(only, "copy") == 0) measure("copy_1GiB_per_MiB", copy, "copy");
  if (all || strcmp(only, "upper") == 0) measure("upper_1GiB_per_MiB", upper, "upper");
  if (all || strcmp(only, "send") == 0) measure("send_1GiB_per_MiB", sendAll, NULL);
  return 0;
}
