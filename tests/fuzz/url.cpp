// SPDX-License-Identifier: MIT
// URLs: what is one is written so that it reads the same again, its parts put together are it, and what is set is read back.
#include <leat/url.hpp>

#include "fuzz.hpp"

namespace {

using leat::URL;

std::string partsOf(const URL& url) {
  std::string parts;
  for (const std::string_view part :
       {url.protocol(), url.username(), url.password(), url.host(), url.hostname(), url.port(),
        url.pathname(), url.search(), url.hash()})
    parts.append(part).append("\n");
  return parts;
}

}  // namespace

void fuzz::run(std::string_view input) {
  const std::size_t end = input.find('\n');
  const std::string_view first = input.substr(0, end);
  const std::string_view second = end == input.npos ? std::string_view() : input.substr(end + 1);
  std::optional<URL> url = URL::parse(first);
  if (!url) url = URL::parse(second, first);
  if (!url) return;
  const std::optional<URL> again = URL::parse(url->href());
  if (!again) fail("what is written is a URL", url->href(), "");
  same("what is written reads the same", again->href(), url->href());
  same("so do its parts", partsOf(*again), partsOf(*url));

  url->setPathname(second);
  url->setSearch(second);
  url->setHash(second);
  url->setUsername(second);
  url->setPort(second);
  const std::optional<URL> changed = URL::parse(url->href());
  if (!changed) fail("what was changed is a URL", url->href(), "");
  same("what was changed reads the same", changed->href(), url->href());

  const leat::URLSearchParams params(second);
  const leat::URLSearchParams read(params.toString());
  same("parameters read the same", read.toString(), params.toString());
}
