#include "resident_peak.hpp"

#include <sys/resource.h>

namespace cirron {

namespace {

#ifdef __APPLE__
constexpr uint64_t kUnitBytes = 1;
#else
constexpr uint64_t kUnitBytes = 1024;
#endif

// On Linux the peak that is told of a thread is its process's too; for the rest of what is told of a process the kernel
// goes through all threads.
#ifdef RUSAGE_THREAD
constexpr int kOf = RUSAGE_THREAD;
#else
constexpr int kOf = RUSAGE_SELF;
#endif

std::optional<uint64_t> ask() {
    rusage usage;
    if (getrusage(kOf, &usage) != 0 || usage.ru_maxrss <= 0) return std::nullopt;
    return static_cast<uint64_t>(usage.ru_maxrss) * kUnitBytes;
}

}  // namespace

void ResidentPeak::read(uint64_t ticks) {
    bytes_ = ask();
    read_at_ = ticks;
}

}  // namespace cirron
