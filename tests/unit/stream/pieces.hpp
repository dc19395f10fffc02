// SPDX-License-Identifier: MIT
// Feeds a Transform of bytes in pieces, and gives all that came out of it, and why it failed.
#pragma once

#include <leat/loop/run.hpp>
#include <leat/stream/readable.hpp>
#include <leat/stream/writable.hpp>

#include <leat_test.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace leat_test {

/// The items that came out, and "Name [CODE]: text" of the error.
template <class Item>
struct Output {
  std::vector<Item> items;
  std::string error;
  bool operator==(const Output&) const = default;
};

inline std::string describe(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const leat::Error& e) {
    return std::string(e.name()) + " [" + std::string(e.code()) + "]: " + e.what();
  }
}

/// Writes the pieces, without looking whether there is room, and reads until the end.
template <class Item, class Stream, class In>
leat::Task<> feed(Stream& stream, const std::vector<In>& pieces, Output<Item>& output) {
  for (const In& piece : pieces) stream.write(In(piece));
  stream.end();
  try {
    while (auto item = co_await stream.next()) output.items.push_back(Item(std::move(*item)));
  } catch (...) {
    output.error = describe(std::current_exception());
  }
}

/// `make()` gives the stream, on a loop.
template <class Item, class Make, class In>
Output<Item> pass(const Make& make, const std::vector<In>& pieces) {
  Output<Item> output;
  CHECK(leat::run([&]() -> leat::Task<> {
          auto stream = make();
          co_await feed<Item>(stream, pieces, output);
        }) == 0);
  return output;
}

inline std::vector<leat::Buffer> piecesOf(std::string_view text, std::size_t size) {
  std::vector<leat::Buffer> pieces;
  for (; !text.empty(); text.remove_prefix(size < text.size() ? size : text.size()))
    pieces.push_back(leat::Buffer::from(text.substr(0, size)));
  return pieces;
}

/// What comes out of the text as a whole, after a check that it is the same one byte at a time and cut
/// in two at each place.
template <class Item, class Make>
Output<Item> passInPieces(const Make& make, std::string_view text) {
  const Output<Item> whole = pass<Item>(make, piecesOf(text, text.size()));
  Output<Item> single = pass<Item>(make, piecesOf(text, 1));
  INFO("text: " << std::string(text));
  CHECK(single.error == whole.error);
  // What was read before the error depends on when it came.
  if (whole.error.empty()) CHECK((single.items == whole.items));
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    const std::vector<leat::Buffer> two = {leat::Buffer::from(text.substr(0, cut)),
                                           leat::Buffer::from(text.substr(cut))};
    const Output<Item> output = pass<Item>(make, two);
    INFO("cut at " << cut);
    CHECK(output.error == whole.error);
    if (whole.error.empty()) CHECK((output.items == whole.items));
  }
  return whole;
}

}  // namespace leat_test
