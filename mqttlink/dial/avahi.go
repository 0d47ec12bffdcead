package dial

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// DefaultAvahi is where the avahi daemon listens for its simple protocol
// (avahi-daemon/simple-protocol.c): a request is a line, and so is the answer:
//
//	RESOLVE-HOSTNAME-IPV4 broker.local
//	+ 2 0 broker.local 192.168.1.5         interface, protocol, name, address
//	-15 Timeout reached                    or an error number
const DefaultAvahi = "/run/avahi-daemon/socket"

// maxLine is more than the longest answer: a name of 253 bytes and an address.
const maxLine = 1024

// avahi asks the avahi daemon.
func (d *Dialer) avahi(ctx context.Context, name string) ([]netip.Addr, error) {
	socket := d.Avahi
	if socket == "" {
		socket = DefaultAvahi
	}
	var askers []asker
	for _, six := range []bool{false, true} {
		askers = append(askers, func(ctx context.Context, found func(netip.Addr)) error {
			a, err := askAvahi(ctx, socket, name, six)
			if err == nil {
				found(a)
			}
			return err
		})
	}
	return gather(ctx, avahiTime, askers)
}

func askAvahi(ctx context.Context, socket, name string, six bool) (netip.Addr, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	family := "4"
	if six {
		family = "6"
	}
	if _, err := fmt.Fprintf(conn, "RESOLVE-HOSTNAME-IPV%s %s\n", family, name); err != nil {
		return netip.Addr{}, err
	}
	line, err := bufio.NewReader(io.LimitReader(conn, maxLine)).ReadString('\n')
	if err != nil {
		return netip.Addr{}, err
	}
	return parseAvahi(line, six)
}

// parseAvahi reads avahi's answer. The name in it is not compared: for an alias it is the
// name that the alias stands for.
func parseAvahi(line string, six bool) (netip.Addr, error) {
	if strings.HasPrefix(line, "-") {
		return netip.Addr{}, errNoAnswer
	}
	f := strings.Fields(line)
	if len(f) != 5 || f[0] != "+" || !IsLocal(f[3]) {
		return netip.Addr{}, errors.New("avahi's answer cannot be read")
	}
	a, err := netip.ParseAddr(f[4])
	if err != nil || a.Is6() != six || a.Zone() != "" || !usable(a) {
		return netip.Addr{}, errors.New("avahi's answer holds no address of the kind that was asked for")
	}
	if index, err := strconv.Atoi(f[1]); err == nil && index > 0 && six && a.IsLinkLocalUnicast() {
		a = a.WithZone(strconv.Itoa(index)) // which net takes like a name
	}
	return a, nil
}
