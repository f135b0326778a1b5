#include "encode.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "text.hpp"

namespace cirron {

namespace {

// High bits of the low half of an id keep the kinds apart: spans count up from 1.
constexpr uint64_t kOverheadMarkBit = uint64_t{1} << 62;

// Room for the fixed members of a span or a mark, numbers and ids included.
constexpr size_t kRecordBytes = 512;

// Readers take 64-bit signed integers; more is only found in a damaged journal.
uint64_t readable(uint64_t number) { return std::min<uint64_t>(number, INT64_MAX); }

std::optional<uint64_t> readable(std::optional<uint64_t> number) {
    return number ? std::optional(readable(*number)) : std::nullopt;
}

void put_real(TextBuffer& out, double number) {
    size_t start = out.size();
    out.put_number(number);
    // 2.0 must not come back as the integer 2.
    if (out.text().substr(start).find_first_of(".e") == std::string_view::npos) out.put(".0");
}

template <typename Number>
void put_or_null(TextBuffer& out, const std::optional<Number>& number) {
    if (number) {
        out.put_number(*number);
    } else {
        out.put("null");
    }
}

std::string_view nonfinite_name(double number) {
    if (std::isnan(number)) return "\"nan\"";
    return number > 0 ? "\"inf\"" : "\"-inf\"";
}

// JSON knows no NaN or infinity; an attribute has no second field for them, so they become text.
void append_value(TextBuffer& out, ValueType type, uint64_t bits, std::string_view text) {
    out.reserve(TextBuffer::kNumberBytes);
    auto real = std::bit_cast<double>(bits);
    switch (type) {
        case ValueType::kBool: out.put(bits != 0 ? "true" : "false"); return;
        case ValueType::kInt: out.put_number(static_cast<int64_t>(bits)); return;
        case ValueType::kText: append_json_text(out, text); return;
        case ValueType::kFloat:
            if (std::isfinite(real)) {
                put_real(out, real);
            } else {
                out.put(nonfinite_name(real));
            }
            return;
        default: out.put("null");
    }
}

}  // namespace

// Walks attributes; damaged bytes end the walk.
class AttrReader {
  public:
    AttrReader(AttrBytes bytes, const NameTexts& names) : bytes_(bytes), names_(names) {}

    // The text that stands for number 0, if one comes next.
    std::optional<std::string_view> key_text() {
        AttrHeader header;
        if (!peek(header) || header.is_key_text == 0) return std::nullopt;
        std::string_view text(payload(), header.bytes);
        skip(header);
        return text;
    }

    // Appends `"key":value`; false at the end.
    bool append_next(TextBuffer& out) {
        std::optional<std::string_view> text = key_text();
        AttrHeader header;
        if (!peek(header)) return false;
        if (text) {
            append_json_text(out, *text);
        } else {
            out.append(names_.json(header.key));
        }
        out.append(":");
        uint64_t bits = 0;
        if (header.type != ValueType::kText) std::memcpy(&bits, payload(), std::min<size_t>(header.bytes, sizeof bits));
        append_value(out, header.type, bits, {payload(), header.bytes});
        skip(header);
        return true;
    }

  private:
    bool peek(AttrHeader& header) const {
        if (at_ + sizeof header > bytes_.size) return false;
        std::memcpy(&header, bytes_.data + at_, sizeof header);
        return header.bytes <= bytes_.size - at_ - sizeof header;
    }
    const char* payload() const { return bytes_.data + at_ + sizeof(AttrHeader); }
    void skip(const AttrHeader& header) { at_ += sizeof header + padded(header.bytes); }

    AttrBytes bytes_;
    const NameTexts& names_;
    size_t at_ = 0;
};

namespace {

// `extra`: more members, as JSON.
void append_attrs(TextBuffer& out, AttrReader& reader, std::string_view extra) {
    out.append("{");
    while (reader.append_next(out)) out.append(",");
    out.append(extra);
    if (out.last() == ',') out.drop_last();
    out.append("}");
}

void append_mark_value(TextBuffer& out, const Scalar& value) {
    switch (value.type) {
        case ValueType::kBool: out.put("\"value_type\":\"bool\",\"value\":"); break;
        case ValueType::kInt: out.put("\"value_type\":\"int\",\"value\":"); break;
        case ValueType::kText: out.put("\"value_type\":\"string\",\"value\":"); break;
        default: out.put("\"value_type\":\"float\",\"value\":"); break;
    }
    auto real = std::bit_cast<double>(value.bits);
    if (value.type == ValueType::kFloat && !std::isfinite(real)) {
        out.put("null,\"value_nonfinite\":");
        out.put(nonfinite_name(real));
    } else {
        append_value(out, value.type, value.bits, value.text.empty() ? value.holder : value.text);
    }
}

void put_item(TextBuffer& out, std::string_view json) {
    out.reserve(json.size() + 2);
    if (out.size() != 0) out.put(",\n");
    out.put(json);
}

}  // namespace

std::string hex_id(uint64_t high, uint64_t low) {
    std::string hex(32, '0');
    write_hex16(&hex[0], high);
    write_hex16(&hex[16], low);
    return hex;
}

BatchEncoder::BatchEncoder(const Origin& origin, const NameTexts& names, const TickClock& clock)
    : names_(names), clock_(clock) {
    std::string id = "\"" + hex_id(origin.id_prefix, 0) + "\"";
    std::copy(id.begin(), id.end(), id_.begin());
    span_tail_ = ",\"pid\":" + std::to_string(origin.pid) + ",\"rank\":" + std::to_string(origin.rank) + ",\"attrs\":";
}

IdText BatchEncoder::id_text(uint64_t low) const {
    IdText id = id_;
    write_hex16(&id[17], low);
    return id;
}

// Most times begin as the one before does.
void BatchEncoder::put_time(TextBuffer& out, uint64_t ns) {
    constexpr uint64_t kTail = 100'000'000;
    uint64_t head = ns / kTail;
    if (head == 0) return out.put_number(ns);
    if (head != time_head_) {
        time_head_ = head;
        time_head_digits_ = Digits(head);
    }
    out.put(time_head_digits_);
    out.put_8_digits(static_cast<uint32_t>(ns % kTail));
}

void BatchEncoder::add_span(const SpanFields& span) {
    AttrReader attrs(span.attrs, names_);
    if (span.name != 0) return add_named_span(span, names_.json(span.name), attrs);
    TextBuffer name;
    append_json_text(name, attrs.key_text().value_or("?"));
    add_named_span(span, name.text(), attrs);
}

void BatchEncoder::add_session_span(const SpanFields& span) {
    AttrReader no_attrs(span.attrs, names_);
    add_named_span(span, "\"cirron.session\"", no_attrs);
}

void BatchEncoder::add_named_span(const SpanFields& span, std::string_view name, AttrReader& attrs) {
    TextBuffer& out = spans_;
    out.reserve(kRecordBytes + name.size() + span_tail_.size());
    out.put(span_count_ == 0 ? "{\"id\":" : ",\n{\"id\":");
    IdText id = id_text(span.id);
    out.put(id);
    out.put(",\"name\":");
    out.put(name);
    out.put(",\"parent_id\":");
    if (span.parent != 0) {
        out.put(id_text(span.parent));
    } else {
        out.put("null");
    }
    out.put(",\"index\":");
    put_or_null(out, span.index);
    uint64_t start_ns = readable(clock_.to_ns(span.start_ticks));
    out.put(",\"start_ns\":");
    put_time(out, start_ns);
    uint64_t end_ns = span.end_ticks ? std::max(start_ns, readable(clock_.to_ns(*span.end_ticks))) : start_ns;
    out.put(",\"end_ns\":");
    if (span.end_ticks) {
        put_time(out, end_ns);
    } else {
        out.put("null");
    }
    out.put(",\"cpu_ns\":");
    put_or_null(out, readable(span.cpu_ns));
    out.put(",\"gpu_ns\":");
    put_or_null(out, readable(span.gpu_ns));
    out.put(",\"memory_peak_bytes\":");
    put_or_null(out, readable(span.memory_peak_bytes));
    out.put(",\"thread_id\":");
    out.put(thread_digits(span.thread_id));
    out.put(span_tail_);
    append_attrs(out, attrs, span.extra_attrs);
    out.append(",\"mark_ids\":[");
    append_mark_ids(span.id);
    if (span.overhead_ns) add_overhead_mark(span, id, end_ns);
    out.append("]}");
    ++span_count_;
}

// Most records are of the same thread as the one before.
const Digits& BatchEncoder::thread_digits(uint64_t thread_id) {
    if (thread_id != thread_id_) {
        thread_id_ = thread_id;
        thread_digits_ = Digits(readable(thread_id));
    }
    return thread_digits_;
}

void BatchEncoder::append_mark_ids(uint64_t span) {
    auto found = last_mark_.find(span);
    if (found == last_mark_.end()) return;
    std::vector<uint64_t> newest_first;
    for (uint32_t link = found->second; link != 0; link = mark_links_[link - 1].before) {
        newest_first.push_back(mark_links_[link - 1].id);
    }
    last_mark_.erase(found);
    spans_.reserve((sizeof(IdText) + 1) * newest_first.size());
    for (size_t i = newest_first.size(); i-- > 0;) {
        spans_.put(id_text(newest_first[i]));
        if (i > 0) spans_.put(',');
    }
}

void BatchEncoder::add_mark(uint64_t id, const MarkRecord& record, const Scalar& value, AttrBytes attrs,
                            bool is_unresolved) {
    AttrReader reader(attrs, names_);
    if (record.header.name != 0) {
        begin_mark(id_text(id), id_text(record.span), names_.json(record.header.name));
    } else {
        TextBuffer name;
        append_json_text(name, reader.key_text().value_or("?"));
        begin_mark(id_text(id), id_text(record.span), name.text());
    }
    append_mark_value(marks_, value);
    marks_.append(",\"attrs\":");
    append_attrs(marks_, reader, is_unresolved ? "\"cirron.unresolved\":true" : "");
    end_mark(readable(clock_.to_ns(record.ticks)), (record.header.flags & kSummary) != 0);
    uint32_t& last = last_mark_[record.span];
    mark_links_.push_back({id, last});
    last = static_cast<uint32_t>(mark_links_.size());
}

// Straight behind the ids of the span's other marks.
void BatchEncoder::add_overhead_mark(const SpanFields& span, const IdText& span_id, uint64_t end_ns) {
    IdText id = id_text(kOverheadMarkBit | span.id);
    spans_.reserve(kRecordBytes);
    if (spans_.last() != '[') spans_.put(',');
    spans_.put(id);
    begin_mark(id, span_id, "\"cirron.overhead_ns\"");
    marks_.put("\"value_type\":\"int\",\"value\":");
    marks_.put_number(readable(*span.overhead_ns));
    marks_.put(",\"attrs\":{}");
    end_mark(end_ns, true);
}

void BatchEncoder::begin_mark(const IdText& id, const IdText& span, std::string_view name) {
    marks_.reserve(kRecordBytes + name.size());
    marks_.put(mark_count_ == 0 ? "{\"id\":" : ",\n{\"id\":");
    marks_.put(id);
    marks_.put(",\"span_id\":");
    marks_.put(span);
    marks_.put(",\"name\":");
    marks_.put(name);
    marks_.put(',');
    ++mark_count_;
}

void BatchEncoder::end_mark(uint64_t ts_ns, bool is_summary) {
    marks_.reserve(kRecordBytes);
    marks_.put(",\"ts_ns\":");
    put_time(marks_, ts_ns);
    marks_.put(is_summary ? ",\"kind\":\"summary\"}" : ",\"kind\":\"point\"}");
}

void BatchEncoder::add_snapshot(std::string_view json) { put_item(snapshots_, json); }

void BatchEncoder::add_memory(std::string_view json) { put_item(memory_, json); }

void BatchEncoder::go_back_to(const Position& position) {
    spans_.cut_to(position.spans_bytes);
    marks_.cut_to(position.marks_bytes);
    memory_.cut_to(position.memory_bytes);
    span_count_ = position.span_count;
    mark_count_ = position.mark_count;
}

void BatchEncoder::clear() {
    spans_.clear();
    marks_.clear();
    snapshots_.clear();
    memory_.clear();
    span_count_ = 0;
    mark_count_ = 0;
    mark_links_.clear();
    last_mark_.clear();
}

}  // namespace cirron
