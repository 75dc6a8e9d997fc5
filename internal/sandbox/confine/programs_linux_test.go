//go:build amd64 || arm64

package confine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	// filter-run becomes another program under the filter, as a function does.
	roles["filter-run"] = func(args []string) error {
		if err := filtered(); err != nil {
			return err
		}
		return os.NewSyscallError("execve", syscall.Exec(args[0], args, os.Environ()))
	}
	roles["filter-spawn"] = spawnAsAnother
	roles["go"] = goProgram
}

// under runs a program under the filter.
func under(t testing.TB, program string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("not run: no %s here", program)
	}
	return child(t, "filter-run", append([]string{path}, args...)...)
}

func TestProgramsUnderTheFilter(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "served "+r.URL.Path) }))
	defer server.Close()
	dir := t.TempDir()
	for _, c := range []struct {
		name, program string
		args          []string
		want          string
	}{
		{"bash", "bash", []string{"-c", `set -e; cd "$0"; echo a >f; cp f g; mkfifo p; (echo through >p &) ; read -r x <p; for i in 1 2 3; do n=$((n+i)); done; echo "$x $(cat g | tr a b) $n $(id -u >/dev/null && ls | wc -l)"`, dir}, "through b 6 3"},
		{"curl", "curl", []string{"-sS", "--max-time", "60", server.URL + "/x"}, "served /x"},
		{"node", "node", []string{"-e", nodeProgram, dir, server.URL}, "fs 5; crypto 64; child child; worker 42; http served /node; dgram hi"},
		{"python3", "python3", []string{"-c", pythonProgram, dir, server.URL}, "threads 10; processes [1, 4, 9]; child child; http served /py; sqlite 2"},
		{"perl", "perl", []string{"-e", `my $p = fork; if (!$p) { exit 7 } waitpid $p, 0; print $? >> 8`}, "7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := under(t, c.program, c.args...)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

const nodeProgram = `
const fs = require('fs'), http = require('http'), cp = require('child_process'), crypto = require('crypto');
const { Worker } = require('worker_threads'), dgram = require('dgram');
const [dir, url] = process.argv.slice(1), said = [];
(async () => {
  const f = dir + '/node'; fs.writeFileSync(f, 'hello'); await fs.promises.copyFile(f, f + '2');
  fs.watch(dir).close();
  said.push('fs ' + (await fs.promises.stat(f + '2')).size);
  said.push('crypto ' + crypto.scryptSync('p', 's', 64).length);
  said.push('child ' + cp.execFileSync('sh', ['-c', 'echo child']).toString().trim());
  said.push('worker ' + await new Promise((ok, no) => new Worker('require("worker_threads").parentPort.postMessage(42)', { eval: true }).on('message', ok).on('error', no)));
  said.push('http ' + await new Promise((ok, no) => http.get(url + '/node', r => { let b = ''; r.on('data', d => b += d).on('end', () => ok(b)); }).on('error', no)));
  said.push('dgram ' + await new Promise((ok, no) => { const s = dgram.createSocket('udp4').on('message', m => { s.close(); ok(m) }).on('error', no); s.bind(0, '127.0.0.1', () => s.send('hi', s.address().port, '127.0.0.1')); }));
  console.log(said.join('; '));
})().catch(e => { console.error(e); process.exit(1); });
`

const pythonProgram = `
import concurrent.futures as f, multiprocessing as m, sqlite3, subprocess, sys, urllib.request
d, url = sys.argv[1:]
said = []
with f.ThreadPoolExecutor(5) as p: said.append('threads %d' % sum(p.map(int, '1234')))
with m.get_context('fork').Pool(2) as p: said.append('processes %s' % p.map(abs, [-1, 4, -9]))
said.append('child ' + subprocess.run(['sh', '-c', 'echo child'], capture_output=True, text=True, check=True).stdout.strip())
said.append('http ' + urllib.request.urlopen(url + '/py', timeout=60).read().decode())
db = sqlite3.connect(d + '/db'); db.execute('pragma journal_mode=wal'); db.execute('create table t(x)')
db.execute('insert into t values (2)'); db.commit(); said.append('sqlite %d' % db.execute('select x from t').fetchone())
print('; '.join(said))
`

// TestGoUnderTheFilter runs this program itself.
func TestGoUnderTheFilter(t *testing.T) {
	t.Setenv("CONFINE_TEST_DIR", t.TempDir())
	got, err := child(t, "go-filtered", "x")
	if err != nil || got != "done" {
		t.Errorf("got %q, %v", got, err)
	}
}

func init() {
	roles["go-filtered"] = func([]string) error {
		if err := filtered(); err != nil {
			return err
		}
		if err := os.Setenv(role, "go"); err != nil {
			return err
		}
		return os.NewSyscallError("execve", syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
	}
}

// goProgram uses the parts of Go's library that are closest to the kernel.
func goProgram([]string) error {
	var all sync.WaitGroup
	errs := make(chan error, 100)
	for range 50 { // goroutines that need threads
		all.Go(func() {
			runtime.LockOSThread()
			_, err := os.ReadFile("/proc/self/stat")
			errs <- err
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	out, err := exec.Command("/bin/sh", "-c", "echo child").Output()
	if err != nil || string(out) != "child\n" {
		return fmt.Errorf("start a process: %q, %w", out, err)
	}
	if _, err := net.InterfaceAddrs(); err != nil { // netlink
		return err
	}
	if _, err := user.Current(); err != nil {
		return err
	}
	if err := serveItself(); err != nil {
		return err
	}
	dir := os.Getenv("CONFINE_TEST_DIR")
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("x"), 0o600); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	if err := root.RemoveAll("b"); err != nil {
		return err
	}
	fmt.Println("done")
	return nil
}

func serveItself() error {
	l, err := net.Listen("tcp", "127.0.0.1:0") // multipath TCP, where there is one
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	r, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return errors.Join(err, r.Body.Close())
}

// spawnAsAnother starts a process as the guest does: from the thread that has the
// filter, as another user.
func spawnAsAnother(args []string) error {
	if err := errors.Join(DropCapabilities(), filtered()); err != nil {
		return err
	}
	pidfd := -1
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "id -u; id -g; grep Seccomp: /proc/self/status | tr -dc 0-9"}, &os.ProcAttr{
		Dir: "/", Files: []*os.File{nil, os.Stdout, os.Stderr},
		Sys: &syscall.SysProcAttr{Setpgid: true, PidFD: &pidfd, Credential: &syscall.Credential{Uid: 12345, Gid: 12346}},
	})
	if err != nil {
		return err
	}
	if pidfd < 0 {
		return errors.New("no descriptor of the process")
	}
	state, err := p.Wait()
	if err == nil && !state.Success() {
		err = errors.New(state.String())
	}
	return err
}

func TestSpawnUnderTheFilter(t *testing.T) {
	needRoot(t)
	if got, err := child(t, "filter-spawn"); err != nil || got != "12345\n12346\n2" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestCallsOf32Bits runs a program that asks for its process id the way of i386,
// which ends it.
func TestCallsOf32Bits(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("not run: the program is amd64's")
	}
	path := filepath.Join(t.TempDir(), "int80")
	if err := os.WriteFile(path, int80(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := exec.CommandContext(t.Context(), path).Run(); err != nil {
		t.Skipf("not run: this kernel has no calls of 32 bits: %v", err)
	}
	_, err := under(t, path)
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGSYS {
		t.Errorf("it ended with %v, want SIGSYS", err)
	}
}

// int80 is a program that ends with 0 if the kernel tells its process id to
// int $0x80.
func int80() []byte {
	code := []byte{
		0xb8, 20, 0, 0, 0, // mov $20, %eax: getpid of i386
		0xcd, 0x80, // int $0x80
		0x31, 0xff, // xor %edi, %edi
		0x85, 0xc0, // test %eax, %eax
		0x7f, 2, // jg, over the next
		0xff, 0xc7, // inc %edi
		0xb8, 60, 0, 0, 0, // mov $60, %eax: exit
		0x0f, 0x05, // syscall
	}
	const base, headers = 0x400000, 64 + 56
	var b bytes.Buffer
	for _, part := range []any{
		[]byte("\x7fELF\x02\x01\x01"), make([]byte, 9),
		uint16(2), uint16(62), uint32(1), uint64(base + headers), uint64(64), uint64(0), // executable, x86-64, entry
		uint32(0), uint16(64), uint16(56), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(5), uint64(0), uint64(base), uint64(base), // load it all, to read and run
		uint64(headers + len(code)), uint64(headers + len(code)), uint64(4096),
		code,
	} {
		_ = binary.Write(&b, binary.LittleEndian, part)
	}
	return b.Bytes()
}

// TestMoreCannotBeLess adds a filter that allows all, under which as much is
// refused as before.
func TestMoreCannotBeLess(t *testing.T) {
	if got, err := child(t, "filter-again"); err != nil || got != "EPERM EPERM" {
		t.Errorf("got %q, %v", got, err)
	}
}

func init() {
	roles["filter-again"] = func([]string) error {
		if err := filtered(); err != nil {
			return err
		}
		if err := load(); err != nil { // twice is as good
			return err
		}
		_, _, first := unix.RawSyscall(unix.SYS_UNSHARE, 0, 0, 0)
		allowed := []byte{unix.BPF_RET | unix.BPF_K, 0, 0, 0, 0, 0, 0xff, 0x7f} // SECCOMP_RET_ALLOW, of every call
		if err := Filter(allowed); err != nil {
			return err
		}
		_, _, second := unix.RawSyscall(unix.SYS_UNSHARE, 0, 0, 0)
		fmt.Println(strings.Join([]string{word(first), word(second)}, " "))
		return nil
	}
}
