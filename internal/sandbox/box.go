package sandbox

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
)

// The levels of isolation, from the weakest to the strongest.
const (
	None    = "none"    // any system; development only
	Confine = "process" // Linux: limits, no new privileges, a user of its own under root
	Userns  = "userns"  // Linux: namespaces, an own root, Landlock, a filter of system calls; all of it as one user
	Full    = "full"    // root on Linux: also ids of its own for each sandbox, and control groups
)

// levels from the weakest.
var levels = []string{None, Confine, Userns, Full}

// Rank orders levels; -1 is none of them.
func Rank(level string) int { return slices.Index(levels, level) }

// The addresses of a sandbox's own loopback device where the platform answers.
const (
	RuntimeAddress = "127.0.0.1:9001"
	AWSAddress     = "127.0.0.1:4566" // unless the machine's own is on another port of its loopback device
	NamesAddress   = "127.0.0.2:443"  // of AWS's own host names, by TLS
)

// AuthorityFile is, inside, the certificate that a sandbox trusts besides those
// that this machine does, if its maker has one.
const AuthorityFile = "/etc/ssl/dropstack.pem"

// Mount is a directory, or a file, of this machine in a sandbox.
type Mount struct {
	Source string
	Path   string // inside
	Write  bool
	// Owner is whose files they are, with Write: the functions of one identity
	// share them. Empty: this sandbox's alone.
	Owner string
}

// Furniture makes a ready sandbox that of a function.
type Furniture struct {
	Mounts   []Mount
	MemoryMB int // 0: no limit
	// StorageMB is the room for temporary files, where there is a quota; what is less
	// than StorageMB counts as that.
	StorageMB int
	Network   Network
}

// Network connects a sandbox to the world. The zero value does not.
type Network struct {
	Address netip.Addr
	// Leave is called once the sandbox is gone, whether it has joined or not.
	Leave func()
	// Own says that Attach brings a device of its own; tun is nil then.
	Own bool
	// Attach takes the device and the namespace over; detach ends that.
	Attach func(ctx context.Context, tun, namespace *os.File) (detach func() error, err error)
}

// Box is the sandbox of one instance: where its processes run. A box of the level
// process or none is no more than a directory and a listener.
type Box struct {
	API net.Listener // where the Runtime API is to be served
	AWS net.Listener // where the AWS endpoint is to be served; nil: the machine's own is in reach
	// Names is where AWS's own host names are to be served by TLS; nil: nowhere.
	Names net.Listener
	// Authority is AuthorityFile, if the sandbox has it.
	Authority string
	// Tmp is a directory of this machine that is the sandbox's alone: its temporary
	// files, which are in /tmp inside, unless they have a file system of their own.
	Tmp string

	*inside // nil: the processes see this machine's files
}

// Inside reports whether the sandbox has a file system of its own, in which a
// function finds its files where it does on Lambda.
func (b *Box) Inside() bool { return b.inside != nil }

// Furnish makes the sandbox that of a function: its files, its limits, its
// network. More can be brought in later; what may be written to has to be there,
// or below /mnt, before the first process.
func (b *Box) Furnish(f Furniture) error {
	if b.inside == nil {
		return nil
	}
	return b.furnish(f)
}

// Start starts a process of the function. The path, the arguments and the
// environment of the spec are what they are inside of the sandbox, if it has files
// of its own.
func (b *Box) Start(s Spec) (*Process, error) {
	if s.tmp = b.Tmp; b.inside == nil {
		return Start(s)
	}
	return b.start(s)
}

// Soft is why temporary files are limited by looking at them now and then, which
// stops nobody from taking more for a moment; "": by the size of their file system.
func (b *Box) Soft() string {
	if b.inside == nil {
		return "the level has no files of its own: what is in /tmp is looked at ten times a second"
	}
	return b.soft()
}

// Freeze stops all that runs in the sandbox where it is; Thaw lets it go on. Without a
// sandbox these are the processes that are named, and their groups: what a function
// has given a session of its own goes on. A frozen sandbox answers nothing, so it is
// thawed before anything else is asked of it but to close.
func (b *Box) Freeze(all ...*Process) { b.halt(true, all) }

// Thaw undoes Freeze.
func (b *Box) Thaw(all ...*Process) { b.halt(false, all) }

func (b *Box) halt(halt bool, all []*Process) {
	if b.inside != nil {
		b.inside.halt(halt)
		return
	}
	for _, p := range all {
		if halt {
			p.Freeze()
		} else {
			p.Thaw()
		}
	}
}

// Dial connects to a port that a process of the sandbox listens on.
func (b *Box) Dial(ctx context.Context, port int) (net.Conn, error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if b.inside == nil {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address)
	}
	return b.dial(address)
}

// Close ends all processes of the sandbox and removes what it had. What the kernel
// does not give up at once is removed in the background; Maker.Close waits for it.
func (b *Box) Close() {
	if b.API != nil {
		b.API.Close()
	}
	for _, l := range []net.Listener{b.AWS, b.Names} {
		if l != nil {
			l.Close()
		}
	}
	if b.inside != nil {
		b.close(b.Tmp)
		return
	}
	_ = remove(b.Tmp) // swept at the next start if it stays
}
