// SPDX-License-Identifier: MIT
// The scanner of CsvReader: finds separators, quotes and line ends 64 bytes at a time, and visits only
// those. A row that lies in one chunk is copied once, into its CsvRow.
#pragma once

#include <leat/stream/csv_row.hpp>
#include <leat/stream/lines.hpp>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace leat::inline LEAT_ABI {

/// Options of CsvReader.
struct CsvOptions {
  char separator = ',';
  char quote = '"';
  /// Whether the first row has the names of the columns; it is not given then.
  bool header = false;
  /// The names of the columns of a file that does not have them; with `header`, instead of those it has.
  std::vector<std::string> columns{};
  /// Strict: quotes stand as RFC 4180 has them, all rows have as many fields as the header or the first
  /// one, and no name is there twice; else the stream fails. Lenient: a quote within a field that does not
  /// begin with one, and what stands behind a closing quote, are text; a quoted field that does not end
  /// ends with the file; rows have as many fields as they have.
  bool strict = true;
  /// Whether lines without anything in them are left out. Else each is a row with one empty field.
  bool skipEmptyLines = true;
  /// Whether a byte order mark in front of all is dropped.
  bool stripBom = true;
  /// Bytes of a field, without its quotes; fields of a row; bytes of a row with its quotes and separators,
  /// not more than 2 GiB. More is RangeError ERR_OUT_OF_RANGE. A row and a chunk are kept at most.
  std::size_t maxFieldSize = std::size_t{16} << 20;
  std::size_t maxFields = 65536;
  std::size_t maxRowSize = std::size_t{64} << 20;
};

namespace detail {

/// Bit i of `all`: byte i is a separator, a quote or "\n"; of `quotes`: it is a quote.
struct CsvMarks {
  std::uint64_t all = 0;
  std::uint64_t quotes = 0;
};

/// Of 64 bytes.
LEAT_ALWAYS_INLINE inline CsvMarks csvMarks(const char* bytes, char separator,
                                            char quote) noexcept {
  CsvMarks marks;
#if defined(__SSE2__)
  const __m128i separators = _mm_set1_epi8(separator), quotes = _mm_set1_epi8(quote),
                newlines = _mm_set1_epi8('\n');
  for (int i = 0; i < 4; ++i) {
    const __m128i some = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes) + i);
    const __m128i quoted = _mm_cmpeq_epi8(some, quotes);
    const __m128i ends =
        _mm_or_si128(_mm_cmpeq_epi8(some, separators), _mm_cmpeq_epi8(some, newlines));
    const auto bits = [](__m128i found) {
      return std::uint64_t{static_cast<unsigned>(_mm_movemask_epi8(found))};
    };
    marks.quotes |= bits(quoted) << (16 * i);
    marks.all |= bits(_mm_or_si128(quoted, ends)) << (16 * i);
  }
#else
  for (unsigned i = 0; i < 64; ++i) {
    const bool quoted = bytes[i] == quote;
    const bool ends = bytes[i] == separator || bytes[i] == '\n';
    marks.quotes |= std::uint64_t{quoted} << i;
    marks.all |= std::uint64_t{quoted || ends} << i;
  }
#endif
  return marks;
}

/// Finds rows in a text that may grow at its end. All places are counted from its first character.
class CsvScanner {
 public:
  explicit CsvScanner(CsvOptions&& options);

  /// Another text, in which a row begins at `at`.
  void start(std::string_view text, std::size_t at) noexcept {
    text_ = text;
    scanned_ = at;
    marks_ = {};
    beginRow(at);
  }
  /// The same text, of which there is more, or which has been moved: what was at `by` is at 0 now.
  void moved(std::string_view text, std::size_t by) noexcept {
    text_ = text;
    scanned_ -= by;
    row_ -= by;
    field_ -= by;
    closed_ -= by;
    marks_ = {};
  }
  /// False: there is no end of a row in the rest of the text.
  bool next();
  /// The row that the end of the text ends, if there is one.
  bool last();
  /// The row that was found.
  CsvRow row() const;
  /// Where the row begins that has not been found yet.
  std::size_t rowBegin() const noexcept { return row_; }
  const CsvOptions& options() const noexcept { return options_; }

 private:
  // Of the field: no quotes; between its quotes; behind the closing one.
  enum class Kind : unsigned char { Plain, Open, Closed };

  void beginRow(std::size_t at) noexcept {
    row_ = at;
    fields_.clear();
    messy_.clear();
    beginField(at);
  }
  void beginField(std::size_t at) noexcept {
    field_ = at;
    escapes_ = 0;
    kind_ = Kind::Plain;
  }
  bool load() noexcept;
  void visitQuote(std::size_t at);
  void endField(std::size_t at, bool row);
  bool endRow(std::size_t at);
  void checkSizes(std::size_t at) const {
    if (at - row_ > options_.maxRowSize || at - field_ > options_.maxFieldSize) [[unlikely]]
      checkExactly(at);
  }
  void checkExactly(std::size_t at) const;
  std::size_t fieldSize(std::size_t at) const noexcept;
  void useColumns(CsvRow names, std::string_view where);
  std::size_t unescape(char* text, std::size_t size) const noexcept;
  [[noreturn]] void fail(std::string_view what, std::string_view code) const;
  [[noreturn]] void failColumns() const;

  CsvOptions options_;
  std::string_view text_;
  CsvMarks marks_;           // those not visited of the last 64 bytes
  std::size_t block_ = 0;    // where these begin
  std::size_t scanned_ = 0;  // where they end
  std::size_t row_ = 0;
  std::size_t field_ = 0;
  std::size_t closed_ = 0;  // the closing quote
  std::size_t escapes_ = 0;
  std::size_t found_ = 0;  // where the row begins that `row` gives
  Kind kind_ = Kind::Plain;
  std::vector<CsvField> fields_;      // from the begin of the row on
  std::vector<std::uint32_t> messy_;  // those with quotes within
  std::size_t rows_ = 0;              // with the header
  std::size_t expected_ = 0;          // fields, when strict
  Ref<CsvColumns> columns_;
};

#if LEAT_BODIES
LEAT_INLINE CsvScanner::CsvScanner(CsvOptions&& options) : options_(std::move(options)) {
  const char s = options_.separator, q = options_.quote;
  if (s == q || s == '\n' || s == '\r' || q == '\n' || q == '\r')
    throw TypeError("the separator and the quote of CSV are two characters, and no line ends");
  constexpr std::size_t most = std::size_t{1} << 31;
  if (options_.maxRowSize > most) options_.maxRowSize = most;
  if (!options_.columns.empty()) useColumns(CsvRow(options_.columns), "");
}

/// Looks at the next bytes.
LEAT_INLINE bool CsvScanner::load() noexcept {
  block_ = scanned_;
  const std::size_t left = text_.size() - scanned_;
  if (left >= 64) [[likely]] {
    marks_ = csvMarks(text_.data() + block_, options_.separator, options_.quote);
    scanned_ += 64;
    return true;
  }
  if (left == 0) return false;
  char padded[64] = {};
  std::memcpy(padded, text_.data() + block_, left);
  marks_ = csvMarks(padded, options_.separator, options_.quote);
  const std::uint64_t within = (std::uint64_t{1} << left) - 1;
  marks_.all &= within;
  marks_.quotes &= within;
  scanned_ += left;
  return true;
}

LEAT_INLINE bool CsvScanner::next() {
  if (field_ < row_) beginRow(row_);  // a row has been found before
  for (;;) {
    const std::uint64_t marks = kind_ == Kind::Open ? marks_.quotes : marks_.all;
    if (marks == 0) {
      if (load()) continue;
      checkSizes(text_.size());
      return false;
    }
    const int bit = __builtin_ctzll(marks);
    const std::uint64_t behind = ~std::uint64_t{1} << bit;
    marks_.all &= behind;
    marks_.quotes &= behind;
    const std::size_t at = block_ + static_cast<std::size_t>(bit);
    checkSizes(at);
    const char mark = text_[at];
    if (mark == options_.separator) {
      // Within quotes only quotes are visited.
      endField(at, false);
      if (fields_.size() >= options_.maxFields) [[unlikely]]
        failColumns();
      beginField(at + 1);
    } else if (mark == '\n') {
      if (endRow(at)) return true;
    } else {
      visitQuote(at);
    }
  }
}

LEAT_INLINE void CsvScanner::visitQuote(std::size_t at) {
  if (kind_ == Kind::Open) {
    kind_ = Kind::Closed;
    closed_ = at;
  } else if (at == field_ && kind_ == Kind::Plain) {
    kind_ = Kind::Open;
  } else if (kind_ == Kind::Closed && at == closed_ + 1) {
    kind_ = Kind::Open;
    ++escapes_;
  } else if (options_.strict) {
    kind_ == Kind::Plain ? fail("a quote within a field without quotes", "INVALID_OPENING_QUOTE")
                         : fail("text behind the closing quote", "CSV_INVALID_CLOSING_QUOTE");
  }
}

/// The field ends before `at`; `row`: there is a line end.
LEAT_INLINE void CsvScanner::endField(std::size_t at, bool row) {
  std::size_t begin = field_, end = at;
  if (row && end > begin && text_[end - 1] == '\r' && kind_ != Kind::Open) --end;
  if (kind_ == Kind::Closed && end == closed_ + 1 && escapes_ == 0) {
    ++begin;
    --end;
  } else if (kind_ != Kind::Plain) {
    if (end != closed_ + 1 && options_.strict)
      fail("text behind the closing quote", "CSV_INVALID_CLOSING_QUOTE");
    messy_.push_back(static_cast<std::uint32_t>(fields_.size()));
  }
  fields_.push_back(
      {static_cast<std::uint32_t>(begin - row_), static_cast<std::uint32_t>(end - row_)});
}

/// False when it is none that is to be given.
LEAT_INLINE bool CsvScanner::endRow(std::size_t at) {
  if (options_.skipEmptyLines && fields_.empty() &&
      (at == row_ || (at == row_ + 1 && text_[row_] == '\r'))) {
    beginRow(at + 1);
    return false;
  }
  endField(at, true);
  if (fields_.size() > options_.maxFields) [[unlikely]]
    failColumns();
  found_ = row_;
  if (expected_ == 0) expected_ = fields_.size();
  if (fields_.size() != expected_ && options_.strict) [[unlikely]]
    throw Error(SharedText({"row ", Decimal(static_cast<long long>(rows_ + 1)), " has ",
                            Decimal(static_cast<long long>(fields_.size())), " fields instead of ",
                            Decimal(static_cast<long long>(expected_))})
                    .view(),
                "CSV_RECORD_INCONSISTENT_FIELDS_LENGTH");
  if (rows_++ == 0 && options_.header) {
    if (!columns_) useColumns(row(), "row 1, ");
    beginRow(at + 1);
    return false;
  }
  row_ = at + 1;
  return true;
}

LEAT_INLINE bool CsvScanner::last() {
  const std::size_t end = text_.size();
  if (row_ == end) return false;
  if (kind_ == Kind::Open && options_.strict)
    fail("the quoted field does not end", "CSV_QUOTE_NOT_CLOSED");
  return endRow(end);
}

/// Of the part before `at`, without quotes.
LEAT_INLINE std::size_t CsvScanner::fieldSize(std::size_t at) const noexcept {
  if (kind_ == Kind::Open) return at - field_ - 1 - escapes_;
  // The last "\r" may belong to the line end.
  const bool atEnd = at == text_.size() || text_[at] == '\n';
  const std::size_t end = at - (atEnd && at > field_ && text_[at - 1] == '\r' ? 1 : 0);
  if (kind_ == Kind::Plain) return end - field_;
  return (closed_ - field_ - 1 - escapes_) + (end - closed_ - 1);
}

LEAT_INLINE void CsvScanner::checkExactly(std::size_t at) const {
  const std::size_t field = fieldSize(at), row = at - row_;
  const bool rowTooLarge = row > options_.maxRowSize;
  const auto number = [](std::size_t n) { return Decimal(static_cast<long long>(n)); };
  // Where both are, what was so first.
  if (field > options_.maxFieldSize &&
      (!rowTooLarge || field - options_.maxFieldSize >= row - options_.maxRowSize))
    throw RangeError(SharedText({"row ", number(rows_ + 1), ", column ", number(fields_.size() + 1),
                                 ": the field has more than ", number(options_.maxFieldSize),
                                 " bytes (maxFieldSize)"})
                         .view());
  if (rowTooLarge)
    throw RangeError(SharedText({"row ", number(rows_ + 1), " has more than ",
                                 number(options_.maxRowSize), " bytes (maxRowSize)"})
                         .view());
}

LEAT_INLINE void CsvScanner::fail(std::string_view what, std::string_view code) const {
  throw Error(SharedText({"row ", Decimal(static_cast<long long>(rows_ + 1)), ", column ",
                          Decimal(static_cast<long long>(fields_.size() + 1)), ": ", what})
                  .view(),
              code);
}

LEAT_INLINE void CsvScanner::failColumns() const {
  throw RangeError(
      SharedText({"row ", Decimal(static_cast<long long>(rows_ + 1)), " has more than ",
                  Decimal(static_cast<long long>(options_.maxFields)), " fields (maxFields)"})
          .view());
}

LEAT_INLINE void CsvScanner::useColumns(CsvRow names, std::string_view where) {
  expected_ = names.size();
  columns_ = makeRef<CsvColumns>(std::move(names));
  const std::size_t again = columns_->repeated();
  if (!options_.strict || again == CsvColumns::none) return;
  throw Error(SharedText({where, "column ", Decimal(static_cast<long long>(again + 1)),
                          ": the name \"", columns_->names()[again], "\" is there twice"})
                  .view(),
              "CSV_DUPLICATE_COLUMN");
}

LEAT_INLINE CsvRow CsvScanner::row() const {
  const std::size_t size = fields_.back().end;
  CsvBlock* const block = CsvBlock::make(fields_.size(), size);
  block->columns = columns_;
  std::memcpy(static_cast<void*>(block->fields()), fields_.data(),
              fields_.size() * sizeof(CsvField));
  std::memcpy(block->text(), text_.data() + found_, size);
  for (const std::uint32_t i : messy_) {
    CsvField& field = block->fields()[i];
    field.end = field.begin + static_cast<std::uint32_t>(
                                  unescape(block->text() + field.begin, field.end - field.begin));
  }
  return CsvRow(block);
}

/// Of a field that begins with a quote, in place; its size then.
LEAT_INLINE std::size_t CsvScanner::unescape(char* text, std::size_t size) const noexcept {
  std::size_t in = 1, out = 0;
  bool open = true;
  while (in < size) {
    const void* const found = open ? std::memchr(text + in, options_.quote, size - in) : nullptr;
    const std::size_t end =
        found == nullptr ? size : static_cast<std::size_t>(static_cast<const char*>(found) - text);
    std::memmove(text + out, text + in, end - in);
    out += end - in;
    in = end + 1;
    if (in < size && text[in] == options_.quote) {
      text[out++] = options_.quote;
      ++in;
    } else {
      open = false;
    }
  }
  return out;
}
#endif

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
