#include "encode.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "text.hpp"

namespace cirron {

namespace {

// High bits of the low half of an id keep the kinds apart: spans count up from 1.
constexpr uint64_t kOverheadMarkBit = uint64_t{1} << 62;

template <typename Number>
void append_chars(std::string& out, Number number) {
    char text[32];
    auto end = std::to_chars(text, text + sizeof text, number).ptr;
    out.append(text, static_cast<size_t>(end - text));
}

void append_real(std::string& out, double number) {
    size_t start = out.size();
    append_chars(out, number);
    // 2.0 must not come back as the integer 2.
    if (out.find_first_of(".e", start) == std::string::npos) out += ".0";
}

const char* nonfinite_name(double number) {
    if (std::isnan(number)) return "\"nan\"";
    return number > 0 ? "\"inf\"" : "\"-inf\"";
}

// JSON knows no NaN or infinity; an attribute has no second field for them, so they become text.
void append_attr_value(std::string& out, ValueType type, uint64_t bits, std::string_view text) {
    switch (type) {
        case ValueType::kBool: out += bits != 0 ? "true" : "false"; return;
        case ValueType::kInt: append_number(out, static_cast<int64_t>(bits)); return;
        case ValueType::kText: append_json_text(out, text); return;
        case ValueType::kFloat: {
            auto real = std::bit_cast<double>(bits);
            if (std::isfinite(real)) {
                append_real(out, real);
            } else {
                out += nonfinite_name(real);
            }
            return;
        }
        default: out += "null";
    }
}

// Walks attributes; damaged bytes end the walk.
class AttrReader {
  public:
    AttrReader(AttrBytes bytes, const NameTexts& names) : bytes_(bytes), names_(names) {}

    // The text that stands for number 0, if one comes next.
    std::optional<std::string> key_text() {
        AttrHeader header;
        if (!peek(header) || header.is_key_text == 0) return std::nullopt;
        std::string json;
        append_json_text(json, {bytes_.data + at_ + sizeof header, header.bytes});
        skip(header);
        return json;
    }

    // Appends `"key":value`; false at the end.
    bool append_next(std::string& out) {
        std::optional<std::string> text = key_text();
        AttrHeader header;
        if (!peek(header)) return false;
        out += text ? std::string_view(*text) : names_.json(header.key);
        out += ':';
        const char* payload = bytes_.data + at_ + sizeof header;
        uint64_t bits = 0;
        if (header.type != ValueType::kText) std::memcpy(&bits, payload, std::min<size_t>(header.bytes, sizeof bits));
        append_attr_value(out, header.type, bits, {payload, header.bytes});
        skip(header);
        return true;
    }

  private:
    bool peek(AttrHeader& header) const {
        if (at_ + sizeof header > bytes_.size) return false;
        std::memcpy(&header, bytes_.data + at_, sizeof header);
        return header.bytes <= bytes_.size - at_ - sizeof header;
    }
    void skip(const AttrHeader& header) { at_ += sizeof header + padded(header.bytes); }

    AttrBytes bytes_;
    const NameTexts& names_;
    size_t at_ = 0;
};

void append_attrs(std::string& out, AttrReader& reader, const std::string& extra) {
    out += '{';
    while (reader.append_next(out)) out += ',';
    out += extra;
    if (out.back() == ',') out.pop_back();
    out += '}';
}

void append_mark_value(std::string& out, const Scalar& value) {
    switch (value.type) {
        case ValueType::kBool: out += "\"value_type\":\"bool\",\"value\":"; break;
        case ValueType::kInt: out += "\"value_type\":\"int\",\"value\":"; break;
        case ValueType::kText: out += "\"value_type\":\"string\",\"value\":"; break;
        default: out += "\"value_type\":\"float\",\"value\":"; break;
    }
    auto real = std::bit_cast<double>(value.bits);
    if (value.type == ValueType::kFloat && !std::isfinite(real)) {
        out += "null,\"value_nonfinite\":";
        out += nonfinite_name(real);
    } else {
        append_attr_value(out, value.type, value.bits, value.text.empty() ? value.holder : value.text);
    }
}

void to_hex(char* out, uint64_t number) {
    static constexpr char kHex[] = "0123456789abcdef";
    for (int i = 15; i >= 0; --i, number >>= 4) out[i] = kHex[number & 15];
}

}  // namespace

std::string hex_id(uint64_t high, uint64_t low) {
    std::string hex(32, '0');
    to_hex(hex.data(), high);
    to_hex(hex.data() + 16, low);
    return hex;
}

// Readers take 64-bit signed integers; more is only found in a damaged journal.
void append_number(std::string& out, uint64_t number) { append_chars(out, std::min<uint64_t>(number, INT64_MAX)); }
void append_number(std::string& out, int64_t number) { append_chars(out, number); }

template <typename Number>
static void append_or_null(std::string& out, std::optional<Number> number) {
    if (number) {
        append_number(out, *number);
    } else {
        out += "null";
    }
}

BatchEncoder::BatchEncoder(const Origin& origin, const NameTexts& names, const TickClock& clock)
    : names_(names), clock_(clock) {
    to_hex(prefix_hex_, origin.id_prefix);
    span_tail_ = ",\"pid\":" + std::to_string(origin.pid) + ",\"rank\":" + std::to_string(origin.rank) + ",\"attrs\":";
}

void BatchEncoder::append_id(std::string& out, uint64_t low) const {
    char hex[16];
    to_hex(hex, low);
    out += '"';
    out.append(prefix_hex_, 16).append(hex, 16);
    out += '"';
}

void BatchEncoder::add_span(const SpanFields& span) {
    if (span.overhead_ns) add_overhead_mark(span);
    if (span.name != 0) {
        add_named_span(span, names_.json(span.name), false);
        return;
    }
    std::optional<std::string> name = AttrReader(span.attrs, names_).key_text();
    add_named_span(span, name ? std::string_view(*name) : "\"?\"", name.has_value());
}

void BatchEncoder::add_session_span(const SpanFields& span) { add_named_span(span, "\"cirron.session\"", false); }

void BatchEncoder::add_named_span(const SpanFields& span, std::string_view name, bool name_in_attrs) {
    std::string& out = spans_;
    out += span_count_ == 0 ? "{\"id\":" : ",\n{\"id\":";
    append_id(out, span.id);
    out += ",\"name\":";
    out += name;
    out += ",\"parent_id\":";
    if (span.parent != 0) {
        append_id(out, span.parent);
    } else {
        out += "null";
    }
    out += ",\"index\":";
    append_or_null(out, span.index);
    uint64_t start_ns = clock_.to_ns(span.start_ticks);
    out += ",\"start_ns\":";
    append_number(out, start_ns);
    out += ",\"end_ns\":";
    if (span.end_ticks) {
        append_number(out, std::max(start_ns, clock_.to_ns(*span.end_ticks)));
    } else {
        out += "null";
    }
    out += ",\"cpu_ns\":";
    append_or_null(out, span.cpu_ns);
    out += ",\"gpu_ns\":null,\"memory_peak_bytes\":null,\"thread_id\":";
    append_number(out, span.thread_id);
    out += span_tail_;
    AttrReader attrs(span.attrs, names_);
    if (name_in_attrs) attrs.key_text();
    append_attrs(out, attrs, span.extra_attrs);
    out += ",\"mark_ids\":[";
    append_mark_ids(span.id);
    out += "]}";
    ++span_count_;
}

void BatchEncoder::append_mark_ids(uint64_t span) {
    auto found = last_mark_.find(span);
    if (found == last_mark_.end()) return;
    std::vector<uint64_t> newest_first;
    for (uint32_t link = found->second; link != 0; link = mark_links_[link - 1].before) {
        newest_first.push_back(mark_links_[link - 1].id);
    }
    for (size_t i = newest_first.size(); i-- > 0;) {
        append_id(spans_, newest_first[i]);
        if (i > 0) spans_ += ',';
    }
    last_mark_.erase(found);
}

void BatchEncoder::remember_mark(uint64_t span, uint64_t id) {
    uint32_t& last = last_mark_[span];
    mark_links_.push_back({id, last});
    last = static_cast<uint32_t>(mark_links_.size());
}

void BatchEncoder::begin_mark(uint64_t id, uint64_t span, std::string_view name) {
    marks_ += mark_count_ == 0 ? "{\"id\":" : ",\n{\"id\":";
    append_id(marks_, id);
    marks_ += ",\"span_id\":";
    append_id(marks_, span);
    marks_ += ",\"name\":";
    marks_ += name;
    marks_ += ',';
    remember_mark(span, id);
    ++mark_count_;
}

void BatchEncoder::end_mark(uint64_t ticks, bool is_summary) {
    marks_ += ",\"ts_ns\":";
    append_number(marks_, clock_.to_ns(ticks));
    marks_ += is_summary ? ",\"kind\":\"summary\"}" : ",\"kind\":\"point\"}";
}

void BatchEncoder::add_mark(uint64_t id, const MarkRecord& record, const Scalar& value, AttrBytes attrs,
                            bool is_unresolved) {
    AttrReader reader(attrs, names_);
    std::optional<std::string> name;
    if (record.header.name == 0) name = reader.key_text();
    begin_mark(id, record.span, name ? std::string_view(*name) : names_.json(record.header.name));
    append_mark_value(marks_, value);
    marks_ += ",\"attrs\":";
    append_attrs(marks_, reader, is_unresolved ? "\"cirron.unresolved\":true" : "");
    end_mark(record.ticks, (record.header.flags & kSummary) != 0);
}

void BatchEncoder::add_overhead_mark(const SpanFields& span) {
    begin_mark(kOverheadMarkBit | span.id, span.id, "\"cirron.overhead_ns\"");
    marks_ += "\"value_type\":\"int\",\"value\":";
    append_number(marks_, *span.overhead_ns);
    marks_ += ",\"attrs\":{}";
    end_mark(*span.end_ticks, true);
}

void BatchEncoder::clear() {
    spans_.clear();
    marks_.clear();
    span_count_ = 0;
    mark_count_ = 0;
    mark_links_.clear();
    last_mark_.clear();
}

}  // namespace cirron
