-- SPDX-License-Identifier: MIT
-- For wrk: a body of 64 KiB in one chunk, to be sent back.
local size = 65536
local head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
local text = head .. string.format("%x\r\n", size) .. string.rep("x", size) .. "\r\n0\r\n\r\n"

function request()
  return text
end
