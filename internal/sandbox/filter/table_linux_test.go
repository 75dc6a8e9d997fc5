//go:build amd64 || arm64

package filter

import (
	"encoding/binary"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// machine runs a filter without a kernel, and thereby one of another architecture.
type machine struct{ vm *bpf.VM }

func boot(t *testing.T, program []unix.SockFilter) machine {
	t.Helper()
	var raw []bpf.RawInstruction
	for _, i := range program {
		raw = append(raw, bpf.RawInstruction{Op: i.Code, Jt: i.Jt, Jf: i.Jf, K: i.K})
	}
	code, all := bpf.Disassemble(raw)
	if !all {
		t.Fatal("the filter has instructions that are none")
	}
	vm, err := bpf.NewVM(code)
	if err != nil {
		t.Fatal(err)
	}
	return machine{vm}
}

// says is the verdict on a call. This machine's words are of the network's order,
// the filter's of the processor's; only whole words are read.
func (m machine) says(t *testing.T, arch, call uint32, args ...uint64) verdict {
	t.Helper()
	data := binary.BigEndian.AppendUint32(nil, call)
	data = binary.BigEndian.AppendUint32(data, arch)
	data = binary.BigEndian.AppendUint64(data, 0)
	for i := range 6 {
		v := uint64(0)
		if i < len(args) {
			v = args[i]
		}
		data = binary.BigEndian.AppendUint32(data, uint32(v))
		data = binary.BigEndian.AppendUint32(data, uint32(v>>32))
	}
	v, err := m.vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return verdict(uint32(v))
}

// numbers are an architecture's, read from the source of the module that has them.
func numbers(t *testing.T, arch string) map[string]uint32 {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", "golang.org/x/sys/unix").Output()
	if err != nil {
		t.Skipf("not run: the source of golang.org/x/sys/unix is not found: %v", err)
	}
	found := map[string]uint32{}
	for _, c := range constants(t, filepath.Join(strings.TrimSpace(string(out)), "zsysnum_linux_"+arch+".go")) {
		n, err := strconv.ParseUint(c[1], 0, 32)
		if err != nil {
			t.Fatal(err)
		}
		found[c[0]] = uint32(n)
	}
	return found
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// constants are a file's names and literal values.
func constants(t *testing.T, file string) (found [][2]string) {
	t.Helper()
	ast.Inspect(parse(t, file), func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				found = append(found, [2]string{spec.Names[0].Name, lit.Value})
			}
		}
		return true
	})
	return found
}

// named are the system calls that a declaration of a file mentions, in order.
func named(t *testing.T, file, declaration string) (found []string) {
	t.Helper()
	collect := func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && strings.HasPrefix(s.Sel.Name, "SYS_") {
			found = append(found, s.Sel.Name)
		}
		return true
	}
	for _, d := range parse(t, file).Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.Name == declaration {
				ast.Inspect(d, collect)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && v.Names[0].Name == declaration {
					ast.Inspect(v, collect)
				}
			}
		}
	}
	if found == nil {
		t.Fatalf("%s of %s mentions no system call", declaration, file)
	}
	return found
}

// readTable is the table as another architecture would compile it.
func readTable(t *testing.T, arch string) table {
	t.Helper()
	number := numbers(t, arch)
	resolve := func(names []string) (calls []uint32) {
		for _, name := range names {
			n, ok := number[name]
			if !ok {
				t.Fatalf("%s has no %s", arch, name)
			}
			calls = append(calls, n)
		}
		return calls
	}
	tb := table{
		arch:   map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[arch],
		allow:  resolve(named(t, "table_linux.go", "granted")),
		deny:   resolve(named(t, "table_linux.go", "refused")),
		absent: resolve(named(t, "table_linux.go", "common")),
		judge:  judgements(),
	}
	calls := resolve(named(t, "judge_linux.go", "judgements"))
	if len(calls) != len(tb.judge) {
		t.Fatalf("%d calls are judged, the source mentions %d", len(tb.judge), len(calls))
	}
	for i := range tb.judge {
		tb.judge[i].call = calls[i]
	}
	if arch == "amd64" {
		tb.limit = 0x40000000
		tb.allow = append(tb.allow, resolve(named(t, "table_amd64.go", "grantedAMD64"))...)
		tb.deny = append(tb.deny, resolve(named(t, "table_amd64.go", "refusedAMD64"))...)
		tb.judge = append(tb.judge, judged{number["SYS_MKNOD"], nodes(1), fails(unix.EPERM)})
	}
	return tb
}

// TestTables assembles those of both architectures and asks them for every number.
// No number is in one twice: assembling would fail.
func TestTables(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			tb := readTable(t, arch)
			program, err := tb.assemble()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d allowed, %d refused, %d judged; %d instructions", len(tb.allow), len(tb.deny), len(tb.judge), len(program))
			if len(program) > maxProgram {
				t.Errorf("%d instructions, at most %d", len(program), maxProgram)
			}
			if arch == runtime.GOARCH {
				if built, err := Program(); err != nil || !slices.Equal(built, encode(program)) {
					t.Errorf("the filter that is built is another, or none: %v", err)
				}
			}
			m := boot(t, program)
			for call := range uint32(1024) {
				want := fails(unix.ENOSYS)
				switch {
				case slices.ContainsFunc(tb.judge, func(j judged) bool { return j.call == call }):
					continue
				case slices.Contains(tb.allow, call):
					want = allowed
				case slices.Contains(tb.deny, call):
					want = fails(unix.EPERM)
				}
				if got := m.says(t, tb.arch, call); got != want {
					t.Errorf("call %d: %#x, want %#x", call, got, want)
				}
			}
			for _, call := range []uint32{0x40000000, 0x40000000 + tb.allow[0], 0x7fffffff, 0xffffffff} {
				if got := m.says(t, tb.arch, call); got != fails(unix.ENOSYS) {
					t.Errorf("call %#x: %#x", call, got)
				}
			}
			for _, other := range []uint32{0, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_ARM, unix.AUDIT_ARCH_RISCV64} {
				if got := m.says(t, other, tb.allow[0]); got != killed {
					t.Errorf("a call of architecture %#x: %#x", other, got)
				}
			}
		})
	}
}

// TestRareSockets asks for what the kernel of a test may not have.
func TestRareSockets(t *testing.T) {
	program, err := native().assemble()
	if err != nil {
		t.Fatal(err)
	}
	m := boot(t, program)
	for _, c := range []struct {
		name                 string
		domain, kind, number uint64
		want                 verdict
	}{
		{"sctp", unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP, fails(unix.EPROTONOSUPPORT)},
		{"sctp packets", unix.AF_INET6, unix.SOCK_SEQPACKET, unix.IPPROTO_SCTP, fails(unix.EPROTONOSUPPORT)},
		{"dccp", unix.AF_INET, unix.SOCK_DCCP, unix.IPPROTO_DCCP, fails(unix.EPROTONOSUPPORT)},
		{"smc", unix.AF_INET, unix.SOCK_STREAM, 256, fails(unix.EPROTONOSUPPORT)},
		{"l2tp", unix.AF_INET, unix.SOCK_DGRAM, 115, fails(unix.EPROTONOSUPPORT)},
		{"multipath tcp", unix.AF_INET6, unix.SOCK_STREAM | unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP, allowed},
		{"ping", unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP, allowed},
		{"ping of IPv6", unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_ICMPV6, allowed},
		{"raw of IPv6", unix.AF_INET6, unix.SOCK_RAW | unix.SOCK_NONBLOCK, unix.IPPROTO_ICMPV6, fails(unix.EPERM)},
		{"wireguard's netlink", unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_GENERIC, fails(unix.EAFNOSUPPORT)},
		{"a family of tomorrow", 99, unix.SOCK_STREAM, 0, fails(unix.EAFNOSUPPORT)},
		{"a negative family", 0xffffffffffffffff, unix.SOCK_STREAM, 0, fails(unix.EAFNOSUPPORT)},
	} {
		if got := m.says(t, native().arch, unix.SYS_SOCKET, c.domain, c.kind, c.number); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
}

// TestFarJumps assembles a table whose halves are further apart than a comparison
// can jump.
func TestFarJumps(t *testing.T) {
	tb := table{arch: unix.AUDIT_ARCH_X86_64}
	for call := range uint32(900) {
		if call%2 == 0 {
			tb.allow = append(tb.allow, call)
		}
	}
	program, err := tb.assemble()
	if err != nil {
		t.Fatal(err)
	}
	m := boot(t, program)
	for call := range uint32(1000) {
		want := fails(unix.ENOSYS)
		if call < 900 && call%2 == 0 {
			want = allowed
		}
		if got := m.says(t, tb.arch, call); got != want {
			t.Fatalf("call %d: %#x, want %#x", call, got, want)
		}
	}
}

func TestTablesThatAreWrong(t *testing.T) {
	long := table{}
	for call := range uint32(2000) {
		long.allow = append(long.allow, 2*call)
	}
	for _, c := range []struct {
		name string
		table
		want string
	}{
		{"twice", table{allow: []uint32{1, 2}, deny: []uint32{2}}, "system calls [2] are in the table twice"},
		{"past the limit", table{limit: 10, allow: []uint32{10}}, "system call 10 is past the limit 10"},
		{"no value", table{judge: []judged{{3, []rule{{[]condition{{0, whole, nil}}, allowed}}, killed}}}, "system call 3: a condition has no value"},
		{"no such argument", table{judge: []judged{{3, []rule{{[]condition{{6, whole, []uint32{1}}}, allowed}}, killed}}}, "no such argument"},
		{"too long", long, "the kernel takes 4096"},
	} {
		if _, err := c.assemble(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
