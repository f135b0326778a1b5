// The producer's side of a thread's ring.
#pragma once

#include "layout.hpp"

namespace cirron {

class Recorder;

class RingWriter {
  public:
    void attach(Recorder* recorder, RingBlock* ring);
    RingBlock* block() const { return ring_; }
    // Where the next record will lie once room is made for it; see Frame::closed_at.
    uint64_t head() const { return head_; }

    // Room for a record of so many cells, contiguous. Drops the oldest records when the ring is full.
    char* reserve(uint32_t cells) {
        if (head_ + cells > limit_) [[unlikely]]
            make_room(cells);
        return ring_->at(head_);
    }
    // Publishes what was written since reserve(); from here on a kill loses nothing of it.
    void commit(uint32_t cells) {
        head_ += cells;
        ring_->head.store(head_, std::memory_order_release);
        __builtin_prefetch(ring_->at(head_ + kCellsAhead), 1);
    }

  private:
    // A lap ago the drain took these cells into another core's cache, so they are asked for some records ahead.
    static constexpr uint32_t kCellsAhead = 64;

    void make_room(uint32_t cells);
    void drop_oldest_until_free(uint64_t cells);
    void pad_to_lap_end(uint64_t lap_end);
    uint64_t lap_end() const { return (head_ / ring_->capacity + 1) * ring_->capacity; }
    uint64_t quarter() const { return ring_->capacity / 4; }

    Recorder* recorder_ = nullptr;
    RingBlock* ring_ = nullptr;
    uint64_t head_ = 0;
    uint64_t limit_ = 0;     // up to here nothing has to be looked at: no lap end, no reader to wake, no lack of room
    uint64_t woken_at_ = 0;  // head when the drain was last woken
};

}  // namespace cirron
