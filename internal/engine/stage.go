package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// stage is a directory in memory where the durable server keeps atomic batches
// until it commits them. It would keep them on disk, in files of their own that it
// creates, syncs and deletes, which costs as much as ten commits. That buys
// batches that are whole after a power cut, and nobody here needs that: a group of
// an Appender is many messages that happened to come together, none of which is
// acknowledged before the commit has been synced to the stream itself. After the
// death of the process alone, what was staged is still there, and the server
// completes the batch.
//
// The server is led here by a link in the place of a stream's directory for
// batches. It removes the link when it starts, so each Appender makes it anew.
type stage struct {
	dir     string // "": there is none
	streams string // the server's directory of streams
}

const (
	sharedMemory = "/dev/shm"
	// minShared is the room that a stage must have: some groups at once.
	minShared = 3 * maxBatchBytes
)

// openStage finds room in memory for a server that stores in dir. Without it
// batches are staged on disk, which is slower and as safe.
func openStage(dir string, log *slog.Logger) *stage {
	s := &stage{streams: filepath.Join(dir, "jetstream", "$G", "streams")}
	sum := sha256.Sum256([]byte(dir))
	sweepStages()
	at := filepath.Join(sharedMemory, stagePrefix+hex.EncodeToString(sum[:8]))
	err := privateDir(at)
	if err == nil {
		err = os.WriteFile(filepath.Join(at, stageOwner), []byte(dir), 0o600)
	}
	if err != nil {
		log.Info("batches are staged on disk, since shared memory is not to be had", "err", err)
		return s
	}
	s.dir = at
	return s
}

const (
	stagePrefix = "dropstack-"
	// stageOwner is a file that names the directory a stage is for. No stream has
	// such a name.
	stageOwner = ".owner"
)

// sweepStages removes what processes left that were killed and whose data is gone,
// which nobody will open again.
func sweepStages() {
	found, err := filepath.Glob(filepath.Join(sharedMemory, stagePrefix+"*"))
	if err != nil {
		return
	}
	for _, at := range found {
		if ours(at) != nil {
			continue
		}
		dir, err := os.ReadFile(filepath.Join(at, stageOwner))
		if err != nil {
			continue
		}
		if _, err := os.Stat(string(dir)); errors.Is(err, fs.ErrNotExist) {
			_ = os.RemoveAll(at) // it only takes memory
		}
	}
}

// privateDir makes a directory that only we can look into, or accepts one that
// is: everybody may write to shared memory.
func privateDir(dir string) error {
	var stat unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(dir), &stat); err != nil {
		return err
	}
	if free := int64(stat.Bavail) * int64(stat.Bsize); free < minShared {
		return fmt.Errorf("%s has %d bytes left, not %d", filepath.Dir(dir), free, minShared)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return ours(dir)
}

// ours is an error unless dir is a directory that only we can look into.
func ours(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || info.Mode().Perm() != 0o700 || int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is not a directory of ours alone", dir)
	}
	return nil
}

// carry leads the batches of a stream to the stage and reports whether they go
// there. The stream exists, and nobody has a batch under way.
func (s *stage) carry(stream string) bool {
	if s.dir == "" {
		return false
	}
	target, link := filepath.Join(s.dir, stream), filepath.Join(s.streams, stream, "batches")
	// What a dead process had staged was completed when the server started.
	if err := os.RemoveAll(target); err != nil {
		return false
	}
	if err := os.Mkdir(target, 0o700); err != nil {
		return false
	}
	if at, err := os.Readlink(link); err == nil && at == target {
		return true
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false // a directory in use
	}
	return os.Symlink(target, link) == nil
}

func (s *stage) close() error {
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}
