package audit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// expireEvery is how often old records are looked for.
const expireEvery = 24 * time.Hour

// anchor is what the log says about the files that it removes: with it what is
// left can be checked from its first record on.
type anchor struct {
	LastSequence uint64 `json:"lastSequence"` // of the records removed
	LastHash     sum    `json:"lastHash"`     // what the first record left refers to
	Digests      uint64 `json:"digests"`      // number of the last digest removed
	DigestHash   sum    `json:"digestHash"`   // what the first digest left refers to
}

// expire removes the log files that were closed longer than Keep ago, with their
// digests. The anchor is on disk before the first of them goes; what a crash
// leaves goes the next time.
func (l *Log) expire(now time.Time) error {
	keep := l.Keep
	if keep == 0 {
		keep = DefaultKeep
	}
	cuts, _, err := list(filepath.Join(l.Dir, cutDir), ".ndjson")
	if err != nil {
		return err
	}
	for _, n := range cuts {
		if now.Sub(n.time) >= keep {
			if err := removeAll(filepath.Join(l.Dir, cutDir, n.name)); err != nil {
				return err
			}
		}
	}
	digests, _, err := list(filepath.Join(l.Dir, digestDir), ".json")
	if err != nil {
		return err
	}
	keys, _, err := readKeys(l.Dir)
	if err != nil {
		return err
	}
	var a anchor
	var gone []string
	for _, n := range digests {
		if now.Sub(n.time) < keep || n.number == l.w.prev.number { // the latest is what the head names
			break
		}
		d, err := readDigest(l.Dir, n, keys)
		if err != nil || len(d.LogFiles) == 0 {
			break // evidence of damage is nothing to remove
		}
		for _, f := range d.LogFiles {
			gone = append(gone, filepath.Join(l.Dir, logDir, f.name()))
		}
		gone = append(gone, filepath.Join(l.Dir, digestDir, n.name))
		a = anchor{d.last().seq, d.last().hash, d.number, d.hash}
	}
	if len(gone) == 0 {
		return nil
	}
	if err := l.record(ownEvent(eventExpired, a)); err != nil {
		return err
	}
	return removeAll(gone...)
}

func removeAll(paths ...string) error {
	var failed error
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
