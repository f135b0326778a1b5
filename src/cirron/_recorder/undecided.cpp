#include "undecided.hpp"

#include <cstring>

#include "recorder.hpp"

namespace cirron {

namespace {

template <typename Visit>
void for_each_record(const std::vector<char>& records, Visit visit) {
    for (size_t at = 0; at < records.size();) {
        RecordHeader header;
        std::memcpy(&header, &records[at], sizeof header);
        visit(header, &records[at]);
        at += size_t{header.cells} * kCellBytes;
    }
}

}  // namespace

char* Undecided::reserve(uint32_t cells) {
    size_t size = records_.size();
    size_t bytes = size_t{cells} * kCellBytes;
    if (size + bytes > kMostBytes) return nullptr;
    records_.resize(size + bytes);
    return &records_[size];
}

void Undecided::keep(Recorder* recorder, const char* what_for) {
    if (verdict_ != Verdict::kOpen) return;
    verdict_ = Verdict::kKept;
    kept_for_ = what_for;
    for_each_record(records_, [&](RecordHeader header, const char* record) { recorder->append(record, header.cells); });
    records_ = {};
}

void Undecided::leave_out(Recorder* recorder) {
    if (verdict_ != Verdict::kOpen) return;
    verdict_ = Verdict::kLeftOut;
    for_each_record(records_, [&](RecordHeader, const char* record) {
        if (std::optional<uint64_t> key = deferred_key(record)) recorder->deferred().forget(*key);
    });
    records_ = {};
}

}  // namespace cirron
