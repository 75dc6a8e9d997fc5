// Package probe is what runs inside of a sandbox to find out whether it holds: a
// table of assertions, each of which tries an attack and reports what became of it.
//
// The program becomes the probe when it is started with Name as its first argument
// and Variable in its environment, before its other packages are initialised. It
// prints a Result each line, in JSON, on its standard output:
//
//	supervisor → worker (all rows, one after the other, each on a thread of its own)
//	           → worker again, from the row after the one that ended it
//
// Package escape is the other side.
package probe

// Name is the first argument of the program that is to be the probe.
const Name = "dropstack-escape"

// Variable is the environment variable that holds the World in JSON.
const Variable = "DROPSTACK_ESCAPE"

// The controls that a sandbox consists of.
const (
	Files        = "files"
	Paths        = "paths"
	Mounts       = "mounts"
	Processes    = "processes"
	User         = "user"
	Capabilities = "capabilities"
	NoNewPrivs   = "no-new-privs"
	Namespaces   = "namespaces"
	Seccomp      = "seccomp"
	Landlock     = "landlock"
	Keyring      = "keyring"
	Network      = "network"
	IPC          = "ipc"
	UTS          = "uts"
	Proc         = "proc"
	Sys          = "sys"
	Cgroup       = "cgroup"
	Devices      = "devices"
	Descriptors  = "descriptors"
	Environment  = "environment"
	Limits       = "limits"
	Quota        = "quota"
)

// Assertion is one thing that a function must not be able to do.
type Assertion struct {
	ID      string // stable, "files/etc-shadow"
	Control string
	What    string // what a function must not be able to do: "read the machine's passwords"
	Heavy   bool   // it fills memory, disks or process tables, or needs what a kill would leave on the machine: for the suite alone
	// Unsafe attacks would change the machine if nothing stopped them. They are
	// never tried outside of a sandbox.
	Unsafe bool
	// Temporary attacks hold where temporary files have a quota.
	Temporary bool
	// Soft has the levels at which it is documented not to hold, with the reason.
	Soft map[string]string

	try func(*world) error // nil: the sandbox holds; otherwise what could be done
}

// World is what the probe is told about its surroundings, to have something to
// attack. What is empty is not tried.
type World struct {
	Sandboxed bool   `json:"sandboxed"` // unsafe attacks may be tried
	Heavy     bool   `json:"heavy"`     // and heavy ones
	Scratch   string `json:"scratch"`   // a directory to write to
	Task      string `json:"task"`      // the directory of the function's code
	MemoryMB  int    `json:"memoryMB"`  // that a function may have
	DiskMB    int    `json:"diskMB"`    // that its temporary files may have
	Processes int    `json:"processes"` // and threads that it may have
	Secret    string `json:"secret"`    // what all that is hidden contains

	Host  Host   `json:"host"`
	Other *Other `json:"other,omitempty"`

	Skip []string `json:"skip,omitempty"` // IDs that have been tried
	Open []string `json:"open,omitempty"` // descriptors that the supervisor was started with
	Env  []string `json:"env,omitempty"`  // its environment
}

// Host is what the machine has that a function must not reach.
type Host struct {
	Name     string   `json:"name"`
	Pid      int      `json:"pid"`      // of the platform
	File     string   `json:"file"`     // holds the secret
	Data     []string `json:"data"`     // directories of the platform
	Port     int      `json:"port"`     // that is listened on, of the loopback device
	Address  string   `json:"address"`  // host:port that is listened on, of another device
	Abstract string   `json:"abstract"` // name of a socket that is listened on
	Socket   string   `json:"socket"`   // path of a socket that is listened on
	Key      int      `json:"key"`      // of a shared memory segment, a message queue and a semaphore
	Shm      int      `json:"shm"`      // id of the segment; negative: none
	Queue    string   `json:"queue"`    // name of a POSIX message queue
}

// Other is a function in another sandbox.
type Other struct {
	Tmp      string `json:"tmp"` // its temporary files, on the machine; "secret" holds the secret
	Pid      int    `json:"pid"` // on the machine
	Port     int    `json:"port"`
	Abstract string `json:"abstract"`
}

// The outcomes of an attack.
const (
	Holds   = "holds"
	Breach  = "breach"
	Skipped = "not run"
)

// Result is what became of one assertion.
type Result struct {
	ID     string `json:"id"`
	Begun  bool   `json:"begun,omitempty"` // it is about to be tried; no result yet
	State  string `json:"state,omitempty"`
	Detail string `json:"detail,omitempty"` // what stopped the attack, in the kernel's words, or what could be done
}

// Keeper is what a keeper of a secret says on its standard output once it can be
// attacked: a process in another sandbox, started with the second argument "keep".
type Keeper struct {
	Port     int    `json:"port"`
	Abstract string `json:"abstract"`
}
