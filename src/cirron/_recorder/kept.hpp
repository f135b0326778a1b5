// Sealed batches that wait in memory for somebody to take them. Safe from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>

namespace cirron {

class KeptBatches {
  public:
    static constexpr uint64_t kMaxBytes = 64 << 20;  // beyond it the oldest are forgotten

    // The parts of one batch.
    void add(std::initializer_list<std::string_view> parts);
    // All there are, oldest first; they are kept no longer.
    std::deque<std::string> take();

    void count_forgotten() { forgotten_.fetch_add(1, std::memory_order_relaxed); }
    uint64_t forgotten() const { return forgotten_.load(std::memory_order_relaxed); }

  private:
    void insert(std::string batch);
    void drop_oldest();

    std::mutex mutex_;
    std::deque<std::string> batches_;
    uint64_t bytes_ = 0;
    std::atomic<uint64_t> forgotten_{0};
};

}  // namespace cirron
