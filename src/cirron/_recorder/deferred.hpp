// What was still on a device when it was recorded: values of marks, and the time that the device spends on a scope.
// They are read at the drain.
#pragma once

#include <Python.h>

#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "attrs.hpp"
#include "layout.hpp"

namespace cirron {

// Under which the record waits for its value; nothing for one that does not wait.
std::optional<uint64_t> deferred_key(const char* record);

class DeferredValues {
  public:
    // Steals nothing; keeps a reference until taken. Needs the GIL.
    uint64_t add(PyObject* value);
    // The values not resolved yet, as new references. Needs the GIL.
    std::vector<std::pair<uint64_t, PyObject*>> take();
    void resolve(uint64_t key, PyObject* value);
    // The record was dropped. Lets go of the value only at the next take(): that may run Python code, which must not
    // happen while a record is being written.
    void forget(uint64_t key);
    // No value will be waited for any more. Needs the GIL.
    void give_up();

    // For the drain; need no GIL.
    bool is_waiting(uint64_t key);
    std::optional<Scalar> take_resolved(uint64_t key);

  private:
    std::mutex mutex_;
    uint64_t next_key_ = 1;
    std::map<uint64_t, PyObject*> waiting_;
    std::map<uint64_t, Scalar> resolved_;
    std::vector<PyObject*> forgotten_;
};

}  // namespace cirron
