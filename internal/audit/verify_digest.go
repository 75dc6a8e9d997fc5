package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// checkDigests checks the row of digests and notes which log files they name.
func (v *verifier) checkDigests() error {
	digests, strange, err := list(filepath.Join(v.dir, digestDir), ".json")
	if err != nil {
		return err
	}
	v.strangers(digestDir, strange)
	var prev signed
	loose := len(digests) > 0 && digests[0].number > 1 // the anchor tells, if there is one
	for _, n := range digests {
		path := digestDir + "/" + n.name
		d, err := readDigest(v.dir, n, v.keys)
		if os.IsNotExist(err) {
			continue // it has just expired
		}
		v.report.Digests++
		if err != nil {
			v.broken = true
			v.fault(Fault{File: path, Problem: err.Error()})
		}
		switch {
		case prev.number > 0 && n.number > prev.number+1:
			v.broken = true
			v.fault(Fault{File: path, Problem: fmt.Sprintf("digests %d to %d are missing before it", prev.number+1, n.number-1)})
		case prev.number > 0 && n.number <= prev.number:
			v.broken = true
			v.fault(Fault{File: path, Problem: fmt.Sprintf("a second digest with number %d", n.number)})
		case err == nil && !loose && d.PreviousDigestHashValue != previousHash(prev):
			v.broken = true
			v.fault(Fault{File: path, Problem: "it does not follow the digest before it: one of the two was replaced"})
		}
		prev, loose = d, err != nil
		v.digests = append(v.digests, d)
		if err != nil {
			continue
		}
		for _, f := range d.LogFiles {
			v.covered[f.name()] = &d
		}
	}
	return nil
}

func previousHash(d signed) string {
	if d.number == 0 {
		return ""
	}
	return d.hash.String()
}

// checkHashed holds a log file against the digest that closed it.
func (v *verifier) checkHashed(n named, w walked, d *signed) {
	path := logDir + "/" + n.name
	i := slices.IndexFunc(d.LogFiles, func(f LogFile) bool { return f.name() == n.name })
	f := d.LogFiles[i]
	w.sum.Write(w.torn)
	if fmt.Sprintf("%x", w.sum.Sum(nil)) == f.HashValue {
		if len(w.torn) > 0 {
			v.cut(path, w) // a start found it so, and said so
		}
		return
	}
	switch end := v.chain.at; {
	case len(w.torn) > 0:
		v.cut(path, w)
	case end.seq < f.LastSequence && w.faults == 0:
		v.fault(Fault{
			File: path, Line: w.lines + 1, Seq: end.seq + 1, Offset: w.size,
			Problem: fmt.Sprintf("records %d to %d are missing at the end; digest %d names them", end.seq+1, f.LastSequence, d.number),
		})
	case w.faults == 0:
		v.fault(Fault{File: path, Problem: fmt.Sprintf("not the file that digest %d has hashed", d.number)})
	}
	if v.chain.at.seq <= f.LastSequence {
		v.chain.at, v.chain.loose = f.last(), false // the digest knows how it went on
	}
}

// checkCovered looks for log files that digests name and that are gone.
func (v *verifier) checkCovered() {
	for _, d := range v.digests {
		for _, f := range d.LogFiles {
			if v.covered[f.name()] != nil && !v.seen[f.name()] && d.number > v.anchor.Digests {
				v.fault(Fault{File: f.S3Object, Seq: f.FirstSequence, Problem: fmt.Sprintf("missing, with records %d to %d; digest %d names it", f.FirstSequence, f.LastSequence, d.number)})
			}
		}
	}
}

// checkStart holds the oldest record and the oldest digest against the beginning
// of the log, or against the anchor of what has expired.
func (v *verifier) checkStart() {
	a, first := v.anchor, v.start
	if first.seq > a.LastSequence+1 && first.seq > 1 {
		v.fault(Fault{File: logDir, Seq: a.LastSequence + 1, Problem: fmt.Sprintf("records %d to %d are missing at the beginning; no record says that they have expired", a.LastSequence+1, first.seq-1)})
	}
	if first.seq == a.LastSequence+1 && first.prev != a.LastHash {
		v.fault(Fault{File: logDir, Line: 1, Seq: first.seq, Problem: "the oldest record is not the one that followed those that have expired"})
	}
	if hash, known := v.ends[a.LastSequence]; known && a.LastSequence > 0 && hash != a.LastHash {
		v.fault(Fault{File: logDir, Seq: a.LastSequence, Problem: "the record is not the one that was to be the last to expire"})
	}
	if a.LastSequence > 0 && first.seq <= a.LastSequence {
		v.note("records %d to %d have expired and are about to be removed", first.seq, a.LastSequence)
	}
	if len(v.digests) == 0 {
		return
	}
	switch d := v.digests[0]; {
	case d.number > a.Digests+1:
		v.fault(Fault{File: digestDir, Problem: fmt.Sprintf("digests %d to %d are missing at the beginning; no record says that they have expired", a.Digests+1, d.number-1)})
	case d.number == a.Digests+1 && a.Digests > 0 && d.PreviousDigestHashValue != a.DigestHash.String():
		v.fault(Fault{File: digestDir + "/" + d.name, Problem: "it does not follow the digests that have expired"})
	}
}

// ownRecord is what the log's records about itself say that matters later.
type ownRecord struct {
	anchor
	Problems []string `json:"problems"`
}

// parseOwn reads a record of the log about itself, and tells which it is: "" for
// all others.
func parseOwn(event []byte) (ownRecord, string) {
	if !bytes.Contains(event, []byte(source)) {
		return ownRecord{}, ""
	}
	var e struct {
		EventSource, EventName, EventType string
		AdditionalEventData               ownRecord
	}
	if json.Unmarshal(event, &e) != nil || e.EventSource != source || e.EventType != ServiceEvent {
		return ownRecord{}, ""
	}
	return e.AdditionalEventData, e.EventName
}

// ReadHeads reads the heads that were published to a directory.
func ReadHeads(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	heads := map[string][]byte{}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		doc, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		heads[e.Name()] = doc
	}
	return heads, nil
}

// readPublished notes which records published heads name.
func (v *verifier) readPublished() map[string]head {
	heads := map[string]head{}
	for name, doc := range v.evidence.Heads {
		h, err := readHead(doc, v.keys)
		if err != nil {
			v.fault(Fault{File: name, Problem: "published head: " + err.Error()})
			continue
		}
		heads[name] = h
		if _, wanted := v.hashes[h.Seq]; !wanted {
			v.hashes[h.Seq] = nil
		}
	}
	v.report.Heads = len(heads)
	return heads
}

// checkPublished holds the chain against heads that were kept elsewhere.
func (v *verifier) checkPublished(heads map[string]head) {
	names := make([]string, 0, len(heads))
	for name := range heads {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		h := heads[name]
		switch hash := v.hashes[h.Seq]; {
		case h.Seq == 0 || h.Seq <= v.anchor.LastSequence && hash == nil: // before the first, or expired
		case hash == nil:
			v.fault(Fault{File: name, Seq: h.Seq, Problem: fmt.Sprintf("published head: record %d is missing", h.Seq)})
		case *hash != h.Hash:
			v.fault(Fault{File: name, Seq: h.Seq, Problem: fmt.Sprintf("published head: record %d is another one: the log was rewritten after %s", h.Seq, h.Time.Format("2006-01-02T15:04:05Z"))})
		}
	}
}
