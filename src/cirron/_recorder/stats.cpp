// Two passes over the elements: the first for all moments, the second for the histogram, whose edges depend on the
// first. Both work block by block.
#include "stats.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "blocks.hpp"

// On clang, which knows no such pragma, the loops for any processor are all there is.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
#define CIRRON_HAS_AVX2_LOOPS 1
#endif

namespace cirron {

namespace {

constexpr size_t kInnerEdges = kBuckets - 1;

// Has the memory after next brought to the cache. Processors do so by themselves, and on virtual machines too late:
// with this the loops take half the time. The address may lie beyond the array, for nothing is read.
inline void fetch_ahead_of(const void* data) {
    constexpr uintptr_t kAhead_bytes = 8192;
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(data) + kAhead_bytes));
}

// What one block comes to; differences are from a shift that lies within the data.
template <typename Real>
struct Sums {
    double differences = 0;
    double squares = 0;
    Real min = std::numeric_limits<Real>::infinity();
    Real max = -std::numeric_limits<Real>::infinity();

    // NaN takes no part in `min` and `max`, but comes through in the sums.
    void add(Real x, double scale, double shift) {
        double difference = static_cast<double>(x) * scale - shift;
        min = x < min ? x : min;
        max = x > max ? x : max;
        differences += difference;
        squares += difference * difference;
    }
};

template <typename Real>
void count_singly(const Real* data, size_t size, const Real* edges, uint64_t* counts) {
    for (size_t i = 0; i < size; ++i)
        ++counts[std::count_if(edges, edges + kInnerEdges, [&](Real edge) { return data[i] >= edge; })];
}

namespace anywhere {
constexpr size_t kVectorBytes = 16;
template <typename Doubles, typename Reals>
inline Doubles widened(Reals x) {
    return __builtin_convertvector(x, Doubles);
}
template <typename Doubles>
inline Doubles plus_square(Doubles sum, Doubles x) {
    return sum + x * x;
}
#include "stats_loops.hpp"
}  // namespace anywhere

#ifdef CIRRON_HAS_AVX2_LOOPS
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
constexpr size_t kVectorBytes = 32;
// One instruction, which gcc 12 does not find by itself.
template <typename Doubles>
inline Doubles widened(__m128 x) {
    return _mm256_cvtps_pd(x);
}
template <typename Doubles>
inline Doubles widened(__m256d x) {
    return x;
}
template <typename Doubles>
inline Doubles plus_square(Doubles sum, Doubles x) {
    return _mm256_fmadd_pd(x, x, sum);
}
#include "bucket_search.hpp"
#include "stats_loops.hpp"
inline void count(const double* data, size_t size, const double* edges, uint64_t* counts) {
    Loops<double>::count(data, size, edges, counts);
}
inline void count(const float* data, size_t size, const float* edges, uint64_t* counts) {
    size_t whole = size - size % BucketSearch::kLanes;
    BucketSearch(edges).count(data, whole, counts);
    count_singly(data + whole, size - whole, edges, counts);
}
}  // namespace avx2
#pragma GCC pop_options
const bool g_has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif

template <typename Real>
void sum_block(const Real* data, size_t size, double scale, double shift, Sums<Real>& sums) {
#ifdef CIRRON_HAS_AVX2_LOOPS
    if (g_has_avx2) return avx2::Loops<Real>::sum(data, size, scale, shift, sums);
#endif
    anywhere::Loops<Real>::sum(data, size, scale, shift, sums);
}

// Adds to the counts of the 16 buckets that 15 edges make.
template <typename Real>
void count_block(const Real* data, size_t size, const Real* edges, uint64_t* counts) {
#ifdef CIRRON_HAS_AVX2_LOOPS
    if (g_has_avx2) return avx2::count(data, size, edges, counts);
#endif
    anywhere::Loops<Real>::count(data, size, edges, counts);
}

// ---- the first pass -----------------------------------------------------------------------------------------------

struct Nonfinite {
    uint64_t positive = 0;  // infinities
    uint64_t other = 0;

    uint64_t all() const { return positive + other; }
};

// Moments of the blocks so far, put together pairwise. As the mean so far is the shift of the next block, nothing is
// cancelled that the result would need: a block far from it raises the variance by as much as it costs in precision.
template <typename Real>
class Moments {
  public:
    explicit Moments(double scale) : scale_(scale) {}

    void add(const Real* data, size_t size) {
        if (size == 0) return;
        Sums<Real> sums;
        double shift = count_ == 0 ? first_finite(data, size) : mean_;
        sum_block(data, size, scale_, shift, sums);
        if (!std::isfinite(sums.squares)) return add_finite(data, size);
        merge(sums, shift, size);
    }

    uint64_t count() const { return count_; }
    const Nonfinite& nonfinite() const { return nonfinite_; }
    double min() const { return static_cast<double>(min_); }
    double max() const { return static_cast<double>(max_); }
    double mean() const { return mean_ / scale_; }
    double std() const { return std::sqrt(squares_ / static_cast<double>(count_)) / scale_; }
    double norm() const { return std::sqrt(squares_ + mean_ * mean_ * static_cast<double>(count_)) / scale_; }

    // What to scale by instead, a power of two, where squares leave the range of a double; 1 where they do not.
    double better_scale() const {
        if (count_ == 0 || std::is_same_v<Real, float>) return 1.0;
        int exponent = 0;
        double largest = std::max(std::abs(min()), std::abs(max()));
        (void)std::frexp(largest, &exponent);
        return std::abs(exponent) < 400 || largest == 0 ? 1.0 : std::ldexp(1.0, -std::max(exponent, -1000));
    }

  private:
    double first_finite(const Real* data, size_t size) const {
        const Real* found = std::find_if(data, data + size, [](Real x) { return std::isfinite(x); });
        return found == data + size ? 0.0 : static_cast<double>(*found) * scale_;
    }

    void add_finite(const Real* data, size_t size) {
        Real finite[kBlockElements];
        size_t kept = 0;
        uint64_t positive = 0;
        for (size_t i = 0; i < size; ++i) {
            finite[kept] = data[i];
            kept += std::isfinite(data[i]);
            positive += data[i] == std::numeric_limits<Real>::infinity();
        }
        nonfinite_.positive += positive;
        nonfinite_.other += size - kept - positive;
        if (kept == 0) return;
        Sums<Real> sums;
        double shift = count_ == 0 ? static_cast<double>(finite[0]) * scale_ : mean_;
        sum_block(finite, kept, scale_, shift, sums);
        merge(sums, shift, kept);
    }

    void merge(const Sums<Real>& sums, double shift, size_t size) {
        auto before = static_cast<double>(count_);
        auto added = static_cast<double>(size);
        double average = sums.differences / added;
        double step = average - mean_rest_;  // from the mean so far; of the first block from its shift
        squares_ += std::max(0.0, sums.squares - sums.differences * average);
        squares_ += step * step * before * added / (before + added);
        set_mean(shift, mean_rest_ + step * added / (before + added));
        count_ += size;
        min_ = std::min(min_, sums.min);
        max_ = std::max(max_, sums.max);
    }

    // The sum of both, with what its double cannot hold kept beside it: far from zero that is more than the data vary.
    void set_mean(double shift, double step) {
        mean_ = shift + step;
        double moved = mean_ - shift;
        mean_rest_ = (shift - (mean_ - moved)) + (step - moved);
    }

    double scale_;
    uint64_t count_ = 0;
    Nonfinite nonfinite_;
    double mean_ = 0;  // scaled, as is the rest
    double mean_rest_ = 0;
    double squares_ = 0;  // of the differences from the mean, summed up
    Real min_ = std::numeric_limits<Real>::infinity();
    Real max_ = -std::numeric_limits<Real>::infinity();
};

template <typename Real>
Moments<Real> take_moments(Blocks<Real>& blocks, double scale) {
    Moments<Real> moments(scale);
    blocks.rewind();
    for (auto block = blocks.next(); block.size > 0; block = blocks.next()) moments.add(block.data, block.size);
    return moments;
}

// ---- the second pass ----------------------------------------------------------------------------------------------

// Equal elements get buckets around them.
void widen(double& low, double& high) {
    double half = std::max(0.5, std::abs(low) * 0x1p-20);
    constexpr double kMost = std::numeric_limits<double>::max();
    low = std::max(low - half, -kMost);
    high = std::min(high + half, kMost);
}

std::array<double, kBuckets + 1> edges_between(double low, double high) {
    if (low == high) widen(low, high);
    std::array<double, kBuckets + 1> edges;
    double range = high - low;
    for (size_t i = 0; i <= kBuckets; ++i) {
        double part = static_cast<double>(i) / kBuckets;
        double edge = std::isfinite(range) ? low + range * part : low * (1 - part) + high * part;
        edges[i] = std::min(edge, high);
    }
    edges[kBuckets] = high;
    return edges;
}

// The least of all floats that reach the edge: of two floats the edge may be between, it is the same as the edge.
template <typename Real>
Real least_reaching(double edge) {
    auto nearest = static_cast<Real>(edge);
    bool is_below = static_cast<double>(nearest) < edge;
    return is_below ? std::nextafter(nearest, std::numeric_limits<Real>::infinity()) : nearest;
}

uint64_t minus(uint64_t count, uint64_t less) { return count > less ? count - less : 0; }

template <typename Real>
void fill_histogram(Blocks<Real>& blocks, const Nonfinite& nonfinite, ArrayStats& stats) {
    stats.edges = edges_between(stats.min, stats.max);
    Real edges[kInnerEdges];
    for (size_t i = 0; i < kInnerEdges; ++i) edges[i] = least_reaching<Real>(stats.edges[i + 1]);
    blocks.rewind();
    for (auto block = blocks.next(); block.size > 0; block = blocks.next())
        count_block(block.data, block.size, edges, stats.counts.data());
    // Infinity reaches every edge; what is no number reaches none, but was counted with all.
    stats.counts.back() = minus(stats.counts.back(), nonfinite.positive);
    stats.counts.front() = minus(stats.counts.front(), nonfinite.other);
}

template <typename Real>
ArrayStats summarize_as(const ArrayView& array) {
    Blocks<Real> blocks(array);
    Moments<Real> moments = take_moments(blocks, 1.0);
    if (double scale = moments.better_scale(); scale != 1.0) moments = take_moments(blocks, scale);
    ArrayStats stats;
    stats.finite = moments.count();
    stats.nonfinite = moments.nonfinite().all();
    if (stats.finite == 0) return stats;
    stats.mean = std::clamp(moments.mean(), moments.min(), moments.max());
    stats.std = moments.std();
    stats.min = moments.min();
    stats.max = moments.max();
    stats.norm = moments.norm();
    fill_histogram(blocks, moments.nonfinite(), stats);
    return stats;
}

}  // namespace

ArrayStats summarize(const ArrayView& array) {
    return is_read_as_float(array.type) ? summarize_as<float>(array) : summarize_as<double>(array);
}

}  // namespace cirron
