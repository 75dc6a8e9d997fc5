// Package guest is the first process of a sandbox: this program again, started
// in new namespaces under the name Name, before next to all of it has run.
//
// It builds the file system, listens where the function will look for the
// platform, hands the listeners over and then does what it is told on its
// socket: attach files, start processes, report their ends. It reaps orphans, as
// the first process of a process-id namespace has to, and it ends, and all of the
// sandbox with it, when the socket closes.
//
//	platform: spawn → Build → Furnish → Start … → close the socket
//	guest:            └ listeners   └ process id, later Exit
//
// It takes a millisecond and less than one MiB, as long as it imports nothing that
// is initialised late: see package kernel, and the test that holds it to that.
package guest

import "syscall"

// Name is what the program is called when it is to be the guest.
const Name = "dropstack-sandbox"

// Socket is the descriptor of the guest's end of the socket pair, of type
// SOCK_SEQPACKET: a message each packet, see Encode, descriptors beside it.
const Socket = 3

// MaxMessage is the most bytes a message may have.
const MaxMessage = 160 << 10

// Request is what the platform asks for; exactly one of the parts is set.
type Request struct {
	ID      int
	Build   *Build
	Furnish *Furnish
	Start   *Start
	Signal  *Signal
	Dial    *Address // inside; the connection is the answer's descriptor
}

// Reply answers the request of the same ID. With Exit set it answers none: it
// tells of the end of a process.
type Reply struct {
	ID    int
	Pid   int
	Errno syscall.Errno
	Error string
	Exit  *Exit
}

// Exit is the end of a process.
type Exit struct {
	Pid    int
	Status syscall.WaitStatus
}

// Address is of the loopback device.
type Address struct {
	IP   [4]byte
	Port int
}

// Build makes the file system and the network of the sandbox, once, and prepares
// the thread that starts processes.
type Build struct {
	Host    string
	Mounts  []Mount
	Dirs    []string
	Files   []Entry // with their texts
	Links   []Entry // with their targets
	Proc    bool
	Hidden  []string  // files of /proc that are empty
	Frozen  []string  // directories of /proc that are read-only
	Empty   []string  // directories of /proc that are empty
	Listen  []Address // the listeners are the answer's descriptors, in this order
	MTU     int       // of the network device, once it is configured
	Cgroups bool      // its control groups are to look like roots

	Descriptors int    // a process may have at most
	Processes   int    // at most, where no control group limits them; 0: not limited here
	Filter      []byte // of system calls, a program of package filter

	// Rootless says that the platform has no root: mounts have a From, also those of
	// Furnish, and the network namespace and a TUN device of this name follow the
	// listeners.
	Rootless string
}

// Entry is a name in a directory and what is behind it.
type Entry struct{ Path, Text string }

// Mount puts something of the host into the sandbox.
type Mount struct {
	From  string // path on the host; "": the next descriptor of the message, a detached mount
	To    string
	Write bool
	Exec  bool
	File  bool // it is a file, not a directory
	Dev   bool // devices work
}

// Furnish makes the sandbox a function's.
type Furnish struct {
	Mounts []Mount
	Device string  // which everything is reached through; "": there is none
	IP     [4]byte // of the device
}

// Start starts a process. Its two descriptors are the standard outputs.
type Start struct {
	Path  string
	Args  []string // with the name of the program
	Env   []string
	Dir   string
	UID   int
	GID   int
	Write []string // directories that Landlock leaves writable, from the first start on

	FileSize int // bytes that a file has at most; 0: not limited. Of the first start alone
}

// Signal signals a process and its group; process 0 is all there are.
type Signal struct {
	Pid int
	Sig syscall.Signal
}
