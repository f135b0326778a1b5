// Records to JSON. Collects spans and marks until a batch is sealed. Needs no GIL.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "attrs.hpp"
#include "buffer.hpp"
#include "clock.hpp"
#include "layout.hpp"
#include "names.hpp"

namespace cirron {

struct SpanFields {
    uint64_t id = 0;
    uint64_t parent = 0;  // 0: none
    uint32_t name = 0;
    std::optional<int64_t> index;
    uint64_t start_ticks = 0;
    std::optional<uint64_t> end_ticks;  // nothing: still open
    std::optional<uint64_t> cpu_ns;
    std::optional<uint64_t> gpu_ns;
    std::optional<uint64_t> memory_peak_bytes;
    uint64_t thread_id = 0;
    std::optional<uint64_t> overhead_ns;  // becomes the mark cirron.overhead_ns
    AttrBytes attrs{nullptr, 0};
    std::string extra_attrs;  // more members, as JSON
};

// An id as it stands in a batch: 32 hex digits in quotes.
using IdText = std::array<char, 34>;

// What all records of one journal share.
struct Origin {
    uint64_t id_prefix;
    int64_t pid;
    int64_t rank;
};

class AttrReader;

class BatchEncoder {
  public:
    BatchEncoder(const Origin& origin, const NameTexts& names, const TickClock& clock);

    void add_span(const SpanFields& span);
    void add_session_span(const SpanFields& span);
    void add_mark(uint64_t id, const MarkRecord& record, const Scalar& value, AttrBytes attrs, bool is_unresolved);

    // Records that are JSON already.
    void add_snapshot(std::string_view json);
    void add_memory(std::string_view json);

    // Where the encoder stands between two records, to go back to when the next one could not be finished.
    struct Position {
        size_t spans_bytes, marks_bytes, memory_bytes;
        uint64_t span_count, mark_count;
    };
    Position position() const { return {spans_.size(), marks_.size(), memory_.size(), span_count_, mark_count_}; }
    void go_back_to(const Position& position);

    bool empty() const { return span_count_ + mark_count_ + snapshots_.size() + memory_.size() == 0; }
    size_t bytes() const { return spans_.size() + marks_.size() + snapshots_.size() + memory_.size(); }
    // The members of the arrays.
    std::string_view spans() const { return spans_.text(); }
    std::string_view marks() const { return marks_.text(); }
    std::string_view snapshots() const { return snapshots_.text(); }
    std::string_view memory() const { return memory_.text(); }
    void clear();

  private:
    IdText id_text(uint64_t low) const;
    void put_time(TextBuffer& out, uint64_t ns);
    void add_named_span(const SpanFields& span, std::string_view name, AttrReader& attrs);
    void append_mark_ids(uint64_t span);
    void add_overhead_mark(const SpanFields& span, const IdText& span_id, uint64_t end_ns);
    void begin_mark(const IdText& id, const IdText& span, std::string_view name);
    void end_mark(uint64_t ts_ns, bool is_summary);
    const Digits& thread_digits(uint64_t thread_id);

    struct MarkLink {
        uint64_t id;
        uint32_t before;  // the same span's mark before this, as index + 1
    };

    const NameTexts& names_;
    const TickClock& clock_;
    IdText id_;              // of any record, but for the low half
    std::string span_tail_;  // pid and rank, the same in all spans
    uint64_t thread_id_ = 0;
    Digits thread_digits_{0};
    uint64_t time_head_ = 0;  // a time without its last eight digits
    Digits time_head_digits_{0};
    TextBuffer spans_;
    TextBuffer marks_;
    TextBuffer snapshots_;
    TextBuffer memory_;
    uint64_t span_count_ = 0;
    uint64_t mark_count_ = 0;
    std::vector<MarkLink> mark_links_;
    std::unordered_map<uint64_t, uint32_t> last_mark_;  // span -> index + 1 into mark_links_
};

// The 32 hex digits of an id.
std::string hex_id(uint64_t high, uint64_t low);

}  // namespace cirron
