package fleet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/fleet/scenario"
	"pithings/mqttlink/dial"
	"pithings/mqttlink/endpoint"
)

// More than 100 devices, and much at all, go to brokers of others only when they are named.
func TestGuard(t *testing.T) {
	for _, tc := range []struct {
		name, address, mine string
		devices             int
		ramp                float64
		guarded             bool   // the error is a *GuardError
		says                string // "" if they may connect
	}{
		{name: "this machine", address: "127.0.0.1", devices: 50000, ramp: 5000},
		{name: "this machine, IPv6", address: "::1", devices: 50000, ramp: 5000},
		{name: "a private network", address: "192.168.1.5", devices: 50000, ramp: 5000},
		{name: "another private network", address: "fd00::5", devices: 50000, ramp: 5000},
		{name: "link-local", address: "fe80::5", devices: 50000, ramp: 5000},
		{name: "IPv4 in IPv6", address: "::ffff:10.0.0.1", devices: 50000, ramp: 5000},
		{name: "few devices elsewhere", address: "203.0.113.9", devices: 100, ramp: 100},
		{name: "one more", address: "203.0.113.9", devices: 101, ramp: 100, guarded: true, says: "--target-is-mine broker.example"},
		{name: "elsewhere, IPv4 in IPv6", address: "::ffff:203.0.113.9", devices: 101, ramp: 100, guarded: true, says: "broker.example"},
		{name: "carrier-grade NAT", address: "100.64.0.1", devices: 101, ramp: 100, guarded: true, says: "broker.example"},
		{name: "named", address: "203.0.113.9", mine: "Broker.Example", devices: 20000, ramp: 500},
		{name: "another named", address: "203.0.113.9", mine: "broker.example.org", devices: 1, ramp: 1, guarded: true, says: "not broker.example.org"},
		{name: "another named, near", address: "127.0.0.1", mine: "x", devices: 1, ramp: 1, guarded: true, says: "not x"},
		{name: "named, and steep", address: "203.0.113.9", mine: "broker.example", devices: 1000, ramp: 501, says: "at most 500 connections"},
		{name: "named, and fast", address: "203.0.113.9", mine: "broker.example", devices: 60000, ramp: 500, says: "at most 5000 messages"},
	} {
		o := small("mqtt://broker.example")
		o.Devices, o.Ramp, o.Interval, o.TargetIsMine = tc.devices, tc.ramp, 10*time.Second, tc.mine
		p, err := o.check()
		if err != nil {
			t.Fatal(err)
		}
		err = p.guard([]netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1"), netip.AddrPortFrom(netip.MustParseAddr(tc.address), 1883)})
		var guard *GuardError
		if (err == nil) != (tc.says == "") || errors.As(err, &guard) != tc.guarded || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.says)
		}
	}
}

// A scenario is held against the limits by its busiest moment, before anything connects.
func TestGuardOfScenarios(t *testing.T) {
	for _, tc := range []struct{ name, rest, far, near string }{
		{"quiet", "phases: [{name: a, for: 1m}]", "", ""},
		{"a steep phase", "phases: [{name: a, for: 1m}, {name: b, for: 1m, ramp: 501/s}]", "at most 500 connections", ""},
		{"a busy phase", "phases: [{name: a, for: 1m}, {name: b, for: 1m, interval: 10ms}]", "at most 5000 messages", ""},
		{"a flood", "phases: [{name: a, for: 1m}]\nfaults: [{at: 30s, do: flood, rate: 1000/s, share: 6%}]", "at most 5000 messages", ""},
		{"a flood of all", "phases: [{name: a, for: 1m}]\nfaults: [{at: 30s, do: flood, rate: 1000/s}, {at: 30s, do: flood, rate: 100/s}]", "100 messages", "at most 100000 are sent"},
		{"large", "phases: [{name: a, for: 1m, interval: 1s}]\nfaults: [{at: 30s, do: oversize, size: 100KiB}]", "at most 4 MiB", ""},
		{"larger", "phases: [{name: a, for: 1m, interval: 200ms}]\nfaults: [{at: 30s, do: oversize, size: 200KiB, for: 1s}]", "", "at most 64 are sent"},
		{"Pis, which keep to their own interval", "types: {pi: 1}\ninterval: 10ms\nphases: [{name: a, for: 1m, interval: 1m}]", "at most 5000 messages", ""},
		{"hits more than there are", "phases: [{name: a, for: 1m}]\nfaults: [{do: break, devices: 101}]", "", "to hit 101 devices, and there are 100"},
	} {
		s, err := scenario.Parse("s.yaml", []byte("name: x\n"+tc.rest))
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Broker: small("mqtt://broker.example").Broker}
		o.Follow(s)
		p, err := o.check()
		if (err == nil) != (tc.near == "") || err != nil && !strings.Contains(err.Error(), tc.near) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.near)
		}
		if err != nil {
			continue
		}
		err = p.guard([]netip.AddrPort{netip.MustParseAddrPort("203.0.113.9:1883")})
		if (err == nil) != (tc.far == "") || err != nil && !strings.Contains(err.Error(), tc.far) {
			t.Errorf("%s, far away: %v, want %q", tc.name, err, tc.far)
		}
	}
	s, err := scenario.Parse("s.yaml", []byte("name: x\nphases: [{name: a}]"))
	if err != nil {
		t.Fatal(err)
	}
	o := small("mqtt://127.0.0.1")
	if o.Follow(s); o.Devices != 1 || o.Interval != 100*time.Millisecond || o.Ramp != 1000 {
		t.Errorf("what is given is changed: %+v", o)
	}
	if o.Factory = true; o.Check() == nil {
		t.Error("a scenario with a factory")
	}
}

// A name that is found to lead elsewhere while the devices run changes nothing.
func TestGuardHoldsWhileTheyRun(t *testing.T) {
	o := small("mqtt://203.0.113.9")
	o.Devices = 101
	if _, err := New(t.Context(), o); !errors.As(err, new(*GuardError)) {
		t.Errorf("%v", err)
	}
	p, err := o.check()
	if err != nil {
		t.Fatal(err)
	}
	f := &Fleet{plan: p}
	if all, err := f.lookUp(t.Context()); !errors.As(err, new(*GuardError)) {
		t.Errorf("looked up again: %v, %v", all, err)
	}
}

// A name of the local network is looked up without a connection, so that the guard comes before one.
func TestLocalNames(t *testing.T) {
	var answers map[string]string
	d := &dial.Dialer{
		Avahi: avahi(t, func(request string) string { return answers[request] }),
		Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("no name server")
		}},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	e, err := endpoint.Parse(fmt.Sprintf("mqtt://broker.local:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	const four, six = "RESOLVE-HOSTNAME-IPV4 broker.local", "RESOLVE-HOSTNAME-IPV6 broker.local"
	for _, tc := range []struct {
		name    string
		answers map[string]string
		want    string // "" is an error
	}{
		{"both", map[string]string{four: "+ 2 0 broker.local 127.0.0.1\n", six: "+ 2 1 broker.local 2001:db8::5\n"}, "127.0.0.1"},
		{"IPv6 alone", map[string]string{four: "-15 Timeout reached\n", six: "+ 2 1 broker.local 2001:db8::5\n"}, "2001:db8::5"},
		{"neither", map[string]string{four: "-15 Timeout reached\n", six: "-15 Timeout reached\n"}, ""},
	} {
		answers = tc.answers
		all, err := lookUp(t.Context(), e, d)
		if tc.want == "" {
			if err == nil {
				t.Errorf("%s: %v", tc.name, all)
			}
			continue
		}
		if err != nil || len(all) != 1 || all[0].Addr().String() != tc.want || all[0].Port() != uint16(port) {
			t.Errorf("%s: %v, %v; want %s", tc.name, all, err, tc.want)
		}
	}
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(100 * time.Millisecond)) // a connection would be there already
	if c, err := l.Accept(); err == nil {
		t.Error("the broker was connected to")
		c.Close()
	}
}

// avahi answers as the avahi daemon does.
func avahi(t *testing.T, answer func(request string) string) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			line, err := bufio.NewReader(c).ReadString('\n')
			if err == nil {
				_, _ = io.WriteString(c, answer(strings.TrimSuffix(line, "\n")))
			}
			c.Close()
		}
	}()
	return socket
}
