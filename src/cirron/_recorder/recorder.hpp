// One session's recorder: its journal, the state of each recording thread, and what can be counted.
#pragma once

#include <Python.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "attrs.hpp"
#include "clock.hpp"
#include "deferred.hpp"
#include "drain.hpp"
#include "journal.hpp"
#include "names.hpp"
#include "registry.hpp"
#include "request_ids.hpp"
#include "resident_peak.hpp"
#include "ring.hpp"
#include "stack.hpp"

namespace cirron {

// What one thread keeps for one recorder. Touched by its own thread only, but for the moment it ends.
struct ThreadState {
    RingWriter ring;
    Frame* free_frames = nullptr;
    Frame* free_large_frames = nullptr;
    uint64_t next_id = 0;
    uint64_t ids_end = 0;
    uint64_t thread_id = 0;
    // The stack of the context that ran here last, and how to see that it still runs. Interpreter threads are numbered
    // and no number comes twice.
    Stack* stack = nullptr;
    uint64_t context_version = 0;
    uint64_t interpreter_thread = 0;
    // The thread's CPU clock as it was read last, and when.
    uint64_t cpu_ns = 0;
    uint64_t cpu_read_at = 0;
    uint64_t short_names = 0;  // a bit for names whose last scope was too short for it; some share one
    bool warned_too_deep = false;
    RecordCounts dropped_before;  // by earlier threads that wrote to this ring
};

struct RecorderOptions {
    std::string spool_dir;    // empty: batches are written nowhere
    std::string journal_dir;  // empty: anonymous memory
    std::string batch_fields;
    int64_t rank = 0;
    uint32_t ring_marks = 65536;
    uint64_t batch_max_bytes = 16 << 20;
    bool fsync = false;
    bool keep_batches = false;
};

// What a scope is opened with. A name without a number comes as text in front of the attributes.
struct Opening {
    uint32_t name = 0;
    int64_t index = 0;
    bool has_index = false;
    bool is_epoch = false;
    bool is_request = false;
    bool ends_early = false;
    AttrBytes attrs{nullptr, 0};
};

constexpr uint32_t kEpochName = 1;  // the first one that a recorder reserves

// What was measured of a scope besides its time.
struct Measures {
    std::optional<uint64_t> memory_peak_bytes;
    GpuTimeKey gpu_time = 0;  // 0: no device will tell
};

// Of which scope a mark is, and when; `undecided` is where that scope's records are for now, or null.
struct MarkPlace {
    uint64_t span;
    uint64_t ticks;
    Undecided* undecided;
};

class Recorder {
  public:
    // Throws SystemError, std::bad_alloc, or std::length_error when kMaxRecorders are alive.
    explicit Recorder(RecorderOptions options);
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    // ---- the hot path; all of it needs the GIL ----

    // Null when memory is out.
    Frame* open(const Opening& opening, uint64_t ticks);
    // `error` is the type of the exception that leaves the scope, or null.
    void close(Frame* frame, uint64_t ticks, PyObject* error);
    void close_measured(Frame* frame, uint64_t ticks, PyObject* error, const Measures& measures);
    // Closes the scope of a loop's item and opens the same one for the next, at the same place. False when it is not
    // the innermost here: nothing has happened then.
    bool close_and_reopen(Frame* frame, uint64_t ticks, int64_t index);
    // As `close`, with these attributes instead of those it was opened with. It is recorded where the records of
    // `undecided` are, if that is not null.
    void close_with(Frame* frame, uint64_t ticks, AttrBytes attrs, Undecided* undecided);
    // As if it had never been opened.
    void cancel(Frame* frame);
    void mark(uint32_t name, const Scalar& value, bool is_summary, AttrBytes attrs);
    // A telemetry event as JSON; one that is too long is counted as dropped.
    void memory(std::string_view json);
    // A mark on another scope than the innermost one, be it open or not.
    void mark_at(const MarkPlace& place, uint32_t name, const Scalar& value, bool is_summary,
                 AttrBytes attrs = {nullptr, 0});
    // Of a mark that is made now in a scope of the calling thread or task.
    MarkPlace place_of(uint64_t span);
    // Puts a whole record into the ring of the calling thread.
    void append(const char* record, uint32_t cells);
    // As an epoch it has others beside it from here on.
    void rename(Frame* frame, PyObject* name) {
        frame->name = names_->number_of(name);
        frame->is_epoch = frame->name == kEpochName;
    }
    uint64_t ticks_to_ns(uint64_t ticks) const;
    // One more attribute for an open scope, if its frame has room.
    void add_attr(Frame* frame, PyObject* key, const Scalar& value);
    uint32_t depth();
    // The name of the innermost scope here that has one of these; 0 when none does.
    uint32_t innermost(const NameSet& names);
    // The innermost scope here, else the session. Null when memory is out.
    std::optional<uint64_t> innermost_id();
    // The time now, as it is written in records.
    uint64_t now_ns() const { return clock_->to_ns(now_ticks()); }
    // Of the calling thread or task; null when memory is out.
    Stack* stack_here() { return here()->stack; }

    // What is called before an epoch of a loop closes, with its id and the time; null: nothing. Borrowed. Needs the
    // GIL.
    PyObject* epoch_end() const { return epoch_end_; }
    void set_epoch_end(PyObject* function);
    // The context variable in which contexts inherit where they begin. Borrowed.
    static PyObject* stack_variable(Registration registration);
    RequestIds& request_ids() { return request_ids_; }
    // Of a request and all that is in its tree, as its share was not drawn.
    void count_left_out() { ++requests_left_out_; }
    // What measures the scopes of training on a device; null: there is none. Borrowed. Needs the GIL.
    PyObject* meter() const { return meter_; }
    void set_meter(PyObject* meter);
    // Whether it is of a scope of training, of which more is measured than its time.
    static bool is_measured(uint32_t name);
    // Time that was spent within a scope on recording.
    void add_overhead(Frame* frame, uint64_t ticks) { frame->overhead_ns += ticks_to_ns(ticks); }
    // The same for the innermost scope here.
    void add_overhead_ns(uint64_t ns);

    // ---- life ----

    Registration registration() const { return registration_; }
    bool is_closed() const { return closed_; }
    bool is_abandoned() const { return abandoned_; }
    // Needs the GIL, and releases it while it waits and writes. Returns when the session is closed, by whomever. Throws
    // SystemError when the last batch cannot be written, TimeoutError when another thread was writing for so long.
    void close_session(const std::string& ended, std::optional<double> timeout_s);
    // How the session will have ended should the process be killed from now on; empty: that is all there is to say.
    // Needs the GIL.
    void set_ending(const std::string& ended);

    // ---- the drain; callable from any thread, and best without the GIL ----

    // Throws TimeoutError when another drain lasts for so long.
    uint64_t drain(std::optional<double> timeout_s);
    // Writes it into the next batch, or drops it when the session is over. Safe from any thread, and needs the GIL.
    void add_snapshot(std::string json);
    bool wait(double timeout_s);
    void wake();
    std::string open_spans();
    // The batches kept since the last call.
    std::deque<std::string> take_batches();
    void count_forgotten_batch() { drain_->kept().count_forgotten(); }

    // ---- facts ----

    std::string session_id() const { return drain_->session_id(); }
    Journal& journal() { return *journal_; }
    Names& names() { return *names_; }
    DeferredValues& deferred() { return deferred_; }
    std::string journal_kind() const { return abandoned_ ? "none (a forked child does not record)" : journal_->kind(); }
    std::vector<std::pair<uint64_t, PyObject*>> take_deferred();
    void set_overhead(uint64_t scope_ns, uint64_t mark_ns);
    void count_rejected_mark(std::string warning);
    void count_internal_error(const char* place);
    // Of what was to be recorded and is in no ring.
    void count_lost_span() { journal_->header().dropped.add(RecordKind::kSpan); }
    void count_lost_memory() { journal_->header().dropped.add(RecordKind::kMemory); }
    void count_lost_mark() { journal_->header().dropped.add(RecordKind::kMark); }
    // What was removed from the spool to keep within its limit.
    void count_spool_drops(uint64_t batches, const RecordCounts& dropped);
    // Whether a recovery would find the journal, if there is a file.
    bool journal_intact() const { return closed_ || journal_->is_intact(); }
    void warn(std::string message);
    std::vector<std::string> take_warnings();

    struct ThreadCounters {
        uint64_t thread_id, spans_dropped, marks_dropped;
    };
    struct Counters {
        DrainTotals drained;
        RecordCounts dropped;
        uint64_t scopes_too_deep = 0, marks_rejected = 0;
        uint64_t batches_forgotten = 0, snapshots_dropped = 0, requests_left_out = 0;
        std::map<std::string, uint64_t> internal_errors;
        std::vector<ThreadCounters> threads;
    };
    Counters counters();

    // Called by the registry.
    void thread_ended(ThreadState* state);
    void abandon_in_child();

  private:
    void begin();
    // The calling thread's state with its current stack, whose `stack` is null when memory is out. Mostly it is the
    // thread and context of the operation before; the GIL makes one such memory for all threads safe. States are never
    // freed while the recorder lives, so a stale one may be looked at.
    ThreadState* here() {
        PyThreadState* thread = PyThreadState_Get();
        ThreadState* state = latest_;
        bool same = state->interpreter_thread == thread->id && state->context_version == thread->context_ver;
        return same ? state : switch_to(thread);
    }
    ThreadState* switch_to(PyThreadState* thread);
    ThreadState* enter_thread();
    ThreadState* take_state();
    Stack* find_stack(PyThreadState* thread);
    Stack* start_stack(PyThreadState* thread);
    RingBlock* take_ring();
    Frame* take_frame(ThreadState* state, uint32_t attr_bytes);
    Frame* new_frames(Frame*& idle, uint32_t stride, uint32_t count);
    void give_back_frame(ThreadState* state, Frame* frame);
    uint64_t next_id(ThreadState* state);
    Frame* open_ghost(ThreadState* state, Stack* stack);
    void count_too_deep(ThreadState* state);
    void start_cpu_clock(ThreadState* state, Frame* frame);
    void read_cpu_clock(ThreadState* state, uint64_t ticks);
    void write_mark(ThreadState* state, const MarkPlace& place, uint32_t name, const Scalar& value, bool is_summary,
                    AttrBytes attrs);
    void mark_pause(ThreadState* state, const Scalar& value, AttrBytes attrs);
    // Null when the record is not to be kept at all. It is in the ring, and to be committed there, unless the verdict
    // on `undecided` is still open.
    char* room_for(ThreadState* state, uint32_t cells, Undecided* undecided) {
        return undecided == nullptr ? state->ring.reserve(cells) : room_aside(state, cells, undecided);
    }
    char* room_aside(ThreadState* state, uint32_t cells, Undecided* undecided);
    Undecided* leave_stack(Frame* frame, uint64_t ticks, PyObject* error);
    void end_early_ones_in(Frame* frame, uint64_t ticks, PyObject* error);
    void end_scope(Frame* frame, uint64_t ticks, PyObject* error, const Measures& measures);
    void write_span(ThreadState* state, Frame* frame, uint64_t ticks, AttrBytes attrs, const Measures& measures,
                    Undecided* undecided);
    void write_closed(ThreadState* thread, Frame* frame, uint64_t ticks, PyObject* error, const Measures& measures);
    void write_failed_span(ThreadState* state, Frame* frame, uint64_t ticks, PyObject* error, const Measures& measures,
                           Undecided* undecided);
    void add_cpu_time(ThreadState* state, const Frame* frame, SpanRecord* record);
    void add_memory_peak(SpanRecord* record, const Measures& measures);
    void populate_rings();
    void note_ending(const std::string& ended);
    void seal_the_end(std::optional<double> timeout_s);
    std::unique_lock<std::timed_mutex> lock_drain(std::optional<double> timeout_s);
    void wait_for_close(std::optional<double> timeout_s);

    RecorderOptions options_;
    std::unique_ptr<Journal> journal_;
    std::unique_ptr<Names> names_;
    std::unique_ptr<TickClock> clock_;
    std::unique_ptr<Drain> drain_;
    DeferredValues deferred_;
    std::vector<std::unique_ptr<ThreadState>> states_;  // all there are, of threads and idle
    StackTable stacks_;
    ThreadState* latest_ = nullptr;
    Registration registration_{};
    std::atomic<bool> closed_{false};
    bool abandoned_ = false;  // by a fork, in the child: locks may be held by threads that are not here
    std::atomic<uint64_t> next_id_block_{kSessionId + 1};
    uint64_t scope_overhead_ns_ = 0;
    uint64_t mark_overhead_ns_ = 0;
    PyObject* epoch_end_ = nullptr;  // owned
    PyObject* meter_ = nullptr;      // owned
    ResidentPeak resident_peak_;
    RequestIds request_ids_{random_bits(), random_bits()};
    uint64_t requests_left_out_ = 0;  // guarded by the GIL

    std::mutex threads_mutex_;  // the five below and states_
    std::vector<ThreadState*> threads_;
    std::vector<ThreadState*> idle_states_;
    std::vector<RingBlock*> idle_rings_;
    Frame* idle_frames_ = nullptr;
    Frame* idle_large_frames_ = nullptr;

    std::timed_mutex drain_mutex_;  // never waited for while holding the GIL
    std::timed_mutex close_mutex_;  // held by `closing_thread_` from the moment of `closed_` to the end of the close
    std::thread::id closing_thread_;

    std::mutex wake_mutex_;
    std::condition_variable wake_condition_;
    bool woken_ = false;

    std::mutex notes_mutex_;
    std::vector<std::string> warnings_;
    std::map<std::string, uint64_t> internal_errors_;
    bool warned_rejected_ = false;
};

// What the module-level functions record into; null: nothing. Guarded by the GIL.
extern Recorder* g_default_recorder;

int init_recorders();  // once, at import

}  // namespace cirron
