#include "ring.hpp"

#include <algorithm>
#include <cstring>

#include "recorder.hpp"

namespace cirron {

void RingWriter::attach(Recorder* recorder, RingBlock* ring) {
    recorder_ = recorder;
    ring_ = ring;
    head_ = ring->head.load(std::memory_order_acquire);
    woken_at_ = ring->read.load(std::memory_order_acquire);  // what earlier threads left here counts as well
    limit_ = head_;  // the first record takes the slow path, which sets the limit
}

void RingWriter::make_room(uint32_t cells) {
    uint64_t end = lap_end();
    if (head_ + cells > end) {
        drop_oldest_until_free(end - head_ + cells);
        pad_to_lap_end(end);
        end = lap_end();
    } else {
        drop_oldest_until_free(cells);
    }
    if (head_ + cells > woken_at_ + quarter()) {
        recorder_->wake();
        woken_at_ = head_;
    }
    uint64_t free_until = ring_->read.load(std::memory_order_acquire) + ring_->capacity;
    limit_ = std::min({end, free_until, std::max(woken_at_ + quarter(), head_ + cells)});
}

void RingWriter::drop_oldest_until_free(uint64_t cells) {
    uint64_t oldest = ring_->read.load(std::memory_order_acquire);
    if (head_ + cells - oldest > ring_->capacity) ring_->writing_to.store(head_ + cells, std::memory_order_release);
    while (head_ + cells - oldest > ring_->capacity) {
        RecordHeader record;
        std::memcpy(&record, ring_->at(oldest), sizeof record);
        std::optional<uint64_t> key = deferred_key(ring_->at(oldest));
        // Counted first: a kill in between may then count one too many, and never loses one uncounted.
        ring_->dropped.add(record.kind);
        // The drain moves `read` too, when it has copied a stretch: whoever is first owns the record.
        if (!ring_->read.compare_exchange_strong(oldest, oldest + record.cells)) {
            ring_->dropped.add(record.kind, -1);
            continue;
        }
        oldest += record.cells;
        if (key) recorder_->deferred().forget(*key);
    }
}

void RingWriter::pad_to_lap_end(uint64_t end) {
    auto cells = static_cast<uint32_t>(end - head_);
    RecordHeader padding{RecordKind::kPadding, 0, static_cast<uint16_t>(cells), 0};
    std::memcpy(ring_->at(head_), &padding, sizeof padding);
    commit(cells);
}

}  // namespace cirron
