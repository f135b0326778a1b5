// The scopes that are open in a journal whose process may be at work on it right now.
#include <cstddef>
#include <cstring>
#include <unordered_set>

#include "drain.hpp"
#include "errors.hpp"
#include "python.hpp"

namespace cirron {

namespace {

constexpr int kAttempts = 8;

// What open_fields() reads of a frame; the rest may change as long as the scope is open.
bool are_same(const Frame& a, const Frame& b, uint32_t stride) {
    size_t attr_bytes = std::min<size_t>(a.attr_bytes, stride - sizeof(Frame));
    return std::memcmp(&a, &b, offsetof(Frame, cpu_start_ns)) == 0 && std::memcmp(a.attrs, b.attrs, attr_bytes) == 0;
}

void free_frames(FramesBlock* block) {
    for (uint32_t i = 0; i < block->count; ++i) block->at(i)->closed_at.store(kFrameFree);
}

void free_changed_frames(FramesBlock* before, FramesBlock* now) {
    if (before->stride != now->stride || before->count != now->count) return free_frames(now);
    for (uint32_t i = 0; i < now->count; ++i) {
        if (!are_same(*before->at(i), *now->at(i), now->stride)) now->at(i)->closed_at.store(kFrameFree);
    }
}

// Frees the frames of the copy `now` that differ from those of the copy `before`. Ids are unique and a frame is filled
// before it is open, so a frame with the same content in both is whole, and was open all the time from the end of the
// first copy to the beginning of the second. Names and heads of the second are younger, so they know all of its names
// and whether it was closing.
void keep_unchanged(const Journal& before, Journal& now) {
    std::vector<FramesBlock*> earlier = before.frames_blocks();
    std::vector<FramesBlock*> blocks = now.frames_blocks();
    for (size_t i = 0; i < blocks.size(); ++i) {
        if (i < earlier.size()) {
            free_changed_frames(earlier[i], blocks[i]);
        } else {
            free_frames(blocks[i]);
        }
    }
}

template <typename Visit>
void for_each_kept(const Journal& journal, Visit visit) {
    for (FramesBlock* block : journal.frames_blocks()) {
        for (uint32_t i = 0; i < block->count; ++i) {
            uint64_t closed_at = block->at(i)->closed_at.load();
            if (closed_at != kFrameFree) visit(*block->at(i), closed_at == kFrameOpen);
        }
    }
}

// Whether an open frame's parent was kept too, open or closed. If not, its own frame had just been read when it opened,
// and another look will find it; or it closed long ago, and none will.
bool has_all_parents(const Journal& journal) {
    std::unordered_set<uint64_t> ids{0, kSessionId};
    for_each_kept(journal, [&](const Frame& frame, bool) { ids.insert(frame.id); });
    bool has_all = true;
    for_each_kept(journal, [&](const Frame& frame, bool is_open) {
        has_all = has_all && (!is_open || ids.contains(frame.parent));
    });
    return has_all;
}

bool have_same_clock(Journal& a, Journal& b) {
    return std::memcmp(&a.header().clock, &b.header().clock, sizeof(ClockTable)) == 0;
}

std::unique_ptr<Journal> read_present(const std::string& path) {
    for (int attempt = 1;; ++attempt) {
        std::unique_ptr<Journal> before = Journal::copy_of(path);
        std::unique_ptr<Journal> now = Journal::copy_of(path);
        keep_unchanged(*before, *now);
        if (attempt == kAttempts || (have_same_clock(*before, *now) && has_all_parents(*now))) return now;
    }
}

// Then the spool has the session's last batch or gets it this very moment, and what was open is in it.
bool has_ended(const PendingSeal& pending) {
    SealState state = pending.state.load(std::memory_order_acquire);
    return state == SealState::kClosed || (state == SealState::kRenaming && pending.closes_session != 0);
}

std::string open_spans(Journal& journal) {
    if (has_ended(journal.header().pending)) return "[]";
    NameTexts names(journal);
    TickClock clock(journal.header().clock);
    DeferredValues deferred;
    return Drain(journal, names, clock, deferred, {}).open_spans();
}

}  // namespace

PyObject* peek(PyObject*, PyObject* path) {
    std::string journal_path;
    if (!read_path(path, journal_path)) return nullptr;
    return translated([&] {
        std::string spans;
        without_gil([&] { spans = open_spans(*read_present(journal_path)); });
        return PyBytes_FromStringAndSize(spans.data(), static_cast<Py_ssize_t>(spans.size()));
    });
}

}  // namespace cirron
