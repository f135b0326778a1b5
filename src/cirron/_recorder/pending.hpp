// Snapshots that wait for the next batch, as the JSON of their records. Safe from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

namespace cirron {

class PendingSnapshots {
  public:
    static constexpr uint64_t kMaxBytes = 16
                                          << 20;  // beyond it the oldest are dropped, as when no batch can be written

    void add(std::string record);
    // The oldest, which waits no longer.
    std::optional<std::string> take();
    uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

  private:
    std::mutex mutex_;
    std::deque<std::string> records_;
    uint64_t bytes_ = 0;
    std::atomic<uint64_t> dropped_{0};
};

}  // namespace cirron
