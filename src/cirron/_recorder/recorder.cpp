#include "recorder.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "errors.hpp"
#include "request.hpp"
#include "text.hpp"

// Headers older than the kernel they run on do not have it (Linux 5.14).
#if defined(__linux__) && !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23
#endif

namespace cirron {

namespace {

constexpr uint64_t kIdsPerThread = 4096;
constexpr uint32_t kFrameStride = 256;
constexpr uint32_t kFramesPerBlock = 64;
constexpr uint32_t kLargeFrameStride = sizeof(Frame) + padded(kMaxAttrBytes);
constexpr uint32_t kLargeFramesPerBlock = 4;
constexpr uint32_t kMinRingCells = 4 * std::bit_ceil(kMaxRecordCells);
constexpr uint32_t kMarkCells = cells_for(sizeof(MarkRecord));

// The names that every journal has after that of epochs, so that their numbers follow on it.
constexpr const char* kMeasured[] = {"step", "batch", "forward", "backward", "optimizer_step"};
constexpr uint32_t kStepName = kEpochName + 1;
constexpr uint32_t kBatchName = kStepName + 1;
constexpr uint32_t kDataLoadName = kEpochName + 1 + std::size(kMeasured);
constexpr uint32_t kPauseName = kDataLoadName + 1;

constexpr uint64_t kCpuMsOfShort = 5;

uint64_t name_bit(uint32_t name) { return uint64_t{1} << (name % 64); }

// One a slot: a context holds a stack for each recorder. Never freed.
PyObject* g_stack_variables[kMaxRecorders];
PyObject* g_error_key = nullptr;

// Whether scopes of this name are opened for a batch, or for data, that may never come.
bool may_be_cancelled(uint32_t name) {
    return name == kEpochName || name == kStepName || name == kBatchName || name == kDataLoadName;
}

// Whether something was recorded in a scope, but for the one above it on the stack; which may be no part of it: epochs
// are siblings, and one that was between the two may have been left.
bool is_used_but_for(const Frame& above, const Frame& below) {
    return above.parent == below.id ? above.parent_was_used : below.used_as_parent;
}

// How many of the open scopes have come to stay, from the outermost on.
uint32_t settled_depth(const Stack& stack) {
    uint32_t depth = stack.depth;
    bool is_used = depth > 0 && stack.frames[depth - 1]->used_as_parent;
    while (depth > 0 && !is_used && may_be_cancelled(stack.frames[depth - 1]->name)) {
        --depth;
        is_used = depth > 0 && is_used_but_for(*stack.frames[depth], *stack.frames[depth - 1]);
    }
    return depth;
}

uint32_t ring_cells(uint32_t marks) { return std::bit_ceil(std::max(marks * kMarkCells, kMinRingCells)); }

std::string journal_path(const std::string& dir, uint64_t id_prefix) {
    return dir + "/" + hex_id(id_prefix, kSessionId) + ".journal";
}

void fill_header(JournalHeader& header, const RecorderOptions& options, uint64_t id_prefix) {
    header.magic = kJournalMagic;
    header.version = kJournalVersion;
    header.heartbeat_wall_ns.store(wall_now_ns());
    SessionFacts& session = header.session;
    session.id_prefix = id_prefix;
    session.pid = getpid();
    session.rank = options.rank;
    session.thread_id = PyThread_get_thread_ident();
    session.start_ticks = now_ticks();
    std::string host = host_name();
    std::memcpy(session.host, host.data(), host.size());
    if (options.batch_fields.size() > sizeof session.batch_fields)
        throw std::length_error("batch_fields exceed 4096 bytes");
    session.batch_fields_bytes = options.batch_fields.size();
    std::memcpy(session.batch_fields, options.batch_fields.data(), options.batch_fields.size());
    header.session_checksum = checksum(session);
}

Scalar error_name(PyObject* type) {
    const char* full = reinterpret_cast<PyTypeObject*>(type)->tp_name;
    const char* dot = std::strrchr(full, '.');
    Scalar name;
    name.type = ValueType::kText;
    name.text = cut_text(dot != nullptr ? dot + 1 : full, kMaxText);
    return name;
}

void link_frames(FramesBlock* block, Frame*& list) {
    for (uint32_t i = block->count; i-- > 0;) {
        Frame* frame = block->at(i);
        frame->attr_capacity = static_cast<uint16_t>(block->stride - sizeof(Frame));
        frame->next_free = list;
        list = frame;
    }
}

void append_list(Frame* list, Frame*& to) {
    while (list != nullptr) {
        Frame* next = list->next_free;
        list->next_free = to;
        to = list;
        list = next;
    }
}

// More overflows the clock; and what is no number is no time.
std::chrono::duration<double> duration(double seconds) {
    return std::chrono::duration<double>(seconds > 0 ? std::min(seconds, 1e6) : 0);
}

std::string in_seconds(double seconds) {
    char text[32];
    std::snprintf(text, sizeof text, "%g s", seconds);
    return text;
}

// Without the lock when time runs out.
std::unique_lock<std::timed_mutex> lock_within(std::timed_mutex& mutex, std::optional<double> timeout_s) {
    if (!timeout_s) return std::unique_lock(mutex);
    return std::unique_lock(mutex, duration(*timeout_s));
}

// Whether what was written for it is neither in a ring nor gone.
bool is_open(const Undecided* undecided) {
    return undecided != nullptr && undecided->verdict() == Undecided::Verdict::kOpen;
}

bool is_large(const Frame* frame) { return frame->attr_capacity > kFrameStride; }

}  // namespace

Recorder* g_default_recorder = nullptr;

Recorder::Recorder(RecorderOptions options) : options_(std::move(options)) {
    uint64_t id_prefix = random_bits();
    journal_ = Journal::create(options_.journal_dir.empty() ? "" : journal_path(options_.journal_dir, id_prefix));
    names_ = std::make_unique<Names>(*journal_);
    clock_ = std::make_unique<TickClock>(journal_->header().clock);
    clock_->start();
    fill_header(journal_->header(), options_, id_prefix);
    drain_ = std::make_unique<Drain>(*journal_, names_->texts(), *clock_, deferred_,
                                     DrainOptions{.spool_dir = options_.spool_dir,
                                                  .batch_max_bytes = options_.batch_max_bytes,
                                                  .fsync = options_.fsync,
                                                  .keep_batches = options_.keep_batches});
    add_to_forked(this);
    try {
        registration_ = register_recorder(this);
        begin();
    } catch (...) {
        if (registration_.generation != 0) unregister_recorder(registration_.slot);
        remove_from_forked(this);
        throw;
    }
}

void Recorder::begin() {
    journal_->publish();
    // The core's own names have a number even when the user's have filled the table.
    names_->reserve("epoch");
    for (const char* name : kMeasured) names_->reserve(name);
    // The others of the hooks have a low one too, see NameSet.
    for (const char* name : {"data_load", "gc_pause_ms", "evaluation", "prediction", "peek", "epoch.end", "batch.end",
                             "data_load_ns", "error"})
        names_->reserve(name);
    // The starting thread gets its ring and its stack here, and not within its first scope.
    switch_to(PyThreadState_Get());
    give_back_frame(latest_, take_frame(latest_, 0));
}

Recorder::~Recorder() {
    remove_from_forked(this);
    if (abandoned_) return;
    if (!closed_) {
        unregister_recorder(registration_.slot);
        if (g_default_recorder == this) g_default_recorder = nullptr;
    }
    // Also after a close: what was being marked while the session ended may have come in since.
    names_->clear_cache();
    deferred_.give_up();
    set_epoch_end(nullptr);
    set_meter(nullptr);
}

// ---- threads ------------------------------------------------------------------------------------------------------

// Another thread or another context than at the operation before.
ThreadState* Recorder::switch_to(PyThreadState* thread) {
    const ThreadSlot& slot = t_slots[registration_.slot];
    ThreadState* state = slot.generation == registration_.generation ? slot.state : enter_thread();
    state->stack = find_stack(thread);
    state->interpreter_thread = state->stack == nullptr ? 0 : thread->id;
    state->context_version = thread->context_ver;
    latest_ = state;
    return state;
}

ThreadState* Recorder::enter_thread() {
    RingBlock* ring = take_ring();
    ThreadState* state = take_state();
    state->thread_id = PyThread_get_thread_ident();
    state->ring.attach(this, ring);
    state->dropped_before = ring->dropped.load();
    t_slots[registration_.slot] = {state, registration_.generation};
    watch_thread_end();
    return state;
}

ThreadState* Recorder::take_state() {
    std::lock_guard lock(threads_mutex_);
    if (idle_states_.empty()) idle_states_.push_back(states_.emplace_back(std::make_unique<ThreadState>()).get());
    ThreadState* state = idle_states_.back();
    idle_states_.pop_back();
    threads_.push_back(state);
    *state = ThreadState{};
    return state;
}

// A ring whose thread has ended serves the next one, for records carry their thread. It need not be drained, but the
// records of many short threads in a row must not crowd each other out.
RingBlock* Recorder::take_ring() {
    {
        std::lock_guard lock(threads_mutex_);
        auto emptiest = std::ranges::min_element(idle_rings_, {}, &RingBlock::filled);
        if (emptiest != idle_rings_.end() && (*emptiest)->filled() <= (*emptiest)->capacity / 2) {
            RingBlock* ring = *emptiest;
            idle_rings_.erase(emptiest);
            return ring;
        }
    }
    return journal_->add_ring_block(ring_cells(options_.ring_marks));
}

void Recorder::thread_ended(ThreadState* state) {
    std::lock_guard lock(threads_mutex_);
    idle_rings_.push_back(state->ring.block());
    append_list(state->free_frames, idle_frames_);
    append_list(state->free_large_frames, idle_large_frames_);
    std::erase(threads_, state);
    idle_states_.push_back(state);
}

uint64_t Recorder::next_id(ThreadState* state) {
    if (state->next_id == state->ids_end) {
        state->next_id = next_id_block_.fetch_add(kIdsPerThread, std::memory_order_relaxed);
        state->ids_end = state->next_id + kIdsPerThread;
    }
    return state->next_id++;
}

Frame* Recorder::take_frame(ThreadState* state, uint32_t attr_bytes) {
    bool large = attr_bytes > kFrameStride - sizeof(Frame);
    Frame*& list = large ? state->free_large_frames : state->free_frames;
    if (list == nullptr) [[unlikely]] {
        list = large ? new_frames(idle_large_frames_, kLargeFrameStride, kLargeFramesPerBlock)
                     : new_frames(idle_frames_, kFrameStride, kFramesPerBlock);
    }
    Frame* frame = list;
    list = frame->next_free;
    return frame;
}

// A list of `count` frames: those that ended threads have left, else a new block.
Frame* Recorder::new_frames(Frame*& idle, uint32_t stride, uint32_t count) {
    Frame* list = nullptr;
    {
        std::lock_guard lock(threads_mutex_);
        for (uint32_t i = 0; i < count && idle != nullptr; ++i) {
            Frame* frame = idle;
            idle = frame->next_free;
            frame->next_free = list;
            list = frame;
        }
    }
    if (list == nullptr) link_frames(journal_->add_frames_block(stride, count), list);
    return list;
}

void Recorder::give_back_frame(ThreadState* state, Frame* frame) {
    Frame*& list = is_large(frame) ? state->free_large_frames : state->free_frames;
    frame->next_free = list;
    list = frame;
}

// ---- stacks -------------------------------------------------------------------------------------------------------

// The stack of the context that runs now, made if need be. Null when memory is out.
Stack* Recorder::find_stack(PyThreadState* thread) {
    Stack* stack = thread->context == nullptr ? nullptr : stacks_.find(thread->context);
    if (stack != nullptr) return stack;
    // A collection may run any Python code, and with it the end of this recorder.
    bool collects = PyGC_Disable() == 1;
    stack = start_stack(thread);
    if (collects) PyGC_Enable();
    if (stack == nullptr) {
        PyErr_Clear();
        count_internal_error("new stack");
    }
    return stack;
}

// A stack for the current context. Borrowed from the table, or null with an exception set.
Stack* Recorder::start_stack(PyThreadState* thread) {
    PyObject* variable = g_stack_variables[registration_.slot];
    PyObject* inherited = nullptr;
    if (PyContextVar_Get(variable, nullptr, &inherited) != 0) return nullptr;
    Stack* stack = new_stack(registration_);
    if (stack != nullptr) begin_where(stack, inherited);
    Py_XDECREF(inherited);
    if (stack == nullptr) return nullptr;
    PyObject* token = PyContextVar_Set(variable, reinterpret_cast<PyObject*>(stack));
    Py_XDECREF(token);
    if (token != nullptr) stack->owner = PyWeakref_NewRef(thread->context, nullptr);
    if (stack->owner == nullptr) {
        Py_DECREF(reinterpret_cast<PyObject*>(stack));
        return nullptr;
    }
    stacks_.insert(thread->context, stack);
    return stack;
}

uint32_t Recorder::depth() {
    Stack* stack = stack_here();
    return stack == nullptr ? 0 : stack->depth;
}

uint32_t Recorder::innermost(const NameSet& names) {
    Stack* stack = stack_here();
    for (uint32_t i = stack == nullptr ? 0 : stack->depth; i-- > 0;) {
        if (names.contains(stack->frames[i]->name)) return stack->frames[i]->name;
    }
    return 0;
}

// ---- scopes and marks ---------------------------------------------------------------------------------------------

Frame* Recorder::open(const Opening& opening, uint64_t ticks) {
    ThreadState* thread = here();
    Stack* stack = thread->stack;
    if (stack == nullptr) {
        count_lost_span();
        return nullptr;
    }
    if (stack->is_full()) return open_ghost(thread, stack);
    Frame* frame = take_frame(thread, opening.attrs.size);
    frame->id = next_id(thread);
    frame->parent = opening.is_epoch ? stack->parent_for_epoch() : stack->top_id();
    frame->is_request = opening.is_request;
    if (opening.is_request && !stack->is_within_request()) frame->parent = kSessionId;
    frame->start_ticks = ticks;
    frame->index = opening.index;
    frame->thread_id = thread->thread_id;
    frame->name = opening.name;
    frame->attr_bytes = static_cast<uint16_t>(opening.attrs.size);
    if (opening.attrs.size != 0) std::memcpy(frame->attrs, opening.attrs.data, opening.attrs.size);
    frame->flags = opening.has_index ? kHasIndex : 0;
    frame->is_epoch = opening.is_epoch;
    frame->ends_early = opening.ends_early;
    start_cpu_clock(thread, frame);
    frame->stack = stack;
    frame->context_version = thread->context_version;
    frame->overhead_ns = scope_overhead_ns_;
    frame->used_as_parent = false;
    frame->is_ghost = false;
    frame->parent_was_used = stack->depth > 0 && std::exchange(stack->frames[stack->depth - 1]->used_as_parent, true);
    if (opening.is_epoch && stack->depth > 0 && frame->parent != stack->top_id())  // beside what is innermost
        stack->frames[stack->depth - 1]->used_as_parent = frame->parent_was_used;
    stack->push(frame);
    frame->closed_at.store(kFrameOpen, std::memory_order_release);
    return frame;
}

// Gives back where the records of the scope go for now, or null.
inline Undecided* Recorder::leave_stack(Frame* frame, uint64_t ticks, PyObject* error) {
    Stack* stack = frame->stack;
    if (stack == nullptr) return nullptr;
    if (stack->frames[stack->depth - 1] != frame) [[unlikely]]
        end_early_ones_in(frame, ticks, error);
    Undecided* undecided = stack->undecided_of(frame->id);
    stack->remove(frame);
    if (stack->depth > 0) stack->frames[stack->depth - 1]->overhead_ns += frame->overhead_ns;
    return undecided;
}

// What hooks have opened for a loop whose end nobody tells them: else all that follows would lie in it.
[[gnu::noinline]] void Recorder::end_early_ones_in(Frame* frame, uint64_t ticks, PyObject* error) {
    Stack* stack = frame->stack;
    for (uint32_t i = stack->depth; i-- > 0 && stack->frames[i] != frame;) {
        Frame* inner = stack->frames[i];
        if (!inner->ends_early) continue;
        if (inner->used_as_parent) {
            write_closed(here(), inner, ticks, error, {});
        } else {  // nobody has asked for a batch: it is as if it had never been
            stack->remove(inner);
            inner->closed_at.store(kFrameFree, std::memory_order_relaxed);
        }
        inner->is_ghost = true;  // until whoever has opened it leaves it
        inner->stack = nullptr;
    }
}

[[gnu::always_inline]] inline void Recorder::write_closed(ThreadState* thread, Frame* frame, uint64_t ticks,
                                                          PyObject* error, const Measures& measures) {
    Undecided* undecided = leave_stack(frame, ticks, error);
    if (error == nullptr) [[likely]] {
        write_span(thread, frame, ticks, {frame->attrs, frame->attr_bytes}, measures, undecided);
    } else {
        write_failed_span(thread, frame, ticks, error, measures, undecided);
    }
}

void Recorder::close(Frame* frame, uint64_t ticks, PyObject* error) { end_scope(frame, ticks, error, {}); }

void Recorder::close_measured(Frame* frame, uint64_t ticks, PyObject* error, const Measures& measures) {
    end_scope(frame, ticks, error, measures);
}

[[gnu::always_inline]] inline void Recorder::end_scope(Frame* frame, uint64_t ticks, PyObject* error,
                                                       const Measures& measures) {
    ThreadState* thread = here();
    if (!frame->is_ghost) [[likely]] {
        write_closed(thread, frame, ticks, error, measures);
    } else if (measures.gpu_time != 0) {
        deferred_.forget(measures.gpu_time);
    }
    give_back_frame(thread, frame);
}

void Recorder::close_with(Frame* frame, uint64_t ticks, AttrBytes attrs, Undecided* undecided) {
    ThreadState* thread = here();
    if (!frame->is_ghost) {
        leave_stack(frame, ticks, nullptr);
        write_span(thread, frame, ticks, attrs, {}, undecided);
    }
    give_back_frame(thread, frame);
}

[[gnu::noinline]] void Recorder::write_failed_span(ThreadState* thread, Frame* frame, uint64_t ticks, PyObject* error,
                                                   const Measures& measures, Undecided* undecided) {
    AttrWriter attrs(*names_);
    attrs.copy({frame->attrs, frame->attr_bytes}, g_error_key);
    attrs.add(g_error_key, error_name(error));
    write_span(thread, frame, ticks, attrs.bytes(), measures, undecided);
}

char* Recorder::room_aside(ThreadState* thread, uint32_t cells, Undecided* undecided) {
    if (undecided->verdict() == Undecided::Verdict::kKept) return thread->ring.reserve(cells);
    if (undecided->verdict() == Undecided::Verdict::kLeftOut) return nullptr;
    if (char* aside = undecided->reserve(cells)) return aside;
    undecided->keep(this, "size");
    return thread->ring.reserve(cells);
}

void Recorder::append(const char* record, uint32_t cells) {
    RingWriter& ring = here()->ring;
    std::memcpy(ring.reserve(cells), record, size_t{cells} * kCellBytes);
    ring.commit(cells);
}

// Inline, so that where nothing was measured nothing asks for it.
[[gnu::always_inline]] inline void Recorder::write_span(ThreadState* thread, Frame* frame, uint64_t ticks,
                                                        AttrBytes attrs, const Measures& measures,
                                                        Undecided* undecided) {
    uint32_t key_bytes = measures.gpu_time == 0 ? 0 : sizeof(GpuTimeKey);
    uint32_t cells = cells_for(sizeof(SpanRecord) + key_bytes + attrs.size);
    char* at = room_for(thread, cells, undecided);
    if (at == nullptr) {
        if (key_bytes != 0) deferred_.forget(measures.gpu_time);
        return frame->closed_at.store(kFrameFree, std::memory_order_relaxed);
    }
    auto* record = reinterpret_cast<SpanRecord*>(at);
    uint8_t flags = key_bytes == 0 ? frame->flags : frame->flags | kHasGpu;
    record->header = {RecordKind::kSpan, flags, static_cast<uint16_t>(cells), frame->name};
    record->id = frame->id;
    record->parent = frame->parent;
    record->start_ticks = frame->start_ticks;
    record->end_ticks = ticks;
    record->index = frame->index;
    record->cpu_ns = 0;
    record->thread_id = frame->thread_id;
    record->overhead_ns = frame->overhead_ns;
    record->attr_bytes = attrs.size & UINT16_MAX;  // all of it: kMaxAttrBytes is less
    record->memory_peak_bytes = 0;
    if (ticks - frame->start_ticks >= g_ticks_per_ms) [[unlikely]] {
        thread->short_names &= ~name_bit(frame->name);
        add_cpu_time(thread, frame, record);
    } else {
        thread->short_names |= name_bit(frame->name);
    }
    if (is_measured(frame->name)) add_memory_peak(record, measures);
    at += sizeof *record;
    if (key_bytes != 0) std::memcpy(at, &measures.gpu_time, key_bytes);
    if (attrs.size != 0) std::memcpy(at + key_bytes, attrs.data, attrs.size);
    if (is_open(undecided)) return frame->closed_at.store(kFrameFree, std::memory_order_relaxed);
    ClosedAt place{thread->ring.block()->number(), thread->ring.head()};
    frame->closed_at.store(place.packed(), std::memory_order_relaxed);
    thread->ring.commit(cells);
}

bool Recorder::close_and_reopen(Frame* frame, uint64_t ticks, int64_t index) {
    ThreadState* thread = here();
    Stack* stack = frame->stack;
    bool is_top =
        stack != nullptr && stack == thread->stack && !frame->is_ghost && stack->frames[stack->depth - 1] == frame;
    if (!is_top || frame->thread_id != thread->thread_id) return false;
    Undecided* undecided = stack->undecided_of(frame->id);
    if (stack->depth > 1) stack->frames[stack->depth - 2]->overhead_ns += frame->overhead_ns;
    write_span(thread, frame, ticks, {frame->attrs, frame->attr_bytes}, {}, undecided);
    frame->id = next_id(thread);
    frame->start_ticks = ticks;
    frame->index = index;
    frame->attr_bytes = 0;
    start_cpu_clock(thread, frame);
    frame->context_version = thread->context_version;
    frame->overhead_ns = scope_overhead_ns_;
    frame->used_as_parent = false;
    frame->parent_was_used = true;  // by the item before
    frame->closed_at.store(kFrameOpen, std::memory_order_release);
    return true;
}

void Recorder::cancel(Frame* frame) {
    frame->closed_at.store(kFrameFree, std::memory_order_relaxed);
    Stack* stack = frame->is_ghost ? nullptr : frame->stack;
    if (stack != nullptr) {
        if (stack->depth > 1 && stack->frames[stack->depth - 1] == frame) {
            Frame* below = stack->frames[stack->depth - 2];
            below->used_as_parent = is_used_but_for(*frame, *below);
        }
        stack->remove(frame);
    }
    give_back_frame(here(), frame);
}

void Recorder::add_overhead_ns(uint64_t ns) {
    Stack* stack = stack_here();
    if (stack != nullptr && stack->depth > 0) stack->frames[stack->depth - 1]->overhead_ns += ns;
}

void Recorder::add_attr(Frame* frame, PyObject* key, const Scalar& value) {
    AttrWriter attrs(*names_);
    attrs.add(key, value);
    if (frame->attr_bytes + attrs.bytes().size > frame->attr_capacity) return;
    std::memcpy(frame->attrs + frame->attr_bytes, attrs.bytes().data, attrs.bytes().size);
    frame->attr_bytes += static_cast<uint16_t>(attrs.bytes().size);
}

uint64_t Recorder::ticks_to_ns(uint64_t ticks) const {
    return static_cast<uint64_t>(static_cast<double>(ticks) * 1e6 / static_cast<double>(g_ticks_per_ms));
}

void Recorder::mark(uint32_t name, const Scalar& value, bool is_summary, AttrBytes attrs) {
    ThreadState* thread = here();
    Stack* stack = thread->stack;
    if (stack == nullptr) return count_lost_mark();
    if (name == kPauseName) return mark_pause(thread, value, attrs);
    write_mark(thread, {stack->top_id(), now_ticks(), stack->undecided}, name, value, is_summary, attrs);
    if (stack->depth > 0) {
        Frame* top = stack->frames[stack->depth - 1];
        top->used_as_parent = true;
        top->overhead_ns += mark_overhead_ns_;
    }
}

// Garbage is collected at any time: also while a step waits for a batch that never comes, which it shall not keep.
void Recorder::mark_pause(ThreadState* thread, const Scalar& value, AttrBytes attrs) {
    Stack* stack = thread->stack;
    uint32_t depth = settled_depth(*stack);
    uint64_t span = depth > 0 ? stack->frames[depth - 1]->id : stack->root_parent;
    write_mark(thread, {span, now_ticks(), stack->undecided_of(span)}, kPauseName, value, false, attrs);
    if (depth < stack->depth) stack->frames[depth]->parent_was_used = true;
    if (depth > 0) stack->frames[depth - 1]->used_as_parent = true;
}

void Recorder::mark_at(const MarkPlace& place, uint32_t name, const Scalar& value, bool is_summary, AttrBytes attrs) {
    write_mark(here(), place, name, value, is_summary, attrs);
}

MarkPlace Recorder::place_of(uint64_t span) {
    Stack* stack = stack_here();
    return {span, now_ticks(), stack == nullptr ? nullptr : stack->undecided_of(span)};
}

inline void Recorder::write_mark(ThreadState* thread, const MarkPlace& place, uint32_t name, const Scalar& value,
                                 bool is_summary, AttrBytes attrs) {
    uint32_t text_bytes = value.type == ValueType::kText ? padded(static_cast<uint32_t>(value.text.size())) : 0;
    uint32_t cells = cells_for(sizeof(MarkRecord) + text_bytes + attrs.size);
    char* at = room_for(thread, cells, place.undecided);
    if (at == nullptr) {
        if (value.type == ValueType::kDeferred) deferred_.forget(value.bits);
        return;
    }
    auto* record = reinterpret_cast<MarkRecord*>(at);
    uint8_t flags = is_summary ? kSummary : 0;
    record->header = {RecordKind::kMark, flags, static_cast<uint16_t>(cells), name};
    record->span = place.span;
    record->ticks = place.ticks;
    record->value = value.bits;
    record->attr_bytes = attrs.size;
    record->type = value.type;
    at += sizeof *record;
    if (text_bytes != 0) std::memcpy(at, value.text.data(), value.text.size());
    if (attrs.size != 0) std::memcpy(at + text_bytes, attrs.data, attrs.size);
    if (!is_open(place.undecided)) thread->ring.commit(cells);
}

void Recorder::memory(std::string_view json) {
    if (json.size() > kMaxMemoryText) return count_lost_memory();
    ThreadState* thread = here();
    uint32_t cells = cells_for(sizeof(MemoryRecord) + static_cast<uint32_t>(json.size()));
    char* at = thread->ring.reserve(cells);
    MemoryRecord record{{RecordKind::kMemory, 0, static_cast<uint16_t>(cells), 0},
                        static_cast<uint32_t>(json.size()),
                        static_cast<uint32_t>(checksum(json))};
    std::memcpy(at, &record, sizeof record);
    std::memcpy(at + sizeof record, json.data(), json.size());
    thread->ring.commit(cells);
}
PyObject* Recorder::stack_variable(Registration registration) { return g_stack_variables[registration.slot]; }

std::optional<uint64_t> Recorder::innermost_id() {
    Stack* stack = stack_here();
    if (stack == nullptr) return std::nullopt;
    return stack->top_id() == 0 ? kSessionId : stack->top_id();
}

void Recorder::set_epoch_end(PyObject* function) {
    PyObject* before = std::exchange(epoch_end_, Py_XNewRef(function));
    Py_XDECREF(before);
}

void Recorder::set_meter(PyObject* meter) {
    PyObject* before = std::exchange(meter_, Py_XNewRef(meter));
    Py_XDECREF(before);
}

bool Recorder::is_measured(uint32_t name) { return name - kEpochName - 1 < std::size(kMeasured); }

// Where a device does the work, its memory is what counts, and that of the process says nothing.
inline void Recorder::add_memory_peak(SpanRecord* record, const Measures& measures) {
    bool is_on_device = meter_ != nullptr || measures.memory_peak_bytes;
    std::optional<uint64_t> peak =
        is_on_device ? measures.memory_peak_bytes : resident_peak_.bytes(record->start_ticks, record->end_ticks);
    if (!peak) return;
    record->header.flags |= kHasMemory;
    record->memory_peak_bytes = std::min(*peak, kMaxMemoryBytes) & kMaxMemoryBytes;
}

// A system call: 200 ns in a row, but some microseconds in a program whose own work keeps the caches busy. So a reading
// serves all scopes that open within a millisecond, and for longer those that will hardly need any.
inline void Recorder::start_cpu_clock(ThreadState* thread, Frame* frame) {
    uint64_t age = frame->start_ticks - thread->cpu_read_at;
    bool is_short = (thread->short_names & name_bit(frame->name)) != 0;
    if (age > (is_short ? kCpuMsOfShort : 1) * g_ticks_per_ms) [[unlikely]]
        read_cpu_clock(thread, frame->start_ticks);
    frame->cpu_start_ns = thread->cpu_ns;
    frame->cpu_start_ticks = thread->cpu_read_at;
}

// Of a scope that had its thread to itself, and that is ten times as long as the reading at its start was old.
void Recorder::add_cpu_time(ThreadState* thread, const Frame* frame, SpanRecord* record) {
    uint64_t age = frame->start_ticks - frame->cpu_start_ticks;
    bool is_alone = frame->thread_id == thread->thread_id && frame->context_version == PyThreadState_Get()->context_ver;
    if (!is_alone || record->end_ticks - frame->start_ticks < 10 * age) return;
    read_cpu_clock(thread, record->end_ticks);
    record->header.flags |= kHasCpu;
    record->cpu_ns = thread->cpu_ns - frame->cpu_start_ns;
}

void Recorder::read_cpu_clock(ThreadState* thread, uint64_t ticks) {
    thread->cpu_ns = read_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    thread->cpu_read_at = ticks;
}

// A scope below the 64th: counted, and not recorded. Its handle gets a frame all the same, so that leaving it needs no
// rule of its own.
Frame* Recorder::open_ghost(ThreadState* thread, Stack* stack) {
    Frame* frame = take_frame(thread, 0);
    frame->attr_bytes = 0;
    frame->stack = stack;
    frame->used_as_parent = false;
    frame->is_request = false;
    frame->is_ghost = true;
    count_too_deep(thread);
    return frame;
}

void Recorder::count_too_deep(ThreadState* thread) {
    journal_->header().scopes_too_deep.fetch_add(1, std::memory_order_relaxed);
    if (thread->warned_too_deep) return;
    thread->warned_too_deep = true;
    warn("scopes on thread " + std::to_string(thread->thread_id) +
         " are nested deeper than 64; the deeper ones are not recorded, and what they contain counts for the 64th."
         " Is a scope entered and never left? health()['scope_drop_count'] counts them");
}

// ---- life ---------------------------------------------------------------------------------------------------------

void Recorder::close_session(const std::string& ended, std::optional<double> timeout_s) {
    if (abandoned_) return;
    if (closed_.exchange(true)) return wait_for_close(timeout_s);
    closing_thread_ = std::this_thread::get_id();
    std::lock_guard closing(close_mutex_);  // free, since whoever waits for it has found `closed_` set
    // With the GIL held nobody is in the middle of recording, and from here on nobody finds this recorder.
    unregister_recorder(registration_.slot);
    if (g_default_recorder == this) g_default_recorder = nullptr;
    names_->clear_cache();
    stacks_.clear();
    deferred_.give_up();
    set_epoch_end(nullptr);
    set_meter(nullptr);
    note_ending(ended);
    journal_->header().ending.ticks.store(now_ticks(), std::memory_order_release);
    without_gil([&] { seal_the_end(timeout_s); });
}

void Recorder::note_ending(const std::string& ended) {
    Ending& ending = journal_->header().ending;
    std::string_view text = cut_text(ended, kMaxText);
    ending.bytes.store(0, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);  // a kill within the copy leaves no mixture of two texts
    std::memcpy(ending.text, text.data(), text.size());
    ending.bytes.store(static_cast<uint32_t>(text.size()), std::memory_order_release);
}

void Recorder::set_ending(const std::string& ended) {
    if (!closed_) note_ending(ended);
}

// When it throws, the journal stays, and whoever comes next recovers it.
void Recorder::seal_the_end(std::optional<double> timeout_s) {
    auto lock = lock_drain(timeout_s);
    try {
        drain_->run_to_end();
    } catch (...) {
        drain_->give_up_unrecoverable();
        throw;
    }
    journal_->unlink();
}

// The closing thread itself may come here, in a signal handler or a finalizer that runs meanwhile.
void Recorder::wait_for_close(std::optional<double> timeout_s) {
    if (closing_thread_ == std::this_thread::get_id()) return;
    without_gil([&] {
        auto lock = lock_within(close_mutex_, timeout_s);
        if (!lock)
            throw TimeoutError{"another thread has been closing the session for " + in_seconds(*timeout_s) +
                               "; does its disk hang? What is not in the spool by the end of the process is recovered "
                               "from the journal later"};
    });
}

void Recorder::abandon_in_child() {
    closed_ = true;
    abandoned_ = true;
    journal_->abandon_in_child();
    // Threads that are not here may hold these or wait at them, and their destruction would wait for those.
    std::construct_at(&drain_mutex_);
    std::construct_at(&close_mutex_);
    std::construct_at(&wake_condition_);
}

// ---- the drain ----------------------------------------------------------------------------------------------------

std::unique_lock<std::timed_mutex> Recorder::lock_drain(std::optional<double> timeout_s) {
    auto lock = lock_within(drain_mutex_, timeout_s);
    if (!lock)
        throw TimeoutError{"another thread has been writing to " + options_.spool_dir + " for " +
                           in_seconds(*timeout_s) +
                           "; does its disk hang? The records stay in the journal, so try again later"};
    return lock;
}

uint64_t Recorder::drain(std::optional<double> timeout_s) {
    if (closed_) return 0;
    auto lock = lock_drain(timeout_s);
    if (closed_) return 0;
    journal_->header().heartbeat_wall_ns.store(wall_now_ns(), std::memory_order_relaxed);
    populate_rings();
    return drain_->run();
}

void Recorder::add_snapshot(std::string json) {
    if (!closed_) drain_->snapshots().add(std::move(json));
}

// Has the pages of a ring's first lap made before its thread gets there: a page fault on a file costs microseconds.
// Threads that record little never need more than they touch.
void Recorder::populate_rings() {
#ifdef MADV_POPULATE_WRITE
    for (RingBlock* ring : journal_->ring_blocks()) {
        uint64_t head = ring->head.load(std::memory_order_relaxed);
        if (head == 0 || head >= ring->capacity) continue;
        uint64_t ahead = std::min<uint64_t>(head + ring->capacity / 4, ring->capacity);
        auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
        uintptr_t from = reinterpret_cast<uintptr_t>(ring->cells + head * kCellBytes) / page * page;
        uintptr_t to = reinterpret_cast<uintptr_t>(ring->cells + ahead * kCellBytes) / page * page;
        // Advice: an old kernel says no, and the pages come one by one as before.
        if (to > from) (void)madvise(reinterpret_cast<void*>(from), to - from, MADV_POPULATE_WRITE);
    }
#endif
}

bool Recorder::wait(double timeout_s) {
    if (abandoned_) return false;
    std::unique_lock lock(wake_mutex_);
    bool woken = wake_condition_.wait_for(lock, duration(timeout_s), [&] { return woken_; });
    woken_ = false;
    return woken;
}

void Recorder::wake() {
    if (abandoned_) return;
    std::lock_guard lock(wake_mutex_);
    woken_ = true;
    wake_condition_.notify_all();
}

std::string Recorder::open_spans() {
    if (closed_) return "[]";
    return drain_->open_spans();
}

std::deque<std::string> Recorder::take_batches() {
    if (abandoned_) return {};
    return drain_->kept().take();
}

// ---- facts --------------------------------------------------------------------------------------------------------

void Recorder::set_overhead(uint64_t scope_ns, uint64_t mark_ns) {
    scope_overhead_ns_ = scope_ns;
    mark_overhead_ns_ = mark_ns;
}

void Recorder::count_rejected_mark(std::string warning) {
    journal_->header().marks_rejected.fetch_add(1, std::memory_order_relaxed);
    std::lock_guard lock(notes_mutex_);
    if (!std::exchange(warned_rejected_, true)) warnings_.push_back(std::move(warning));
}

// Also where memory is out; there the loss itself is in the journal's counters.
void Recorder::count_internal_error(const char* place) try {
    std::lock_guard lock(notes_mutex_);
    ++internal_errors_[place];
} catch (const std::bad_alloc&) {
}

void Recorder::count_spool_drops(uint64_t batches, const RecordCounts& dropped) {
    JournalHeader& header = journal_->header();
    header.spool_batches_dropped.fetch_add(batches, std::memory_order_relaxed);
    header.spool_spans_dropped.fetch_add(dropped.spans, std::memory_order_relaxed);
    header.spool_marks_dropped.fetch_add(dropped.marks, std::memory_order_relaxed);
    header.spool_memory_dropped.fetch_add(dropped.memory, std::memory_order_relaxed);
}

void Recorder::warn(std::string message) {
    std::lock_guard lock(notes_mutex_);
    warnings_.push_back(std::move(message));
}

std::vector<std::pair<uint64_t, PyObject*>> Recorder::take_deferred() {
    if (abandoned_) return {};
    return deferred_.take();
}

std::vector<std::string> Recorder::take_warnings() {
    if (abandoned_) return {};
    std::lock_guard lock(notes_mutex_);
    return std::exchange(warnings_, {});
}

Recorder::Counters Recorder::counters() {
    Counters counters;
    if (abandoned_) return counters;
    counters.drained = drain_->totals();
    counters.batches_forgotten = drain_->kept().forgotten();
    counters.snapshots_dropped = drain_->snapshots().dropped();
    counters.requests_left_out = requests_left_out_;
    const JournalHeader& header = journal_->header();
    counters.dropped = header.dropped.load();
    counters.scopes_too_deep = header.scopes_too_deep.load(std::memory_order_relaxed);
    counters.marks_rejected = header.marks_rejected.load(std::memory_order_relaxed);
    for (RingBlock* ring : journal_->ring_blocks()) counters.dropped += ring->dropped.load();
    {
        std::lock_guard lock(threads_mutex_);
        for (const ThreadState* state : threads_) {
            RecordCounts dropped = state->ring.block()->dropped.load();
            dropped -= state->dropped_before;
            counters.threads.push_back({state->thread_id, dropped.spans, dropped.marks});
        }
    }
    std::lock_guard lock(notes_mutex_);
    counters.internal_errors = internal_errors_;
    return counters;
}

int init_recorders() {
    g_error_key = PyUnicode_InternFromString("error");
    if (g_error_key == nullptr) return -1;
    for (PyObject*& variable : g_stack_variables) {
        variable = PyContextVar_New("cirron_scopes", nullptr);
        if (variable == nullptr) return -1;
    }
    install_fork_handlers();
    if (init_request_type() != 0) return -1;
    return init_stack_type();
}

}  // namespace cirron
