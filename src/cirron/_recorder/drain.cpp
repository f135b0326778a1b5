#include "drain.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>
#include <random>
#include <utility>

#include "text.hpp"

namespace cirron {

namespace {

constexpr uint64_t kChunkCells = 16 * 1024;
constexpr uint64_t kMarkIdBit = uint64_t{1} << 63;
constexpr int kRingNumberShift = 47;  // in a mark's id, above the position

// The producer has dropped all up to `position`: what is in flight already has no cells of its own any more.
void overtake(RingBlock* ring, uint64_t position) {
    ring->overtaken += std::exchange(ring->in_flight, {});
    ring->sealed = position;
    ring->sealing_to = position;
}

std::string batch_name(uint64_t created_ns, const std::string& batch_id) {
    char created[24];
    std::snprintf(created, sizeof created, "%020llu", static_cast<unsigned long long>(created_ns));
    return std::string(created) + "-" + batch_id + ".json";
}

// Also true when its process died after it had chosen the place of the span's record, and before it committed it.
bool is_open(const Frame& frame, const std::vector<RingBlock*>& rings) {
    uint64_t closed_at = frame.closed_at.load(std::memory_order_acquire);
    if (!ClosedAt::is_place(closed_at)) return closed_at == kFrameOpen;
    ClosedAt place = ClosedAt::unpack(closed_at);
    auto is_its = [&](const RingBlock* ring) { return ring->number() == place.ring; };
    auto ring = std::find_if(rings.begin(), rings.end(), is_its);
    return ring != rings.end() && place.position >= (*ring)->head.load(std::memory_order_acquire);
}

void append_member(std::string& out, const char* key, uint64_t number) {
    if (out.back() != '{') out += ',';
    out += "\"" + std::string(key) + "\":" + std::to_string(std::min<uint64_t>(number, INT64_MAX));
}

std::string text_attr(const char* key, std::string_view value) {
    TextBuffer json;
    append_json_text(json, value);
    return "\"" + std::string(key) + "\":" + std::string(json.text());
}

}  // namespace

uint64_t random_bits() {
    static std::random_device device;
    return (uint64_t{device()} << 32) | device();
}

Drain::Drain(Journal& journal, const NameTexts& names, TickClock& clock, DeferredValues& deferred, DrainOptions options)
    : journal_(journal),
      names_(names),
      clock_(clock),
      deferred_(deferred),
      options_(std::move(options)),
      encoder_(origin(), names, clock),
      sealer_(journal, options_.spool_dir, options_.fsync) {}

Origin Drain::origin() const {
    const SessionFacts& session = journal_.header().session;
    return {session.id_prefix, session.pid, session.rank};
}

uint64_t Drain::run() {
    sealed_now_ = 0;
    collect();
    if (!encoder_.empty()) seal(false);
    return sealed_now_;
}

void Drain::collect() {
    if (!encoder_.empty()) seal(false);  // what an earlier run could not write
    struct Target {
        RingBlock* ring;
        uint64_t head;
    };
    std::vector<Target> targets;
    for (RingBlock* ring : journal_.ring_blocks())
        targets.push_back({ring, ring->head.load(std::memory_order_acquire)});
    if (!options_.recovered) clock_.sync();
    collect_snapshots();
    for (const Target& target : targets) collect_ring(target.ring, target.head);
}

void Drain::collect_snapshots() {
    while (std::optional<std::string> record = snapshots_.take()) {
        encoder_.add_snapshot(*record);
        if (encoder_.bytes() > options_.batch_max_bytes) seal(false);
    }
}

void Drain::run_to_end() {
    collect();
    for_each_open([&](SpanFields span) {
        span.extra_attrs = "\"cirron.interrupted\":true";
        encoder_.add_span(span);
    });
    encoder_.add_session_span(ended_session_fields());
    seal(true);
}

SpanFields Drain::ended_session_fields() const {
    const Ending& ending = journal_.header().ending;
    uint32_t bytes = std::min<uint32_t>(ending.bytes.load(std::memory_order_acquire), sizeof ending.text);
    SpanFields session = session_fields();
    session.extra_attrs = text_attr("cirron.ended", bytes == 0 ? "killed" : std::string_view(ending.text, bytes));
    if (uint64_t ticks = ending.ticks.load(std::memory_order_acquire)) {
        session.end_ticks = ticks;
    } else {
        session.extra_attrs += ",\"cirron.interrupted\":true";
    }
    return session;
}

void Drain::give_up_unrecoverable() {
    std::vector<RingBlock*> rings = journal_.ring_blocks();
    for (RingBlock* ring : rings) {
        if (!journal_.is_recoverable(ring)) give_up(ring);
    }
    auto count = [&](const SpanFields&) { journal_.header().dropped.add(RecordKind::kSpan); };
    for (FramesBlock* block : journal_.frames_blocks()) {
        if (!journal_.is_recoverable(block)) for_each_open_in(block, rings, count);
    }
}

void Drain::give_up(RingBlock* ring) {
    RecordCounts lost = std::exchange(ring->in_flight, {});
    lost += std::exchange(ring->overtaken, {});
    spans_.fetch_sub(lost.spans, std::memory_order_relaxed);  // encoded, and in no batch after all
    marks_.fetch_sub(lost.marks, std::memory_order_relaxed);
    memory_.fetch_sub(lost.memory, std::memory_order_relaxed);
    uint64_t head = ring->head.load(std::memory_order_acquire);
    uint64_t from = ring->read.exchange(head);
    while (from < head) {
        RecordHeader record;
        std::memcpy(&record, ring->at(from), sizeof record);
        lost.add(record.kind);
        from += record.cells;
    }
    ring->dropped.add(lost);
}

std::string Drain::open_spans() const {
    BatchEncoder encoder(origin(), names_, clock_);
    for_each_open([&](const SpanFields& span) { encoder.add_span(span); });
    encoder.add_session_span(session_fields());
    return "[" + std::string(encoder.spans()) + "]";
}

template <typename Add>
void Drain::for_each_open(Add add) const {
    std::vector<RingBlock*> rings = journal_.ring_blocks();
    for (FramesBlock* block : journal_.frames_blocks()) for_each_open_in(block, rings, add);
}

template <typename Add>
void Drain::for_each_open_in(FramesBlock* block, const std::vector<RingBlock*>& rings, Add add) {
    for (uint32_t i = 0; i < block->count; ++i) {
        if (is_open(*block->at(i), rings)) add(open_fields(*block->at(i), block->stride));
    }
}

SpanFields Drain::session_fields() const {
    const SessionFacts& facts = journal_.header().session;
    SpanFields session;
    session.id = kSessionId;
    session.start_ticks = facts.start_ticks;
    session.thread_id = facts.thread_id;
    return session;
}

SpanFields Drain::open_fields(const Frame& frame, uint32_t stride) {
    SpanFields span;
    span.id = frame.id;
    span.parent = frame.parent;
    span.name = frame.name;
    if ((frame.flags & kHasIndex) != 0) span.index = frame.index;
    span.start_ticks = frame.start_ticks;
    span.thread_id = frame.thread_id;
    span.attrs = {frame.attrs, std::min<uint32_t>(frame.attr_bytes, stride - sizeof frame)};
    return span;
}

void Drain::collect_ring(RingBlock* ring, uint64_t until) {
    uint64_t from = ring->read.load(std::memory_order_acquire);
    while (from < until) {
        Chunk chunk = next_chunk(ring, from, until);
        if (chunk.end == from) {
            uint64_t now = ring->read.load(std::memory_order_acquire);
            if (now == from) return;  // a mark that waits for its value
            from = now;               // the producer took what we were looking at
            continue;
        }
        if (from != ring->sealing_to) overtake(ring, from);
        chunk_.resize((chunk.end - from) * kCellBytes);
        std::memcpy(chunk_.data(), ring->at(from), chunk_.size());  // a chunk never crosses the end of the ring
        ring->in_flight += chunk.records;
        // Moving `read` proves that the copy is whole: the producer moves it before it overwrites anything.
        if (!ring->read.compare_exchange_strong(from, chunk.end)) {
            ring->in_flight -= chunk.records;
            continue;
        }
        encode_chunk(ring, from, chunk.end - from);
        ring->sealing_to = chunk.end;
        from = chunk.end;
        if (encoder_.bytes() > options_.batch_max_bytes) seal(false);
    }
}

// A run of whole records from `from`, at most kChunkCells long. Reads cells that the producer may be overwriting; what
// it returns is then nonsense within the ring's bounds, and the caller finds out.
Drain::Chunk Drain::next_chunk(RingBlock* ring, uint64_t from, uint64_t until) {
    uint64_t lap_end = std::min(until, (from / ring->capacity + 1) * ring->capacity);
    Chunk chunk{from, {}};
    while (chunk.end < std::min(lap_end, from + kChunkCells)) {
        RecordHeader record;
        std::memcpy(&record, ring->at(chunk.end), sizeof record);
        if (record.cells < min_cells(record.kind) || record.cells > lap_end - chunk.end) {
            if (options_.recovered)
                report_damage("the record at cell " + std::to_string(chunk.end) + " of ring " +
                              std::to_string(ring->number()) + " has no valid length");
            break;
        }
        if (is_waiting(ring, chunk.end)) break;
        chunk.records.add(record.kind);
        chunk.end += record.cells;
    }
    return chunk;
}

bool Drain::is_waiting(RingBlock* ring, uint64_t position) const {
    if (options_.recovered) return false;
    std::optional<uint64_t> key = deferred_key(ring->at(position));
    return key && deferred_.is_waiting(*key);
}

void Drain::encode_chunk(RingBlock* ring, uint64_t from, uint64_t cells) {
    for (uint64_t i = 0; i < cells;) {
        const char* at = chunk_.data() + i * kCellBytes;
        RecordHeader record;
        std::memcpy(&record, at, sizeof record);
        BatchEncoder::Position before = encoder_.position();
        try {
            if (record.kind == RecordKind::kSpan) encode_span(at);
            if (record.kind == RecordKind::kMark) encode_mark(ring, from + i, at);
            if (record.kind == RecordKind::kMemory) encode_memory(ring, at);
        } catch (const std::bad_alloc&) {
            encoder_.go_back_to(before);  // half a record would spoil its batch
            if (!encoder_.empty()) {
                // What is collected leaves, and its memory serves for the rest.
                ring->sealing_to = from + i;
                seal(false);
                continue;
            }
            ring->dropped.add(record.kind);
        }
        i += record.cells;
    }
}

void Drain::encode_span(const char* at) {
    SpanRecord record;
    std::memcpy(&record, at, sizeof record);
    uint32_t room = record.header.cells * kCellBytes - sizeof record;
    SpanFields span;
    span.id = record.id;
    span.parent = record.parent;
    span.name = record.header.name;
    if ((record.header.flags & kHasIndex) != 0) span.index = record.index;
    span.start_ticks = record.start_ticks;
    span.end_ticks = record.end_ticks;
    if ((record.header.flags & kHasCpu) != 0) span.cpu_ns = record.cpu_ns;
    if ((record.header.flags & kHasMemory) != 0) span.memory_peak_bytes = uint64_t{record.memory_peak_bytes};
    span.thread_id = record.thread_id;
    span.overhead_ns = record.overhead_ns;
    const char* attrs = at + sizeof record;
    if ((record.header.flags & kHasGpu) != 0 && room >= sizeof(GpuTimeKey)) {
        span.gpu_ns = gpu_ns(attrs);
        attrs += sizeof(GpuTimeKey);
        room -= sizeof(GpuTimeKey);
    }
    span.attrs = {attrs, std::min<uint32_t>(record.attr_bytes, room)};
    encoder_.add_span(span);
    spans_.fetch_add(1, std::memory_order_relaxed);
}

// Nothing where the device has not told, or only after its process was dead.
std::optional<uint64_t> Drain::gpu_ns(const char* key) {
    GpuTimeKey number;
    std::memcpy(&number, key, sizeof number);
    std::optional<Scalar> resolved = deferred_.take_resolved(number);
    if (!resolved || resolved->type != ValueType::kInt) return std::nullopt;
    return resolved->bits;
}

void Drain::encode_mark(const RingBlock* ring, uint64_t position, const char* at) {
    MarkRecord record;
    std::memcpy(&record, at, sizeof record);
    uint32_t room = record.header.cells * kCellBytes - sizeof record;
    Scalar value;
    value.type = record.type;
    value.bits = record.value;
    bool unresolved = false;
    uint32_t text_bytes = 0;
    if (record.type == ValueType::kText) {
        text_bytes = static_cast<uint32_t>(std::min<uint64_t>(record.value, room));
        value.text = {at + sizeof record, text_bytes};
    } else if (record.type == ValueType::kDeferred) {
        std::optional<Scalar> resolved = deferred_.take_resolved(record.value);
        unresolved = !resolved;
        value = resolved ? std::move(*resolved) : Scalar{};
    }
    uint32_t attrs_at = std::min(padded(text_bytes), room);
    AttrBytes attrs{at + sizeof record + attrs_at, std::min(record.attr_bytes, room - attrs_at)};
    uint64_t id = kMarkIdBit | ring->number() << kRingNumberShift | position;
    encoder_.add_mark(id, record, value, attrs, unresolved);
    marks_.fetch_add(1, std::memory_order_relaxed);
}

void Drain::encode_memory(RingBlock* ring, const char* at) {
    MemoryRecord record;
    std::memcpy(&record, at, sizeof record);
    uint32_t room = record.header.cells * kCellBytes - sizeof record;
    std::string_view json(at + sizeof record, std::min(record.text_bytes, room));
    if (static_cast<uint32_t>(checksum(json)) != record.text_checksum) {
        report_damage("a telemetry event in ring " + std::to_string(ring->number()) + " is not as it was written");
        return ring->dropped.add(RecordKind::kMemory);
    }
    encoder_.add_memory(json);
    memory_.fetch_add(1, std::memory_order_relaxed);
}

void Drain::report_damage(std::string what) {
    if (damage_.empty()) damage_ = std::move(what);
}

// ---- sealing ------------------------------------------------------------------------------------------------------

void Drain::seal(bool closes_session) {
    std::string batch_id = hex_id(random_bits(), random_bits());
    uint64_t created_ns = std::max(sealing_time_ns(), last_created_ns_ + 1);
    std::string preamble = batch_preamble(created_ns, batch_id);
    auto parts = {std::string_view(preamble),
                  encoder_.spans(),
                  std::string_view("],\n\"marks\":["),
                  encoder_.marks(),
                  std::string_view("],\n\"snapshots\":["),
                  encoder_.snapshots(),
                  std::string_view(encoder_.memory().empty() ? "" : "],\n\"memory\":["),
                  encoder_.memory(),
                  std::string_view("]}\n")};
    uint64_t bytes = 0;
    try {
        bytes = sealer_.seal(batch_name(created_ns, batch_id), parts, closes_session);
    } catch (const SystemError&) {
        failures_.fetch_add(1, std::memory_order_relaxed);
        throw;
    }
    if (options_.keep_batches) kept_.add(parts);
    encoder_.clear();
    last_created_ns_ = created_ns;
    ++sealed_now_;
    batches_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

// By the clock of the records, so that a batch's name is never older than what it holds, even if the wall clock was set
// back meanwhile. A dead session's clock may have stopped with its machine, or be damaged.
uint64_t Drain::sealing_time_ns() const {
    return options_.recovered ? wall_now_ns() : clock_.session_ns(read_clock_ns(kMonotonic));
}

std::string Drain::batch_preamble(uint64_t created_ns, const std::string& batch_id) const {
    const JournalHeader& header = journal_.header();
    const SessionFacts& session = header.session;
    std::string out = "{\"schema_version\":1,\"batch_id\":\"" + batch_id + "\"";
    append_member(out, "created_ns", created_ns);
    if (session.batch_fields_bytes > 0) out += ',';
    out.append(session.batch_fields, session.batch_fields_bytes);
    out += ",\"session_id\":\"" + session_id() + "\",\"clock\":{";
    append_member(out, "wall_ns", header.clock.wall_ns);
    append_member(out, "monotonic_ns", header.clock.monotonic_ns);
    out += "},\"counters\":{";
    append_counters(out);
    out += '}';
    if (options_.recovered) out += ",\"recovered\":true";
    out += ",\n\"spans\":[";
    return out;
}

void Drain::append_counters(std::string& out) const {
    const JournalHeader& header = journal_.header();
    RecordCounts dropped = header.dropped.load();
    for (RingBlock* ring : journal_.ring_blocks()) dropped += ring->dropped.load();
    append_member(out, "spans_dropped", dropped.spans);
    append_member(out, "marks_dropped", dropped.marks);
    append_member(out, "scopes_too_deep", header.scopes_too_deep.load(std::memory_order_relaxed));
    append_member(out, "marks_rejected", header.marks_rejected.load(std::memory_order_relaxed));
    append_member(out, "spool_batches_dropped", header.spool_batches_dropped.load(std::memory_order_relaxed));
    append_member(out, "spool_spans_dropped", header.spool_spans_dropped.load(std::memory_order_relaxed));
    append_member(out, "spool_marks_dropped", header.spool_marks_dropped.load(std::memory_order_relaxed));
    if (dropped.memory != 0) append_member(out, "memory_dropped", dropped.memory);
    uint64_t spool_memory = header.spool_memory_dropped.load(std::memory_order_relaxed);
    if (spool_memory != 0) append_member(out, "spool_memory_dropped", spool_memory);
}

DrainTotals Drain::totals() const {
    return {spans_.load(),   marks_.load(), memory_.load(),
            batches_.load(), bytes_.load(), failures_.load() + sealer_.unflushed()};
}

}  // namespace cirron
