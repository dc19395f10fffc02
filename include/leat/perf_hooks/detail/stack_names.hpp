// SPDX-License-Identifier: MIT
// From addresses of code to names: which file was mapped there, and which function its symbol table has at that
// place. Reads the files of the program; for who is not in a hurry.
#pragma once

#include <leat/core/describe.hpp>
#include <leat/sys/fd.hpp>
#include <leat/sys/file_calls.hpp>

#include <elf.h>
#include <link.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leat::inline LEAT_ABI::perf_hooks {

/// A call on a stack.
struct StackFrame {
  std::uintptr_t address = 0;
  std::string module;         ///< the program or library; empty for none
  std::uintptr_t offset = 0;  ///< in the module: `addr2line -Cfie MODULE OFFSET` tells the line
  std::string function;  ///< as the module's symbols have it; empty when it was stripped of them
};

}  // namespace leat::inline LEAT_ABI::perf_hooks

namespace leat::inline LEAT_ABI::detail {

/// The functions of one file.
class ElfFunctions {
 public:
  /// None, when it cannot be read.
  explicit ElfFunctions(std::string path);
  const std::string& path() const noexcept { return path_; }
  /// Mangled; empty for none.
  std::string_view at(std::uintptr_t offset) const noexcept;

 private:
  template <class T>
  static bool readAt(int fd, std::uint64_t place, std::vector<T>& out, std::size_t count);

  std::string path_;
  std::vector<ElfW(Sym)> symbols_;
  std::vector<char> names_;
};

template <class T>
bool ElfFunctions::readAt(int fd, std::uint64_t place, std::vector<T>& out, std::size_t count) {
  // More than any table has: the file is none.
  constexpr std::size_t most = std::size_t{1} << 31;
  if (count > most / sizeof(T)) return false;
  out.resize(count);
  auto* to = reinterpret_cast<char*>(out.data());
  for (std::size_t left = count * sizeof(T); left > 0;) {
    const ssize_t n = sys::pread(fd, to, left, static_cast<off_t>(place));
    if (n <= 0) return false;
    to += n;
    left -= static_cast<std::size_t>(n);
    place += static_cast<std::uint64_t>(n);
  }
  return true;
}

/// "work(int)" of what g++ calls the body of a coroutine, "work(work(int)::_Z4worki.Frame*) [clone .actor]".
LEAT_INLINE std::string plainCoroutine(const std::string& name);
/// "leat::run" of "leat::v0_1::run".
LEAT_INLINE void dropAbiNamespace(std::string& name);
LEAT_INLINE std::string readableFunction(const std::string& mangled);

#if LEAT_BODIES
LEAT_INLINE ElfFunctions::ElfFunctions(std::string path) : path_(std::move(path)) {
  const sys::UniqueFd file(sys::open(path_.c_str(), O_RDONLY));
  std::vector<ElfW(Ehdr)> head;
  std::vector<ElfW(Shdr)> sections;
  if (file.get() < 0 || !readAt(file.get(), 0, head, 1)) return;
  if (std::string_view(reinterpret_cast<const char*>(head[0].e_ident), SELFMAG) != ELFMAG) return;
  if (!readAt(file.get(), head[0].e_shoff, sections, head[0].e_shnum)) return;
  // All symbols, or, of a file that was stripped, those that it exports.
  for (const ElfW(Word) kind : {ElfW(Word){SHT_SYMTAB}, ElfW(Word){SHT_DYNSYM}}) {
    for (const ElfW(Shdr) & table : sections) {
      if (table.sh_type != kind || table.sh_link >= sections.size()) continue;
      const ElfW(Shdr)& texts = sections[table.sh_link];
      if (readAt(file.get(), table.sh_offset, symbols_, table.sh_size / sizeof(ElfW(Sym))) &&
          readAt(file.get(), texts.sh_offset, names_, texts.sh_size) && !names_.empty() &&
          names_.back() == '\0')
        return;
      symbols_.clear();
    }
  }
}

LEAT_INLINE std::string_view ElfFunctions::at(std::uintptr_t offset) const noexcept {
  constexpr unsigned kindBits = 0xf;
  for (const ElfW(Sym) & symbol : symbols_) {
    const bool function = (symbol.st_info & kindBits) == STT_FUNC;
    if (function && symbol.st_value <= offset && offset - symbol.st_value < symbol.st_size &&
        symbol.st_name < names_.size())
      return names_.data() + symbol.st_name;
  }
  return {};
}

LEAT_INLINE std::string plainCoroutine(const std::string& name) {
  const std::size_t own = name.find("::_Z");
  if (own == name.npos || name.find(".Frame*)", own) == name.npos) return name;
  for (std::size_t open = name.find('('); open < own; open = name.find('(', open + 1))
    if (name.compare(open + 1, open, name, 0, open) == 0)
      return name.substr(open + 1, own - open - 1);
  return name;
}

LEAT_INLINE void dropAbiNamespace(std::string& name) {
  constexpr std::string_view root = "leat::v";
  for (std::size_t at = 0; (at = name.find(root, at)) != name.npos;) {
    const std::size_t tag = at + root.size() - 1;
    const std::size_t end = name.find("::", tag);
    const bool version = name.size() > tag + 1 && name[tag + 1] >= '0' && name[tag + 1] <= '9';
    if (version && end != name.npos) name.erase(tag, end + 2 - tag);
    at = tag;
  }
}

LEAT_INLINE std::string readableFunction(const std::string& mangled) {
  int status = 0;
  char* const name = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  std::string readable = status == 0 ? name : mangled;
  std::free(name);
  for (std::size_t tag; (tag = readable.find("[abi:")) != readable.npos;)
    readable.erase(tag, readable.find(']', tag) + 1 - tag);
  dropAbiNamespace(readable);
  // What compilers call the pieces of a coroutine.
  for (const std::string_view piece : {" [clone .resume]", " (.resume)", " [clone .actor]"})
    if (readable.ends_with(piece)) {
      if (piece.find("actor") != piece.npos) readable = plainCoroutine(readable);
      if (readable.ends_with(piece)) readable.resize(readable.size() - piece.size());
    }
  return readable;
}
#endif

class StackNames {
 public:
  std::vector<perf_hooks::StackFrame> of(const std::vector<std::uintptr_t>& addresses) {
    std::vector<perf_hooks::StackFrame> frames;
    for (const std::uintptr_t address : addresses) frames.push_back(frameAt(address));
    return frames;
  }

 private:
  perf_hooks::StackFrame frameAt(std::uintptr_t address) {
    perf_hooks::StackFrame frame;
    frame.address = frame.offset = address;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* found) {
          return locate(*info, *static_cast<perf_hooks::StackFrame*>(found));
        },
        &frame);
    const std::string mangled(functions(frame.module).at(frame.offset));
    if (!mangled.empty()) frame.function = readableFunction(mangled);
    return frame;
  }
  static int locate(const dl_phdr_info& info, perf_hooks::StackFrame& frame) {
    const std::uintptr_t offset = frame.address - info.dlpi_addr;
    for (unsigned i = 0; i < info.dlpi_phnum; ++i) {
      const ElfW(Phdr)& part = info.dlpi_phdr[i];
      if (part.p_type != PT_LOAD || offset - part.p_vaddr >= part.p_memsz) continue;
      const bool named = info.dlpi_name != nullptr && info.dlpi_name[0] != '\0';
      frame.module = named ? info.dlpi_name : program();
      frame.offset = offset;
      return 1;
    }
    return 0;
  }
  static std::string program() {
    char path[4096];
    const ssize_t size = sys::readlink("/proc/self/exe", path, sizeof path);
    return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : "/proc/self/exe";
  }
  const ElfFunctions& functions(const std::string& module) {
    for (const ElfFunctions& each : modules_)
      if (each.path() == module) return each;
    return modules_.emplace_back(module);
  }

  std::vector<ElfFunctions> modules_;
};

}  // namespace leat::inline LEAT_ABI::detail
