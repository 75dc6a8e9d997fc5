package guest

import (
	"errors"
	"syscall"
)

// message is a Request or a Reply. A message is its fields, one after the other:
// numbers in the processor's longest form, texts and lists with their length ahead,
// parts that may be missing with a flag. Both ends are the same program, so nothing
// says which field is which.
//
// Package encoding/json would do, but whatever imports it is initialised late.
type message interface{ code(*coder) }

var errBroken = errors.New("a message that is none")

// Encode is what is sent.
func Encode(m message) []byte {
	c := &coder{}
	m.code(c)
	return c.doc
}

// Decode reads what was sent into an empty message. It keeps nothing of doc.
func Decode(doc []byte, m message) error {
	c := &coder{doc: doc, reading: true}
	m.code(c)
	if c.broken || len(c.doc) > 0 {
		return errBroken
	}
	return nil
}

// coder walks over the fields of a message, in either direction.
type coder struct {
	doc     []byte // what was written, or is still to be read
	reading bool
	broken  bool
}

// next is so many bytes to read.
func (c *coder) next(n int) []byte {
	if n < 0 || n > len(c.doc) {
		c.broken = true
		c.doc = nil
		return make([]byte, min(max(n, 0), 8))
	}
	b := c.doc[:n]
	c.doc = c.doc[n:]
	return b
}

func (c *coder) number(n *int) {
	if c.reading {
		v := uint64(0)
		for i, b := range c.next(8) {
			v |= uint64(b) << (8 * i)
		}
		*n = int(v)
		return
	}
	for i := range 8 {
		c.doc = append(c.doc, byte(uint64(*n)>>(8*i)))
	}
}

func (c *coder) flag(f *bool) {
	if c.reading {
		*f = c.next(1)[0] != 0
		return
	}
	b := byte(0)
	if *f {
		b = 1
	}
	c.doc = append(c.doc, b)
}

func (c *coder) bytes(b *[]byte) {
	n := len(*b)
	c.number(&n)
	if !c.reading {
		c.doc = append(c.doc, *b...)
	} else if n > 0 {
		*b = append([]byte(nil), c.next(n)...)
	}
}

func (c *coder) text(s *string) {
	n := len(*s)
	c.number(&n)
	if c.reading {
		*s = string(c.next(n))
	} else {
		c.doc = append(c.doc, *s...)
	}
}

func (c *coder) texts(l *[]string) { list(c, l, (*coder).text) }

func (c *coder) ip(ip *[4]byte) {
	if c.reading {
		copy(ip[:], c.next(len(ip)))
	} else {
		c.doc = append(c.doc, ip[:]...)
	}
}

// list has each element coded. An element takes a byte at least, so a length that
// is made up costs nothing.
func list[T any](c *coder, l *[]T, each func(*coder, *T)) {
	n := len(*l)
	c.number(&n)
	if c.reading && n > len(c.doc) {
		c.broken = true
		return
	}
	if c.reading && n > 0 {
		*l = make([]T, n)
	}
	for i := range *l {
		each(c, &(*l)[i])
	}
}

// part has a part coded that may be missing.
func part[T any](c *coder, p **T, code func(*coder, *T)) {
	there := *p != nil
	c.flag(&there)
	if !there {
		return
	}
	if c.reading {
		*p = new(T)
	}
	code(c, *p)
}

func (r *Request) code(c *coder) {
	c.number(&r.ID)
	part(c, &r.Build, (*coder).build)
	part(c, &r.Furnish, (*coder).furnish)
	part(c, &r.Start, (*coder).start)
	part(c, &r.Signal, (*coder).signal)
	part(c, &r.Dial, (*coder).address)
}

func (r *Reply) code(c *coder) {
	errno := int(r.Errno)
	c.number(&r.ID)
	c.number(&r.Pid)
	c.number(&errno)
	c.text(&r.Error)
	part(c, &r.Exit, (*coder).exit)
	r.Errno = syscall.Errno(errno)
}

func (c *coder) exit(e *Exit) {
	status := int(e.Status)
	c.number(&e.Pid)
	c.number(&status)
	e.Status = syscall.WaitStatus(status)
}

func (c *coder) build(b *Build) {
	c.text(&b.Host)
	list(c, &b.Mounts, (*coder).mount)
	c.texts(&b.Dirs)
	list(c, &b.Files, (*coder).entry)
	list(c, &b.Links, (*coder).entry)
	c.flag(&b.Proc)
	c.texts(&b.Hidden)
	c.texts(&b.Frozen)
	c.texts(&b.Empty)
	list(c, &b.Listen, (*coder).address)
	c.number(&b.MTU)
	c.flag(&b.Cgroups)
	c.number(&b.Descriptors)
	c.number(&b.Processes)
	c.bytes(&b.Filter)
	c.text(&b.Rootless)
}

func (c *coder) entry(e *Entry) {
	c.text(&e.Path)
	c.text(&e.Text)
}

func (c *coder) mount(m *Mount) {
	c.text(&m.From)
	c.text(&m.To)
	for _, f := range []*bool{&m.Write, &m.Exec, &m.File, &m.Dev} {
		c.flag(f)
	}
}

func (c *coder) address(a *Address) {
	c.ip(&a.IP)
	c.number(&a.Port)
}

func (c *coder) furnish(f *Furnish) {
	list(c, &f.Mounts, (*coder).mount)
	c.text(&f.Device)
	c.ip(&f.IP)
}

func (c *coder) start(s *Start) {
	c.text(&s.Path)
	c.texts(&s.Args)
	c.texts(&s.Env)
	c.text(&s.Dir)
	c.number(&s.UID)
	c.number(&s.GID)
	c.texts(&s.Write)
	c.number(&s.FileSize)
}

func (c *coder) signal(s *Signal) {
	sig := int(s.Sig)
	c.number(&s.Pid)
	c.number(&sig)
	s.Sig = syscall.Signal(sig)
}
