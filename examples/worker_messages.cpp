// SPDX-License-Identifier: MIT
// worker_messages: the main loop sends jobs to a worker, which has a thread and a loop of its own, and gets typed
// answers. The worker keeps what it has learnt between the jobs, and a mistake in it is an event here.
#include <leat.hpp>
#include <leat/worker_threads.hpp>

#include <cstdio>
#include <map>
#include <sstream>
#include <string>
#include <variant>

using namespace leat;
using namespace leat::worker_threads;

struct Text {
  Buffer bytes;  // moved to the worker, not copied
};
struct Ask {
  std::string word;
};
using Job = std::variant<Text, Ask>;

struct Answer {
  std::string word;
  int times = 0;
};

// [worker]
/// The main of the worker: counts words until it is asked for none.
Task<> countWords(MessagePort<Job, Answer> parent) {
  std::map<std::string, int> seen;
  while (auto job = co_await parent.next()) {
    if (const auto* text = std::get_if<Text>(&*job)) {
      std::istringstream words(text->bytes.toString());
      for (std::string word; words >> word;) ++seen[word];
    } else {
      const std::string& word = std::get<Ask>(*job).word;
      if (word.empty()) throw Error("nothing was asked", "ERR_NO_WORD");
      parent.postMessage(Answer{word, seen[word]});
    }
  }
}
// [/worker]

// [parent]
void program() {
  const Worker<Answer, Job> worker(countWords, {.name = "word-counter"});
  worker.on<"online">([] { std::puts("the worker is online"); });
  worker.on<"message">(
      [](const Answer& answer) { std::printf("%s: %d\n", answer.word.c_str(), answer.times); });
  worker.on<"error">([](const std::exception_ptr& error) { std::puts(describe(error).c_str()); });
  worker.on<"exit">([](int code) { std::printf("exit code %d\n", code); });

  worker.postMessage(Text{Buffer::from("the mill and the leat and the wheel")});
  worker.postMessage(Text{Buffer::from("the water")});
  for (const char* word : {"the", "and", "otter"}) worker.postMessage(Ask{word});
  worker.postMessage(Ask{""});  // what is running holds the loop: main may end
}
// [/parent]

int main() { return run(program); }
