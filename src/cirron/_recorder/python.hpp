// What the Python types of the core share.
#pragma once

#include <Python.h>

#ifdef __GLIBCXX__
#include <cxxabi.h>
#endif

#include "recorder.hpp"
#include "starter.hpp"
#include "types.hpp"

namespace cirron {

struct RecorderObject {
    PyObject ob_base;
    Recorder* recorder;  // never null once made
};

// Null when it is none.
RecorderObject* as_recorder(PyObject* object);

// The recorder behind g_default_recorder, borrowed; may be null.
PyObject* default_recorder_object();

// A new tuple of a scope's id in hex digits and the time now in nanoseconds; null with an exception set.
PyObject* scope_and_time(Recorder* recorder, uint64_t id);

// Where an operation records to now: the bound recorder, or the default one when `bound` is null; null when there is
// none or it is closed.
inline Recorder* target(RecorderObject* bound) {
    if (bound == nullptr) return g_default_recorder;
    return bound->recorder->is_closed() ? nullptr : bound->recorder;
}

// target(), for an operation that records. One that finds no default recorder begins a session first, where that is
// due. False with an exception set when it has to be passed on.
inline bool find_target(RecorderObject* bound, Recorder*& recorder) {
    recorder = target(bound);
    if (recorder != nullptr || bound != nullptr || !g_starter_armed) [[likely]]
        return true;
    if (!run_starter()) return false;
    recorder = target(bound);
    return true;
}

// The same for a callable that gives the recorder, or null for the default one. `held` becomes a reference that keeps
// the recorder alive, or stays null.
bool find_target_by(PyObject* find, Recorder*& recorder, PyObject*& held);

// An open frame, and the recorder that it belongs to while that lives.
struct OpenFrame {
    Frame* frame = nullptr;
    Registration owner{};
    PyObject* reading = nullptr;   // owned; what the recorder's meter has begun, see meter.cpp
    PyObject* followed = nullptr;  // owned; what the follower has begun, see meter.cpp

    // Whether somebody is to be told of its end.
    bool is_watched() const { return reading != nullptr || followed != nullptr; }
    // Null when there is nothing to close (any more). Needs the GIL.
    Recorder* recorder() const { return frame == nullptr ? nullptr : find_recorder(owner); }
};

// Names and attributes of one operation. Keys and values come as Python passes them: names in a tuple, values beside.
// Each may be told apart from a real parameter by identity, since keywords of a call are interned.
bool is_keyword(PyObject* key, PyObject* parameter);

// A new reference to `name` as a str, whatever it is; null when an exception has to be passed on.
PyObject* to_name(PyObject* name);

// Puts aside the exception on its way, if any, for as long as it lives.
class ErrorAside {
  public:
    ErrorAside() { PyErr_Fetch(&type_, &value_, &traceback_); }
    ~ErrorAside() { PyErr_Restore(type_, value_, traceback_); }
    ErrorAside(const ErrorAside&) = delete;
    ErrorAside& operator=(const ErrorAside&) = delete;
    PyObject* type() const { return type_; }

  private:
    PyObject *type_, *value_, *traceback_;
};

// A path in the file system's encoding. False with an exception set when it is none.
bool read_path(PyObject* object, std::string& path);

// Runs `operation` and counts what it throws: nothing of ours may reach the user's program. False when it threw.
template <typename Operation>
[[gnu::always_inline]] inline bool guarded(Recorder* recorder, const char* place, Operation operation) {
    try {
        operation();
        return true;
#ifdef __GLIBCXX__
    } catch (const abi::__forced_unwind&) {
        throw;  // a thread that is being ended, as the interpreter does with daemon threads when it ends itself
#endif
    } catch (...) {
        recorder->count_internal_error(place);
        return false;
    }
}

// Whether the items of an iterable are batches that a data loader of torch or TensorFlow gives, maybe behind a progress
// bar. Leaves no exception set.
bool waits_for_data(PyObject* iterable);
// Has the recorder's meter, which there is, begin to measure the scope, and note in `open` what it says. False with an
// exception set when it has to be passed on.
bool begin_reading(Recorder* recorder, OpenFrame& open);
// The same for the end of the scope: takes the reading, if there is one, out of `open`.
bool end_reading(OpenFrame& open, Measures& measures);

// Called at both ends of each scope, of loops too; null: nobody follows them. Guarded by the GIL.
extern PyObject* g_follower;
// The same for the follower, which there is, as for the meter.
bool begin_following(OpenFrame& open, PyObject* name);
bool end_following(OpenFrame& open, bool is_cancelled);
PyObject* set_follower(PyObject* module, PyObject* follower);
bool call_at_begin(Recorder* recorder, OpenFrame& open, PyObject* name);  // begin_calls(), where there is one
// Tells the meter and the follower, where there are any, of a frame of this name that was just opened. False with an
// exception set when it has to be passed on.
inline bool begin_calls(Recorder* recorder, OpenFrame& open, PyObject* name) {
    bool is_any = recorder->meter() != nullptr || g_follower != nullptr;
    return !is_any || call_at_begin(recorder, open, name);
}
// Closes a frame; `error` is the type of the exception that leaves the scope, or None. False as above; the scope is
// closed all the same.
bool close_frame(OpenFrame open, PyObject* error);
// Whether the innermost scope that has one of `names` has one of `unless`. False as above, and when they are no tuples
// of str.
bool is_within(Recorder* recorder, PyObject* unless, PyObject* names, bool& is_one);

// The types and functions, by file. Each init returns -1 with an exception set when it fails.
int init_scope_type(PyObject* module);
int init_loop_types(PyObject* module);
int init_mark();
int init_recorder_type(PyObject* module);
int init_recovered_type(PyObject* module);
int init_passage_type(PyObject* module);
int init_recorded_type(PyObject* module);
int init_steps_type(PyObject* module);
int init_while_finite_type(PyObject* module);
int init_garbage_callback_type(PyObject* module);

PyObject* make_scope(RecorderObject* bound, PyObject* const* args, Py_ssize_t count, PyObject* keywords);
// With the scope around it, at the latest; an epoch opens beside others, like those of a loop.
void make_ending_early(PyObject* scope, bool is_epoch);
void number_scope(PyObject* scope, int64_t index);
// For a scope that is made once and entered again and again, in whatever records then. False with an exception set when
// it has to be passed on.
bool enter_scope(PyObject* scope, Recorder* recorder);
bool leave_scope(PyObject* scope);
PyObject* make_mark(RecorderObject* bound, PyObject* const* args, Py_ssize_t count, PyObject* keywords);
PyObject* make_memory(RecorderObject* bound, PyObject* record);
PyObject* make_loop(RecorderObject* bound, PyObject* iterable, bool is_epoch);
PyObject* find_innermost(RecorderObject* bound, PyObject* names);
PyObject* make_scope_unless(RecorderObject* bound, PyObject* const* args, Py_ssize_t count);
PyObject* set_default(PyObject* module, PyObject* recorder);
PyObject* call_in_main_thread(PyObject* module, PyObject* function);
PyObject* recover(PyObject* module, PyObject* args, PyObject* keywords);
PyObject* peek(PyObject* module, PyObject* journal_path);
PyObject* array_stats(PyObject* module, PyObject* args);

}  // namespace cirron
