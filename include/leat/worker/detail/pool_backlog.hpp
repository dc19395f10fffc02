// SPDX-License-Identifier: MIT
// The tasks of a WorkerPool that no worker has: those that wait for one, those that wait for room among these,
// and those that have failed without one.
#pragma once

#include <leat/worker/detail/pool_task.hpp>

namespace leat::inline LEAT_ABI::detail {

/// On the pool's loop. Each list counts its tasks.
class PoolBacklog {
 public:
  std::size_t queued() const noexcept { return queued_; }
  std::size_t waiting() const noexcept { return waiting_; }

  void push(Ref<WorkerTask> task) noexcept {
    task->place = Place::Queue;
    queue_.pushBack(*task.leak());
    ++queued_;
  }
  /// Before the others, in their order. Takes their counts.
  void putBack(List<WorkerTask>& tasks) noexcept {
    for (WorkerTask* each = tasks.first(); each != nullptr; each = tasks.after(*each)) {
      each->place = Place::Queue;
      ++queued_;
    }
    tasks.append(queue_);
    queue_.append(tasks);
  }
  Ref<WorkerTask> takeFirst() noexcept { return take(queue_.front()); }
  /// For room in the queue.
  void standInLine(Ref<WorkerTask> task) noexcept {
    task->place = Place::Line;
    line_.pushBack(*task.leak());
    ++waiting_;
  }
  /// Those that stood in line go on as long as fewer than `room` are queued. False: none did.
  bool admit(std::size_t room) noexcept {
    bool any = false;
    for (; waiting_ > 0 && queued_ < room; any = true) push(take(line_.front()));
    return any;
  }
  /// Null when it is in none of the lists.
  Ref<WorkerTask> take(WorkerTask& task) noexcept {
    const Place place = task.place;
    if (place == Place::Nowhere || place == Place::Sent) return nullptr;
    task.place = Place::Nowhere;
    task.unlink();
    if (place == Place::Queue) --queued_;
    if (place == Place::Line) --waiting_;
    return Ref<WorkerTask>::adopt(&task);
  }

  /// Who waits for it goes on in a microtask, never inside of the call that made it fail.
  void refuse(Ref<WorkerTask> task, std::exception_ptr error) noexcept {
    task->refuse(std::move(error));
    task->place = Place::Refused;
    refused_.pushBack(*task.leak());
    if (!telling_.linked()) currentQueue().pushMicrotask(telling_);
  }
  void refuseAll(const std::exception_ptr& error) noexcept {
    for (List<WorkerTask>* all : {&queue_, &line_})
      while (!all->empty()) refuse(take(all->front()), error);
  }

 private:
  using Place = WorkerTask::Place;
  struct Telling : Job {
    explicit Telling(PoolBacklog& b) noexcept : Job(onJob), backlog(b) {}
    static void onJob(Job& job, JobAction action) noexcept {
      if (action == JobAction::Run) static_cast<Telling&>(job).backlog.tell();
    }
    PoolBacklog& backlog;
  };

  void tell() noexcept {
    List<WorkerTask> all;
    all.append(refused_);
    // Any of them may be the last that holds the pool, and this with it.
    while (!all.empty()) {
      WorkerTask& task = all.popFront();
      task.place = Place::Nowhere;
      Ref<WorkerTask>::adopt(&task)->done();
    }
  }

  List<WorkerTask> queue_;
  List<WorkerTask> line_;  // empty while there is room
  List<WorkerTask> refused_;
  std::size_t queued_ = 0;
  std::size_t waiting_ = 0;
  Telling telling_{*this};
};

}  // namespace leat::inline LEAT_ABI::detail
