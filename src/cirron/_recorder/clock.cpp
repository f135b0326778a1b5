#include "clock.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace cirron {

bool g_ticks_are_tsc = false;
uint64_t g_ticks_per_ms = 1'000'000;

namespace {

struct SyncPoint {
    uint64_t ticks;
    uint64_t monotonic_ns;
};

SyncPoint g_import_point;

// The tightest of a few tries: a preemption between the two readings would bend the line.
SyncPoint take_sync_point() {
    SyncPoint best{};
    uint64_t best_width = UINT64_MAX;
    for (int i = 0; i < 5; ++i) {
        uint64_t before = now_ticks();
        uint64_t ns = read_clock_ns(kMonotonic);
        uint64_t width = now_ticks() - before;
        if (width < best_width) {
            best_width = width;
            best = {before + width / 2, ns};
        }
    }
    return best;
}

bool kernel_trusts_tsc() {
#ifdef CIRRON_HAS_TSC
    FILE* file = std::fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r");
    if (file == nullptr) return false;
    char name[16] = {};
    bool read = std::fgets(name, sizeof name, file) != nullptr;
    std::fclose(file);
    return read && std::strcmp(name, "tsc\n") == 0;
#else
    return false;
#endif
}

double slope(SyncPoint from, SyncPoint to) {
    return static_cast<double>(to.monotonic_ns - from.monotonic_ns) / static_cast<double>(to.ticks - from.ticks);
}

}  // namespace

void init_clock() {
    g_ticks_are_tsc = kernel_trusts_tsc();
    g_import_point = take_sync_point();
}

uint64_t TickClock::session_ns(uint64_t monotonic_ns) const {
    return table_.wall_ns + (monotonic_ns - table_.monotonic_ns);
}

void TickClock::start() {
    constexpr uint64_t kBaseline_ns = 1'000'000;
    SyncPoint now = take_sync_point();
    while (now.monotonic_ns - g_import_point.monotonic_ns < kBaseline_ns) now = take_sync_point();
    table_.wall_ns = wall_now_ns();
    table_.monotonic_ns = read_clock_ns(kMonotonic);
    table_.count.store(0, std::memory_order_relaxed);
    add_segment({now.ticks, session_ns(now.monotonic_ns), g_ticks_are_tsc ? slope(g_import_point, now) : 1.0});
    g_ticks_per_ms = static_cast<uint64_t>(1e6 / table_.segments[0].ns_per_tick);
    synced_ticks_ = now.ticks;
}

void TickClock::sync() {
    constexpr int64_t kTolerance_ns = 100;
    constexpr uint64_t kMinTicks = 100'000;  // over a shorter stretch the reading's own error would tilt the line
    SyncPoint now = take_sync_point();
    if (now.ticks - synced_ticks_ < kMinTicks) return;
    uint64_t actual_ns = session_ns(now.monotonic_ns);
    if (std::llabs(static_cast<int64_t>(to_ns(now.ticks) - actual_ns)) > kTolerance_ns) {
        uint64_t from_ns = to_ns(synced_ticks_);
        double ran_ns = std::max(static_cast<double>(static_cast<int64_t>(actual_ns - from_ns)), 0.0);
        add_segment({synced_ticks_, from_ns, ran_ns / static_cast<double>(now.ticks - synced_ticks_)});
    }
    synced_ticks_ = now.ticks;
}

void TickClock::add_segment(ClockSegment segment) {
    uint32_t count = table_.count.load(std::memory_order_relaxed);
    table_.segments[count % ClockTable::kCapacity] = segment;
    table_.count.store(count + 1, std::memory_order_release);
}

uint64_t TickClock::to_ns(uint64_t ticks) const {
    uint32_t count = table_.count.load(std::memory_order_acquire);
    uint32_t oldest = count > ClockTable::kCapacity ? count - ClockTable::kCapacity : 0;
    uint32_t i = std::max(count, 1u) - 1;  // none: a damaged journal
    while (i > oldest && ticks < table_.segments[i % ClockTable::kCapacity].from_ticks) --i;
    const ClockSegment& line = table_.segments[i % ClockTable::kCapacity];
    double past = static_cast<double>(static_cast<int64_t>(ticks - line.from_ticks));
    double past_ns = std::clamp(past * line.ns_per_tick, -4e18, 4e18);  // more comes from a damaged journal
    return line.from_ns + static_cast<uint64_t>(static_cast<int64_t>(past_ns));
}

}  // namespace cirron
