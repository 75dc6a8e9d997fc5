package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// Report is what Verify has found.
type Report struct {
	Files   int      `json:"files"`
	Digests int      `json:"digests"`
	Records int      `json:"records"`
	First   uint64   `json:"first"` // sequence of the oldest record kept
	Last    uint64   `json:"last"`
	Head    string   `json:"head"` // hash of the last record that is signed
	Heads   int      `json:"heads"`
	Keys    []string `json:"keys"`   // fingerprints of the keys that were believed
	Faults  []Fault  `json:"faults"` // in the order of the files
	Notes   []string `json:"notes"`  // what is no fault but worth knowing
}

// OK says that nothing was changed.
func (r Report) OK() bool { return len(r.Faults) == 0 }

// Evidence is what was kept elsewhere and is held against a log. With none of it
// the log is only held against itself.
type Evidence struct {
	Keys  []ed25519.PublicKey // the only ones believed; none: those beside the log
	Heads map[string][]byte   // published heads by file name; see ReadHeads
}

// Verify checks the log that is being written as the function of that name does,
// with nothing that was kept elsewhere.
func (l *Log) Verify(context.Context) (Report, error) { return Verify(l.Dir, Evidence{}) }

// Verify reads the whole audit log of a data directory's audit directory and
// reports every place where it is not as it was written. A platform may run on it.
func Verify(dir string, e Evidence) (Report, error) {
	for attempt := 0; ; attempt++ {
		before, err := readIfThere(filepath.Join(dir, headFile))
		if err != nil {
			return Report{}, err
		}
		v := verifier{dir: dir, evidence: e, doc: before}
		if err := v.run(); err != nil {
			return Report{}, err
		}
		if v.report.OK() || attempt == 5 {
			return v.report, nil
		}
		after, err := readIfThere(filepath.Join(dir, headFile))
		if err != nil || bytes.Equal(before, after) {
			return v.report, err
		}
		// the platform wrote meanwhile: perhaps that is all there was to it
	}
}

func readIfThere(path string) ([]byte, error) {
	doc, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return doc, err
}

// verifier is the state of one reading.
type verifier struct {
	dir      string
	evidence Evidence
	doc      []byte // of the head
	report   Report
	keys     keyring
	head     head
	noHead   bool

	digests []signed
	broken  bool               // some digest is missing or not to be believed
	covered map[string]*signed // log file → the digest that names it

	chain  chain
	hashes map[uint64]*sum // records that heads name
	ends   map[uint64]sum  // the last record of each file
	seen   map[string]bool // log files
	start  record          // the oldest record kept
	anchor anchor          // the latest one
	tail   named           // the last log file
	end    walked          // what it came to
	rest   int64           // bytes that follow it and that nothing vouches for
}

func (v *verifier) fault(f Fault) { v.report.Faults = append(v.report.Faults, f) }
func (v *verifier) note(format string, args ...any) {
	v.report.Notes = append(v.report.Notes, fmt.Sprintf(format, args...))
}

func (v *verifier) run() error {
	v.report = Report{Faults: []Fault{}, Notes: []string{}}
	v.covered, v.hashes, v.ends, v.seen = map[string]*signed{}, map[uint64]*sum{}, map[uint64]sum{}, map[string]bool{}
	logs, strange, err := list(filepath.Join(v.dir, logDir), ".ndjson")
	if err != nil {
		return err
	}
	v.strangers(logDir, strange)
	if v.doc == nil && len(logs) == 0 {
		return fault.Errorf(fault.NotFound, "there is no audit log in %s", v.dir)
	}
	if err := v.readKeys(); err != nil {
		return err
	}
	v.readHead()
	published := v.readPublished()
	if err := v.checkDigests(); err != nil {
		return err
	}
	if err := v.checkLogs(logs); err != nil {
		return err
	}
	v.checkStart()
	v.checkCovered()
	v.checkTail()
	v.checkHead()
	v.checkPublished(published)
	return nil
}

func (v *verifier) strangers(dir string, names []string) {
	for _, name := range names {
		v.fault(Fault{File: dir + "/" + name, Problem: "not a file of the log's"})
	}
}

func (v *verifier) readKeys() (err error) {
	var faults []Fault
	if len(v.evidence.Keys) > 0 {
		v.keys = newKeyring(v.evidence.Keys)
	} else if v.keys, faults, err = readKeys(v.dir); err != nil {
		return err
	}
	v.report.Keys, v.report.Faults = v.keys.names(), append(v.report.Faults, faults...)
	return nil
}

func (v *verifier) readHead() {
	var err error
	switch v.head, err = readHead(v.doc, v.keys); {
	case v.doc == nil:
		v.noHead = true
		v.fault(Fault{File: headFile, Problem: "missing: nothing tells where the log ends"})
	case err != nil:
		v.noHead = true
		v.fault(Fault{File: headFile, Problem: err.Error()})
	default:
		v.hashes[v.head.Seq] = nil
		v.report.Head = v.head.Hash.String()
	}
}

// checkLogs follows the chain through all files.
func (v *verifier) checkLogs(logs []named) error {
	v.chain = chain{fault: v.fault, record: v.remember, loose: len(logs) > 0 && logs[0].number > 1}
	for i, n := range logs {
		if i == 0 {
			v.chain.at.seq = n.number - 1
		}
		if err := v.checkLog(n, i == len(logs)-1); err != nil {
			return err
		}
	}
	v.report.Last = v.chain.at.seq
	return nil
}

// remember keeps of a record what later checks need.
func (v *verifier) remember(r record) {
	v.report.Records++
	if v.report.First == 0 {
		v.report.First = r.seq
		v.start = record{link: r.link, prev: r.prev}
	}
	if _, wanted := v.hashes[r.seq]; wanted {
		v.hashes[r.seq] = &r.hash
	}
	switch e, name := parseOwn(r.event); name {
	case eventExpired:
		v.anchor = e.anchor
	case eventDamaged:
		f := v.chain.place
		f.Seq, f.Problem = r.seq, "a start found the log damaged: "+strings.Join(e.Problems, "; ")
		v.fault(f)
	}
}

func (v *verifier) checkLog(n named, last bool) error {
	path := logDir + "/" + n.name
	f, err := os.Open(filepath.Join(v.dir, path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it has just expired
	}
	if err != nil {
		return err
	}
	defer f.Close()
	d, in := v.covered[n.name], io.Reader(f)
	if last && d == nil && !v.noHead {
		in = io.LimitReader(f, v.head.covers(n.name))
	}
	w, err := v.chain.walk(path, in)
	if err != nil {
		return err
	}
	if v.rest, err = io.Copy(io.Discard, f); err != nil {
		return err
	}
	v.report.Files++
	v.seen[n.name] = true
	if w.first != 0 && w.first != n.number && w.faults == 0 {
		v.fault(Fault{File: path, Line: 1, Seq: n.number, Problem: fmt.Sprintf("the name says that record %d comes first; it is %d", n.number, w.first)})
	}
	switch {
	case d != nil:
		v.checkHashed(n, w, d)
	case !last && !v.broken:
		v.fault(Fault{File: path, Problem: "no digest covers it"})
	}
	if !last && d == nil && len(w.torn) > 0 {
		v.cut(path, w)
	}
	v.tail, v.end = n, w
	v.ends[v.chain.at.seq] = v.chain.at.hash
	return nil
}

// cut reports a last line without its end.
func (v *verifier) cut(path string, w walked) {
	v.fault(Fault{
		File: path, Line: w.lines + 1, Seq: v.chain.at.seq + 1, Offset: w.size + int64(len(w.torn)), Problem: "the file is cut in the middle of a record",
	})
}

// checkTail looks at the end of the open file. What a crash leaves beyond the
// head was never acknowledged: it is no part of the log.
func (v *verifier) checkTail() {
	path := logDir + "/" + v.tail.name
	if v.covered[v.tail.name] == nil && len(v.end.torn) > 0 {
		v.cut(path, v.end)
	}
	if v.rest > 0 {
		v.note("%s: %d bytes beyond the signed head: they are being written now, or a crash has left them and the next start takes them off; nobody was answered for them", path, v.rest)
	}
}

// checkHead holds the end of the chain against the head.
func (v *verifier) checkHead() {
	if v.noHead {
		return
	}
	h, end := v.head, v.chain.at
	path := logDir + "/" + v.tail.name
	switch hash := v.hashes[h.Seq]; {
	case h.Seq > end.seq:
		v.fault(Fault{
			File: path, Line: v.end.lines + 1, Seq: end.seq + 1, Offset: v.end.size,
			Problem: fmt.Sprintf("records %d to %d are missing at the end; the head names them", end.seq+1, h.Seq),
		})
	case h.Seq >= v.report.First && hash != nil && *hash != h.Hash:
		v.fault(Fault{File: path, Seq: h.Seq, Problem: fmt.Sprintf("record %d is not the one that the head names", h.Seq)})
	}
	var latest uint64
	if len(v.digests) > 0 {
		latest = v.digests[len(v.digests)-1].number
	}
	switch {
	case h.Digests > latest:
		v.fault(Fault{File: digestDir, Problem: fmt.Sprintf("digests %d to %d are missing; the head names them", latest+1, h.Digests)})
	case h.Digests+1 < latest, h.Digests < latest && v.covered[v.tail.name] == nil && v.rest > 0:
		v.fault(Fault{File: headFile, Problem: fmt.Sprintf("older than digest %d: an earlier head was put in its place", latest)})
	}
	for _, d := range v.digests {
		if d.number == h.Digests && d.hash != h.Digest {
			v.fault(Fault{File: digestDir + "/" + d.name, Problem: "not the digest that the head names"})
		}
	}
}
