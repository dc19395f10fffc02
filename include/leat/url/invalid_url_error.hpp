// SPDX-License-Identifier: MIT
// What is thrown for a text that is no URL.
#pragma once

#include <leat/core/inspected.hpp>
#include <leat/url/detail/host.hpp>

namespace leat::inline LEAT_ABI {

namespace detail::url {

/// Why an input is no URL; or a base, against which it was to be read.
struct Refusal {
  Fault fault = Fault::None;
  bool ofBase = false;
};

}  // namespace detail::url

/// A text that is no URL, or is relative and has no base. The message has it, cut when it is long, the base and the
/// reason.
///
/// Node: a TypeError with the code ERR_INVALID_URL, and `input` and `base`.
class LEAT_API InvalidURLError : public TypeError {
 public:
  InvalidURLError(std::string_view input, std::optional<std::string_view> base,
                  detail::url::Refusal why)
      : TypeError(worded(input, base, why).view(), "ERR_INVALID_URL"),
        texts_(detail::makeRef<Texts>(input, base)) {}
  /// Lifetime: of this error and of its copies.
  std::string_view input() const noexcept { return texts_->input; }
  std::optional<std::string_view> base() const noexcept { return texts_->base; }

 private:
  struct Texts : detail::SharedCounted<Texts> {
    Texts(std::string_view i, std::optional<std::string_view> b) : input(i), base(b) {}
    std::string input;
    std::optional<std::string> base;
  };
  static detail::SharedText worded(std::string_view input, std::optional<std::string_view> base,
                                   detail::url::Refusal why) {
    const detail::Inspected shown(input), shownBase(base.value_or(""));
    const std::string_view with = why.ofBase ? ", because of its base " : " with the base ";
    return {"Invalid URL ",
            shown,
            base ? with : "",
            base ? std::string_view(shownBase) : std::string_view(),
            ": ",
            textOf(why.fault)};
  }

  detail::Ref<Texts> texts_;
};

}  // namespace leat::inline LEAT_ABI
