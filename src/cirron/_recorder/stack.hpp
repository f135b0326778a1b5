// The scopes open in one context: a thread's own, or an asyncio task's. All of it needs the GIL; a free-threaded build
// would put a lock around remove() and push(), and one into the table.
#pragma once

#include <Python.h>

#include <unordered_map>

#include "layout.hpp"
#include "registry.hpp"
#include "undecided.hpp"

namespace cirron {

constexpr uint32_t kMaxDepth = 64;

// A Python object, since a context variable passes it on to the contexts that are copied from its own: that is how a
// task finds the scope that was open where it was made.
struct Stack {
    PyObject ob_base;
    Registration recorder;
    PyObject* owner;        // weak reference to its context
    uint64_t root_parent;   // the scope that was open where this context began
    uint64_t epoch_parent;  // where an epoch goes when none is open here; 0: under the innermost scope
    PyObject* request;      // owned; in which this context began, or null
    Undecided* undecided;   // shared; where the records of what is innermost here go for now, or null
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
    // Epochs are siblings: a new one opens beside the outermost epoch that is still open, here or where the context
    // began.
    uint64_t parent_for_epoch() const;
    // With null: its context has ended.
    bool owned_by(PyObject* context) const;
    uint64_t open_epoch_parent() const;
    // The frame of the innermost request that is on this stack, as an index; -1: there is none.
    int innermost_request() const;
    // Of one that is under way: a context that has outlived its request begins new ones.
    bool is_within_request() const;
    // Where the records of this scope go for now: not where those of a request on this stack do which it has called.
    Undecided* undecided_of(uint64_t scope) const { return undecided == nullptr ? nullptr : find_undecided_of(scope); }

  private:
    Undecided* find_undecided_of(uint64_t scope) const;
    void remove_below_top(Frame* frame);
};

// A new reference, with nothing in it. Null with an exception set when memory is out.
Stack* new_stack(Registration recorder);
// Has the empty stack begin where the stack or the request is that its context has inherited, if it is one of the two:
// a context variable can be set by anybody.
void begin_where(Stack* stack, PyObject* inherited);
// Null when it is none.
Stack* as_stack(PyObject* object);
int init_stack_type();

// Finds the stack of a context. What a context variable holds would not do: a copied context holds its origin's stack,
// and programs write variables back from contexts that have ended.
class StackTable {
  public:
    ~StackTable() { clear(); }
    // Borrowed, and valid while the context is alive; null when it has none.
    Stack* find(PyObject* context) const;
    // Steals the reference; the stack's owner is `context`.
    void insert(PyObject* context, Stack* stack);
    void clear();

  private:
    void sweep();

    std::unordered_map<PyObject*, Stack*> stacks_;
    size_t sweep_at_ = 64;
};

}  // namespace cirron
