#include "pending.hpp"

#include <utility>

namespace cirron {

void PendingSnapshots::add(std::string record) {
    std::lock_guard lock(mutex_);
    uint64_t bytes = record.size();
    records_.push_back(std::move(record));
    bytes_ += bytes;
    for (; bytes_ > kMaxBytes; dropped_.fetch_add(1, std::memory_order_relaxed)) {
        bytes_ -= records_.front().size();
        records_.pop_front();
    }
}

std::optional<std::string> PendingSnapshots::take() {
    std::lock_guard lock(mutex_);
    if (records_.empty()) return std::nullopt;
    std::string record = std::move(records_.front());
    records_.pop_front();
    bytes_ -= record.size();
    return record;
}

}  // namespace cirron
