#include "kept.hpp"

#include <new>
#include <utility>

namespace cirron {

namespace {

std::string joined(std::initializer_list<std::string_view> parts) {
    size_t bytes = 0;
    for (std::string_view part : parts) bytes += part.size();
    std::string whole;
    whole.reserve(bytes);
    for (std::string_view part : parts) whole += part;
    return whole;
}

}  // namespace

// The batch is in the spool by now, so a lack of memory is no reason to fail.
void KeptBatches::add(std::initializer_list<std::string_view> parts) {
    try {
        insert(joined(parts));
    } catch (const std::bad_alloc&) {
        count_forgotten();
    }
}

void KeptBatches::insert(std::string batch) {
    std::lock_guard lock(mutex_);
    uint64_t bytes = batch.size();
    batches_.push_back(std::move(batch));
    bytes_ += bytes;
    while (bytes_ > kMaxBytes) drop_oldest();
}

void KeptBatches::drop_oldest() {
    bytes_ -= batches_.front().size();
    batches_.pop_front();
    count_forgotten();
}

std::deque<std::string> KeptBatches::take() {
    std::lock_guard lock(mutex_);
    bytes_ = 0;
    return std::exchange(batches_, {});
}

}  // namespace cirron
