package dial

import (
	"context"
	"net"
	"strings"
	"syscall"
	"time"
)

// Dialer opens connections. The zero value is ready to use, by several goroutines at
// once.
type Dialer struct {
	// Timeout bounds a call, from look-up to connection; 0: only the context does.
	Timeout time.Duration
	// Control is net.Dialer's: it sees each address just before it is dialled,
	// the caller has looked it up, and an error of its own ends that attempt.
	Control func(network, address string, c syscall.RawConn) error
	// Resolver is the system's, for names elsewhere and for those under .local that the
	// network does not know; net.DefaultResolver if nil.
	Resolver *net.Resolver
	// Avahi is the socket of the avahi daemon; DefaultAvahi if empty.
	Avahi string

	links func() []link // where to ask; the interfaces' if nil
}

// stagger is how long one address has to itself before the next is tried beside it
// (RFC 8305 section 5).
const stagger = 250 * time.Millisecond

// DialContext connects to address, HOST:PORT.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	one := &net.Dialer{Control: d.Control, Resolver: d.Resolver}
	host, port, err := net.SplitHostPort(address)
	if err != nil || !IsLocal(host) {
		return one.DialContext(ctx, network, address)
	}
	addrs, err := d.lookup(ctx, host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	targets := make([]string, len(addrs))
	for i, a := range addrs {
		targets[i] = net.JoinHostPort(a.String(), port)
	}
	return race(ctx, targets, func(ctx context.Context, target string) (net.Conn, error) {
		return one.DialContext(ctx, network, target)
	})
}

// IsLocal reports whether host is a name that is looked up on the local network:
// NAME.local (RFC 6762 section 3).
func IsLocal(host string) bool {
	const domain = ".local"
	name := strings.TrimSuffix(host, ".")
	return len(name) > len(domain) && strings.EqualFold(name[len(name)-len(domain):], domain)
}

// race dials the targets in order, each a moment after the one before or as soon as that
// has failed, and returns the first connection, or else the first error.
func race(ctx context.Context, targets []string, dial func(ctx context.Context, target string) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result)
	next := time.NewTimer(0)
	defer next.Stop()
	started, running := 0, 0
	var winner net.Conn
	var first error
	for winner == nil && (running > 0 || started < len(targets)) {
		select {
		case <-next.C:
			if started == len(targets) {
				continue
			}
			target := targets[started]
			started, running = started+1, running+1
			go func() {
				conn, err := dial(ctx, target)
				results <- result{conn, err}
			}()
			next.Reset(stagger)
		case r := <-results:
			running--
			if winner = r.conn; r.err != nil {
				winner = nil
				next.Reset(0)
				if first == nil {
					first = r.err
				}
			}
		}
	}
	cancel()
	for ; running > 0; running-- {
		if r := <-results; r.err == nil {
			r.conn.Close()
		}
	}
	if winner != nil {
		return winner, nil
	}
	return nil, first
}
