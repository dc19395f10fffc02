// SPDX-License-Identifier: MIT
// CSV as RFC 4180 has it, read from bytes in any pieces, and written.
#pragma once

#include <leat/stream/csv_scan.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// Scans chunks. A row that has begun in one and ends in another is put together in `carry_`.
class CsvParser {
 public:
  explicit CsvParser(CsvOptions options) : scanner_(std::move(options)) {
    if (!scanner_.options().stripBom) mark_ = noMark;
  }

  void feed(Buffer&& chunk) {
    chunk_ = std::move(chunk);
    used_ = 0;
    if (mark_ != noMark) skipMark();
    if (!carrying_) scanner_.start(chunk_.view(), std::exchange(used_, chunk_.size()));
  }
  void end() {
    ended_ = true;
    if (mark_ != noMark) wasNoMark();
  }
  /// After it has thrown there is no more: the scanner stands within a row.
  bool next(CsvRow& row) {
    if (over_) return false;
    try {
      return find(row);
    } catch (...) {
      over_ = true;
      throw;
    }
  }

 private:
  static constexpr std::size_t noMark = 3;

  bool find(CsvRow& row) {
    while (!scanner_.next()) {
      if (more()) continue;
      over_ = ended_;
      if (!ended_ || !scanner_.last()) return false;
      break;
    }
    row = scanner_.row();
    return true;
  }
  void skipMark() {
    const std::string_view text = chunk_.view();
    for (; used_ < text.size() && mark_ != noMark; ++used_, ++mark_)
      if (text[used_] != byteOrderMark[mark_]) return wasNoMark();
  }
  /// What seemed to be a byte order mark is the begin of the first field.
  void wasNoMark() {
    carry_ = byteOrderMark.substr(0, std::exchange(mark_, noMark));
    carrying_ = !carry_.empty();
    scanner_.start(carry_, 0);
  }
  bool more();
  void leaveCarry();

  CsvScanner scanner_;
  Buffer chunk_;
  std::size_t used_ = 0;  // of the chunk
  std::string carry_;
  bool carrying_ = false;  // the scanner looks at carry_, else at the chunk
  bool ended_ = false;
  bool over_ = false;
  std::size_t mark_ = 0;  // bytes of a byte order mark seen so far
};

#if LEAT_BODIES
/// Gives the scanner more to look at; false when there is nothing.
LEAT_INLINE bool CsvParser::more() {
  if (!carrying_) {
    const std::size_t begin = scanner_.rowBegin();
    carry_ = chunk_.view().substr(begin);
    carrying_ = !carry_.empty();
    scanner_.moved(carry_, begin);
    chunk_ = Buffer();
    used_ = 0;
    return false;
  }
  // A row has ended within.
  if (scanner_.rowBegin() > 0) {
    leaveCarry();
    return true;
  }
  if (used_ == chunk_.size()) {
    chunk_ = Buffer();
    used_ = 0;
    return false;
  }
  // What is too much will be scanned again.
  const std::size_t most = carry_.size() > 256 ? carry_.size() : 256;
  const std::string_view part = chunk_.view().substr(used_, most);
  carry_.append(part);
  used_ += part.size();
  scanner_.moved(carry_, 0);
  return true;
}

/// The next row begins in the chunk.
LEAT_INLINE void CsvParser::leaveCarry() {
  const std::size_t left = carry_.size() - scanner_.rowBegin();
  scanner_.start(chunk_.view(), used_ - left);
  used_ = chunk_.size();
  carrying_ = false;
  carry_.clear();
}
#endif

}  // namespace detail

/// Reads rows of CSV (RFC 4180): quoted fields may hold separators, quotes (twice) and line ends. "\n" and
/// "\r\n" end a row. Fields are bytes as they stand there: they are not checked to be UTF-8.
///
/// Rows are made as the reader has room for them. Throws, as the stream's error, with row (the header is
/// row 1; empty lines that are left out do not count) and column: Error with a code of Node's csv-parse
/// for what is malformed, INVALID_OPENING_QUOTE, CSV_INVALID_CLOSING_QUOTE, CSV_QUOTE_NOT_CLOSED,
/// CSV_RECORD_INCONSISTENT_FIELDS_LENGTH, or CSV_DUPLICATE_COLUMN; RangeError ERR_OUT_OF_RANGE for the
/// limits. The constructor: TypeError when separator and quote are not two characters.
class CsvReader : public Transform<Buffer, CsvRow> {
 public:
  explicit CsvReader(CsvOptions csv = {}, const DuplexOptions& options = {})
      : CsvReader(detail::makeRef<State>(options, std::move(csv))) {}

 private:
  using State = detail::SplitterState<CsvRow, detail::CsvParser>;
  explicit CsvReader(const detail::Ref<State>& state)
      : Transform(detail::Ref<detail::StreamCore>(state), *state) {}
};

/// Options of CsvWriter.
struct CsvWriterOptions {
  char separator = ',';
  char quote = '"';
  /// What ends each row.
  std::string newline = "\r\n";
  /// The names of the columns, written as the first row.
  std::vector<std::string> columns{};
  /// Whether all fields have quotes; else those that need them.
  bool quoteAll = false;
  /// Whether a byte order mark comes first, by which some spreadsheets know UTF-8.
  bool bom = false;
};

namespace detail {

class CsvFormat {
 public:
  explicit CsvFormat(CsvWriterOptions&& options) : options_(std::move(options)) {
    const char s = options_.separator, q = options_.quote;
    if (s == q || s == '\n' || s == '\r' || q == '\n' || q == '\r')
      throw TypeError("the separator and the quote of CSV are two characters, and no line ends");
  }
  template <CsvFields Row>
  Buffer transform(const Row& row) {
    std::string out;
    begin(out);
    write(out, row);
    return Buffer::from(std::move(out));
  }
  /// Of no rows there is still the header.
  std::optional<Buffer> flush() {
    std::string out;
    begin(out);
    if (out.empty()) return std::nullopt;
    return Buffer::from(std::move(out));
  }

 private:
  void begin(std::string& out) {
    if (std::exchange(begun_, true)) return;
    if (options_.bom) out += byteOrderMark;
    if (!options_.columns.empty()) write(out, options_.columns);
  }
  template <class Row>
  void write(std::string& out, const Row& row) {
    std::size_t fields = 0, first = out.size();
    for (const std::string_view field : row) {
      if (fields++ != 0) out += options_.separator;
      put(out, field);
    }
    // Else it would be an empty line.
    if (fields == 1 && out.size() == first) out.append(2, options_.quote);
    out += options_.newline;
    top_ = false;
  }
  bool needsQuotes(std::string_view field) const noexcept {
    if (options_.quoteAll) return true;
    for (const char c : field)
      if (c == options_.separator || c == options_.quote || c == '\n' || c == '\r') return true;
    // At the top of a file it would not be taken for a part of the field.
    return top_ && !options_.bom && field.starts_with(byteOrderMark);
  }
  void put(std::string& out, std::string_view field) const {
    if (!needsQuotes(field)) {
      out += field;
      return;
    }
    out += options_.quote;
    for (;;) {
      const std::size_t found = field.find(options_.quote);
      if (found == field.npos) break;
      out.append(field.substr(0, found + 1)) += options_.quote;
      field.remove_prefix(found + 1);
    }
    out.append(field) += options_.quote;
  }

  CsvWriterOptions options_;
  bool begun_ = false;
  bool top_ = true;
};

}  // namespace detail

/// Writes rows as CSV: CsvRow, std::vector<std::string> or any other range of strings. Fields with
/// separators, quotes or line ends have quotes. What CsvReader makes of it are the same rows, except
/// those without fields.
///
/// Throws: TypeError when separator and quote are not two characters.
template <class Row = CsvRow>
class CsvWriter : public Transform<Row, Buffer> {
 public:
  explicit CsvWriter(CsvWriterOptions csv = {}, const DuplexOptions& options = {})
      : Transform<Row, Buffer>(detail::CsvFormat(std::move(csv)), options) {}
};

}  // namespace leat::inline LEAT_ABI
