// Counting floats in buckets with AVX2. Included by stats.cpp in the namespace of that set of instructions.
//
// Each of eight lanes finds the bucket of its element in four steps, as one looks up a word, and adds one to the four
// bits that stand for it among the 64 of the lane. Those are spread over bytes before they can overflow, and the bytes
// over whole numbers.

struct BucketSearch {
    static constexpr size_t kLanes = 8;
    static constexpr size_t kFourBitsHold = 15;  // vectors
    static constexpr size_t kBytesHold = 17;     // times that
    static_assert(kBlockElements <= kLanes * kFourBitsHold * kBytesHold);

    // `edges`: the 15 inner ones.
    explicit BucketSearch(const float* edges)
        : middle(_mm256_set1_ps(edges[7])),
          quarters(_mm256_setr_ps(edges[3], edges[11], 0, 0, 0, 0, 0, 0)),
          eighths(_mm256_setr_ps(edges[1], edges[5], edges[9], edges[13], 0, 0, 0, 0)),
          rest(_mm256_setr_ps(edges[0], edges[2], edges[4], edges[6], edges[8], edges[10], edges[12], edges[14])) {}

    // Adds a block's elements to the 16 counts; what is left over when it has been cut into vectors is not looked at.
    void count(const float* data, size_t whole, uint64_t* counts) const {
        __m256i bytes[4] = {};
        const __m256i even = _mm256_set1_epi8(15);
        for (size_t i = 0; i < whole;) {
            __m256i low = _mm256_setzero_si256(), high = low;
            size_t end = std::min(whole, i + kLanes * kFourBitsHold);
            for (; i < end; i += kLanes) {
                fetch_ahead_of(data + i);
                add_to_fours(bucket(_mm256_loadu_ps(data + i)), low, high);
            }
            bytes[0] = _mm256_add_epi8(bytes[0], low & even);
            bytes[1] = _mm256_add_epi8(bytes[1], _mm256_srli_epi16(low, 4) & even);
            bytes[2] = _mm256_add_epi8(bytes[2], high & even);
            bytes[3] = _mm256_add_epi8(bytes[3], _mm256_srli_epi16(high, 4) & even);
        }
        add_up(bytes, counts);
    }

  private:
    // How many edges the element reaches; none when it is no number.
    __m256i bucket(__m256 x) const {
        __m256i found = next_digit(_mm256_setzero_si256(), x, middle);
        found = next_digit(found, x, _mm256_permutevar8x32_ps(quarters, found));
        found = next_digit(found, x, _mm256_permutevar8x32_ps(eighths, found));
        return next_digit(found, x, _mm256_permutevar8x32_ps(rest, found));
    }

    static __m256i next_digit(__m256i found, __m256 x, __m256 edge) {
        __m256i reached = _mm256_castps_si256(_mm256_cmp_ps(x, edge, _CMP_GE_OQ));  // minus one where it is
        return _mm256_sub_epi32(_mm256_add_epi32(found, found), reached);
    }

    // A shift by too much leaves nothing.
    static void add_to_fours(__m256i bucket, __m256i& low, __m256i& high) {
        const __m256i one = _mm256_set1_epi32(1);
        __m256i place = _mm256_slli_epi32(bucket, 2);
        low = _mm256_add_epi32(low, _mm256_sllv_epi32(one, place));
        high = _mm256_add_epi32(high, _mm256_sllv_epi32(one, _mm256_sub_epi32(place, _mm256_set1_epi32(32))));
    }

    static void add_up(const __m256i* bytes, uint64_t* counts) {
        for (size_t part = 0; part < 4; ++part) {
            uint8_t each[sizeof(__m256i)];
            std::memcpy(each, bytes + part, sizeof each);
            size_t first = part / 2 * 8 + part % 2;
            for (size_t i = 0; i < sizeof each; ++i) counts[first + i % 4 * 2] += each[i];
        }
    }

    __m256 middle, quarters, eighths, rest;
};
