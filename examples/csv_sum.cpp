// SPDX-License-Identifier: MIT
// csv_sum: adds up a column of a CSV file for each value of another one. The file may be of any size: rows
// come one after the other, and only the sums are kept.
//     csv_sum FILE GROUP COLUMN
// Without arguments it makes a small file in a temporary folder.
#include <leat.hpp>
#include <leat/transforms.hpp>

#include <charconv>
#include <cstdio>
#include <map>
#include <string>

using namespace leat;

// [sums]
long number(std::string_view text) {
  long value = 0;
  const auto end = text.data() + text.size();
  if (std::from_chars(text.data(), end, value).ptr != end || text.empty())
    throw Error("not a number: '" + std::string(text) + "'");
  return value;
}

Task<> sumOf(std::string file, std::string group, std::string column) {
  std::map<std::string, long> sums;
  CsvReader rows({.header = true});
  const Writable<CsvRow> sink([&](const CsvRow& row) {
    sums[std::string(row[std::string_view(group)])] += number(row[std::string_view(column)]);
  });
  co_await pipeline(fs::createReadStream(file, {.highWaterMark = 256 * 1024}), rows, sink);
  for (const auto& [name, sum] : sums) std::printf("%-12s %8ld\n", name.c_str(), sum);
}
// [/sums]

Task<> demo() {
  const std::string folder = co_await fs::mkdtemp("/tmp/leat-csv-sum-");
  const std::string file = folder + "/sales.csv";
  std::string text = "city,amount,note\r\n";
  for (int i = 1; i <= 9000; ++i) {
    const char* const cities[] = {"Paris", "\"Rio, RJ\"", "Oslo"};
    text.append(cities[i % 3]).append(",").append(std::to_string(i));
    text.append(",\"said \"\"yes\"\"\nand went\"\r\n");
  }
  co_await fs::writeFile(file, text);
  co_await sumOf(file, "city", "amount");
  co_await fs::writeFile(file, "city,amount\nParis,1\nOslo,1,2\n");
  try {
    co_await sumOf(file, "city", "amount");
  } catch (const Error& error) {
    std::puts(error.what());
  }
  co_await fs::rm(folder, {.recursive = true});
}

int main(int argc, char** argv) {
  if (argc != 4) return run(demo);
  return run([argv] { return sumOf(argv[1], argv[2], argv[3]); });
}
