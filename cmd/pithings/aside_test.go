package main

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// choosyBroker takes connections, and hangs up upon every message, as AWS IoT Core does
// where the policy does not allow the topic.
func choosyBroker(t *testing.T) (endpoint string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	serve := func(c net.Conn) {
		defer c.Close()
		for {
			p, err := packets.ReadPacket(c)
			if err != nil {
				return
			}
			var answer packets.ControlPacket
			switch p.(type) {
			case *packets.ConnectPacket:
				answer = packets.NewControlPacket(packets.Connack)
			case *packets.PingreqPacket:
				answer = packets.NewControlPacket(packets.Pingresp)
			default:
				return
			}
			if answer.Write(c) != nil {
				return
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return "mqtt://" + l.Addr().String()
}

// awaited keeps what is written, and calls then when text has been.
type awaited struct {
	text string
	then func()

	mu  sync.Mutex
	all strings.Builder
}

func (a *awaited) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all.Write(p)
	if strings.Contains(a.all.String(), a.text) {
		a.then()
	}
	return len(p), nil
}

func (a *awaited) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all.String()
}

// A message that was set aside is not delivered (mqtt-cli#147): the commands that publish
// by themselves end with a line about it and exit status 1, and never print it as
// published.
func TestSetAsideIsTold(t *testing.T) {
	for _, tc := range []struct{ name, args, where string }{
		{"as run ends, too", "ms --mock -n hall", "STATE, and aside.jsonl"},
		{"a simulation", "publish --mock -t a/b", "end with the simulation"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel() // with the pauses between sessions
			args := append(strings.Fields(tc.args), "-e", choosyBroker(t))
			state := filepath.Join(t.TempDir(), "state")
			if strings.Contains(tc.where, "STATE") {
				args = append(args, "--state", state)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var out bytes.Buffer
			errs := awaited{text: "kept as a dead letter", then: cancel}
			code := execute(ctx, args, strings.NewReader(""), &out, &errs)
			lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
			last := lines[len(lines)-1]
			if code != exitFailure || !strings.Contains(last, "set aside, not delivered") || !strings.Contains(last, strings.ReplaceAll(tc.where, "STATE", state)) {
				t.Errorf("exit status %d:\n%s", code, &errs)
			}
			if strings.Contains(out.String(), "Published") {
				t.Errorf("it is printed as published:\n%s", &out)
			}
		})
	}
}
