package sandbox

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/sandbox/cgroup"
	"github.com/dropstack/dropstack/internal/sandbox/confine"
	"github.com/dropstack/dropstack/internal/sandbox/filter"
	"github.com/dropstack/dropstack/internal/sandbox/guest"
)

// workshop is what a maker of sandboxes keeps.
type workshop struct {
	once   sync.Once
	broken error
	plan   guest.Build
	trusts string // directory of what sandboxes trust, with Maker.Authority
	groups *cgroup.Tree
	loose  error // why temporary files get no file system of their own

	spawner spawner

	mu     sync.Mutex
	ranges []int  // first ids of ranges that were given back
	next   int    // index of the range that was never given
	count  uint64 // of sandboxes, for their names
	ready  []*Box
	making int
	closed bool
	work   sync.WaitGroup
	left   int // leftovers of teardowns
	waste  waste
}

// perSandbox is how many user and group ids a sandbox has for itself.
const perSandbox = 1 << 16

// User and group id of functions inside of sandboxes.
const functionID = 1000

// limits reports whether control groups limit something here. What they do not,
// the watchdog and limits of processes do, less well.
func (m *Maker) limits(control string) bool {
	return m.groups != nil && slices.ContainsFunc(m.groups.Controls(), func(c cgroup.Control) bool { return c.Name == control && c.On })
}

// freezes reports whether control groups freeze sandboxes, so that these can be
// killed all the same.
func (m *Maker) freezes() bool {
	return m.groups != nil && slices.ContainsFunc(m.groups.Controls(), func(c cgroup.Control) bool { return c.Name == cgroup.Freezer && c.On && c.Version == 2 })
}

// rootless reports whether sandboxes are made without the rights of root: each is
// one user namespace with one user, the same for all of them.
func (m *Maker) rootless() bool { return m.Level == Userns }

// user is who the one user of sandboxes without root is on this machine: the
// platform's own, or with root, which may lack what level full takes, nobody's.
func (m *Maker) user() int {
	if os.Geteuid() != 0 {
		return os.Geteuid()
	}
	return ID(Userns)
}

// restart forgets what was prepared for a level that cannot be had.
func (m *Maker) restart() {
	m.work.Wait()
	if m.groups != nil {
		m.left += m.groups.Sweep()
		_ = m.groups.Close()
	}
	m.distrust()
	m.once, m.groups, m.broken = sync.Once{}, nil, nil
}

func (m *Maker) prepare() error {
	m.once.Do(func() {
		if m.plan, m.broken = plan(); m.broken != nil {
			return
		}
		if len(m.Authority) > 0 {
			if m.broken = m.trust(); m.broken != nil {
				return
			}
		}
		m.loose = m.tryVolume()
		if m.broken = m.listens(); m.broken != nil {
			return
		}
		if m.plan.Filter, m.broken = filter.Program(); m.broken != nil {
			return
		}
		m.groups, m.broken = cgroup.Open(m.Log)
		m.plan.Cgroups = m.broken == nil
		if m.rootless() {
			m.plan.Rootless, m.broken = device, nil
			if m.groups != nil && !m.limits(cgroup.Memory) && !m.limits(cgroup.Pids) { // nothing is delegated to us
				_ = m.groups.Close()
				m.groups = nil
			}
		}
		m.plan.MTU = network.MTU
		if m.plan.Descriptors = maxFiles; !m.limits(cgroup.Pids) {
			m.plan.Processes = cgroup.PidsMax
		}
	})
	return m.broken
}

// door is a listener of a sandbox.
type door struct {
	address string
	to      *net.Listener // the field of a box that has it
}

// doors are what a box listens on, in their order.
func (m *Maker) doors(b *Box) []door {
	all := []door{{RuntimeAddress, &b.API}, {m.AWS, &b.AWS}, {m.Names, &b.Names}}
	return slices.DeleteFunc(all, func(d door) bool { return d.address == "" })
}

func (m *Maker) listens() error {
	for _, l := range m.doors(&Box{}) {
		at, err := insideAt(l.address)
		if err != nil {
			return err
		}
		m.plan.Listen = append(m.plan.Listen, at)
	}
	return nil
}

// insideAt reads an address of a sandbox's loopback device.
func insideAt(address string) (guest.Address, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().Is4() {
		return guest.Address{}, fmt.Errorf("%q is no IPv4 address with a port", address)
	}
	return guest.Address{IP: at.Addr().As4(), Port: int(at.Port())}, nil
}

func (m *Maker) open() (*Box, error) {
	if err := m.prepare(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, errors.New("the sandboxes are closed")
	}
	var b *Box
	if n := len(m.ready); n > 0 {
		b, m.ready = m.ready[n-1], m.ready[:n-1]
	}
	m.restock()
	m.waste.wait()
	m.mu.Unlock()
	if b != nil {
		return b, nil
	}
	return m.make()
}

// respite is how long a start that has taken a ready sandbox has the processors
// for itself, before the next sandbox is made.
const respite = 20 * time.Millisecond

// restock makes what is lacking; the lock is held.
func (m *Maker) restock() {
	for ; len(m.ready)+m.making < m.Ready; m.making++ {
		m.work.Go(func() {
			time.Sleep(respite)
			b, err := m.make()
			m.mu.Lock()
			defer m.mu.Unlock()
			m.making--
			switch {
			case err != nil:
				m.Log.Warn("no sandbox can be made ready", "err", err) // whoever wants one is told why
			case m.closed:
				m.work.Go(b.Close)
			default:
				m.ready = append(m.ready, b)
			}
		})
	}
}

func (m *Maker) end() (left int) {
	m.mu.Lock()
	m.closed = true
	ready := m.ready
	m.ready = nil
	m.mu.Unlock()
	for _, b := range ready {
		m.work.Go(b.Close)
	}
	m.work.Wait()
	m.spawner.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.distrust()
	closeAll(m.waste.take())
	if m.groups != nil {
		m.left += m.groups.Sweep()
		_ = m.groups.Close()
	}
	return m.left
}

// lease returns the first of a range of ids, and a number that no other sandbox
// of this platform has had.
func (m *Maker) lease() (first int, number uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count++
	if n := len(m.ranges); n > 0 {
		first, m.ranges = m.ranges[0], m.ranges[1:]
		return first, m.count, nil
	}
	if (m.next+1)*perSandbox > countID {
		return 0, 0, fmt.Errorf("all %d ranges of user ids are in use", m.next)
	}
	first = firstID + m.next*perSandbox
	m.next++
	return first, m.count, nil
}

func (m *Maker) giveBack(first int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ranges = append(m.ranges, first)
}

// try makes a sandbox, which is then the first that is ready.
func (m *Maker) try() error {
	switch {
	case m.Level == Full && os.Geteuid() != 0:
		return errors.New("it takes root")
	case Rank(m.Level) < Rank(Userns):
		return nil
	}
	if _, err := confine.ABI(); err != nil { // else every function would find out at its start
		return fmt.Errorf("this kernel has no Landlock: %w", err)
	}
	b, err := m.open()
	if err != nil {
		return explain(err)
	}
	if b.noTUN != nil { // a function that reaches nothing is of no use
		b.Close()
		return fmt.Errorf("sandboxes have no network: %w", b.noTUN)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ready = append(m.ready, b)
	return nil
}

func (m *Maker) make() (b *Box, err error) {
	first, number, err := m.lease()
	if err != nil {
		return nil, err
	}
	in := &inside{maker: m, first: first}
	b = &Box{inside: in}
	defer func() {
		if err != nil {
			b.Close()
			b, err = nil, fmt.Errorf("make a sandbox: %w", err)
		}
	}()
	if b.Tmp, err = m.temporary(first); err != nil {
		return b, err
	}
	made := make(chan error, 1)
	go func() { made <- in.partition(b.Tmp) }() // it takes its time, as do the others
	if err = in.join(number); err == nil {
		in.visitor, err = m.spawn(in)
	}
	if err == nil {
		err = in.reach()
	}
	if e := <-made; err == nil {
		err = e
	}
	if err == nil {
		err = in.build(b)
	}
	return b, err // closed, if it is not whole
}

// join makes the control groups of the sandbox.
func (in *inside) join(number uint64) (err error) {
	if in.maker.groups == nil {
		return nil
	}
	if in.group, err = in.maker.groups.New("sandbox-" + strconv.FormatUint(number, 10)); err != nil {
		return err
	}
	return in.group.Limit(cgroup.Limits{Pids: cgroup.PidsMax})
}

// spawn starts the first process of a sandbox.
func (m *Maker) spawn(in *inside) (*visitor, error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	ask, fds := guest.Spawn{}, []int{int(theirs.Fd())}
	if m.rootless() {
		ask.UIDs = []guest.IDs{{Outside: m.user(), Count: 1}}
		ask.GIDs = []guest.IDs{{Outside: m.user(), Count: 1}}
		if ask.KeepGroups = os.Geteuid() != 0; ask.KeepGroups { // else they are root's, and not for functions
			ask.GIDs[0].Outside = os.Getegid()
		}
	} else {
		ask.UIDs = []guest.IDs{{Outside: in.first, Count: perSandbox}}
		ask.GIDs = ask.UIDs
	}
	if in.group != nil {
		ask.In, ask.Out = in.group.Tasks()
		fd, ok := in.group.FD()
		if ask.Group = ok; ok {
			fds = append(fds, fd)
		}
	}
	process, err := m.spawner.start(ask, fds)
	if err == nil && in.group != nil {
		err = in.group.Add(process.pid)
	}
	if err != nil {
		ours.Close()
		if process != nil {
			process.kill()
			process.fd.Close()
		}
		return nil, err
	}
	return visit(process, ours, in.starved)
}

// explain adds to an error what an operator can do about it.
func explain(err error) error {
	for file, advice := range map[string]struct{ is, text string }{
		"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": {"1", "AppArmor keeps users from namespaces: give the program a profile with the rule userns, or set kernel.apparmor_restrict_unprivileged_userns=0"},
		"/proc/sys/kernel/unprivileged_userns_clone":             {"0", "set kernel.unprivileged_userns_clone=1"},
		"/proc/sys/user/max_user_namespaces":                     {"0", "set user.max_user_namespaces to some thousands"},
	} {
		if doc, e := os.ReadFile(file); e == nil && strings.TrimSpace(string(doc)) == advice.is && os.Geteuid() != 0 {
			return fmt.Errorf("%w (%s)", err, advice.text)
		}
	}
	return err
}
