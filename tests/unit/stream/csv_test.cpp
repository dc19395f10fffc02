// SPDX-License-Identifier: MIT
#include <leat/loop/sleep.hpp>
#include <leat/loop/timers.hpp>
#include <leat/stream/csv.hpp>

#include "pieces.hpp"

using namespace leat;
using leat_test::Output;
using leat_test::pass;
using leat_test::passInPieces;
using leat_test::piecesOf;

namespace {

using Row = std::vector<std::string>;
using Rows = std::vector<Row>;

Output<CsvRow> read(std::string_view text, const CsvOptions& options = {}) {
  return passInPieces<CsvRow>([&] { return CsvReader(options); }, text);
}

Rows strings(const Output<CsvRow>& output) {
  CHECK(output.error == "");
  Rows rows;
  for (const CsvRow& row : output.items) {
    rows.emplace_back();
    for (const std::string_view field : row) rows.back().emplace_back(field);
  }
  return rows;
}

CsvOptions lenient() {
  CsvOptions options;
  options.strict = false;
  return options;
}

/// The lenient rules, one character after the other.
Rows reference(std::string_view text) {
  Rows rows;
  Row row;
  std::string field;
  enum { Begin, Plain, Open, Quote, Behind } at = Begin;
  const auto endRow = [&] {
    if (!(row.empty() && field.empty() && (at == Begin || at == Plain))) {
      row.push_back(field);
      rows.push_back(row);
    }
    row.clear();
    field.clear();
    at = Begin;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool last = i + 1 == text.size();
    if (at == Open) {
      if (c == '"') {
        at = Quote;
      } else {
        field += c;
      }
    } else if (c == '"' && at == Begin) {
      at = Open;
    } else if (c == '"' && at == Quote) {
      field += c;
      at = Open;
    } else if (c == ',') {
      row.push_back(field);
      field.clear();
      at = Begin;
      if (last) endRow();
    } else if (c == '\n' || (c == '\r' && (last || text[i + 1] == '\n'))) {
      if (c == '\n' || last) endRow();
    } else {
      field += c;
      at = at == Begin || at == Plain ? Plain : Behind;
    }
  }
  if (!row.empty() || !field.empty() || at != Begin) endRow();
  return rows;
}

class Random {
 public:
  explicit Random(std::uint32_t seed) : state_(seed) {}
  std::uint32_t below(std::uint32_t end) {
    state_ = state_ * 1664525 + 1013904223;
    return (state_ >> 8) % end;
  }
  std::string text(std::string_view alphabet, std::uint32_t most) {
    std::string text;
    for (std::uint32_t i = below(most + 1); i > 0; --i)
      text += alphabet[below(static_cast<std::uint32_t>(alphabet.size()))];
    return text;
  }

 private:
  std::uint32_t state_;
};

}  // namespace

TEST_CASE("the fields of a row are its text, by index, in order, and by value") {
  const CsvRow row{"a", "", "b,c"};
  CHECK(row.size() == 3);
  CHECK(row[0] == "a");
  CHECK(row[1].empty());
  CHECK(row[std::size_t{2}] == "b,c");
  CHECK(Row(row.begin(), row.end()) == Row{"a", "", "b,c"});
  CHECK_THROWS_WITH(row[3], "the row has no field 3: it has 3");
  CHECK_THROWS_WITH(row["a"], "the row has no field \"a\"");
  CHECK_FALSE(row.has("a"));
  CHECK(row.columns() == nullptr);
  CsvRow copy = row;
  CsvRow moved = std::move(copy);
  CHECK(moved == row);
  CHECK(copy.empty());
  copy = moved;
  CHECK(copy == CsvRow(Row{"a", "", "b,c"}));
  CHECK_FALSE(copy == CsvRow{"a", "", "b"});
  CHECK_FALSE(copy == CsvRow{"a", ""});
  CHECK(CsvRow().empty());
  CHECK_THROWS_AS(CsvRow()[0], RangeError);
  CHECK_THROWS_AS(row[-1], RangeError);
}

TEST_CASE("rows of CSV have quoted fields with separators, quotes and line ends in them") {
  CHECK(strings(read("a,b,c\r\n1,\"2,5\",3\n\"x \"\"y\"\"\",\"l1\r\nl2\n\",\"\"\r\n")) ==
        Rows{{"a", "b", "c"}, {"1", "2,5", "3"}, {"x \"y\"", "l1\r\nl2\n", ""}});
  CHECK(strings(read("a,b")) == Rows{{"a", "b"}});
  CHECK(strings(read(",\n,")) == Rows{{"", ""}, {"", ""}});
  CHECK(strings(read("\"a\"\r\n\"b\"")) == Rows{{"a"}, {"b"}});
  CHECK(strings(read("\"\"\"\"")) == Rows{{"\""}});
  CHECK(strings(read("\"\"")) == Rows{{""}});
  CHECK(strings(read("a\rb\n\rc,d\r\r\n", lenient())) == Rows{{"a\rb"}, {"\rc", "d\r"}});
  CHECK(strings(read("a\r")) == Rows{{"a"}});
  CHECK(strings(read("")) == Rows{});
}

TEST_CASE("long rows and fields are the same wherever they are cut") {
  const std::string longField(150, 'x');
  const std::string text = longField + ",\"" + longField + "\"\"\n" + longField + "\",e\n1,2,3\n" +
                           "\n\n4,\"5\",\"6\"\"\"\n" + longField + "," + longField + ",";
  CHECK(strings(read(text)) == Rows{{longField, longField + "\"\n" + longField, "e"},
                                    {"1", "2", "3"},
                                    {"4", "5", "6\""},
                                    {longField, longField, ""}});
}

TEST_CASE("empty lines are left out, or are rows of one empty field") {
  const std::string_view text = "\n\r\na\n\n\"\"\n\r\n";
  CHECK(strings(read(text)) == Rows{{"a"}, {""}});
  CsvOptions options;
  options.skipEmptyLines = false;
  CHECK(strings(read(text, options)) == Rows{{""}, {""}, {"a"}, {""}, {""}, {""}});
}

TEST_CASE("separator and quote may be others") {
  CsvOptions options;
  options.separator = '\t';
  options.quote = '\'';
  CHECK(strings(read("a\t'b\tc'\n'it''s'\t\"d,\n", options)) ==
        Rows{{"a", "b\tc"}, {"it's", "\"d,"}});
  options.separator = '\0';
  CHECK(strings(read(std::string_view("a\0b\nc\0d", 7), options)) == Rows{{"a", "b"}, {"c", "d"}});
  for (const char wrong : {'\'', '\n', '\r'}) {
    options.separator = wrong;
    CHECK_THROWS_AS(detail::CsvParser(options), TypeError);
  }
}

TEST_CASE("a byte order mark in front of CSV is dropped, and nothing that looks like its begin") {
  const std::string mark = "\xef\xbb\xbf";
  CHECK(strings(read(mark + "a,b\n" + mark + ",d")) == Rows{{"a", "b"}, {mark, "d"}});
  CHECK(strings(read(mark + "\"a\",b\n")) == Rows{{"a", "b"}});
  CHECK(strings(read(mark)) == Rows{});
  CHECK(strings(read("\xef\xbb,b\nc,d")) == Rows{{"\xef\xbb", "b"}, {"c", "d"}});
  CHECK(strings(read("\xef")) == Rows{{"\xef"}});
  CHECK(strings(read("\xef\xbb")) == Rows{{"\xef\xbb"}});
  CsvOptions options;
  options.stripBom = false;
  CHECK(strings(read(mark + "a", options)) == Rows{{mark + "a"}});
}

TEST_CASE("the header gives the fields their names") {
  CsvOptions options;
  options.header = true;
  const Output<CsvRow> output = read("id,\"full name\",x\n1,Ada,\n2,\"Grace\",y\n", options);
  CHECK(strings(output) == Rows{{"1", "Ada", ""}, {"2", "Grace", "y"}});
  const CsvRow copy = output.items.at(1);
  CHECK(copy["full name"] == "Grace");
  CHECK(copy["id"] == "2");
  CHECK(copy.get("x") == "y");
  CHECK_FALSE(copy.get("y"));
  CHECK_THROWS_WITH(copy["y"], "the row has no field \"y\"");
  REQUIRE(copy.columns() != nullptr);
  CHECK(*copy.columns() == CsvRow{"id", "full name", "x"});
  CHECK(strings(read("a,b\n", options)) == Rows{});
  CHECK(strings(read("a,b", options)) == Rows{});
}

TEST_CASE("the names of columns may be given, also instead of a header") {
  CsvOptions options;
  for (int i = 0; i < 300; ++i) options.columns.push_back("column" + std::to_string(i));
  std::string text;
  for (int i = 0; i < 300; ++i) text += (i == 0 ? "" : ",") + std::to_string(i * i);
  const auto make = [&] { return CsvReader(options); };
  auto output = pass<CsvRow>(make, piecesOf(text, 7));
  REQUIRE(output.items.size() == 1);
  for (int i = 0; i < 300; ++i)
    CHECK(output.items[0]["column" + std::to_string(i)] == std::to_string(i * i));
  options.header = true;
  output = pass<CsvRow>(make, piecesOf(text + "\n" + text, 7));
  REQUIRE(output.items.size() == 1);
  CHECK(output.items[0]["column9"] == "81");
}

TEST_CASE("malformed CSV fails, named by row and column") {
  const auto error = [](std::string_view text) { return read(text).error; };
  CHECK(error("a,b\n1,x\"y\n") ==
        "Error [INVALID_OPENING_QUOTE]: row 2, column 2: a quote within a field without quotes");
  CHECK(error("a,b\n\"1\"x,y\n") ==
        "Error [CSV_INVALID_CLOSING_QUOTE]: row 2, column 1: text behind the closing quote");
  CHECK(error("\"1\" \"\n") ==
        "Error [CSV_INVALID_CLOSING_QUOTE]: row 1, column 1: text behind the closing quote");
  CHECK(error("a\n\"1\"\rx\n") ==
        "Error [CSV_INVALID_CLOSING_QUOTE]: row 2, column 1: text behind the closing quote");
  CHECK(error("a,\"b\nc,d\n") ==
        "Error [CSV_QUOTE_NOT_CLOSED]: row 1, column 2: the quoted field does not end");
  CHECK(error("\n\na,b\n1,2\n\n1,2,3\n") ==
        "Error [CSV_RECORD_INCONSISTENT_FIELDS_LENGTH]: row 3 has 3 fields instead of 2");
  CHECK(error("a,b\n1") ==
        "Error [CSV_RECORD_INCONSISTENT_FIELDS_LENGTH]: row 2 has 1 fields instead of 2");
  CsvOptions options;
  options.header = true;
  CHECK(read("a,b,a\n1,2,3\n", options).error ==
        "Error [CSV_DUPLICATE_COLUMN]: row 1, column 3: the name \"a\" is there twice");
  CHECK(read("a,b\n1,2,3\n", options).error ==
        "Error [CSV_RECORD_INCONSISTENT_FIELDS_LENGTH]: row 2 has 3 fields instead of 2");
  options.columns = {"x", "y"};
  CHECK(read("a,b,c\n", options).error ==
        "Error [CSV_RECORD_INCONSISTENT_FIELDS_LENGTH]: row 1 has 3 fields instead of 2");
  options.columns = {"x", "y", "y"};
  CHECK_THROWS_WITH(detail::CsvParser(options), "column 3: the name \"y\" is there twice");
}

TEST_CASE("lenient CSV takes what is malformed as text") {
  const CsvOptions options = lenient();
  CHECK(strings(read("a,b\n1,x\"y\"\"z\n", options)) == Rows{{"a", "b"}, {"1", "x\"y\"\"z"}});
  CHECK(strings(read("\"1\"x,\"a\"\"b\"c\"d,e\n", options)) == Rows{{"1x", "a\"bc\"d", "e"}});
  CHECK(strings(read("\"1\" \"\" \n2", options)) == Rows{{"1 \"\" "}, {"2"}});
  CHECK(strings(read("a,\"b\nc,d\r\n", options)) == Rows{{"a", "b\nc,d\r\n"}});
  CHECK(strings(read("a,\"b\"\"", options)) == Rows{{"a", "b\""}});
  CHECK(strings(read("a,b\n1,2,3\n4\n", options)) == Rows{{"a", "b"}, {"1", "2", "3"}, {"4"}});
  CsvOptions header = options;
  header.header = true;
  const Output<CsvRow> output = read("a,b,a\n1\n", header);
  REQUIRE(output.items.size() == 1);
  CHECK(output.items[0]["a"] == "1");
  CHECK_THROWS_WITH(output.items[0]["b"], "the row has no field \"b\"");
}

TEST_CASE("the limits of CSV fail the stream, named by row, column and limit") {
  CsvOptions options;
  options.maxFieldSize = 4;
  const std::string field2 =
      "RangeError [ERR_OUT_OF_RANGE]: row 2, column 2: the field has more than 4 bytes "
      "(maxFieldSize)";
  CHECK(strings(read("abcd,\"ab\"\"d\"\r\n1234,\"\"\"\"\"\"\"\"\"\"\r\n", options)) ==
        Rows{{"abcd", "ab\"d"}, {"1234", "\"\"\"\""}});
  CHECK(read("abcd,b\nabcd,abcde\n", options).error == field2);
  CHECK(read("abcd,b\nabcd,abcde", options).error == field2);
  CHECK(read("abcd,b\nabcd,\"abcde\"\n", options).error == field2);
  CHECK(read("abcd,b\nabcd,\"ab\"\"cd\"\n", options).error == field2);
  CHECK(read("abcd,b\nabcd,\"a,\nbc", options).error == field2);
  CHECK(read("abcd,b\nabcd,abc\r\r\n", options).error == "");
  CHECK(read("abcd,b\nabcd,abcd\r\r\n", options).error == field2);
  CsvOptions loose = lenient();
  loose.maxFieldSize = 4;
  CHECK(strings(read("a,\"12\"34\n", loose)) == Rows{{"a", "1234"}});
  CHECK(read("a,b\na,\"12\"345\n", loose).error == field2);

  options = CsvOptions();
  options.maxFields = 2;
  CHECK(strings(read("a,b\nc,d\n", options)) == Rows{{"a", "b"}, {"c", "d"}});
  CHECK(read("a,b\nc,d,\n", options).error ==
        "RangeError [ERR_OUT_OF_RANGE]: row 2 has more than 2 fields (maxFields)");

  options = CsvOptions();
  options.maxRowSize = 6;
  CHECK(strings(read("ab,cde\n\"a\",bc\n", options)) == Rows{{"ab", "cde"}, {"a", "bc"}});
  CHECK(read("ab,cde\n\"a\",bcd\n", options).error ==
        "RangeError [ERR_OUT_OF_RANGE]: row 2 has more than 6 bytes (maxRowSize)");
  CHECK(read("ab,cde\n\"a\nbcde", options).error ==
        "RangeError [ERR_OUT_OF_RANGE]: row 2 has more than 6 bytes (maxRowSize)");
}

TEST_CASE("lenient CSV of random characters is that of a simple reader") {
  Random random(4711);
  for (int round = 0; round < 150; ++round) {
    const std::string text = random.text("ab,\"\"\n\r\n,", 30);
    CHECK(strings(read(text, lenient())) == reference(text));
  }
  // Longer than the blocks that are looked at, in pieces of many sizes.
  for (int round = 0; round < 60; ++round) {
    const std::string text =
        random.text(round % 2 == 0 ? "abcdefghijklmn,\n" : "abcdefghijklmn,\"\n", 1200);
    const Rows expected = reference(text);
    for (const std::size_t size : {1ul, 3ul, 63ul, 64ul, 65ul, 300ul, 2000ul}) {
      const CsvOptions options = lenient();
      const auto output = pass<CsvRow>([&] { return CsvReader(options); }, piecesOf(text, size));
      CHECK(strings(output) == expected);
    }
  }
}

TEST_CASE("rows that are written and read again are the same") {
  Random random(815);
  for (int round = 0; round < 60; ++round) {
    CsvWriterOptions writer;
    CsvOptions reader;
    writer.separator = reader.separator = ",;\t|"[random.below(4)];
    writer.quote = reader.quote = "\"'"[random.below(2)];
    writer.newline = random.below(2) == 0 ? "\r\n" : "\n";
    writer.quoteAll = random.below(4) == 0;
    writer.bom = random.below(4) == 0;
    Rows rows(random.below(8));
    const std::uint32_t fields = 1 + random.below(4);
    for (Row& row : rows)
      for (std::uint32_t i = 0; i < fields; ++i)
        row.push_back(random.text("ab,;\t|\"'\r\n \xef\xbb\xbf", random.below(10) == 0 ? 200 : 5));
    const auto written = pass<Buffer>([&] { return CsvWriter<Row>(writer); }, rows);
    const Buffer text = Buffer::concat(written.items);
    const std::size_t size = 1 + random.below(100);
    INFO(std::string(text.view()));
    const auto make = [&] { return CsvReader(reader); };
    CHECK(strings(pass<CsvRow>(make, piecesOf(text.view(), size))) == rows);
    CHECK(strings(pass<CsvRow>(make, piecesOf(text.view(), text.size()))) == rows);
    std::vector<CsvRow> csvRows;
    for (const Row& row : rows) csvRows.emplace_back(row);
    const auto again = pass<Buffer>([&] { return CsvWriter<>(writer); }, csvRows);
    CHECK(Buffer::concat(again.items) == text);
  }
}

TEST_CASE("CSV is written with quotes where they are needed") {
  const auto write = [](const Rows& rows, const CsvWriterOptions& options = {}) {
    const auto output = pass<Buffer>([&] { return CsvWriter<Row>(options); }, rows);
    CHECK(output.error == "");
    return Buffer::concat(output.items).toString();
  };
  CHECK(write({{"a", "b c", ""}, {"1,5", "\"x\"", "l\nm"}, {"r\r", "", ""}}) ==
        "a,b c,\r\n\"1,5\",\"\"\"x\"\"\",\"l\nm\"\r\n\"r\r\",,\r\n");
  CHECK(write({{""}, {}}) == "\"\"\r\n\r\n");
  CHECK(write({{"\xef\xbb\xbfz"}, {"\xef\xbb\xbfz"}}) == "\"\xef\xbb\xbfz\"\r\n\xef\xbb\xbfz\r\n");
  CsvWriterOptions options;
  options.columns = {"id", "the,name"};
  options.newline = "\n";
  CHECK(write({{"1", "x"}}, options) == "id,\"the,name\"\n1,x\n");
  CHECK(write({}, options) == "id,\"the,name\"\n");
  CHECK(write({}) == "");
  options.quoteAll = true;
  options.bom = true;
  CHECK(write({{"1", ""}}, options) == "\xef\xbb\xbf\"id\",\"the,name\"\n\"1\",\"\"\n");
  options.separator = '"';
  CHECK_THROWS_AS(detail::CsvFormat(std::move(options)), TypeError);
}

TEST_CASE("rows of CSV are made as they are read") {
  CHECK(run([]() -> Task<> {
          std::string text;
          for (int i = 0; i < 5000; ++i) text += std::to_string(i) + ",\"x\"\n";
          DuplexOptions options;
          options.readableHighWaterMark = 8;
          CsvReader csv({}, options);
          int count = 0;
          Writable<CsvRow> sink([&](const CsvRow& row, StreamCallback done) {
            CHECK(csv.readableLength() <= 8);
            if (row[0] != std::to_string(count)) FAIL("another row");
            if (++count % 50 == 0) {
              setImmediate(done);
            } else {
              done();
            }
          });
          csv.pipe(sink);
          csv.write(Buffer::from(text));
          csv.end();
          co_await sink.closed();
          CHECK(count == 5000);
        }) == 0);
}

namespace {

struct BrokenCsv {
  std::string rows;
  std::vector<std::string> tail;
};

/// Rows for more than there is room, a fault, and chunks that wait behind it.
Output<CsvRow> readBroken(const CsvOptions& options, std::size_t mark, const BrokenCsv& text) {
  Output<CsvRow> output;
  std::string told;
  CHECK(run([&]() -> Task<> {
          DuplexOptions marks;
          marks.readableHighWaterMark = mark;
          CsvReader csv(options, marks);
          csv.write(text.rows);
          for (const std::string& each : text.tail) {
            csv.write(each, [&](const std::exception_ptr& error) { told += error ? 'e' : '-'; });
          }
          csv.end();
          try {
            while (auto row = co_await csv.next()) {
              output.items.push_back(std::move(*row));
              co_await nextImmediate();
            }
          } catch (...) {
            output.error = leat_test::describe(std::current_exception());
          }
        }) == 0);
  CHECK(told == std::string(text.tail.size(), 'e'));
  return output;
}

}  // namespace

TEST_CASE("chunks that wait behind malformed CSV are not looked at") {
  BrokenCsv text;
  for (int i = 0; i < 40; ++i) text.rows += "a\n";
  text.rows += "x";
  text.tail = {"\"\n" + std::string(200, 'b'), "c", "c", "c\n", "c"};
  for (const std::size_t mark : {0U, 1U, 16U, 100U})
    CHECK(readBroken({}, mark, text).error ==
          "Error [INVALID_OPENING_QUOTE]: row 41, column 1: a quote within a field without quotes");
  detail::CsvParser parser{CsvOptions()};
  CsvRow row;
  parser.feed(Buffer::from("x"));
  CHECK_FALSE(parser.next(row));
  parser.feed(Buffer::from("\"\ny\n"));
  CHECK_THROWS_AS(parser.next(row), Error);
  CHECK_FALSE(parser.next(row));
  parser.feed(Buffer::from("z\n"));
  CHECK_FALSE(parser.next(row));
}
