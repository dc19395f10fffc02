// SPDX-License-Identifier: MIT
// isReadable and the others, of handles of one side. Their values at each stage are compared with Node's in
// tests/order.
#include "stream_rig.hpp"

using namespace leat;
using leat_test::leavesNothing;
using leat_test::Token;

TEST_CASE("a handle of one side is asked for the whole stream") {
  leavesNothing([](Token token) -> Task<> {
    const PassThrough<int> both;
    const Readable<int> reading(both);
    const Writable<int> writing(both);
    both.on<"error">([token] {});
    CHECK((isReadable(writing) && isWritable(writing)));
    CHECK((isReadable(reading) && isWritable(reading)));
    writing.end(1);
    CHECK((isReadable(writing) && !isWritable(reading)));
    const auto item = co_await reading.next();
    CHECK((item == 1 && isDisturbed(writing) && !isErrored(writing)));
    both.destroy(Error("x"));
    CHECK_FALSE((isReadable(both) || isErrored(writing)));
    co_await both.closed();
    CHECK((isErrored(writing) && isErrored(reading)));
  });
}

TEST_CASE("a side that is not there is neither readable, writable nor disturbed") {
  leavesNothing([](Token token) {
    const Readable<int> source([token](Readable<int>&) {});
    const Writable<int> sink([token](int) {});
    CHECK((isReadable(source) && !isWritable(source) && !isDisturbed(source)));
    CHECK((isWritable(sink) && !isReadable(sink)));
    sink.destroy();
    source.destroy();
    CHECK_FALSE((isReadable(source) || isWritable(sink) || isDisturbed(sink)));
    CHECK(isDisturbed(source));
  });
}
