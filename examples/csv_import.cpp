// SPDX-License-Identifier: MIT
// csv_import: a CSV file into a table of SQLite. Rows are gathered to batches, each of which is a transaction
// on a thread of the blocking pool; while one runs, the next rows are read, and when they are enough the file
// waits. So the memory is the same for any number of rows.
//     csv_import FILE.csv DATABASE     with the columns id, name and amount
// Without arguments it makes a file of a million rows in a temporary folder.
#include <leat.hpp>
#include <leat/transforms.hpp>

#include <sqlite3.h>

#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace leat;

struct Sale {
  long long id;
  std::string name;
  double amount;
};

/// A connection; it is used on one thread at a time.
class Database {
 public:
  explicit Database(const std::string& path) {
    check(::sqlite3_open(path.c_str(), &base_));
    // What is lost when the power fails is imported again.
    execute("PRAGMA journal_mode = OFF");
    execute("PRAGMA synchronous = OFF");
    execute("CREATE TABLE sales (id INTEGER PRIMARY KEY, name TEXT, amount REAL)");
    check(::sqlite3_prepare_v2(base_, "INSERT INTO sales VALUES (?, ?, ?)", -1, &insert_, nullptr));
  }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() {
    ::sqlite3_finalize(insert_);
    ::sqlite3_close(base_);
  }

  void execute(const char* statement) {
    check(::sqlite3_exec(base_, statement, nullptr, nullptr, nullptr));
  }
  /// All or nothing.
  void insert(const std::vector<Sale>& sales) {
    execute("BEGIN");
    for (const Sale& sale : sales) {
      ::sqlite3_bind_int64(insert_, 1, sale.id);
      ::sqlite3_bind_text(insert_, 2, sale.name.data(), static_cast<int>(sale.name.size()),
                          SQLITE_STATIC);
      ::sqlite3_bind_double(insert_, 3, sale.amount);
      const int done = ::sqlite3_step(insert_);
      ::sqlite3_reset(insert_);
      if (done != SQLITE_DONE) check(done);
    }
    execute("COMMIT");
  }
  double number(const char* query) {
    ::sqlite3_stmt* statement = nullptr;
    check(::sqlite3_prepare_v2(base_, query, -1, &statement, nullptr));
    const int done = ::sqlite3_step(statement);
    const double value = ::sqlite3_column_double(statement, 0);
    ::sqlite3_finalize(statement);
    if (done != SQLITE_ROW) check(done);
    return value;
  }

 private:
  void check(int code) const {
    if (code != SQLITE_OK) throw Error(::sqlite3_errmsg(base_), "ERR_SQLITE_ERROR");
  }
  ::sqlite3* base_ = nullptr;
  ::sqlite3_stmt* insert_ = nullptr;
};

// [import]
template <class Number>
Number parsed(std::string_view text) {
  Number value{};
  const auto end = text.data() + text.size();
  if (std::from_chars(text.data(), end, value).ptr != end || text.empty())
    throw Error("not a number: '" + std::string(text) + "'");
  return value;
}

/// Takes rows in batches: what has gathered while the one before was written.
struct Importer {
  Promise<> writev(std::vector<CsvRow> rows) {
    if (rows.size() > stats->largest) stats->largest = rows.size();
    ++stats->batches;
    std::vector<Sale> sales;
    sales.reserve(rows.size());
    for (const CsvRow& row : rows)
      sales.push_back(
          {parsed<long long>(row["id"]), std::string(row["name"]), parsed<double>(row["amount"])});
    rows.clear();
    const auto insert = [base = database](const std::vector<Sale>& batch) { base->insert(batch); };
    co_await blocking(insert, std::move(sales));
  }
  struct Stats {
    std::size_t largest = 0;
    std::size_t batches = 0;
  };
  std::shared_ptr<Database> database;
  std::shared_ptr<Stats> stats;
};

Task<Importer::Stats> import(std::string file, std::shared_ptr<Database> database) {
  const auto stats = std::make_shared<Importer::Stats>();
  const CsvReader rows({.header = true});
  const Writable<CsvRow> sink(Importer{database, stats}, {.highWaterMark = 5000});
  co_await pipeline(fs::createReadStream(file, {.highWaterMark = 256 * 1024}), rows, sink);
  co_return *stats;
}
// [/import]

/// Pieces of a file with so many rows.
struct Rows {
  std::optional<Buffer> read() {
    if (next > count) return std::nullopt;
    std::string text = next == 1 ? "id,name,amount\n" : "";
    for (int i = 0; i < 1000 && next <= count; ++i, ++next) {
      text += std::to_string(next);
      text += ",\"Customer, no. ";
      text += std::to_string(next % 977);
      text += "\",";
      text += std::to_string(next % 100);
      text += ".25\n";
    }
    return Buffer::adopt(std::move(text));
  }
  int count;
  int next = 1;
};

/// KiB of memory that the program has had at the most so far.
long peak() {
  long value = 0;
  std::FILE* const status = std::fopen("/proc/self/status", "r");
  char line[256];
  while (status != nullptr && std::fgets(line, sizeof line, status) != nullptr)
    if (std::sscanf(line, "VmHWM: %ld", &value) == 1) break;
  if (status != nullptr) std::fclose(status);
  return value;
}

Task<> demo() {
  const std::string folder = co_await fs::mkdtemp("/tmp/leat-csv-import-");
  const std::string file = folder + "/sales.csv";
  const Readable<Buffer> made(Rows{1'000'000});
  co_await pipeline(made, fs::createWriteStream(file));
  const auto stats = co_await fs::stat(file);
  std::printf("a file of %lld MiB\n", static_cast<long long>(stats.size >> 20));
  const long before = peak();
  const auto database = std::make_shared<Database>(folder + "/sales.db");
  const auto imported = co_await import(file, database);
  std::printf("%.0f rows, the amounts sum up to %.2f\n",
              database->number("SELECT count(*) FROM sales"),
              database->number("SELECT sum(amount) FROM sales"));
  std::printf("more than one batch: %s, none of more than 5001 rows: %s\n",
              imported.batches > 1 ? "yes" : "no", imported.largest <= 5001 ? "yes" : "no");
  // The address sanitizer keeps what is freed for a while.
  const bool small = LEAT_ASAN || LEAT_TSAN || peak() - before < 16 * 1024;
  std::printf("less than 16 MiB of memory for it: %s\n", small ? "yes" : "no");
  co_await fs::rm(folder, {.recursive = true});
}

int main(int argc, char** argv) {
  if (argc != 3) return run(demo);
  return run([argv]() -> Task<int> {
    const auto database = std::make_shared<Database>(argv[2]);
    auto imported = co_await asResult(import(argv[1], database));
    if (!imported) std::fprintf(stderr, "csv_import: %s\n", describe(imported.error()).c_str());
    co_return imported ? 0 : 1;
  });
}
