// The scopes open in one context: a thread's own, or an asyncio task's. A Python object, since it lives in a
// ContextVar. All of it needs the GIL; a free-threaded build would put a lock around remove() and push().
#pragma once

#include <Python.h>

#include "layout.hpp"
#include "registry.hpp"

namespace cirron {

constexpr uint32_t kMaxDepth = 64;

struct Stack {
    PyObject ob_base;
    Registration recorder;
    // A copied context holds the same stack object; the owner tells the two apart. A weak reference: a strong one would
    // make a cycle out of every task's context, an address could be reused.
    PyObject* owner;
    uint64_t root_parent;  // the scope that was open where this context began
    uint32_t depth;
    Frame* frames[kMaxDepth];

    uint64_t top_id() const { return depth > 0 ? frames[depth - 1]->id : root_parent; }
    bool is_full() const { return depth == kMaxDepth; }
    void push(Frame* frame) { frames[depth++] = frame; }
    void remove(Frame* frame) {
        if (frames[depth - 1] == frame) [[likely]] {
            --depth;
        } else {
            remove_below_top(frame);
        }
    }
    // Epochs are siblings: a new one opens beside the outermost epoch that is still open, wherever that is.
    uint64_t parent_for_epoch() const;
    bool owned_by(PyObject* context) const;

  private:
    void remove_below_top(Frame* frame);
};

// A new reference; null with an exception set when memory is out.
Stack* new_stack(Registration recorder, uint64_t root_parent);
bool is_stack(PyObject* object);
int init_stack_type();


}  // namespace cirron
