//go:build amd64 || arm64

package filter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Program decides on each system call of a function, in the kernel's form
// (seccomp(2)), for the processor that this was built for. What it says is in
// table_linux.go; what it does not know answers ENOSYS, as an older kernel would, so
// that libraries do without. Nobody may change the program.
var Program = sync.OnceValues(func() ([]byte, error) {
	program, err := native().assemble()
	return encode(program), err
})

// encode writes struct sock_filter after struct sock_filter.
func encode(program []unix.SockFilter) (doc []byte) {
	for _, i := range program {
		doc = binary.NativeEndian.AppendUint16(doc, i.Code)
		doc = append(doc, i.Jt, i.Jf)
		doc = binary.NativeEndian.AppendUint32(doc, i.K)
	}
	return doc
}

// verdict is what becomes of a call: unix.SECCOMP_RET_….
type verdict uint32

const (
	allowed verdict = unix.SECCOMP_RET_ALLOW
	killed  verdict = unix.SECCOMP_RET_KILL_PROCESS
)

// fails has a call return an error without being made.
func fails(e unix.Errno) verdict { return unix.SECCOMP_RET_ERRNO | verdict(e) }

// table is a filter as people write it.
type table struct {
	arch   uint32 // unix.AUDIT_ARCH_…: calls of any other kind end the process
	limit  uint32 // calls from this number on fail with ENOSYS; 0: none
	allow  []uint32
	deny   []uint32 // fail with EPERM
	judge  []judged
	absent []uint32 // fail with ENOSYS, and would even if nothing else did
}

// judged is a call that depends on its arguments. The first rule that matches
// decides.
type judged struct {
	call      uint32
	rules     []rule
	otherwise verdict
}

// rule matches when all its conditions hold.
type rule struct {
	when []condition
	then verdict
}

// condition holds when the argument's bits under the mask are one of the values.
// It sees the lower half of an argument alone: all that are judged are of 32 bits
// or less in the kernel, which drops what else a register has.
type condition struct {
	arg  int // from 0
	mask uint32
	is   []uint32
}

// whole is the mask of a condition on a whole argument.
const whole = ^uint32(0)

// The kernel's view of a call, struct seccomp_data: number at 0, architecture at
// 4, instruction pointer at 8, six arguments of 8 bytes from 16 on. Both
// architectures store the lower half first.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// maxProgram is the most instructions that the kernel takes, BPF_MAXINSNS.
const maxProgram = 4096

func stmt(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

// jump compares with k and then skips yes or no instructions.
func jump(op uint16, k uint32, yes, no int) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | op, K: k, Jt: uint8(yes), Jf: uint8(no)}
}

func load(offset uint32) unix.SockFilter {
	return stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset)
}

func (v verdict) code() []unix.SockFilter {
	return []unix.SockFilter{stmt(unix.BPF_RET|unix.BPF_K, uint32(v))}
}

// span is numbers from one on, up to the next span's, that fare alike.
type span struct {
	from uint32
	code []unix.SockFilter
}

// assemble writes the program: the architecture, then a binary search for the
// number. Of a call that is allowed whatever its arguments the kernel remembers
// that, and does not ask again.
func (t table) assemble() ([]unix.SockFilter, error) {
	spans, err := t.spans()
	if err != nil {
		return nil, err
	}
	search, err := search(spans)
	if err != nil {
		return nil, err
	}
	program := slices.Concat(
		[]unix.SockFilter{load(offArch), jump(unix.BPF_JEQ, t.arch, 1, 0)}, killed.code(),
		[]unix.SockFilter{load(offNumber)}, search,
	)
	if len(program) > maxProgram {
		return nil, fmt.Errorf("the filter has %d instructions, the kernel takes %d", len(program), maxProgram)
	}
	return program, nil
}

// spans is the table by number, without holes, from 0 to the end.
func (t table) spans() ([]span, error) {
	codes := map[uint32][]unix.SockFilter{}
	var twice []uint32
	add := func(call uint32, code []unix.SockFilter) {
		if codes[call] != nil {
			twice = append(twice, call)
		}
		codes[call] = code
	}
	missing := fails(unix.ENOSYS).code()
	for _, part := range []struct {
		calls []uint32
		code  []unix.SockFilter
	}{{t.allow, allowed.code()}, {t.deny, fails(unix.EPERM).code()}, {t.absent, missing}} {
		for _, call := range part.calls {
			add(call, part.code)
		}
	}
	for _, j := range t.judge {
		code, err := j.code()
		if err != nil {
			return nil, fmt.Errorf("system call %d: %w", j.call, err)
		}
		add(j.call, code)
	}
	if twice != nil {
		return nil, fmt.Errorf("system calls %d are in the table twice", twice)
	}
	list := make([]uint32, 0, len(codes))
	for call := range codes {
		if t.limit != 0 && call >= t.limit {
			return nil, fmt.Errorf("system call %d is past the limit %d", call, t.limit)
		}
		list = append(list, call)
	}
	slices.Sort(list)
	spans := []span{{0, missing}}
	put := func(from uint32, code []unix.SockFilter) {
		switch last := &spans[len(spans)-1]; {
		case last.from == from:
			last.code = code
		case !slices.Equal(last.code, code):
			spans = append(spans, span{from, code})
		}
	}
	for i, call := range list {
		put(call, codes[call])
		if i+1 == len(list) || list[i+1] != call+1 {
			put(call+1, missing)
		}
	}
	return spans, nil
}

// search finds the span of the number that is loaded.
func search(spans []span) ([]unix.SockFilter, error) {
	if len(spans) == 1 {
		return spans[0].code, nil
	}
	half := len(spans) / 2
	low, err := search(spans[:half])
	if err != nil {
		return nil, err
	}
	high, err := search(spans[half:])
	if err != nil {
		return nil, err
	}
	// A comparison skips 255 instructions at most; an unconditional jump, any number.
	choice := []unix.SockFilter{jump(unix.BPF_JGE, spans[half].from, len(low), 0)}
	if len(low) > 255 {
		choice = []unix.SockFilter{
			jump(unix.BPF_JGE, spans[half].from, 0, 1),
			stmt(unix.BPF_JMP|unix.BPF_JA, uint32(len(low))),
		}
	}
	return slices.Concat(choice, low, high), nil
}

// code is written from its end, so that each part knows what it has to skip.
func (j judged) code() ([]unix.SockFilter, error) {
	all := []unix.SockFilter{}
	for _, r := range j.rules {
		code := r.then.code()
		for _, c := range slices.Backward(r.when) {
			if len(c.is) == 0 || c.arg < 0 || c.arg > 5 || len(code) > 255 || len(c.is) > 255 {
				return nil, errors.New("a condition has no value, too many, or no such argument")
			}
			test := []unix.SockFilter{load(offArgs + 8*uint32(c.arg))}
			if c.mask != whole {
				test = append(test, stmt(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, c.mask))
			}
			for i, v := range c.is {
				otherwise := 0
				if i == len(c.is)-1 {
					otherwise = len(code)
				}
				test = append(test, jump(unix.BPF_JEQ, v, len(c.is)-1-i, otherwise))
			}
			code = append(test, code...)
		}
		all = append(all, code...)
	}
	return append(all, j.otherwise.code()...), nil
}
