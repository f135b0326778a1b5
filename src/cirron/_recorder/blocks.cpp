#include "blocks.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <type_traits>

namespace cirron {

namespace {

struct NamedType {
    std::string_view name;
    ElementType type;
    size_t bytes;
};

constexpr NamedType kTypes[] = {
    {"bool", ElementType::kBool, 1},
    {"int8", ElementType::kInt8, 1},
    {"int16", ElementType::kInt16, 2},
    {"int32", ElementType::kInt32, 4},
    {"int64", ElementType::kInt64, 8},
    {"uint8", ElementType::kUint8, 1},
    {"uint16", ElementType::kUint16, 2},
    {"uint32", ElementType::kUint32, 4},
    {"uint64", ElementType::kUint64, 8},
    {"float16", ElementType::kFloat16, 2},
    {"bfloat16", ElementType::kBfloat16, 2},
    {"float32", ElementType::kFloat32, 4},
    {"float64", ElementType::kFloat64, 8},
    {"complex64", ElementType::kComplex64, 8},
    {"complex128", ElementType::kComplex128, 16},
};

// The elements may lie at any address.
template <typename Element>
Element load(const char* from, size_t index) {
    Element element;
    std::memcpy(&element, from + index * sizeof element, sizeof element);
    return element;
}

// Runs of a fixed length, which the compiler turns into instructions for many elements at once.
template <typename Real, typename Read>
void fill(Real* __restrict to, size_t count, Read read) {
    constexpr size_t kRun = 16;
    size_t whole = count - count % kRun;
    for (size_t i = 0; i < whole; i += kRun) {
        for (size_t j = 0; j < kRun; ++j) to[i + j] = static_cast<Real>(read(i + j));
    }
    for (size_t i = whole; i < count; ++i) to[i] = static_cast<Real>(read(i));
}

float bfloat_to_float(uint16_t bfloat) { return std::bit_cast<float>(uint32_t{bfloat} << 16); }

// Without a branch, so that it is done for many at once: the bits are moved to a float's places and the exponent gets
// its new bias. An infinite one needs as much again. A subnormal one is a multiple of 2^-24, put below the leading one
// of 2^-14, which is then taken away.
float half_to_float(uint16_t half) {
    constexpr int32_t kBias = 112 << 23;
    constexpr int32_t kOne = 1 << 23;
    int32_t moved = int32_t{half & 0x7fff} << 13;
    int32_t is_subnormal = -static_cast<int32_t>(moved < kOne);
    int32_t is_infinite = -static_cast<int32_t>(moved >= 31 * kOne);
    int32_t bits = moved + kBias + (is_subnormal & kOne) + (is_infinite & kBias);
    float size = std::bit_cast<float>(bits) - std::bit_cast<float>(is_subnormal & (kBias + kOne));
    return std::bit_cast<float>(std::bit_cast<uint32_t>(size) | uint32_t{half & 0x8000u} << 16);
}

template <typename Part>
double magnitude(const char* from, size_t i) {
    auto real = static_cast<double>(load<Part>(from, 2 * i));
    auto imaginary = static_cast<double>(load<Part>(from, 2 * i + 1));
    // The squares of two floats cannot overflow a double.
    constexpr bool kIsSafe = std::is_same_v<Part, float>;
    return kIsSafe ? std::sqrt(real * real + imaginary * imaginary) : std::hypot(real, imaginary);
}

template <typename Element, typename Real>
void convert_numbers(const char* __restrict from, size_t count, Real* __restrict to) {
    fill(to, count, [=](size_t i) { return load<Element>(from, i); });
}

template <typename Real>
void convert(ElementType type, const char* __restrict from, size_t count, Real* __restrict to) {
    switch (type) {
        case ElementType::kBool: return fill(to, count, [=](size_t i) { return from[i] != 0; });
        case ElementType::kInt8: return convert_numbers<int8_t>(from, count, to);
        case ElementType::kInt16: return convert_numbers<int16_t>(from, count, to);
        case ElementType::kInt32: return convert_numbers<int32_t>(from, count, to);
        case ElementType::kInt64: return convert_numbers<int64_t>(from, count, to);
        case ElementType::kUint8: return convert_numbers<uint8_t>(from, count, to);
        case ElementType::kUint16: return convert_numbers<uint16_t>(from, count, to);
        case ElementType::kUint32: return convert_numbers<uint32_t>(from, count, to);
        case ElementType::kUint64: return convert_numbers<uint64_t>(from, count, to);
        case ElementType::kFloat16:
            return fill(to, count, [=](size_t i) { return half_to_float(load<uint16_t>(from, i)); });
        case ElementType::kBfloat16:
            return fill(to, count, [=](size_t i) { return bfloat_to_float(load<uint16_t>(from, i)); });
        case ElementType::kFloat32: return convert_numbers<float>(from, count, to);
        case ElementType::kFloat64: return convert_numbers<double>(from, count, to);
        case ElementType::kComplex64: return fill(to, count, [=](size_t i) { return magnitude<float>(from, i); });
        case ElementType::kComplex128: return fill(to, count, [=](size_t i) { return magnitude<double>(from, i); });
    }
}

template <typename Real>
bool is_plain(ElementType type) {
    return type == (std::is_same_v<Real, float> ? ElementType::kFloat32 : ElementType::kFloat64);
}

template <size_t kBytes>
void copy_every(const char* from, int64_t stride_bytes, size_t count, char* to) {
    for (size_t i = 0; i < count; ++i)
        std::memcpy(to + i * kBytes, from + static_cast<int64_t>(i) * stride_bytes, kBytes);
}

void copy_run(const char* from, int64_t stride_bytes, size_t element_bytes, size_t count, char* to) {
    if (stride_bytes == static_cast<int64_t>(element_bytes)) {
        std::memcpy(to, from, count * element_bytes);
        return;
    }
    switch (element_bytes) {
        case 1: return copy_every<1>(from, stride_bytes, count, to);
        case 2: return copy_every<2>(from, stride_bytes, count, to);
        case 4: return copy_every<4>(from, stride_bytes, count, to);
        case 8: return copy_every<8>(from, stride_bytes, count, to);
        default: return copy_every<16>(from, stride_bytes, count, to);
    }
}

}  // namespace

std::optional<ElementType> element_type(std::string_view name) {
    for (const NamedType& each : kTypes) {
        if (each.name == name) return each.type;
    }
    return std::nullopt;
}

size_t element_bytes(ElementType type) {
    auto is_it = [&](const NamedType& each) { return each.type == type; };
    return std::find_if(std::begin(kTypes), std::end(kTypes), is_it)->bytes;
}

bool is_read_as_float(ElementType type) {
    switch (type) {
        case ElementType::kInt32:
        case ElementType::kUint32:
        case ElementType::kInt64:
        case ElementType::kUint64:
        case ElementType::kFloat64:
        case ElementType::kComplex64:
        case ElementType::kComplex128: return false;
        default: return true;
    }
}

template <typename Real>
Blocks<Real>::Blocks(const ArrayView& array)
    : data_(array.data), type_(array.type), element_bytes_(element_bytes(array.type)) {
    simplify(array);
    bool has_gaps = dimensions_.size() > 1 || dimensions_[0].stride_bytes != static_cast<int64_t>(element_bytes_);
    if (has_gaps) gathered_ = std::make_unique_for_overwrite<char[]>(kBlockElements * element_bytes_);
    if (!is_plain<Real>(type_)) converted_ = std::make_unique_for_overwrite<Real[]>(kBlockElements);
    rewind();
}

// The order of the elements does not matter, so that a transposed or flipped array, or images with their channels last,
// become one run without gaps.
template <typename Real>
void Blocks<Real>::simplify(const ArrayView& array) {
    total_ = 1;
    auto bytes = static_cast<int64_t>(element_bytes_);
    for (size_t i = 0; i < array.shape.size(); ++i) {
        Dimension dimension{array.shape[i], array.strides[i] * bytes};
        total_ *= static_cast<uint64_t>(dimension.size);
        if (dimension.size <= 1) continue;
        if (dimension.stride_bytes < 0) {
            data_ += dimension.stride_bytes * (dimension.size - 1);
            dimension.stride_bytes = -dimension.stride_bytes;
        }
        dimensions_.push_back(dimension);
    }
    auto is_outer = [](const Dimension& a, const Dimension& b) { return a.stride_bytes > b.stride_bytes; };
    std::stable_sort(dimensions_.begin(), dimensions_.end(), is_outer);
    for (size_t i = dimensions_.size(); i-- > 1;) {
        Dimension& outer = dimensions_[i - 1];
        Dimension& inner = dimensions_[i];
        if (outer.stride_bytes != inner.stride_bytes * inner.size) continue;
        outer = {outer.size * inner.size, inner.stride_bytes};
        dimensions_.erase(dimensions_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (dimensions_.empty()) dimensions_.push_back({static_cast<int64_t>(total_), bytes});
}

template <typename Real>
void Blocks<Real>::rewind() {
    left_ = total_;
    at_ = data_;
    position_.assign(dimensions_.size(), 0);
}

template <typename Real>
typename Blocks<Real>::Block Blocks<Real>::next() {
    size_t count = kBlockElements;
    const char* raw = take(count);
    if (converted_ == nullptr && reinterpret_cast<uintptr_t>(raw) % alignof(Real) == 0)
        return {reinterpret_cast<const Real*>(raw), count};
    if (converted_ == nullptr) converted_ = std::make_unique_for_overwrite<Real[]>(kBlockElements);
    convert(type_, raw, count, converted_.get());
    return {converted_.get(), count};
}

// Up to `count` elements side by side, and how many.
template <typename Real>
const char* Blocks<Real>::take(size_t& count) {
    count = std::min<uint64_t>(count, left_);
    left_ -= count;
    if (gathered_ != nullptr) {
        gather(gathered_.get(), count);
        return gathered_.get();
    }
    const char* from = at_;
    at_ += count * element_bytes_;
    return from;
}

template <typename Real>
void Blocks<Real>::gather(char* to, size_t count) {
    const Dimension& inner = dimensions_.back();
    while (count > 0) {
        size_t run = std::min(count, static_cast<size_t>(inner.size - position_.back()));
        copy_run(at_, inner.stride_bytes, element_bytes_, run, to);
        step(run);
        to += run * element_bytes_;
        count -= run;
    }
}

// Goes on within the innermost dimension, to its end at most, and from there to where the next run begins.
template <typename Real>
void Blocks<Real>::step(size_t count) {
    auto moved = static_cast<int64_t>(count);
    for (size_t i = dimensions_.size(); i-- > 0;) {
        const Dimension& dimension = dimensions_[i];
        position_[i] += moved;
        at_ += moved * dimension.stride_bytes;
        if (position_[i] < dimension.size) return;
        at_ -= position_[i] * dimension.stride_bytes;
        position_[i] = 0;
        moved = 1;
    }
}

template class Blocks<float>;
template class Blocks<double>;

}  // namespace cirron
