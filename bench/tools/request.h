// SPDX-License-Identifier: MIT
#pragma once

// The request of the parser rows: 500 bytes and 12 fields, as a browser sends it.

static const char benchRequest[] =
    "GET /articles/2024/on-measuring-servers?page=2&sort=newest HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101\r\n"
    "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Referer: http://www.example.com/articles\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=0123456789abcdef0123456789ab; theme=dark\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Cache-Control: max-age=0\r\n"
    "DNT: 1\r\n"
    "\r\n";
enum { benchRequestSize = sizeof benchRequest - 1, benchRequestFields = 12 };
