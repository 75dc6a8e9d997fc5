package audit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"
)

// recover finds out where the log ends and opens it there. It returns what has to
// be recorded about that.
func (l *Log) recover() ([]Event, error) {
	if err := writeKey(l.Dir, l.PublicKey()); err != nil {
		return nil, err
	}
	keys, _, err := readKeys(l.Dir)
	if err != nil {
		return nil, err
	}
	r := recovery{Log: l, keys: keys}
	if err := r.readHead(); err != nil {
		return nil, err
	}
	if err := r.readDigest(); err != nil {
		return nil, err
	}
	if err := r.readLogs(); err != nil {
		return nil, err
	}
	r.compare()
	if len(r.problems) > 0 {
		return r.events, r.leave()
	}
	return r.events, r.resume()
}

// recovery is the state of finding out.
type recovery struct {
	*Log
	keys     keyring
	head     head
	noHead   bool // it is missing or not to be believed
	fresh    bool // there has never been a log here
	chain    chain
	atHead   sum // hash of the record that the head names, as found
	open     []opened
	problems []string
	events   []Event
}

// opened is a log file that no digest covers.
type opened struct {
	named
	walked
	last link // where the chain stood after it
}

func (r *recovery) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

func (r *recovery) readHead() error {
	path := filepath.Join(r.Dir, headFile)
	doc, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.noHead, r.fresh = true, true
		first, err := signHead(head{Time: time.Now().UTC().Truncate(time.Second), Key: r.fingerprint()}, r.Key)
		if err := errors.Join(err, writeFile(path, first)); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if r.head, err = readHead(doc, r.keys); err != nil {
			r.noHead = true
			r.problem("%s: %v", headFile, err)
		}
	}
	if !r.noHead && r.head.Key != r.fingerprint() {
		r.events = append(r.events, ownEvent(eventKey, map[string]any{"previousKey": r.head.Key, "key": r.fingerprint()}))
	}
	if r.w.head, err = openFile(path, os.O_WRONLY); err != nil {
		return err
	}
	if len(doc) > headSize {
		return r.w.head.Truncate(headSize)
	}
	return nil
}

// readDigest finds the latest digest.
func (r *recovery) readDigest() error {
	digests, _, err := list(filepath.Join(r.Dir, digestDir), ".json")
	if err != nil {
		return err
	}
	if len(digests) > 0 {
		n := digests[len(digests)-1]
		if r.w.prev, err = readDigest(r.Dir, n, r.keys); err != nil {
			r.problem("%s/%s: %v", digestDir, n.name, err)
			r.w.prev.number, r.w.prev.name, r.chain.loose = n.number, n.name, true
		}
	}
	r.chain.at = r.w.prev.last()
	if r.noHead {
		return nil
	}
	switch found, h := r.w.prev.number, r.head; {
	case h.Digests > found:
		r.problem("%s: digests after number %d are missing; the head names %d", digestDir, found, h.Digests)
		r.w.prev, r.chain.loose = signed{number: h.Digests, hash: h.Digest}, true
	case h.Digests == found && h.Digest != r.w.prev.hash:
		r.problem("%s: digest %d is not the one that the head names", digestDir, found)
	case h.Digests+1 < found:
		r.problem("%s: older than the digests: an earlier one was put in its place", headFile)
	}
	return nil
}

// readLogs follows the chain through the files that no digest covers: one, unless
// somebody has been at them.
func (r *recovery) readLogs() error {
	logs, _, err := list(filepath.Join(r.Dir, logDir), ".ndjson")
	if err != nil {
		return err
	}
	if r.fresh = r.fresh && len(logs) == 0 && r.w.prev.number == 0; !r.fresh && r.noHead && len(r.problems) == 0 {
		r.problem("%s: missing", headFile)
	}
	r.chain.fault = func(f Fault) { r.problem("%s", f) }
	r.chain.record = func(rec record) {
		if rec.seq == r.head.Seq {
			r.atHead = rec.hash
		}
	}
	if r.chain.at.seq == r.head.Seq {
		r.atHead = r.chain.at.hash
	}
	covered := r.chain.at.seq
	for _, n := range logs {
		if n.number <= covered {
			continue
		}
		f, err := os.Open(filepath.Join(r.Dir, logDir, n.name))
		if err != nil {
			return err
		}
		if n.number > r.chain.at.seq+1 {
			// An earlier start has left a gap before it; Verify shows it for ever.
			r.chain.at.seq, r.chain.loose = n.number-1, true
		}
		vouched := int64(math.MaxInt64)
		if !r.noHead {
			vouched = r.head.covers(n.name)
		}
		w, err := r.chain.walk(logDir+"/"+n.name, io.LimitReader(f, vouched))
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		if w.first != 0 && w.first != n.number && len(r.problems) == 0 {
			r.problem("%s/%s: record %d comes first", logDir, n.name, w.first)
		}
		r.open = append(r.open, opened{n, w, r.chain.at})
	}
	return nil
}

// compare holds what was found against the head.
func (r *recovery) compare() {
	h, end := r.head, r.chain.at
	switch {
	case r.noHead || len(r.problems) > 0:
	case h.Seq > end.seq:
		r.problem("%s: records %d to %d are missing; the head names them", logDir, end.seq+1, h.Seq)
	case h.Seq > 0 && r.atHead != h.Hash:
		r.problem("%s: record %d is not the one that the head names", logDir, h.Seq)
	case len(r.open) > 1:
		r.problem("%s/%s: no digest covers it", logDir, r.open[0].name)
	case len(r.open) == 1 && h.File == r.open[0].name && h.Size > r.open[0].size:
		r.problem("%s/%s: cut at byte %d; the head names %d", logDir, h.File, r.open[0].size, h.Size)
	}
}

// resume goes on in the open file, after taking off what the head does not cover.
func (r *recovery) resume() error {
	w := &r.w
	w.last = r.chain.at
	if len(r.open) == 0 {
		return nil
	}
	o := r.open[0]
	path := filepath.Join(r.Dir, logDir, o.name)
	f, err := openFile(path, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return err
	}
	w.file, w.name, w.first, w.size, w.sum = f, o.name, o.first, o.size, o.sum
	w.oldest, w.newest, w.sealAfter = eventTime(o.oldest), eventTime(o.end), o.time.Add(digestEvery)
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	rest := doc[o.size:]
	if len(rest) == 0 {
		return nil
	}
	kept := cutDir + "/" + logName(w.last.seq+1, time.Now())
	r.events = append(r.events, ownEvent(eventRepaired, map[string]any{
		"file": logDir + "/" + o.name, "offset": o.size, "bytes": len(rest), "sha256": fmt.Sprintf("%x", sha256.Sum256(rest)), "kept": kept,
	}))
	r.Log.Log.Warn("audit log: what was written last before a crash, and nobody was answered for, is taken off", "file", o.name, "bytes", len(rest), "kept", kept)
	if err := writeFile(filepath.Join(r.Dir, kept), rest); err != nil {
		return err
	}
	return errors.Join(f.Truncate(o.size), f.Sync())
}

// leave puts a digest over what was found damaged, as it is, and goes on behind
// it, so that the gap stays to be seen.
func (r *recovery) leave() error {
	w := &r.w
	w.last = r.chain.at
	if r.head.Seq > w.last.seq {
		w.last = r.head.link()
	}
	for _, o := range r.open {
		w.last.seq = max(w.last.seq, o.number)
		doc, err := os.ReadFile(filepath.Join(r.Dir, logDir, o.name))
		if err != nil {
			return err
		}
		w.found = append(w.found, LogFile{
			S3Bucket: bucket, S3Object: logDir + "/" + o.name, HashValue: fmt.Sprintf("%x", sha256.Sum256(doc)), HashAlgorithm: algorithm,
			OldestEventTime: eventTime(o.oldest), NewestEventTime: eventTime(o.end),
			FirstSequence: o.number, LastSequence: max(o.last.seq, o.number), LastHash: o.last.hash,
		})
	}
	shown := r.problems[:min(len(r.problems), 20)]
	for _, p := range shown {
		r.Log.Log.Error("audit log damaged", "problem", p)
	}
	r.events = append(r.events, ownEvent(eventDamaged, map[string]any{"problems": shown, "found": len(r.problems)}))
	if len(w.found) == 0 {
		return nil
	}
	return r.digest(time.Now())
}
