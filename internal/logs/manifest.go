package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/dropstack/dropstack/internal/durable"
)

// block is what is known of a block without reading it.
type block struct {
	ID    uint64 `json:"id"`
	Group string `json:"group"`
	Rows  int    `json:"rows"`
	First uint64 `json:"first"` // place of its first record
	Last  uint64 `json:"last"`
	Min   int64  `json:"min"` // of times
	Max   int64  `json:"max"`
	Text  int    `json:"text"` // bytes of messages
	Bytes int64  `json:"bytes"`
	Made  int64  `json:"made"` // time

	users int  // who may read it; its file stays as long
	gone  bool // it is not to be read any more
}

// change is what happens together, and a line of the manifest:
//
//	CRC-32C of the rest in hexadecimal, a space, JSON, a line end
type change struct {
	Add    []*block `json:"add,omitempty"`
	Remove []uint64 `json:"remove,omitempty"`
	// Upto are the places up to which the write-ahead log has nothing of groups any
	// more.
	Upto map[string]uint64 `json:"upto,omitempty"`
	// Imported are IDs of what has been imported, and when.
	Imported map[string]int64 `json:"imported,omitempty"`
	Next     uint64           `json:"next,omitempty"` // place
}

// manifest says which blocks there are. Its memory is right; the file follows before
// anybody is answered.
type manifest struct {
	path  string
	file  *os.File
	size  int64
	lines int

	blocks   map[uint64]*block
	upto     map[string]uint64
	imported map[string]int64
	next     uint64
	nextID   uint64
	damaged  []error // lines that could not be read
}

func openManifest(path string) (*manifest, error) {
	m := &manifest{path: path, blocks: map[uint64]*block{}, upto: map[string]uint64{}, imported: map[string]int64{}, next: 1, nextID: 1}
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	whole := bytes.LastIndexByte(content, '\n') + 1 // what a crash has torn off is no line
	for line := range bytes.Lines(content[:whole]) {
		c, err := parseChange(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			m.damaged = append(m.damaged, fmt.Errorf("%s: line %d: %w", path, m.lines+1, err))
		} else {
			m.apply(c)
		}
		m.lines++
	}
	if m.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	m.size = int64(whole)
	if err := errors.Join(m.file.Truncate(m.size), syncDir(filepath.Dir(path))); err != nil {
		return nil, errors.Join(err, m.file.Close())
	}
	return m, nil
}

func parseChange(line []byte) (*change, error) {
	sum, doc, _ := bytes.Cut(line, []byte(" "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || uint32(want) != crc32.Checksum(doc, castagnoli) {
		return nil, errors.New("the checksum is wrong")
	}
	c := &change{}
	return c, json.Unmarshal(doc, c)
}

func (m *manifest) apply(c *change) {
	for _, id := range c.Remove {
		delete(m.blocks, id)
	}
	for _, b := range c.Add {
		m.blocks[b.ID] = b
		m.nextID, m.next = max(m.nextID, b.ID+1), max(m.next, b.Last+1)
	}
	for group, place := range c.Upto {
		m.upto[group] = max(m.upto[group], place)
		m.next = max(m.next, place+1)
	}
	for id, at := range c.Imported {
		m.imported[id] = at
	}
	m.next = max(m.next, c.Next)
}

func (c *change) line() ([]byte, error) {
	doc, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(doc, castagnoli), doc), nil
}

// commit makes a change durable. On an error nothing has changed.
func (m *manifest) commit(c *change) error {
	if m.lines > 1000 && m.lines > 4*len(m.blocks) {
		if err := m.rewrite(); err != nil {
			return err
		}
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	_, err = m.file.WriteAt(line, m.size)
	if err == nil {
		err = m.file.Sync()
	}
	if err != nil {
		return errors.Join(err, m.file.Truncate(m.size))
	}
	m.size += int64(len(line))
	m.lines++
	m.apply(c)
	return nil
}

// rewrite has the file say only what is so now.
func (m *manifest) rewrite() error {
	all := &change{Upto: m.upto, Imported: m.imported, Next: m.next}
	content, err := all.line()
	if err != nil {
		return err
	}
	lines := 1
	for _, b := range m.blocks {
		line, err := (&change{Add: []*block{b}}).line()
		if err != nil {
			return err
		}
		content = append(content, line...)
		lines++
	}
	if err := durable.WriteFile(m.path, content, 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(m.path, os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = m.file.Close()
	m.file, m.size, m.lines = f, int64(len(content)), lines
	return err
}
