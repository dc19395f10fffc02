// SPDX-License-Identifier: MIT
#include <leat/stream/ndjson.hpp>

#include "pieces.hpp"

using namespace leat;
using leat_test::pass;
using leat_test::passInPieces;

namespace {

using Documents = std::vector<std::string>;

leat_test::Output<std::string> documents(std::string_view text, const NdjsonOptions& options = {}) {
  return passInPieces<std::string>([&] { return NdjsonReader(options); }, text);
}

}  // namespace

TEST_CASE("documents are the lines of NDJSON that hold something") {
  CHECK(documents("{\"a\":1}\n[2]\r\n\n \t\r\n\r\n3\n").items ==
        Documents{"{\"a\":1}", "[2]", "3"});
  CHECK(documents("1\n\"x\\ny\"").items == Documents{"1", "\"x\\ny\""});
  CHECK(documents(" 1 \n2\n \n").items == Documents{" 1 ", "2"});
  CHECK(documents("\n \n").items == Documents{});
  CHECK(documents("").items == Documents{});
  CHECK(documents("\xef\xbb\xbf{}\n\"\xff\"\n").items == Documents{"{}", "\"\xef\xbf\xbd\""});
}

TEST_CASE("a document of NDJSON that is too long fails the stream") {
  NdjsonOptions options;
  options.maxLength = 5;
  CHECK(documents("12345\n\n123456\n", options).error ==
        "RangeError [ERR_OUT_OF_RANGE]: line 3 is longer than 5 bytes (maxLength)");
  CHECK(documents("12345\r\n\"abc\"", options).items == Documents{"12345", "\"abc\""});
}

TEST_CASE("documents are written in a line each, and read again") {
  const auto write = [](const Documents& items) {
    const auto output = pass<Buffer>([] { return NdjsonWriter(); }, items);
    CHECK(output.error == "");
    return Buffer::concat(output.items).toString();
  };
  CHECK(write({"{\"a\":1}", "[\r\n  1\n]", "\"x\\n\""}) == "{\"a\":1}\n[    1 ]\n\"x\\n\"\n");
  CHECK(write({}) == "");
  CHECK(documents(write({"1", "[\n2]", "{}"})).items == Documents{"1", "[ 2]", "{}"});
}
