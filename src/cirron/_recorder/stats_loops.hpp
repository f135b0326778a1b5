// The loops that touch every element, for vectors of kVectorBytes. Included by stats.cpp once for each set of
// instructions, in a namespace of its own that has `widened` and `plus_square`: so everything in here is compiled for
// that set, and nothing else is.

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
        constexpr size_t kStep = kChains * kLanes;
        constexpr bool kIsScaled = std::is_same_v<Real, double>;  // no square of a float leaves the range of a double
        constexpr size_t kWide = kStep * sizeof(Real) / kVectorBytes;  // vectors of elements as they are
        using Reals = typename Vectors<kStep / kWide>::Reals;
        using SomeReals = typename Vectors<kLanes>::Reals;
        using Doubles = typename Vectors<kLanes>::Doubles;
        Reals min[kWide], max[kWide];
        for (size_t wide = 0; wide < kWide; ++wide) {
            min[wide] = sums.min - Reals{};
            max[wide] = sums.max - Reals{};
        }
        Doubles differences[kChains]{}, squares[kChains]{};
        size_t whole = size - size % kStep;
        for (size_t i = 0; i < whole; i += kStep) {
            fetch_ahead_of(data + i);
#pragma GCC unroll 2
            for (size_t wide = 0; wide < kWide; ++wide) {
                Reals x;
                std::memcpy(&x, data + i + wide * (kStep / kWide), sizeof x);
                min[wide] = x < min[wide] ? x : min[wide];
                max[wide] = x > max[wide] ? x : max[wide];
            }
#pragma GCC unroll 2
            for (size_t chain = 0; chain < kChains; ++chain) {
                SomeReals x;
                std::memcpy(&x, data + i + chain * kLanes, sizeof x);
                Doubles number = widened<Doubles>(x);
                Doubles difference = (kIsScaled ? number * scale : number) - shift;
                differences[chain] += difference;
                squares[chain] = plus_square(squares[chain], difference);
            }
        }
        for (size_t chain = 0; chain < kChains; ++chain) {
            for (size_t lane = 0; lane < kLanes; ++lane) {
                sums.differences += differences[chain][lane];
                sums.squares += squares[chain][lane];
            }
        }
        for (size_t wide = 0; wide < kWide; ++wide) {
            for (size_t lane = 0; lane < kStep / kWide; ++lane) {
                sums.min = std::min<Real>(sums.min, min[wide][lane]);
                sums.max = std::max<Real>(sums.max, max[wide][lane]);
            }
        }
        for (size_t i = whole; i < size; ++i) sums.add(data[i], scale, shift);
    }

    // To compare with every edge is exact, and faster than to work out a bucket and count in it, which processors do
    // for one element at a time.
    static void count(const Real* data, size_t size, const Real* edges, uint64_t* counts) {
        constexpr size_t kLanes = kVectorBytes / sizeof(Real);
        constexpr size_t kAtOnce = 5;  // as many as the registers hold
        static_assert(kInnerEdges % kAtOnce == 0);
        size_t whole = size - size % kLanes;
        uint64_t reached[kBuckets + 1] = {whole};  // of every edge; the last one nothing reaches
        for (size_t i = 0; i < kInnerEdges; i += kAtOnce)
            count_reaching<kAtOnce>(data, whole, edges + i, reached + 1 + i);
        for (size_t i = 0; i < kBuckets; ++i) counts[i] += reached[i] - std::min(reached[i], reached[i + 1]);
        count_singly(data + whole, size - whole, edges, counts);
    }

    template <size_t kEdges>
    static void count_reaching(const Real* data, size_t size, const Real* edges, uint64_t* counts) {
        constexpr size_t kLanes = kVectorBytes / sizeof(Real);
        using Reals = typename Vectors<kLanes>::Reals;
        using Mask = decltype(Reals{} < Reals{});
        Mask reached[kEdges]{};  // minus one for each
        for (size_t i = 0; i < size; i += kLanes) {
            fetch_ahead_of(data + i);
            Reals x;
            std::memcpy(&x, data + i, sizeof x);
#pragma GCC unroll 8
            for (size_t edge = 0; edge < kEdges; ++edge) reached[edge] += x >= edges[edge];
        }
        for (size_t edge = 0; edge < kEdges; ++edge) {
            for (size_t lane = 0; lane < kLanes; ++lane) counts[edge] -= static_cast<int64_t>(reached[edge][lane]);
        }
    }
};
