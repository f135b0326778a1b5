// What the journal file looks like: the structures that the hot path writes and a recovery reads.
// Described in docs/spool-format.md, section "The journal"; bump kJournalVersion with any change.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "clock.hpp"

namespace cirron {

constexpr uint64_t kJournalMagic = 0x314e524a52524943;  // "CIRRJRN1"
constexpr uint32_t kJournalVersion = 7;
constexpr uint64_t kBlockAlign = 64 * 1024;  // a multiple of every page size in use
constexpr uint32_t kCellBytes = 16;          // a ring is counted in cells; positions only grow
constexpr uint32_t kMaxText = 256;           // bytes of a name, a key or a string value
constexpr uint32_t kMaxAttrs = 64;
constexpr uint64_t kSessionId = 1;  // the low half of the session span's id

// FNV-1a, https://www.rfc-editor.org/rfc/rfc9923: enough to tell a damaged page from a whole one.
inline uint64_t checksum(std::string_view bytes) {
    uint64_t hash = 0xcbf29ce484222325;
    for (char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    return hash;
}

// ---- values -------------------------------------------------------------------------------------------------------

enum class ValueType : uint8_t { kNone, kBool, kInt, kFloat, kText, kDeferred };

// One attribute: this header, then `bytes` of text or the 8 bytes of a number, padded to 8.
// key 0: the name table was full, and the key's text comes in a kKeyText item just before.
struct AttrHeader {
    uint32_t key;
    ValueType type;
    uint8_t is_key_text;
    uint16_t bytes;
};
static_assert(sizeof(AttrHeader) == 8);

constexpr uint32_t padded(uint32_t bytes) { return (bytes + 7) & ~7u; }
constexpr uint32_t cells_for(uint32_t bytes) { return (bytes + kCellBytes - 1) / kCellBytes; }
constexpr uint32_t kMaxAttrBytes = (2 * kMaxAttrs + 4) * (sizeof(AttrHeader) + kMaxText);

// ---- records ------------------------------------------------------------------------------------------------------

enum class RecordKind : uint8_t { kNothing, kSpan, kMark, kPadding, kMemory };

constexpr uint8_t kHasIndex = 1;
constexpr uint8_t kHasCpu = 2;
constexpr uint8_t kSummary = 4;
constexpr uint8_t kHasMemory = 8;
constexpr uint8_t kHasGpu = 16;  // a GpuTimeKey comes between the record and its attributes

struct RecordHeader {
    RecordKind kind;
    uint8_t flags;
    uint16_t cells;
    uint32_t name;  // 0: as for an attribute's key
};

struct SpanRecord {
    RecordHeader header;
    uint64_t id;
    uint64_t parent;
    uint64_t start_ticks;
    uint64_t end_ticks;
    int64_t index;
    uint64_t cpu_ns;
    uint64_t thread_id;
    uint64_t overhead_ns;
    uint64_t attr_bytes : 16;
    uint64_t memory_peak_bytes : 48;
};
static_assert(sizeof(SpanRecord) == 80);
constexpr uint64_t kMaxMemoryBytes = (uint64_t{1} << 48) - 1;

// Under which the time on a device waits until the device has told it; see deferred.hpp.
using GpuTimeKey = uint64_t;

struct MarkRecord {
    RecordHeader header;
    uint64_t span;
    uint64_t ticks;
    uint64_t value;  // bits of the number; for text its length, and the text follows padded to 8
    uint32_t attr_bytes;
    ValueType type;
    uint8_t reserved[3];
};
static_assert(sizeof(MarkRecord) == 40);

// A telemetry event, which is JSON already: this header, then its text. It goes into a batch as it is, so a checksum
// tells it from what only looks like one where the record before it is damaged.
struct MemoryRecord {
    RecordHeader header;
    uint32_t text_bytes;
    uint32_t text_checksum;
};
static_assert(sizeof(MemoryRecord) == 16);
constexpr uint32_t kMaxMemoryText = 32 * 1024;

constexpr uint32_t min_cells(RecordKind kind) {
    return kind == RecordKind::kSpan   ? cells_for(sizeof(SpanRecord))
           : kind == RecordKind::kMark ? cells_for(sizeof(MarkRecord))
                                       : 1;
}
constexpr uint32_t kMaxRecordCells = cells_for(sizeof(SpanRecord) + sizeof(GpuTimeKey) + kMaxText + kMaxAttrBytes);
static_assert(kMaxRecordCells < UINT16_MAX && kMaxText + kMaxAttrBytes < UINT16_MAX);
static_assert(cells_for(sizeof(MemoryRecord) + kMaxMemoryText) <= kMaxRecordCells);

// How many records of each kind.
struct RecordCounts {
    uint64_t spans = 0, marks = 0, memory = 0;

    void add(RecordKind kind) {
        spans += kind == RecordKind::kSpan;
        marks += kind == RecordKind::kMark;
        memory += kind == RecordKind::kMemory;
    }
    RecordCounts& operator+=(const RecordCounts& other) {
        spans += other.spans;
        marks += other.marks;
        memory += other.memory;
        return *this;
    }
    RecordCounts& operator-=(const RecordCounts& other) {
        spans -= other.spans;
        marks -= other.marks;
        memory -= other.memory;
        return *this;
    }
};

// The same, written by one thread and read by others.
struct SharedCounts {
    std::atomic<uint64_t> spans, marks, memory;

    RecordCounts load() const {
        return {spans.load(std::memory_order_relaxed), marks.load(std::memory_order_relaxed),
                memory.load(std::memory_order_relaxed)};
    }
    // A negative number is taken away: it wraps round, and so does the sum.
    void add(RecordKind kind, int64_t records = 1) {
        auto number = static_cast<uint64_t>(records);
        if (kind == RecordKind::kSpan) spans.fetch_add(number, std::memory_order_relaxed);
        if (kind == RecordKind::kMark) marks.fetch_add(number, std::memory_order_relaxed);
        if (kind == RecordKind::kMemory) memory.fetch_add(number, std::memory_order_relaxed);
    }
    void add(const RecordCounts& counts) {
        spans.fetch_add(counts.spans, std::memory_order_relaxed);
        marks.fetch_add(counts.marks, std::memory_order_relaxed);
        memory.fetch_add(counts.memory, std::memory_order_relaxed);
    }
};

// ---- blocks -------------------------------------------------------------------------------------------------------

enum class BlockType : uint32_t { kNone, kNames, kRing, kFrames };

struct BlockHeader {
    std::atomic<BlockType> type;  // written last: a block without a type was being made when its process died
    uint32_t first;               // ring: its number; names: the number of its first name
    uint64_t bytes;
};
static_assert(std::atomic<uint64_t>::is_always_lock_free);

struct NamesBlock {
    BlockHeader block;
    std::atomic<uint32_t> used;  // bytes of committed entries, each a 16-bit length and its text
    uint32_t reserved;
    char text[];
};

// A single-producer ring. Cells in [sealed, head) are in no batch yet; those in [sealed, read) are in flight: copied
// for the batch that comes next. The producer takes the oldest cells by moving `read` when it needs room, so that the
// newest records survive. It may then overwrite records in flight: a kill before their batch is sealed loses those.
struct RingBlock {
    BlockHeader block;
    uint32_t capacity;  // in cells, a power of two
    alignas(64) std::atomic<uint64_t> head;
    SharedCounts dropped;
    // The producer may have written up to here: it says so before it takes the oldest cells for something new.
    std::atomic<uint64_t> writing_to;
    alignas(64) std::atomic<uint64_t> read;
    uint64_t sealed;
    uint64_t sealing_to;  // `sealed` once the batch in `PendingSeal` is in place
    RecordCounts in_flight;
    RecordCounts overtaken;  // in flight too, but before `sealed`: the producer has dropped what came after them
    alignas(64) char cells[];

    uint64_t number() const { return block.first; }
    uint64_t filled() const { return head.load(std::memory_order_acquire) - read.load(std::memory_order_acquire); }
    char* at(uint64_t position) { return cells + (position & (capacity - 1)) * kCellBytes; }
};

constexpr uint64_t kFrameFree = 0;
constexpr uint64_t kFrameOpen = UINT64_MAX;

// Where a closed span's record is put, as Frame::closed_at has it: ring number + 1 in the top 16 bits, position below.
struct ClosedAt {
    uint64_t ring;
    uint64_t position;

    static constexpr int kRingShift = 48;
    uint64_t packed() const { return (ring + 1) << kRingShift | position; }
    static bool is_place(uint64_t packed) { return packed != kFrameOpen && packed >> kRingShift != 0; }
    static ClosedAt unpack(uint64_t packed) {
        return {(packed >> kRingShift) - 1, packed & ((uint64_t{1} << kRingShift) - 1)};
    }
};

struct Stack;

// A scope that is open. A recovery reads the first part; the second has a meaning only in the living process.
struct Frame {
    // kFrameOpen, or the place of the closed span's record, stored before that is committed: so a span is never seen
    // both open and closed, nor as neither.
    std::atomic<uint64_t> closed_at;
    uint64_t id;
    uint64_t parent;
    uint64_t start_ticks;
    int64_t index;
    uint64_t thread_id;
    uint32_t name;
    uint16_t attr_bytes;
    uint8_t flags;
    uint8_t is_epoch;
    uint64_t cpu_start_ns;

    uint64_t cpu_start_ticks;  // when that was read, maybe before the scope was opened
    Stack* stack;              // null once the stack's context is gone
    uint64_t context_version;  // of the thread, when the scope was opened
    Frame* next_free;
    uint64_t overhead_ns;
    uint16_t attr_capacity;
    bool ends_early;  // with the scope around it, at the latest
    uint8_t reserved;
    bool used_as_parent;
    bool is_ghost;  // of a scope too deep to be kept, or one that has ended early: on no stack, not to be recorded
    bool parent_was_used;  // as a parent, before this frame
    bool is_request;
    char attrs[];
};
static_assert(sizeof(Frame) == 112);

struct FramesBlock {
    BlockHeader block;
    uint32_t stride;
    uint32_t count;
    alignas(64) char frames[];

    Frame* at(uint32_t i) { return reinterpret_cast<Frame*>(frames + static_cast<uint64_t>(i) * stride); }
};

// The batch that is being put in place; see seal.cpp.
enum class SealState : uint32_t { kIdle, kWriting, kRenaming, kClosed };

struct PendingSeal {
    std::atomic<SealState> state;
    uint32_t closes_session;  // the batch also holds the open frames and the session span
    char name[64];            // file name of the batch, without directory
};

// What is known of a session from its start on.
struct SessionFacts {
    uint64_t id_prefix;  // the high half of every id of this session
    int64_t pid;
    int64_t rank;
    uint64_t thread_id;  // that started the session
    uint64_t start_ticks;
    char host[72];
    uint64_t batch_fields_bytes;
    char batch_fields[4096];
};

// What is known of a session's end before its last batch is written, or in case it never is.
struct Ending {
    std::atomic<uint64_t> ticks;  // when it ended; 0: not that anybody knew
    std::atomic<uint32_t> bytes;  // of the text, 0 while that is written; 0 for good: nobody has said how
    char text[kMaxText];
};

struct JournalHeader {
    uint64_t magic;
    uint32_t version;
    uint32_t reserved;
    SessionFacts session;
    uint64_t session_checksum;
    Ending ending;
    std::atomic<uint64_t> heartbeat_wall_ns;  // for readers on other hosts, where a file lock may tell nothing
    std::atomic<uint64_t> scopes_too_deep;
    std::atomic<uint64_t> marks_rejected;
    // Dropped without ever being in a ring, or with a ring that nobody can recover; those of the rings come on top.
    SharedCounts dropped;
    // What this session removed from its spool, sealed already, to keep within the spool's size limit.
    std::atomic<uint64_t> spool_batches_dropped;
    std::atomic<uint64_t> spool_spans_dropped;
    std::atomic<uint64_t> spool_marks_dropped;
    std::atomic<uint64_t> spool_memory_dropped;
    ClockTable clock;
    PendingSeal pending;
};

inline uint64_t checksum(const SessionFacts& facts) {
    return checksum({reinterpret_cast<const char*>(&facts), sizeof facts});
}

constexpr uint64_t kHeaderBytes = kBlockAlign;
static_assert(sizeof(JournalHeader) <= kHeaderBytes);

}  // namespace cirron
