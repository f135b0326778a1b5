// From rings to batches: copies records out of a journal, encodes them and seals them in the spool. The same code
// serves the living recorder and the recovery of a dead one.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "deferred.hpp"
#include "encode.hpp"
#include "journal.hpp"
#include "kept.hpp"
#include "pending.hpp"
#include "seal.hpp"

namespace cirron {

struct DrainOptions {
    std::string spool_dir;  // empty: batches are written nowhere
    uint64_t batch_max_bytes = 16 << 20;
    bool fsync = false;
    bool keep_batches = false;
    bool recovered = false;  // the journal's process is dead: no value will be resolved, nobody writes
};

struct DrainTotals {
    uint64_t spans = 0;
    uint64_t marks = 0;
    uint64_t memory = 0;
    uint64_t batches = 0;
    uint64_t bytes = 0;
    uint64_t failures = 0;
};

class Drain {
  public:
    Drain(Journal& journal, const NameTexts& names, TickClock& clock, DeferredValues& deferred, DrainOptions options);

    // Seals all that was committed before the call; returns the batches written. Throws SystemError when one could not
    // be written; what was collected is kept and tried again by the next call.
    uint64_t run();
    // The last run: also seals the scopes still open, as interrupted, and the session span, which says how the session
    // ended: `killed` unless the journal knows better. No thread may write to the journal any more.
    void run_to_end();
    // After a last run that failed: counts as dropped what is not sealed and lies in no journal for a recovery.
    void give_up_unrecoverable();
    // The spans open now, as a JSON array. Nothing may open or close meanwhile.
    std::string open_spans() const;

    DrainTotals totals() const;
    KeptBatches& kept() { return kept_; }
    PendingSnapshots& snapshots() { return snapshots_; }
    // The first thing found wrong in a dead journal, or nothing.
    const std::string& damage() const { return damage_; }
    void report_damage(std::string what);
    std::string session_id() const { return hex_id(journal_.header().session.id_prefix, kSessionId); }
    // For a recovery, before anything else; see Sealer::settle().
    bool settle() { return sealer_.settle(); }

  private:
    // Encodes all that is committed now; seals only what fills a batch.
    void collect();
    void collect_snapshots();
    void collect_ring(RingBlock* ring, uint64_t until);
    struct Chunk {
        uint64_t end;
        RecordCounts records;
    };
    Chunk next_chunk(RingBlock* ring, uint64_t from, uint64_t until);
    void encode_chunk(RingBlock* ring, uint64_t from, uint64_t cells);
    void encode_span(const char* record);
    void encode_mark(const RingBlock* ring, uint64_t position, const char* record);
    void encode_memory(RingBlock* ring, const char* record);
    bool is_waiting(RingBlock* ring, uint64_t position) const;
    std::optional<uint64_t> gpu_ns(const char* key);
    SpanFields session_fields() const;
    SpanFields ended_session_fields() const;
    void give_up(RingBlock* ring);
    // The open scopes, for each of which `add` is called.
    template <typename Add>
    void for_each_open(Add add) const;
    template <typename Add>
    static void for_each_open_in(FramesBlock* block, const std::vector<RingBlock*>& rings, Add add);
    static SpanFields open_fields(const Frame& frame, uint32_t stride);

    void seal(bool closes_session);
    // All of a batch's JSON before its first span.
    uint64_t sealing_time_ns() const;
    std::string batch_preamble(uint64_t created_ns, const std::string& batch_id) const;
    void append_counters(std::string& out) const;
    Origin origin() const;

    Journal& journal_;
    const NameTexts& names_;
    TickClock& clock_;
    DeferredValues& deferred_;
    DrainOptions options_;
    BatchEncoder encoder_;
    Sealer sealer_;
    KeptBatches kept_;
    PendingSnapshots snapshots_;
    std::vector<char> chunk_;
    uint64_t last_created_ns_ = 0;
    uint64_t sealed_now_ = 0;
    std::string damage_;
    std::atomic<uint64_t> spans_{0}, marks_{0}, memory_{0}, batches_{0}, bytes_{0}, failures_{0};
};

uint64_t random_bits();

}  // namespace cirron
