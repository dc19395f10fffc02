// SPDX-License-Identifier: MIT
// The side of leat: does the same as parity.js, with the same output.
#include <leat/buffer.hpp>
#include <leat/http/headers.hpp>
#include <leat/url.hpp>

#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

using leat::URL;
using leat::URLSearchParams;
using leat::http::Headers;
using Words = std::vector<std::string>;

namespace {

std::string text(const std::string& word) {
  return std::string(leat::Buffer::from(word == "-" ? "" : word, "hex").view());
}
std::string hex(std::string_view bytes) {
  return bytes.empty() ? "-" : leat::Buffer::from(bytes).toString("hex");
}
Words split(const std::string& line, char at) {
  Words words;
  for (std::size_t from = 0; from <= line.size();) {
    const std::size_t end = std::min(line.find(at, from), line.size());
    words.push_back(line.substr(from, end - from));
    from = end + 1;
  }
  return words;
}
std::string joined(const Words& words, const char* between) {
  std::string all;
  for (std::size_t i = 0; i < words.size(); ++i) all += (i == 0 ? "" : between) + words[i];
  return all;
}
template <class Range>
std::string hexAll(const Range& texts) {
  Words all;
  for (const auto& each : texts) all.push_back(hex(each));
  return joined(all, ",");
}
template <class Range>
std::string entries(const Range& range) {
  Words all;
  for (const auto& [name, value] : range) all.push_back(hex(name) + "=" + hex(value));
  return all.empty() ? "-" : joined(all, "&");
}

std::string whole(URL& url) {
  Words words;
  for (const std::string_view part :
       {url.href(), url.protocol(), url.username(), url.password(), url.host(), url.hostname(),
        url.port(), url.pathname(), url.search(), url.hash()})
    words.push_back(hex(part));
  words.push_back(hex(url.origin()));
  words.push_back(entries(url.searchParams()));
  return joined(words, " ");
}

std::string change(URLSearchParams& params, const Words& step) {
  const std::string& what = step[0];
  const std::string name = step.size() > 1 ? text(step[1]) : "";
  const bool hasValue = step.size() > 2 && step[2] != "u";
  const std::string value = hasValue ? text(step[2]) : "";
  if (what == "append") return params.append(name, value), "";
  if (what == "set") return params.set(name, value), "";
  if (what == "delete") return hasValue ? params.delete_(name, value) : params.delete_(name), "";
  if (what == "has")
    return (hasValue ? params.has(name, value) : params.has(name)) ? "true" : "false";
  if (what == "get") return params.get(name) ? hex(*params.get(name)) : "null";
  if (what == "getAll") return hexAll(params.getAll(name));
  if (what == "sort") return params.sort(), "";
  if (what == "size") return std::to_string(params.size());
  if (what == "keys") return hexAll(params.keys());
  if (what == "values") return hexAll(params.values());
  if (what == "walk") {
    const std::string wanted = leat::Buffer::from(name).toString();
    Words seen;
    for (const auto& entry : params) {
      const std::string key = entry.first;
      seen.push_back(hex(key));
      if (key == wanted) params.delete_(key);
    }
    return joined(seen, ",");
  }
  throw std::invalid_argument(what);
}

std::string changeHeaders(Headers& headers, const Words& step) {
  const std::string& what = step[0];
  const std::string name = step.size() > 1 ? text(step[1]) : "";
  const std::string value = step.size() > 2 ? text(step[2]) : "";
  if (what == "append") return headers.append(name, value), "";
  if (what == "set") return headers.set(name, value), "";
  if (what == "delete") return headers.delete_(name), "";
  if (what == "has") return headers.has(name) ? "true" : "false";
  if (what == "get") return headers.get(name) ? hex(*headers.get(name)) : "null";
  if (what == "getSetCookie") return hexAll(headers.getSetCookie());
  throw std::invalid_argument(what);
}

using Setter = URL& (URL::*)(std::string_view);
const std::map<std::string, Setter> setters = {
    {"href", &URL::setHref},         {"protocol", &URL::setProtocol},
    {"username", &URL::setUsername}, {"password", &URL::setPassword},
    {"host", &URL::setHost},         {"hostname", &URL::setHostname},
    {"port", &URL::setPort},         {"pathname", &URL::setPathname},
    {"search", &URL::setSearch},     {"hash", &URL::setHash}};

// A U+FFFD for what is no UTF-8, as in the texts of JavaScript.
std::string shown(std::string_view text) { return hex(leat::Buffer::from(text).toString()); }

bool international(const leat::Error& error) {
  return error.message().find("taken in ASCII only") != std::string_view::npos;
}

std::string url(const Words& words) {
  const std::string input = text(words[0]);
  const bool hasBase = words[1] != "u";
  const std::string base = hasBase ? text(words[1]) : "";
  const std::string can =
      (hasBase ? URL::canParse(input, base) : URL::canParse(input)) ? "true" : "false";
  try {
    URL made = hasBase ? URL(input, base) : URL(input);
    Words told{can + " " + whole(made)};
    if (URL(made.href()) != made) told.push_back("another URL when it is read again");
    for (std::size_t i = 2; i < words.size(); ++i) {
      Words step = split(words[i], ':');
      const std::string what = step[0];
      step.erase(step.begin());
      try {
        if (what == "params") {
          const std::string came = change(made.searchParams(), step);
          told.push_back(came + " " + whole(made));
        } else {
          (made.*setters.at(what))(text(step[0]));
          told.push_back(whole(made));
        }
      } catch (const leat::InvalidURLError& error) {
        told.push_back((international(error) ? "INTERNATIONAL " : "FAILED ") +
                       std::string(error.code()) + " " + whole(made));
      }
    }
    return joined(told, "|");
  } catch (const leat::InvalidURLError& error) {
    return (international(error) ? "INTERNATIONAL " : "FAILED ") + std::string(error.name()) + " " +
           std::string(error.code()) + " " + can + " " + shown(error.input()) + " " +
           (error.base() ? shown(*error.base()) : "u");
  }
}

std::string params(const Words& words) {
  URLSearchParams made(text(words[0]));
  Words told{entries(made)};
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string came = change(made, split(words[i], ':'));
    told.push_back(came + " " + entries(made) + " " + made.toString());
  }
  return joined(told, "|");
}

std::string headers(const Words& words) {
  Headers made;
  Words told;
  for (const std::string& word : words) {
    std::string came;
    try {
      came = changeHeaders(made, split(word, ':'));
    } catch (const leat::TypeError& error) {
      came = error.code();
    }
    told.push_back(came + " " + entries(made));
  }
  return joined(told, "|");
}

}  // namespace

/// FILE: lines of `url INPUT BASE STEP...`, `params INPUT STEP...` or `headers STEP...`, texts in hex, 'u' for
/// undefined, steps as NAME:TEXT:TEXT.
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::map<std::string, std::function<std::string(const Words&)>> operations = {
      {"url", url}, {"params", params}, {"headers", headers}};
  std::ifstream file(argv[1]);
  for (std::string line; std::getline(file, line);) {
    Words words = split(line, ' ');
    const auto& operation = operations.at(words[0]);
    words.erase(words.begin());
    std::printf("%s\n", operation(words).c_str());
  }
}
