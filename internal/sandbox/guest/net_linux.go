package guest

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

func up(device string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq(device)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, ifr); err != nil {
		return err
	}
	ifr.SetUint16(ifr.Uint16() | unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

func ipv4(address string) (unix.SockaddrInet4, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return unix.SockaddrInet4{}, err
	}
	return unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}, nil
}

func listen(address string) (fd int, err error) {
	at, err := ipv4(address)
	if err != nil {
		return 0, err
	}
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return 0, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil {
		err = unix.Bind(fd, &at)
	}
	if err == nil {
		err = unix.Listen(fd, 1024)
	}
	if err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// dial connects to an address of the sandbox's own, which answers at once or
// never.
func dial(address string) (fd int, err error) {
	at, err := ipv4(address)
	if err != nil {
		return 0, err
	}
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, err
	}
	if err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 1}); err == nil {
		err = unix.Connect(fd, &at)
	}
	if err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("connect to %s: %w", address, err)
	}
	return fd, nil
}

// TUN makes a descriptor of /dev/net/tun a device of the network namespace in
// which it was opened.
func TUN(fd int, name string) error {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		return fmt.Errorf("make the device %s: %w", name, err)
	}
	return nil
}

// configure gives a device its address and sends everything through it.
func configure(device, address string, mtu int) error {
	prefix, err := netip.ParsePrefix(address)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	set := func(request uint, fill func(*unix.Ifreq) error) {
		if err != nil {
			return
		}
		var ifr *unix.Ifreq
		if ifr, err = unix.NewIfreq(device); err == nil {
			if err = fill(ifr); err == nil {
				err = unix.IoctlIfreq(fd, request, ifr)
			}
		}
	}
	mask := netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), prefix.Bits()).Masked().Addr().AsSlice()
	set(unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(prefix.Addr().AsSlice()) })
	set(unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr(mask) })
	set(unix.SIOCSIFMTU, func(r *unix.Ifreq) error { r.SetUint32(uint32(mtu)); return nil })
	if err == nil {
		err = up(device)
	}
	if err == nil {
		err = route(fd, device)
	}
	if err != nil {
		return fmt.Errorf("configure the device %s as %s: %w", device, address, err)
	}
	return nil
}

// rtentry is struct rtentry of <linux/route.h> on 64-bit machines.
type rtentry struct {
	_                         uint64
	destination, gateway, net [16]byte // sockaddr
	flags                     uint16
	_                         [6]byte
	_                         uint64
	_                         uint64
	metric                    int16
	_                         [6]byte
	device                    *byte
	mtu, window               uint64
	irtt                      uint16
	_                         [6]byte
}

// route sends everything to a device.
func route(fd int, device string) error {
	const rtfUp = 1 // RTF_UP
	name, err := unix.BytePtrFromString(device)
	if err != nil {
		return err
	}
	e := rtentry{flags: rtfUp, device: name}
	for _, a := range []*[16]byte{&e.destination, &e.net} {
		*(*uint16)(unsafe.Pointer(a)) = unix.AF_INET
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCADDRT, uintptr(unsafe.Pointer(&e)))
	runtime.KeepAlive(name)
	if errno != 0 {
		return errors.Join(errors.New("add the default route"), errno)
	}
	return nil
}
