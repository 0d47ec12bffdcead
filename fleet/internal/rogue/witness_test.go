package rogue

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/mqttlink/packet"
)

// The marks of two runs with one seed differ: a message that the first has left is none of the second.
func TestMarksAreOfOneRun(t *testing.T) {
	o := Options{Devices: []Device{{Name: "a"}}, Ramp: 1, Seed: 7}
	marks := map[string]bool{}
	for range 2 {
		r, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		marks[r.site.mark()], marks[r.site.mark()] = true, true
	}
	if len(marks) != 4 {
		t.Errorf("%v", marks)
	}
}

// A broker that ends the witness's connection as something is published to it has not dropped that: the
// witness was not there, and is not what it seems to be on its next connection.
func TestWitnessThatWasAway(t *testing.T) {
	var mu sync.Mutex
	var witness net.Conn
	cut := 0
	to := evil(t, func(c net.Conn) {
		r, w := io.Pipe()
		var back sync.WaitGroup
		back.Go(func() { obey(r, c) })
		defer func() { w.Close(); back.Wait() }()
		b := make([]byte, 4096)
		isWitness := false
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			switch b[0] >> 4 {
			case packet.Connect:
				if isWitness = b[n-1] == 'w'; isWitness {
					mu.Lock()
					witness = c
					mu.Unlock()
				}
			case packet.Publish:
				if !isWitness && bytes.Contains(b[:n], []byte("/w/")) {
					mu.Lock()
					cut++
					witness.Close()
					mu.Unlock()
				} else if _, err := c.Write(b[:n]); err != nil { // delivered to who has sent it
					return
				}
			}
			if _, err := w.Write(b[:n]); err != nil {
				return
			}
		}
	})
	r := hasty(t, to)
	r.site.times.answer, r.site.times.starve, r.site.times.behaviour = 10*time.Second, 10*time.Second, time.Minute
	r.site.times.settle = 200 * time.Millisecond
	r.list = slices.DeleteFunc(r.list, func(b Behaviour) bool { return b.Name != "publish-foreign" })
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if one := r.Results()[0]; one.Verdict != NotTested || !strings.Contains(one.Detail, "witness") || !strings.Contains(one.Detail, "connection") || cut == 0 {
		t.Errorf("%+v, %d times cut", one, cut)
	}
}
