// Time stamps: a tick is the cheapest monotonic reading the machine has; ticks become nanoseconds at the drain.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>

#if defined(__x86_64__) && defined(__linux__)
#include <x86intrin.h>
#define CIRRON_HAS_TSC 1
#endif

namespace cirron {

// True when the kernel itself keeps time by the TSC, that is when it has found it invariant and synchronous
// between cores. Set once at import.
extern bool g_ticks_are_tsc;

inline uint64_t read_clock_ns(clockid_t id) {
    timespec t;
    clock_gettime(id, &t);
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
}

#ifdef __APPLE__
constexpr clockid_t kMonotonic = CLOCK_UPTIME_RAW;  // CLOCK_MONOTONIC counts in microseconds there
#else
constexpr clockid_t kMonotonic = CLOCK_MONOTONIC;
#endif

inline uint64_t now_ticks() {
#ifdef CIRRON_HAS_TSC
    if (g_ticks_are_tsc) return __rdtsc();
#endif
    return read_clock_ns(kMonotonic);
}

inline uint64_t wall_now_ns() { return read_clock_ns(CLOCK_REALTIME); }

// About how many ticks a millisecond has; good for thresholds, not for conversion.
extern uint64_t g_ticks_per_ms;

void init_clock();

// A straight line from ticks to wall-clock nanoseconds, valid from `from_ticks` on.
struct ClockSegment {
    uint64_t from_ticks;
    uint64_t from_ns;
    double ns_per_tick;
};

// Part of the journal, so that a recovery converts exactly as the live drain did.
struct ClockTable {
    static constexpr uint32_t kCapacity = 64;
    uint64_t wall_ns;       // the session's one wall-clock anchor ...
    uint64_t monotonic_ns;  // ... and the monotonic reading at that moment
    std::atomic<uint32_t> count;
    ClockSegment segments[kCapacity];  // a ring: segment i lies at i % kCapacity
};

// Converts ticks by a continuous chain of lines. A tick is always converted by the same line, so that a parent never
// seems to start after its child; drift is corrected by adding a line, never by bending one already used.
class TickClock {
  public:
    explicit TickClock(ClockTable& table) : table_(table) {}
    void start();
    // Compares the newest line with the system clock and adds a line when they differ. Call at the drain, after the
    // records to be drained were chosen: everything in them is then older than the point taken here.
    void sync();
    uint64_t to_ns(uint64_t ticks) const;
    // A reading of the monotonic clock as a time of the session.
    uint64_t session_ns(uint64_t monotonic_ns) const;

  private:
    void add_segment(ClockSegment segment);

    ClockTable& table_;
    uint64_t synced_ticks_ = 0;
};

}  // namespace cirron
