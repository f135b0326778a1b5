// The protocol, with the journal's note (PendingSeal) at each step:
//
//   kIdle      nothing is under way
//   kWriting   <name>.tmp is being written      killed here: the .tmp is thrown away, the records are in the journal
//   kRenaming  <name>.tmp is whole              killed here: the .tmp is renamed; if there is none, it had been
//   kIdle      `sealed` has moved in each ring
//   kClosed    instead of kIdle after the session's last batch: only the journal is left to remove
#include "seal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace cirron {

namespace {

// Closes the descriptor whatever happens.
class File {
  public:
    File(const std::string& path, int flags) : path_(path), fd_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {
        if (fd_ < 0) throw SystemError{errno, path_};
    }
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    void write(std::string_view text) {
        while (!text.empty()) {
            ssize_t wrote = ::write(fd_, text.data(), text.size());
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote < 0) throw SystemError{errno, path_};
            text.remove_prefix(static_cast<size_t>(wrote));
        }
    }
    void sync() {
        if (::fsync(fd_) != 0) throw SystemError{errno, path_};
    }
    // On some file systems the error of a write is only reported here.
    void close() {
        int fd = std::exchange(fd_, -1);
        if (::close(fd) != 0) throw SystemError{errno, path_};
    }

  private:
    std::string path_;
    int fd_;
};

void rename_file(const std::string& from, const std::string& to) {
    if (std::rename(from.c_str(), to.c_str()) != 0) throw SystemError{errno, to};
}

void make_directories(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) throw SystemError{error.value(), path};
}

bool exists(const std::string& path) {
    struct stat status;
    return stat(path.c_str(), &status) == 0;
}

void mark_sealed(Journal& journal) {
    for (RingBlock* ring : journal.ring_blocks()) {
        ring->sealed = ring->sealing_to;
        ring->in_flight = {};
        ring->overtaken = {};
    }
}

// Empty when the journal was damaged: a name, and never a path.
std::string pending_name(const PendingSeal& pending) {
    std::string name(pending.name, strnlen(pending.name, sizeof pending.name));
    return name.find('/') == std::string::npos ? name : "";
}

}  // namespace

uint64_t Sealer::seal(const std::string& name, std::initializer_list<std::string_view> parts, bool closes_session) {
    PendingSeal& pending = journal_.header().pending;
    std::memcpy(pending.name, name.c_str(), name.size() + 1);
    pending.closes_session = closes_session;
    uint64_t bytes = 0;
    if (!spool_dir_.empty()) {
        try {
            bytes = put_in_place(name, parts);
        } catch (const SystemError& error) {
            if (error.code != ENOENT) throw;
            make_directories(spool_dir_);
            bytes = put_in_place(name, parts);
        }
    }
    mark_sealed(journal_);
    pending.state.store(closes_session ? SealState::kClosed : SealState::kIdle, std::memory_order_release);
    if (fsync_) flush_directory();
    return bytes;
}

uint64_t Sealer::put_in_place(const std::string& name, std::initializer_list<std::string_view> parts) {
    PendingSeal& pending = journal_.header().pending;
    std::string path = spool_dir_ + "/" + name;
    std::string temporary = path + ".tmp";
    try {
        pending.state.store(SealState::kWriting, std::memory_order_release);
        uint64_t bytes = write(temporary, parts);
        pending.state.store(SealState::kRenaming, std::memory_order_release);
        rename_file(temporary, path);
        return bytes;
    } catch (const SystemError&) {
        // Back to kWriting first: a missing .tmp must not pass for a renamed one.
        pending.state.store(SealState::kWriting, std::memory_order_release);
        std::remove(temporary.c_str());
        pending.state.store(SealState::kIdle, std::memory_order_release);
        throw;
    }
}

uint64_t Sealer::write(const std::string& path, std::initializer_list<std::string_view> parts) {
    File file(path, O_WRONLY | O_CREAT | O_EXCL);
    uint64_t bytes = 0;
    for (std::string_view part : parts) {
        file.write(part);
        bytes += part.size();
    }
    if (fsync_) file.sync();
    file.close();
    return bytes;
}

// The batch is in place by now, so a file system that cannot do this is no reason to write it again.
void Sealer::flush_directory() {
    try {
        File(spool_dir_, O_RDONLY).sync();
    } catch (const SystemError&) {
        ++unflushed_;
    }
}

bool Sealer::settle() {
    PendingSeal& pending = journal_.header().pending;
    SealState state = pending.state.load(std::memory_order_acquire);
    if (state == SealState::kClosed) return true;
    std::string name = pending_name(pending);
    bool closed = false;
    if (state == SealState::kWriting && !name.empty()) std::remove((spool_dir_ + "/" + name + ".tmp").c_str());
    if (state == SealState::kRenaming && !name.empty()) {
        std::string path = spool_dir_ + "/" + name;
        if (exists(path + ".tmp")) rename_file(path + ".tmp", path);
        mark_sealed(journal_);
        closed = pending.closes_session != 0;
    }
    pending.state.store(closed ? SealState::kClosed : SealState::kIdle, std::memory_order_release);
    return closed;
}

}  // namespace cirron
