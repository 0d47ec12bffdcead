package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// epoll is the carrier in the clear on Linux: sockets of our own and one epoll descriptor for
// all of a shard. Go's poller has a goroutine with a stack and a buffer for each connection,
// which is three times what a device may take (epoll(7), tcp(7)).
type epoll struct {
	s       *shard
	ep      int
	alarm   int              // an eventfd, by which wake ends a wait
	sockets []int32          // of each device; -1: none
	unsent  map[int32][]byte // what the network does not take now, rarely
	events  []unix.EpollEvent
	buf     []byte // what is read
	sources int    // how many addresses of loopback are found to have no port left
}

const (
	readSize  = 64 << 10
	readMost  = 4     // reads of one connection before the others have their turn
	perSource = 20000 // connections from one address of loopback: 28,232 ports are there by default (ip(7))
	alarmed   = -1
)

func newEpoll(s *shard) (carrier, error) {
	c := &epoll{s: s, sockets: make([]int32, len(s.sessions)), unsent: map[int32][]byte{}, events: make([]unix.EpollEvent, 256), buf: make([]byte, readSize)}
	for i := range c.sockets {
		c.sockets[i] = -1
	}
	var err error
	if c.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	if c.alarm, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err == nil {
		err = unix.EpollCtl(c.ep, unix.EPOLL_CTL_ADD, c.alarm, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: alarmed})
	}
	if err != nil {
		if c.alarm >= 0 {
			unix.Close(c.alarm)
		}
		unix.Close(c.ep)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	return c, nil
}

// wake implements carrier.
func (c *epoll) wake() {
	_, _ = unix.Write(c.alarm, binary.NativeEndian.AppendUint64(nil, 1)) // full is awake, too
}

// end implements carrier.
func (c *epoll) end() {
	for i := range c.sockets {
		c.close(int32(i))
	}
	unix.Close(c.alarm)
	unix.Close(c.ep)
}

// open implements carrier.
func (c *epoll) open(i int32) {
	fd, err := c.socket(c.s.address(i), c.s.first+int(i))
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		c.s.lost(i, err)
		return
	}
	c.sockets[i] = int32(fd)
	wants := uint32(unix.EPOLLIN)
	if err != nil {
		wants |= unix.EPOLLOUT // open, or refused
	}
	if err := c.control(unix.EPOLL_CTL_ADD, i, wants); err != nil {
		c.s.lost(i, err)
		return
	}
	if wants&unix.EPOLLOUT == 0 {
		c.s.opened(i)
	}
}

// socket begins to connect a new socket. The error is EINPROGRESS if it is not connected yet.
func (c *epoll) socket(to netip.AddrPort, device int) (fd int, err error) {
	for {
		source := device/perSource + c.sources
		fd, err = connect(to, source)
		if !errors.Is(err, unix.EADDRNOTAVAIL) || !to.Addr().Unmap().Is4() || !to.Addr().IsLoopback() || c.sources >= 200 {
			return fd, err
		}
		c.sources++ // for all that follow: to look for a free port among none is slow
	}
}

func connect(to netip.AddrPort, source int) (int, error) {
	address := to.Addr().Unmap()
	family := unix.AF_INET6
	if address.Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err == nil && source > 0 && address.Is4() && address.IsLoopback() {
		// Without this a port is taken at bind, for all destinations.
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + source%250)}})
		}
	}
	if err == nil {
		err = unix.Connect(fd, sockaddr(address, to.Port()))
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		unix.Close(fd)
		return -1, err
	}
	return fd, err
}

func sockaddr(address netip.Addr, port uint16) unix.Sockaddr {
	if address.Is4() {
		return &unix.SockaddrInet4{Addr: address.As4(), Port: int(port)}
	}
	to := &unix.SockaddrInet6{Addr: address.As16(), Port: int(port)}
	if zone := address.Zone(); zone != "" {
		if dev, err := net.InterfaceByName(zone); err == nil {
			to.ZoneId = uint32(dev.Index)
		} else if index, err := strconv.ParseUint(zone, 10, 32); err == nil { // as avahi names it
			to.ZoneId = uint32(index)
		}
	}
	return to
}

// control sets what is waited for. The event has the device and its socket, so that one of a
// socket that was closed meanwhile is known.
func (c *epoll) control(op int, i int32, wants uint32) error {
	return unix.EpollCtl(c.ep, op, int(c.sockets[i]), &unix.EpollEvent{Events: wants, Fd: i, Pad: c.sockets[i]})
}

// close implements carrier. What the kernel has is sent; what it does not take is dropped.
func (c *epoll) close(i int32) {
	if c.sockets[i] < 0 {
		return
	}
	unix.Close(int(c.sockets[i])) // leaves the epoll descriptor, too
	c.sockets[i] = -1
	delete(c.unsent, i)
}

// send implements carrier.
func (c *epoll) send(i int32, b []byte) error {
	if waiting, ok := c.unsent[i]; ok {
		if len(waiting)+len(b) > maxUnsent {
			return errors.New("the network takes nothing")
		}
		c.unsent[i] = append(waiting, b...)
		return nil
	}
	n, err := c.write(i, b)
	if err != nil || n == len(b) {
		return err
	}
	c.unsent[i] = append([]byte(nil), b[n:]...)
	return c.control(unix.EPOLL_CTL_MOD, i, unix.EPOLLIN|unix.EPOLLOUT)
}

// write writes as much as the kernel takes now.
func (c *epoll) write(i int32, b []byte) (n int, err error) {
	for n < len(b) {
		m, err := unix.SendmsgN(int(c.sockets[i]), b[n:], nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return n, nil
		case err != nil:
			return n, err
		default:
			n += m
		}
	}
	return n, nil
}

// wait implements carrier.
func (c *epoll) wait(until time.Duration) {
	n, err := unix.EpollWait(c.ep, c.events, c.patience(until))
	if err != nil {
		return // EINTR; all else would be a descriptor that is no epoll's
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, e := range c.events[:n] {
		switch {
		case e.Fd == alarmed:
			_, _ = unix.Read(c.alarm, c.buf[:8])
		case c.sockets[e.Fd] == e.Pad && e.Pad >= 0:
			c.ready(e.Fd, e.Events)
		}
	}
	c.s.connect(c.s.e.now()) // in the place of those that have their answers
}

// patience is a time in milliseconds, at least 1: a wait of 0 would be a poll.
func (c *epoll) patience(until time.Duration) int {
	left := (int64(until)-c.s.e.now()-1)/int64(time.Millisecond) + 1
	return int(min(max(left, 1), math.MaxInt32/2))
}

// ready handles a socket that can be written or read, or has failed.
func (c *epoll) ready(i int32, what uint32) {
	if what&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 && c.s.sessions[i].state == opening {
		if !c.connected(i) {
			return
		}
	} else if what&unix.EPOLLOUT != 0 && !c.rest(i) {
		return
	}
	if what&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		c.read(i)
	}
}

// connected notes how opening a connection has ended.
func (c *epoll) connected(i int32) bool {
	failed, err := unix.GetsockoptInt(int(c.sockets[i]), unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && failed != 0 {
		err = unix.Errno(failed)
	}
	if err == nil {
		err = c.control(unix.EPOLL_CTL_MOD, i, unix.EPOLLIN)
	}
	if err != nil {
		c.s.lost(i, err)
		return false
	}
	c.s.opened(i)
	return c.sockets[i] >= 0
}

// rest sends what the network did not take before.
func (c *epoll) rest(i int32) bool {
	b, ok := c.unsent[i]
	if !ok {
		return true
	}
	n, err := c.write(i, b)
	switch {
	case err != nil:
	case n < len(b):
		c.unsent[i] = b[n:]
		return true
	default:
		delete(c.unsent, i)
		err = c.control(unix.EPOLL_CTL_MOD, i, unix.EPOLLIN)
	}
	if err != nil {
		c.s.lost(i, err)
	}
	return err == nil
}

// read takes what has come.
func (c *epoll) read(i int32) {
	fd := c.sockets[i]
	for range readMost {
		n, err := unix.Read(int(fd), c.buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return
		case err == nil && n == 0:
			err = io.EOF
		}
		if err != nil {
			c.s.lost(i, err)
			return
		}
		c.s.feed(i, c.buf[:n])
		if n < len(c.buf) || c.sockets[i] != fd {
			return
		}
	}
}
