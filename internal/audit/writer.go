package audit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"time"
)

// writer is what the writing goroutine knows.
type writer struct {
	last  link       // where the chain stands
	prev  signed     // the latest digest
	found []LogFile  // damaged files that no digest covers yet
	group []*pending // reused
	buf   []byte     // reused

	file      file // the open log file, nil when a digest has closed it
	name      string
	first     uint64 // sequence of its first record; 0: it has none
	size      int64
	sum       hash.Hash // of its bytes
	oldest    time.Time
	newest    time.Time
	sealAfter time.Time
	torn      bool // a write has failed: there may be more in the file than size

	refused  int // records that could not be written since failedAt
	failedAt time.Time

	head    file
	expired time.Time
}

// store writes a group, syncs it and signs the new head.
func (l *Log) store(group []*pending) error {
	w := &l.w
	if err := l.ready(time.Now()); err != nil {
		return err
	}
	buf, last := w.buf[:0], w.last
	for _, p := range group {
		buf, last = appendLine(buf, last, p.event)
	}
	w.buf = buf
	w.torn = true
	if _, err := w.file.Write(buf); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	w.torn = false
	if w.first == 0 {
		w.first, w.oldest = w.last.seq+1, group[0].at
	}
	w.newest = group[len(group)-1].at
	before := w.size
	w.last, w.size = last, before+int64(len(buf))
	if before < maxFile && maxFile <= w.size {
		w.sealAfter = time.Now()
	}
	w.sum.Write(buf)
	// The records stay, whatever becomes of the head: one that went through although
	// it said otherwise must not promise what has been taken back. The next head
	// covers them; a start before that takes them off.
	return l.writeHead()
}

// ready leaves a file that can be appended to.
func (l *Log) ready(now time.Time) error {
	w := &l.w
	if w.torn && w.file != nil {
		if err := errors.Join(w.file.Truncate(w.size), w.file.Sync()); err != nil {
			return fmt.Errorf("take back a write that failed: %w", err)
		}
		w.torn = false
	}
	if w.file != nil && w.first != 0 && !now.Before(w.sealAfter) {
		l.seal(now)
	}
	if w.file != nil {
		return nil
	}
	name := logName(w.last.seq+1, now)
	f, err := openFile(filepath.Join(l.Dir, logDir, name), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	if err := syncDir(filepath.Join(l.Dir, logDir)); err != nil {
		return errors.Join(err, f.Close(), os.Remove(filepath.Join(l.Dir, logDir, name)))
	}
	w.file, w.name, w.first, w.size, w.sum, w.sealAfter = f, name, 0, 0, sha256.New(), now.Add(digestEvery)
	return nil
}

// writeHead signs where the log ends, and answers when that is on disk.
func (l *Log) writeHead() error {
	w := &l.w
	h := head{
		Seq: w.last.seq, Hash: w.last.hash, Digests: w.prev.number, Digest: w.prev.hash,
		Time: time.Now().UTC().Truncate(time.Second), Key: l.fingerprint(),
	}
	if w.file != nil && w.size > 0 {
		h.File, h.Size = w.name, w.size
	}
	doc, err := signHead(h, l.Key)
	if err != nil {
		return err
	}
	if _, err := w.head.WriteAt(doc, 0); err != nil {
		return fmt.Errorf("write the head: %w", err)
	}
	if err := w.head.Sync(); err != nil {
		return fmt.Errorf("sync the head: %w", err)
	}
	l.tail.Store(&tail{h, doc})
	return nil
}

// seal closes the open file, and what a start has found, with a digest. When that
// fails it is tried again later, and the file goes on.
func (l *Log) seal(now time.Time) {
	if err := l.digest(now); err != nil {
		l.w.sealAfter = now.Add(time.Minute)
		l.Log.Error("audit log: digest not written", "err", err)
	}
}

func (l *Log) digest(now time.Time) error {
	w := &l.w
	files := w.found
	if w.first != 0 {
		files = append(files, LogFile{
			S3Bucket: bucket, S3Object: logDir + "/" + w.name, HashValue: fmt.Sprintf("%x", w.sum.Sum(nil)), HashAlgorithm: algorithm,
			OldestEventTime: w.oldest, NewestEventTime: w.newest, FirstSequence: w.first, LastSequence: w.last.seq, LastHash: w.last.hash,
		})
	}
	d := Digest{DigestStartTime: w.prev.DigestEndTime, DigestEndTime: now.UTC().Truncate(time.Second), LogFiles: files}
	d.OldestEventTime, d.NewestEventTime = files[0].OldestEventTime, files[len(files)-1].NewestEventTime
	if d.DigestStartTime.IsZero() {
		d.DigestStartTime = d.OldestEventTime
	}
	s, doc, err := signDigest(d, w.prev.number+1, w.prev, l.Key)
	if err != nil {
		return err
	}
	path := filepath.Join(l.Dir, digestDir, s.name)
	if err := writeFile(path, doc); err != nil {
		return errors.Join(err, removeAll(path)) // the next attempt has another name
	}
	w.prev, w.found = s, nil
	if w.file != nil {
		err = w.file.Close()
		w.file, w.name, w.first, w.size = nil, "", 0, 0
	}
	return errors.Join(err, l.writeHead())
}

// tend does what time asks for.
func (l *Log) tend(now time.Time) {
	w := &l.w
	if w.refused > 0 {
		l.recovered()
	}
	if w.file != nil && w.first != 0 && !w.torn && !now.Before(w.sealAfter) {
		l.seal(now)
	}
	if now.Sub(w.expired) >= expireEvery {
		w.expired = now
		if err := l.expire(now); err != nil {
			l.Log.Error("audit log: old records not removed", "err", err)
		}
	}
}

// wait is how long the writer may sleep when nobody appends.
func (w *writer) wait() time.Duration {
	if w.refused > 0 {
		return retryEvery
	}
	next := time.Until(w.expired.Add(expireEvery))
	if w.file != nil && w.first != 0 {
		next = min(next, time.Until(w.sealAfter))
	}
	return max(next, retryEvery)
}

func (w *writer) close() error {
	var err error
	if w.head != nil {
		err = w.head.Close()
	}
	if w.file != nil {
		err = errors.Join(err, w.file.Close())
	}
	return err
}
