// SPDX-License-Identifier: MIT

// libuv's timers: one uv_timer_t per timer, made before the clock starts.

#include <uv.h>

#include "measure.h"

#define TIMERS 1000000
#define ROUNDS 3

static uv_loop_t* loop;
static uv_timer_t* timers;
static long fired;

static void onTimer(uv_timer_t* timer) {
  (void)timer;
  ++fired;
}

static void check(int result, const char* call) {
  if (result >= 0) return;
  fprintf(stderr, "%s: %s\n", call, uv_strerror(result));
  exit(1);
}

static void start(uv_timer_t* timer, uint32_t delayMs) {
  check(uv_timer_start(timer, onTimer, delayMs, 0), "uv_timer_start");
}

static double startAndClearAtOnce(void) {
  const double begin = nowNs();
  for (int i = 0; i < TIMERS; ++i) {
    start(timers, 1000);
    check(uv_timer_stop(timers), "uv_timer_stop");
  }
  return (nowNs() - begin) / TIMERS;
}

static double startThenClear(int later) {
  uint32_t random = 1;
  uv_update_time(loop);
  const double begin = nowNs();
  for (int i = 0; i < TIMERS; ++i) start(&timers[i], nextLongDelayMs(&random));
  if (later) uv_run(loop, UV_RUN_NOWAIT);
  for (int i = 0; i < TIMERS; ++i) check(uv_timer_stop(&timers[i]), "uv_timer_stop");
  return (nowNs() - begin) / TIMERS;
}

static double fireDue(void) {
  uint32_t random = 1;
  fired = 0;
  uv_update_time(loop);
  for (int i = 0; i < TIMERS; ++i) start(&timers[i], nextShortDelayMs(&random));
  uv_sleep(15);
  const double begin = nowNs();
  while (fired < TIMERS) uv_run(loop, UV_RUN_ONCE);
  return (nowNs() - begin) / TIMERS;
}

int main(void) {
  double atOnce[ROUNDS];
  double startClear[ROUNDS];
  double clearLater[ROUNDS];
  double fire[ROUNDS];
  loop = uv_default_loop();
  timers = malloc(sizeof *timers * TIMERS);
  if (!loop || !timers) {
    fprintf(stderr, "out of memory\n");
    return 1;
  }
  for (int i = 0; i < TIMERS; ++i) check(uv_timer_init(loop, &timers[i]), "uv_timer_init");
  for (int round = 0; round < ROUNDS; ++round) {
    atOnce[round] = startAndClearAtOnce();
    startClear[round] = startThenClear(0);
    clearLater[round] = startThenClear(1);
    fire[round] = fireDue();
  }
  reportMedian("timer_start_clear_at_once", atOnce, ROUNDS);
  reportMedian("timer_start_clear_1e6", startClear, ROUNDS);
  reportMedian("timer_clear_later_1e6", clearLater, ROUNDS);
  reportMedian("timer_fire_1e6", fire, ROUNDS);
  free(timers);
}
