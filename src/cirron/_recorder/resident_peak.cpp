#include "resident_peak.hpp"

#include <sys/resource.h>

#include "clock.hpp"

namespace cirron {

namespace {

#ifdef __APPLE__
constexpr uint64_t kUnitBytes = 1;
#else
constexpr uint64_t kUnitBytes = 1024;
#endif

std::optional<uint64_t> ask() {
    rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0 || usage.ru_maxrss <= 0) return std::nullopt;
    return static_cast<uint64_t>(usage.ru_maxrss) * kUnitBytes;
}

}  // namespace

std::optional<uint64_t> ResidentPeak::bytes(uint64_t ticks) {
    if (ticks - read_at_ > kEveryMs * g_ticks_per_ms) {
        bytes_ = ask();
        read_at_ = ticks;
    }
    return bytes_;
}

}  // namespace cirron
