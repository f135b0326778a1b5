// The loops that touch every element, for vectors of kVectorBytes. Included by stats.cpp once for each set of
// instructions, in a namespace of its own that knows how to get doubles by `widened`: so everything in here is compiled
// for that set, and nothing else is.

template <typename Real>
struct Loops {
    template <size_t kLanes>
    struct Vectors {
        typedef Real Reals __attribute__((vector_size(kLanes * sizeof(Real))));
        typedef double Doubles __attribute__((vector_size(kLanes * sizeof(double))));
    };

    static void sum(const Real* data, size_t size, double scale, double shift, Sums<Real>& sums) {
        constexpr size_t kLanes = kVectorBytes / sizeof(double);
        constexpr size_t kChains = 2;  // an addition takes longer than until the next could begin
        using Reals = typename Vectors<kLanes>::Reals;
        using Doubles = typename Vectors<kLanes>::Doubles;
        constexpr bool kIsScaled = std::is_same_v<Real, double>;  // no square of a float leaves the range of a double
        Reals min[kChains], max[kChains];
        Doubles differences[kChains]{}, squares[kChains]{};
        for (size_t chain = 0; chain < kChains; ++chain) {
            min[chain] = sums.min - Reals{};
            max[chain] = sums.max - Reals{};
        }
        size_t whole = size - size % (kChains * kLanes);
        for (size_t i = 0; i < whole; i += kChains * kLanes) {
#pragma GCC unroll 2
            for (size_t chain = 0; chain < kChains; ++chain) {
                Reals x;
                std::memcpy(&x, data + i + chain * kLanes, sizeof x);
                min[chain] = x < min[chain] ? x : min[chain];
                max[chain] = x > max[chain] ? x : max[chain];
                Doubles wide = widened<Doubles>(x);
                Doubles difference = (kIsScaled ? wide * scale : wide) - shift;
                differences[chain] += difference;
                squares[chain] += difference * difference;
            }
        }
        for (size_t chain = 0; chain < kChains; ++chain) {
            for (size_t lane = 0; lane < kLanes; ++lane) {
                sums.min = std::min<Real>(sums.min, min[chain][lane]);
                sums.max = std::max<Real>(sums.max, max[chain][lane]);
                sums.differences += differences[chain][lane];
                sums.squares += squares[chain][lane];
            }
        }
        for (size_t i = whole; i < size; ++i) sums.add(data[i], scale, shift);
    }

    // How many elements reach each edge. To compare with every edge is exact, and faster than to work out a bucket and
    // count in it, which processors do for one element at a time.
    static void count(const Real* data, size_t size, const Real* edges, uint64_t* counts) {
        constexpr size_t kAtOnce = 5;  // as many as the registers hold
        static_assert(kInnerEdges % kAtOnce == 0);
        for (size_t i = 0; i < kInnerEdges; i += kAtOnce) count_some<kAtOnce>(data, size, edges + i, counts + i);
    }

    template <size_t kEdges>
    static void count_some(const Real* data, size_t size, const Real* edges, uint64_t* counts) {
        constexpr size_t kLanes = kVectorBytes / sizeof(Real);
        using Reals = typename Vectors<kLanes>::Reals;
        using Mask = decltype(Reals{} < Reals{});
        Mask reached[kEdges]{};  // minus one for each
        size_t whole = size - size % kLanes;
        for (size_t i = 0; i < whole; i += kLanes) {
            Reals x;
            std::memcpy(&x, data + i, sizeof x);
#pragma GCC unroll 8
            for (size_t edge = 0; edge < kEdges; ++edge) reached[edge] += x >= edges[edge];
        }
#pragma GCC unroll 8
        for (size_t edge = 0; edge < kEdges; ++edge) {
            for (size_t lane = 0; lane < kLanes; ++lane) counts[edge] -= static_cast<int64_t>(reached[edge][lane]);
            for (size_t i = whole; i < size; ++i) counts[edge] += data[i] >= edges[edge];
        }
    }
};
