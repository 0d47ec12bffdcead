//go:build linux

// Package netns makes network namespaces with TUN devices in them, and starts
// programs there. It needs root, and nothing but the kernel.
package netns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace. It lives as long as the value is open or a
// program runs in it.
type Namespace struct{ f *os.File }

// New makes a namespace in which only the loopback interface is up.
func New() (*Namespace, error) {
	n := &Namespace{}
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		if n.f, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		return setUp("lo", true)
	})
	if err != nil && n.f != nil {
		n.f.Close()
	}
	return n, err
}

// Close gives the namespace up.
func (n *Namespace) Close() error { return n.f.Close() }

// Do runs f on a thread in the namespace: sockets that f opens, and programs that
// it starts, are there. What goroutines of f's do is not.
func (n *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.f.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter a network namespace: %w", err)
		}
		return f()
	})
}

// onThread runs f on a thread that ends with it, so that no other goroutine gets into its
// namespace.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // without end
		done <- f()
	}()
	return <-done
}

// Start starts a program in the namespace.
func (n *Namespace) Start(c *exec.Cmd) error { return n.Do(c.Start) }

// Listen opens a listener in the namespace. address is a literal one.
func (n *Namespace) Listen(ctx context.Context, address string) (l net.Listener, err error) {
	err = n.Do(func() error {
		l, err = new(net.ListenConfig).Listen(ctx, "tcp", address)
		return err
	})
	return l, err
}

// Dial opens a connection from the namespace. address is a literal one.
func (n *Namespace) Dial(ctx context.Context, address string) (c net.Conn, err error) {
	err = n.Do(func() error {
		c, err = new(net.Dialer).DialContext(ctx, "tcp", address)
		return err
	})
	return c, err
}

// TUN makes an interface in the namespace, with an address in a network of 256,
// and brings it up. What is sent over it can be read from the file, an IP packet
// each time, and what is written there is received by it
// (Documentation/networking/tuntap.rst).
func (n *Namespace) TUN(name string, address netip.Addr) (*os.File, error) {
	var f *os.File
	err := n.Do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
		}
		r, err := unix.NewIfreq(name)
		if err == nil {
			r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, r)
		}
		if err == nil {
			err = setAddress(name, address)
		}
		if err == nil {
			err = setUp(name, true)
		}
		if err != nil {
			unix.Close(fd)
			return fmt.Errorf("make the interface %s: %w", name, err)
		}
		// Only now: a poller refuses a file without an interface.
		f = os.NewFile(uintptr(fd), name)
		return nil
	})
	return f, err
}

// Up brings an interface up, or takes it down: then the routes over it are gone,
// and programs get the error that there is no network.
func (n *Namespace) Up(name string, up bool) error {
	return n.Do(func() error { return setUp(name, up) })
}

func setAddress(name string, address netip.Addr) error {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	for _, set := range []struct {
		request uint
		to      []byte
	}{{unix.SIOCSIFADDR, address.AsSlice()}, {unix.SIOCSIFNETMASK, []byte{255, 255, 255, 0}}} {
		if err := r.SetInet4Addr(set.to); err != nil {
			return err
		}
		if err := ioctl(set.request, r); err != nil {
			return err
		}
	}
	return nil
}

func setUp(name string, up bool) error {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := ioctl(unix.SIOCGIFFLAGS, r); err != nil {
		return err
	}
	flags := r.Uint16() &^ unix.IFF_UP
	if up {
		flags |= unix.IFF_UP
	}
	r.SetUint16(flags)
	return ioctl(unix.SIOCSIFFLAGS, r)
}

// ioctl asks the network of this thread's namespace (netdevice(7)).
func ioctl(request uint, r *unix.Ifreq) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	return unix.IoctlIfreq(s, request, r)
}
