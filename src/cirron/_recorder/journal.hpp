// The journal: a file, mapped block by block, that outlives its process. Owns the mappings and the file lock.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "layout.hpp"

namespace cirron {

// A system call that failed; becomes OSError.
struct SystemError {
    int code;
    std::string path;
};

// A file that is not what it should be; becomes ValueError.
struct FormatError {
    std::string message;
};

std::string host_name();

class Journal {
  public:
    // A new journal, locked by this process; anonymous memory when `path` is empty or no file can be mapped there
    // (kind() then says why). It has its name only once publish() was called.
    static std::unique_ptr<Journal> create(const std::string& path);
    // Gives the file its name, now that its header is whole: nobody may take a newborn journal for a dead one.
    void publish();
    // The journal of a dead process, locked by us; null when its owner lives or another process is recovering it.
    // Throws SystemError when it cannot be opened, FormatError when it is no journal.
    static std::unique_ptr<Journal> open_dead(const std::string& path);
    // What a journal holds of the present, in memory of our own: header, names, frames and the heads of the rings, but
    // no records. Takes no lock and changes nothing. A living owner goes on meanwhile, so this is of no single moment,
    // and frames may be torn. Throws as open_dead() does.
    static std::unique_ptr<Journal> copy_of(const std::string& path);
    ~Journal();
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    JournalHeader& header() { return *header_; }
    const std::string& path() const { return path_; }
    std::string kind() const;
    const std::string& damage() const { return damage_; }

    // New blocks; safe from any thread. Throw std::bad_alloc when there is not even anonymous memory.
    NamesBlock* add_names_block(uint32_t first_number);
    RingBlock* add_ring_block(uint32_t capacity_cells);
    FramesBlock* add_frames_block(uint32_t stride, uint32_t count);

    // Copies, so that a reader needs no lock while it walks.
    std::vector<NamesBlock*> names_blocks() const;
    std::vector<RingBlock*> ring_blocks() const;
    std::vector<FramesBlock*> frames_blocks() const;

    // Whether the path still names the file that is mapped; true as well when there is no file.
    bool is_intact() const;
    // Whether whoever recovers the journal would find this block.
    bool is_recoverable(const void* block) const;
    // Removes the file; the mappings stay until destruction.
    void unlink();
    // After fork() in the child: gives the file back to the parent without a trace.
    void abandon_in_child();

  private:
    struct Mapping {
        void* address;
        uint64_t bytes;
        bool is_file;
    };
    struct FileId {
        dev_t device = 0;
        ino_t inode = 0;
        bool operator==(const FileId&) const = default;
    };

    Journal() = default;
    static FileId id_of(const struct stat& status) { return {status.st_dev, status.st_ino}; }
    // False when the program has closed the descriptor, as daemons close all there are; the number may be a file of
    // its own by now. The mappings stay, and with them the lock.
    bool has_descriptor() const;
    // True when there is a descriptor, if need be a new one. Else errno says why.
    bool regain_descriptor();
    void close_file();
    bool path_names_file() const;
    bool open_new_file(const std::string& path);
    void give_up_file();
    struct stat open_existing_file(const std::string& path, int flags);
    void map_whole(uint64_t bytes, int flags, int fd);
    void map_existing_blocks(uint64_t bytes);
    void copy_existing_blocks(uint64_t bytes);
    // What the blocks of names and frames have behind their heads.
    std::vector<std::span<char>> contents() const;
    // Brings a part of the file to its place in our memory. What has been cut off reads as zeros.
    void copy_in(std::span<char> part);
    // Takes note of the block at byte `at`, and returns where the next begins: at `bytes`, if there is none.
    uint64_t adopt_block_at(uint64_t at, uint64_t bytes);
    bool adopt_block(BlockHeader* block);
    BlockHeader* add_block(uint64_t bytes);
    void* map_grown_file(uint64_t bytes);

    mutable std::mutex mutex_;  // blocks and growth; never held while waiting for the GIL
    std::string path_;
    std::string unpublished_;  // the name until publish()
    std::string kind_ = "file";
    std::string damage_;
    int fd_ = -1;
    FileId file_;
    uint64_t file_bytes_ = 0;
    JournalHeader* header_ = nullptr;
    std::vector<Mapping> mappings_;
    std::vector<NamesBlock*> names_;
    std::vector<RingBlock*> rings_;
    std::vector<FramesBlock*> frames_;
};

}  // namespace cirron
