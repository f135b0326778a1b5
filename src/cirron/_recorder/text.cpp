#include "text.hpp"

namespace cirron {

namespace {

// Length of the well-formed UTF-8 sequence at `text[i]`, or 0.
size_t sequence_length(std::string_view text, size_t i) {
    auto byte = [&](size_t k) { return static_cast<unsigned char>(text[k]); };
    unsigned char lead = byte(i);
    size_t length = lead < 0x80 ? 1 : (lead >> 5) == 0x6 ? 2 : (lead >> 4) == 0xE ? 3 : (lead >> 3) == 0x1E ? 4 : 0;
    if (length == 0 || i + length > text.size()) return 0;
    for (size_t k = 1; k < length; ++k) {
        if ((byte(i + k) & 0xC0) != 0x80) return 0;
    }
    if (length == 1) return 1;
    unsigned char second = byte(i + 1);
    bool overlong = (length == 2 && lead < 0xC2) || (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
    bool outside = (lead == 0xED && second > 0x9F) || lead > 0xF4 || (lead == 0xF4 && second > 0x8F);
    return overlong || outside ? 0 : length;
}

void put_escape(TextBuffer& out, unsigned char c) {
    static constexpr char kHex[] = "0123456789abcdef";
    switch (c) {
        case '"': out.put("\\\""); return;
        case '\\': out.put("\\\\"); return;
        case '\n': out.put("\\n"); return;
        case '\r': out.put("\\r"); return;
        case '\t': out.put("\\t"); return;
        default:
            out.put("\\u00");
            out.put(kHex[c >> 4]);
            out.put(kHex[c & 15]);
    }
}

}  // namespace

void append_json_text(TextBuffer& out, std::string_view text) {
    out.reserve(6 * text.size() + 2);  // at worst every byte is an escape
    out.put('"');
    for (size_t i = 0; i < text.size();) {
        auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c < 0x7F && c != '"' && c != '\\') {
            out.put(text[i++]);
        } else if (c < 0x80) {
            put_escape(out, c);
            ++i;
        } else if (size_t length = sequence_length(text, i)) {
            out.put(text.substr(i, length));
            i += length;
        } else {
            out.put("\xEF\xBF\xBD");
            ++i;
        }
    }
    out.put('"');
}

}  // namespace cirron
