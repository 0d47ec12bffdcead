package defender

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// The states of sockets in /proc/net/tcp and udp (include/net/tcp_states.h of Linux). A UDP
// socket without a peer has the one that is called close.
const (
	established = 0x01
	unconnected = 0x07
	listening   = 0x0a
)

// maxSockets bounds the sockets of a file that are read, and maxLine a line of it in bytes. A
// line has 150.
const (
	maxSockets = 100_000
	maxLine    = 1024
)

// socket is a line of /proc/net/tcp, tcp6, udp or udp6.
type socket struct {
	local, remote netip.AddrPort
	state         int
}

// parseSocket reads a line: number, local and remote address in hex, state.
//
//	0: 0100007F:AD6B 0100007F:EDFC 06 00000000:00000000 …
func parseSocket(line string) (s socket, err error) {
	fields := strings.Fields(line)
	if len(fields) < 4 {
		return s, fmt.Errorf("a line of sockets has %d fields", len(fields))
	}
	if s.local, err = parseAddress(fields[1]); err != nil {
		return s, err
	}
	if s.remote, err = parseAddress(fields[2]); err != nil {
		return s, err
	}
	state, err := strconv.ParseUint(fields[3], 16, 8)
	s.state = int(state)
	return s, err
}

// parseAddress reads an address and a port. The kernel prints each 32 bits of the address as
// a number in the processor's order; all that we run on have the low byte first.
func parseAddress(text string) (a netip.AddrPort, err error) {
	host, port, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return a, err
	}
	b, err := hex.DecodeString(host)
	if err != nil {
		return a, err
	}
	if len(b) != 4 && len(b) != 16 {
		return a, fmt.Errorf("an address has %d bytes", len(b))
	}
	for i := 0; i < len(b); i += 4 {
		binary.BigEndian.PutUint32(b[i:], binary.LittleEndian.Uint32(b[i:]))
	}
	address, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(address.Unmap(), uint16(n)), nil
}

// readSockets calls each for the sockets of a file. One that is not there has none: a kernel
// without IPv6.
func readSockets(root fs.FS, name string, each func(socket)) error {
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(name, "6") {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxSockets*maxLine))
	lines.Buffer(make([]byte, maxLine), maxLine)
	lines.Scan() // the heading
	for n := 0; lines.Scan() && n < maxSockets; n++ {
		s, err := parseSocket(lines.Text())
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		each(s)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// port is one on which a program listens, on one interface; "" is all of them.
type port struct {
	iface string
	port  uint16
}

// connection is one with another host.
type connection struct {
	iface  string
	port   uint16
	remote netip.AddrPort
}

// network is what the sockets of this machine are.
type network struct {
	tcp, udp    []port
	connections []connection
}

// readNetwork reads the sockets. interfaces has the interface of each address of this machine.
func readNetwork(root fs.FS, interfaces map[netip.Addr]string) (n network, err error) {
	of := func(a netip.Addr) string { return interfaces[a.WithZone("")] }
	tcp := func(s socket) {
		switch s.state {
		case listening:
			n.tcp = append(n.tcp, port{of(s.local.Addr()), s.local.Port()})
		case established:
			n.connections = append(n.connections, connection{of(s.local.Addr()), s.local.Port(), s.remote})
		}
	}
	udp := func(s socket) {
		if s.state == unconnected && s.local.Port() != 0 {
			n.udp = append(n.udp, port{of(s.local.Addr()), s.local.Port()})
		}
	}
	for _, file := range []struct {
		name string
		each func(socket)
	}{{"proc/net/tcp", tcp}, {"proc/net/tcp6", tcp}, {"proc/net/udp", udp}, {"proc/net/udp6", udp}} {
		if err := readSockets(root, file.name, file.each); err != nil {
			return network{}, err
		}
	}
	n.tcp, n.udp = inOrder(n.tcp), inOrder(n.udp)
	slices.SortFunc(n.connections, func(a, b connection) int { // with other hosts first
		return cmp.Or(compareBool(a.remote.Addr().IsLoopback(), b.remote.Addr().IsLoopback()), a.remote.Compare(b.remote), cmp.Compare(a.port, b.port))
	})
	return n, nil
}

func compareBool(a, b bool) int {
	if a == b {
		return 0
	}
	if b {
		return -1
	}
	return 1
}

// inOrder sorts ports. One that is open for IPv4 and IPv6 counts once.
func inOrder(ports []port) []port {
	slices.SortFunc(ports, func(a, b port) int { return cmp.Or(cmp.Compare(a.port, b.port), cmp.Compare(a.iface, b.iface)) })
	return slices.Compact(ports)
}
