package rogue

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/mqttlink/broker"
	"pithings/mqttlink/broker/passwd"
)

// against is a runner of some behaviours, with the usual times, against the embedded broker.
func against(t *testing.T, o broker.Options, password string, names ...string) *Runner {
	t.Helper()
	b, err := broker.Start("127.0.0.1:0", o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	to := netip.MustParseAddrPort(strings.TrimPrefix(b.Endpoint(), "mqtt://"))
	device := func(name string) Device {
		d := Device{Name: name}
		if password != "" {
			d.Username, d.Password = name, password
		}
		return d
	}
	witness := device("w")
	r, err := New(Options{
		Devices: []Device{device("a")}, Witness: &witness, Ramp: MaxConnects, Seed: 7,
		Addresses: func(context.Context) ([]netip.AddrPort, error) { return []netip.AddrPort{to}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.list = slices.DeleteFunc(r.list, func(b Behaviour) bool { return !slices.Contains(names, b.Name) })
	if len(r.list) != len(names) {
		t.Fatalf("%d of the behaviours %q", len(r.list), names)
	}
	return r
}

// verdicts are the verdicts of a run, by behaviour.
func verdicts(t *testing.T, r *Runner) map[string]Result {
	t.Helper()
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := map[string]Result{}
	for _, one := range r.Results() {
		all[one.Behaviour] = one
		if len(one.Left) > 0 {
			t.Errorf("%s has left %q", one.Behaviour, one.Left)
		}
	}
	return all
}

// A broker without logins lets these through, which the witness sees; what is broken it does not.
func TestOpenBroker(t *testing.T) {
	t.Parallel()
	open := []string{
		"no-login", "publish-foreign", "subscribe-foreign", "subscribe-all", "subscribe-plus", "subscribe-shared", "shadow-foreign", "jobs-foreign",
		"retained-own", "retained-foreign", "will-foreign", "will-retained", "will-shadow", "sys-read",
	}
	stops := []string{"payload-huge", "topic-deep", "will-huge", "publish-before-login", "second-connect", "reserved-bits"}
	all := verdicts(t, against(t, broker.Options{}, "", slices.Concat(open, stops)...))
	for _, name := range open {
		if one := all[name]; one.Verdict != Through || one.Severity == "" || one.Remedy == "" {
			t.Errorf("%+v", one)
		}
	}
	for _, name := range stops {
		if one := all[name]; one.Verdict != Stopped || one.How != Closed {
			t.Errorf("%+v", one)
		}
	}
}

// A broker where each user has topics of its own stops them.
func TestBrokerWithUsers(t *testing.T) {
	t.Parallel()
	const password = "a long enough password"
	hash, err := passwd.New(password)
	if err != nil {
		t.Fatal(err)
	}
	var o broker.Options
	for _, name := range []string{"a", "w"} {
		own := []string{"cmd/ac/" + name + "/#", "$aws/things/" + name + "/#"}
		o.Users = append(o.Users, broker.User{Name: name, Hash: hash, Publish: own, Subscribe: own})
	}
	for name, one := range verdicts(t, against(t, o, password, "no-login", "wrong-password", "publish-foreign", "subscribe-all", "retained-foreign", "will-foreign")) {
		if one.Verdict != Stopped {
			t.Errorf("%s: %+v", name, one)
		}
	}
}

// What is retained is removed although the run is interrupted while it is being published.
func TestInterruptedRunCleansUp(t *testing.T) {
	t.Parallel()
	r := against(t, broker.Options{}, "", "retained-own")
	r.site.messages = newPace(100)
	watcher, err := r.site.enter(t.Context(), &Device{Name: "watcher"})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.close()
	if granted, err := watcher.granted(t.Context(), "cmd/ac/a/kept/#"); !granted {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	if !watcher.await(t.Context(), time.Minute, func(in *inbox) bool { return len(in.marked) >= 3 }) {
		t.Error("nothing is published")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if one := r.Results()[0]; one.Verdict != NotTested || len(one.Left) > 0 {
		t.Errorf("%+v", one)
	}
	late, err := r.site.enter(t.Context(), &Device{Name: "late"})
	if err != nil {
		t.Fatal(err)
	}
	defer late.close()
	if granted, err := late.granted(t.Context(), "cmd/#"); !granted {
		t.Fatal(err)
	}
	if late.await(t.Context(), 500*time.Millisecond, func(in *inbox) bool { return len(in.marked) > 0 }) {
		t.Errorf("still retained: %+v", late.in.marked)
	}
}
