package cache

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A file is the body in blocks, each followed by its checksum, then the head as JSON,
// then a footer of fixed size, by which the head is found from the end:
//
//	magic  8 bytes   also the version of this layout
//	body   8 bytes   size of the body
//	head   4 bytes   size of the head
//	sum    4 bytes   checksum of head and of what precedes this
const (
	blockSize  = 64 << 10
	sumSize    = 4
	footerSize = 24
	magic      = "dscache1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errDamaged  = errors.New("file is damaged")
	errTooLarge = errors.New("larger than what is stored")
)

// onDisk is what a body of the size takes, checksums included.
func onDisk(size int64) int64 { return size + (size+blockSize-1)/blockSize*sumSize }

// head is what a file says of its response.
type head struct {
	Zone      string        `json:"zone"`
	Path      string        `json:"path"`
	Query     string        `json:"query,omitempty"`
	Status    int           `json:"status"`
	Header    http.Header   `json:"header"`
	Varies    []string      `json:"varies,omitempty"`
	Selecting []string      `json:"selecting,omitempty"`
	Received  time.Time     `json:"received"`
	Lifetime  time.Duration `json:"lifetime"`
	Age       time.Duration `json:"age,omitempty"`
	Validate  bool          `json:"validate,omitempty"`
	Strict    bool          `json:"strict,omitempty"`
	While     time.Duration `json:"whileRevalidate,omitempty"`
	IfError   time.Duration `json:"ifError"`
	Seq       uint64        `json:"seq"`
}

func headOf(o *object) head {
	return head{
		Zone: o.zone, Path: o.path, Query: o.query, Status: o.status, Header: o.header,
		Varies: o.varies, Selecting: o.selecting, Received: o.received.Round(0), Lifetime: o.lifetime, Age: o.age,
		Validate: o.validate, Strict: o.strict, While: o.whileRevalidate, IfError: o.ifError, Seq: o.seq,
	}
}

func (h *head) object(k key) *object {
	return &object{
		key: k, zone: h.Zone, path: h.Path, query: h.Query, status: h.Status, header: h.Header,
		varies: h.Varies, selecting: h.Selecting, received: h.Received, seq: h.Seq,
		judgement: judgement{
			store: true, lifetime: h.Lifetime, age: h.Age, validate: h.Validate, strict: h.Strict,
			whileRevalidate: h.While, ifError: h.IfError,
		},
	}
}

// tail is head and footer of an object's file.
func tail(o *object) ([]byte, error) {
	b, err := json.Marshal(headOf(o))
	if err != nil {
		return nil, err
	}
	n := len(b)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint64(b, uint64(o.size))
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// writing is a file that is being written. A nil one can be closed.
type writing struct {
	disk      *disk
	f         *os.File
	body      int64 // bytes in whole blocks
	reserved  int64
	committed bool
}

// begin makes a file that has no name in the tier yet.
func (d *disk) begin() (*writing, error) {
	if d == nil {
		return nil, errNoDisk
	}
	f, err := os.CreateTemp(filepath.Join(d.dir, "arriving"), "")
	if err != nil {
		return nil, err
	}
	return &writing{disk: d, f: f}, nil
}

// write adds a block, full but for the last. After an error what was written before
// can still be read.
func (w *writing) write(block []byte) error {
	if w == nil {
		return errNoDisk
	}
	if w.body >= w.disk.largest() {
		return errTooLarge
	}
	n := int64(len(block) + sumSize)
	if err := w.disk.reserve(n); err != nil {
		return err
	}
	w.reserved += n
	var sum [sumSize]byte
	binary.BigEndian.PutUint32(sum[:], crc32.Checksum(block, castagnoli))
	at := onDisk(w.body)
	if _, err := w.f.WriteAt(block, at); err != nil {
		return err
	}
	if _, err := w.f.WriteAt(sum[:], at+int64(len(block))); err != nil {
		return err
	}
	w.body += int64(len(block))
	return nil
}

// read returns a block that was written; buf is used if it is large enough.
func (w *writing) read(block int64, buf []byte) ([]byte, error) {
	if w == nil {
		return nil, errNoDisk
	}
	return readBlock(w.f, block, blockSize, buf)
}

func readBlock(f io.ReaderAt, block int64, size int, buf []byte) ([]byte, error) {
	if cap(buf) < size+sumSize {
		buf = make([]byte, blockSize+sumSize)
	}
	buf = buf[:size+sumSize]
	if _, err := f.ReadAt(buf, block*(blockSize+sumSize)); err != nil {
		return nil, err
	}
	if crc32.Checksum(buf[:size], castagnoli) != binary.BigEndian.Uint32(buf[size:]) {
		return nil, errDamaged
	}
	return buf[:size], nil
}

// commit writes the last block, unless it is empty, and the head, and gives the file
// its name; not, and there is no file, when it has become unwanted.
func (w *writing) commit(o *object, last []byte, unwanted func() bool) (*file, error) {
	if len(last) > 0 {
		if err := w.write(last); err != nil {
			return nil, err
		}
	}
	end, err := tail(o)
	if err != nil {
		return nil, err
	}
	d := w.disk
	if err := d.reserve(int64(len(end))); err != nil {
		return nil, err
	}
	w.reserved += int64(len(end))
	if _, err := w.f.WriteAt(end, onDisk(w.body)); err != nil {
		return nil, err
	}
	f := &file{key: o.key, path: pathHash(o.zone, o.path), variant: variantOf(o), serial: rand.Uint64(), size: w.reserved}
	to := filepath.Join(d.dir, f.name())
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if wanted, queued := d.queued[o]; queued && !wanted || unwanted() {
		return nil, nil // something newer has come, or it has been invalidated
	}
	if err := os.Rename(w.f.Name(), to); err != nil {
		return nil, err
	}
	w.committed = true
	d.add(f)
	return f, nil
}

// close lets go of the file; without commit it is deleted.
func (w *writing) close() {
	if w == nil {
		return
	}
	_ = w.f.Close() // what was written has been checked by then, or is not used
	if !w.committed {
		_ = os.Remove(w.f.Name())
		w.disk.unreserve(w.reserved)
	}
}

// renew writes the head of a file anew.
func (d *disk) renew(o *object) {
	if d == nil || o.file == nil {
		return
	}
	lock := d.lock(o.key)
	lock.Lock()
	defer lock.Unlock()
	if d.rewriteHead(o) != nil {
		d.remove(o.file)
	}
}

func (d *disk) rewriteHead(o *object) error {
	end, err := tail(o)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(d.dir, o.file.name()), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	size := onDisk(o.size) + int64(len(end))
	d.mu.Lock()
	if o.file.gone {
		d.mu.Unlock()
		return nil
	}
	grown := size - o.file.size
	d.used += grown
	o.file.size = size
	over := d.used > d.limit
	d.mu.Unlock()
	if over {
		if err := d.reserve(0); err != nil {
			return err
		}
	}
	if _, err := f.WriteAt(end, onDisk(o.size)); err != nil {
		return err
	}
	return f.Truncate(size)
}

func (d *disk) lock(k key) *sync.Mutex { return &d.loading[k[1]%16] }

// readHead reads what a file says of its response, but for the body.
func (d *disk) readHead(f *file) (*object, error) {
	in, err := os.Open(filepath.Join(d.dir, f.name()))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	foot := make([]byte, footerSize)
	if _, err := in.ReadAt(foot, info.Size()-footerSize); err != nil {
		return nil, err
	}
	size := int64(binary.BigEndian.Uint64(foot[8:]))
	length := int64(binary.BigEndian.Uint32(foot[16:]))
	if string(foot[:8]) != magic || size < 0 || size > info.Size() || onDisk(size)+length+footerSize != info.Size() {
		return nil, errDamaged
	}
	b := make([]byte, length+footerSize)
	if _, err := in.ReadAt(b, onDisk(size)); err != nil {
		return nil, err
	}
	n := len(b) - sumSize
	if crc32.Checksum(b[:n], castagnoli) != binary.BigEndian.Uint32(b[n:]) {
		return nil, errDamaged
	}
	var h head
	if err := json.Unmarshal(b[:length], &h); err != nil {
		return nil, err
	}
	o := h.object(f.key)
	o.size, o.file = size, f
	if pathHash(o.zone, o.path) != f.path || variantOf(o) != f.variant {
		return nil, errDamaged
	}
	return o, nil
}

// readBody reads all of a body.
func (d *disk) readBody(o *object) ([]byte, error) {
	in, err := os.Open(filepath.Join(d.dir, o.file.name()))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	buf := blocks.Get().(*[]byte)
	defer blocks.Put(buf)
	body := make([]byte, 0, o.size)
	for n := int64(0); int64(len(body)) < o.size; n++ {
		block, err := readBlock(in, n, int(min(blockSize, o.size-n*blockSize)), *buf)
		if err != nil {
			return nil, err
		}
		body = append(body, block...)
	}
	return body, nil
}

// fromFile sends a body out of its file.
type fromFile struct {
	in   *os.File
	size int64
	buf  *[]byte
	bad  func()
}

var blocks = sync.Pool{New: func() any {
	b := make([]byte, blockSize+sumSize)
	return &b
}}

// open gets the body of an object ready; false when it cannot be had.
func (d *disk) open(o *object, bad func()) (source, bool) {
	in, err := os.Open(filepath.Join(d.dir, o.file.name()))
	if err != nil {
		return nil, false
	}
	info, err := in.Stat()
	if err != nil || info.Size() < onDisk(o.size) {
		in.Close()
		return nil, false
	}
	if !o.file.used.Load() {
		o.file.used.Store(true)
	}
	return &fromFile{in: in, size: o.size, buf: blocks.Get().(*[]byte), bad: bad}, true
}

func (s *fromFile) copy(_ context.Context, w http.ResponseWriter, from, to int64) error {
	for from < to {
		n := from / blockSize
		block, err := readBlock(s.in, n, int(min(blockSize, s.size-n*blockSize)), *s.buf)
		if err != nil {
			s.bad()
			return err
		}
		p := block[from-n*blockSize:]
		p = p[:min(int64(len(p)), to-from)]
		if _, err := w.Write(p); err != nil {
			return errClient
		}
		from += int64(len(p))
	}
	return nil
}

func (s *fromFile) close() {
	s.in.Close()
	blocks.Put(s.buf)
}
