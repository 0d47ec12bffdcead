package engine

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/mqttlink/packet"
)

// Devices that are away connect when they join, and leave without a will; one that is cut off has
// its will published and comes back.
func TestAway(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		const n = 6
		b := startBroker(t)
		client, got := watch(t, b)
		o := meters(n, netip.MustParseAddrPort(b.Addr()), time.Hour)
		o.portable, o.Shards = portable, 2
		o.Away = func(i int) bool { return i%2 == 1 }
		e, _ := run(t, o)
		until(t, e, "half connected", func(s Stats) bool { return s.Connected == n/2 && s.Away == n/2 && s.Everyone > 0 })

		do := func(i int, f func(Out)) { e.Do(i, func(_ time.Duration, out Out) { f(out) }) }
		do(1, func(out Out) { out.Publish(packet.Message{Topic: "nobody", QoS: 1}) })
		if s := e.Stats(); s.Dropped != 1 {
			t.Errorf("%d messages of a device that is away are dropped, want 1", s.Dropped)
		}
		do(5, Out.Join)
		do(5, Out.Join)
		do(0, Out.Leave)
		do(0, Out.Leave)
		do(0, Out.Break)
		until(t, e, "with one for another", func(s Stats) bool { return s.Connected == n/2 && s.Sessions == n/2+1 && s.Away == n/2 })
		do(4, Out.Break)
		until(t, e, "back", func(s Stats) bool { return s.Connected == n/2 && s.Sessions == n/2+2 })
		do(0, Out.Join)
		until(t, e, "complete again", func(s Stats) bool { return s.Connected == n/2+1 && s.Away == n/2-1 })
		if s := e.Stats(); s.Lost != 0 || len(s.Errors) > 0 {
			t.Errorf("what devices wanted counts as a failure: %+v", s)
		}

		end := make(chan struct{})
		client.Subscribe("end", 1, func(mqtt.Client, mqtt.Message) { close(end) }).Wait()
		client.Publish("end", 1, false, "").Wait()
		<-end
		wills := []string{}
		for len(got) > 0 {
			if m := <-got; strings.HasSuffix(m.Topic(), "/will") {
				wills = append(wills, m.Topic())
			}
		}
		if want := []string{nameOf(4) + "/will"}; fmt.Sprint(wills) != fmt.Sprint(want) {
			t.Errorf("wills %v, want %v", wills, want)
		}
	})
}

// last is a device with a last message.
type last struct{ *meter }

func (l last) Last(_ time.Duration, out Out) {
	out.Publish(packet.Message{Topic: l.name + "/last", Payload: []byte("x"), QoS: 1})
}

// A device that has something to say before a clean end says it, at the end of all and before, and
// not before one that is not clean.
func TestLastMessages(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		const n = 4
		b := startBroker(t)
		client, got := watch(t, b)
		o := meters(n, netip.MustParseAddrPort(b.Addr()), time.Hour)
		o.portable = portable
		plain := o.Client
		o.Client = func(i int) Client { return last{plain(i).(*meter)} }
		e, stop := run(t, o)
		until(t, e, "connected", func(s Stats) bool { return s.Connected == n && s.Acked == n })
		do := func(i int, f func(Out)) { e.Do(i, func(_ time.Duration, out Out) { f(out) }) }
		do(0, Out.Leave)
		do(1, Out.Reconnect)
		do(2, Out.Break)
		until(t, e, "connected again", func(s Stats) bool { return s.Connected == n-1 && s.Sessions == n+2 && s.Acked >= n+2 })
		stop()
		if s := e.Stats(); s.Acked+s.Unacked != s.Published || s.Dropped > 0 {
			t.Errorf("%+v", s)
		}
		end := make(chan struct{})
		client.Subscribe("end", 1, func(mqtt.Client, mqtt.Message) { close(end) }).Wait()
		client.Publish("end", 1, false, "").Wait()
		<-end
		said := map[string]int{}
		for len(got) > 0 {
			if m := <-got; strings.HasSuffix(m.Topic(), "/last") || strings.HasSuffix(m.Topic(), "/will") {
				said[m.Topic()]++
			}
		}
		want := map[string]int{nameOf(0) + "/last": 1, nameOf(1) + "/last": 2, nameOf(2) + "/last": 1, nameOf(2) + "/will": 1, nameOf(3) + "/last": 1}
		if fmt.Sprint(said) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", said, want)
		}
	})
}

// Devices may be acted upon before the engine runs, while it ends and behind its end.
func TestDoAtAnyTime(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		b := startBroker(t)
		o := meters(20, netip.MustParseAddrPort(b.Addr()), 20*time.Millisecond)
		o.portable = portable
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		e.Do(3, func(time.Duration, Out) { t.Error("a device acts before the engine runs") })
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() {
			if err := e.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		wishes := []func(Out){Out.Break, Out.Leave, Out.Join, Out.Reconnect}
		for range 4 {
			running.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					e.Do(n%20, func(_ time.Duration, out Out) { wishes[n/3%4](out) })
				}
			})
		}
		until(t, e, "at work", func(s Stats) bool { return s.Attempts > 60 && s.Sessions > 0 })
		cancel()
		running.Wait()
		e.Do(3, func(time.Duration, Out) { t.Error("a device acts behind the end") })
	})
}

// A device that leaves while it waits for its turn does not connect.
func TestLeaveTheQueue(t *testing.T) {
	r := newRing(4)
	for i := range int32(4) {
		r.push(i)
	}
	r.pop()
	r.drop(2)
	r.drop(0)
	if a, b := r.pop(), r.pop(); a != 1 || b != 3 || r.n != 0 {
		t.Errorf("%d, %d and %d more are left; want 1, 3 and 0", a, b, r.n)
	}
}
