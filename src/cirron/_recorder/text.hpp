// UTF-8 in and out: cutting at a character boundary, escaping for JSON.
#pragma once

#include <cstdint>
#include <string_view>

#include "buffer.hpp"

namespace cirron {

// The longest prefix of at most `limit` bytes that ends on a character boundary.
inline std::string_view cut_text(std::string_view text, size_t limit) {
    if (text.size() <= limit) return text;
    size_t end = limit;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return text.substr(0, end);
}

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 (a damaged journal) become U+FFFD.
void append_json_text(TextBuffer& out, std::string_view text);

}  // namespace cirron
