package sandbox

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/sandbox/guest"
)

// own gives directories that functions of one identity share to the user of that
// identity.
func (in *inside) own(mounts []Mount) error {
	for _, m := range mounts {
		owner := ID(m.Owner)
		if in.maker.rootless() {
			owner = in.maker.user()
		}
		if m.Owner == "" || os.Geteuid() != 0 {
			continue
		}
		if err := give(m.Source, owner); err != nil {
			return fmt.Errorf("give %s to its functions: %w", m.Source, err)
		}
	}
	return nil
}

// translate has a mount's files, which belong to the user of an identity, belong
// to the function inside of this sandbox, whose ids no other sandbox has: an
// id-mapped mount (mount_setattr(2)).
func (in *inside) translate(fd int, m Mount) error {
	namespace, err := in.idmap(ID(m.Owner))
	if err != nil {
		return fmt.Errorf("map the owner of %s: %w", m.Source, err)
	}
	defer namespace.Close()
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(namespace.Fd())}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return fmt.Errorf("map the owner of %s (its file system has to allow id-mapped mounts, as ext4, xfs and btrfs do): %w", m.Source, err)
	}
	return nil
}

// idmap is a user namespace that says who the owner is in this sandbox. It takes a
// process to make one, which does nothing.
func (in *inside) idmap(owner int) (*os.File, error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	defer theirs.Close()
	ids := []guest.IDs{{Inside: owner, Outside: in.first + functionID, Count: 1}}
	process, err := in.maker.spawner.start(guest.Spawn{UIDs: ids, GIDs: ids, Alone: true}, []int{int(theirs.Fd())})
	if err != nil {
		return nil, err
	}
	defer process.fd.Close()
	defer process.kill()
	return os.Open("/proc/" + strconv.Itoa(process.pid) + "/ns/user")
}
