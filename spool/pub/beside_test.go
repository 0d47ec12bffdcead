package pub

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"pithings/mqttlink"
	"pithings/spool/state"
)

// Another user's pub hands its messages to the service, whose folder it cannot open. When
// the service ends they are kept in the folder of the user, and handed over when it is
// back; if it does not come back the error names where they are.
func TestPubBesideAnotherFolder(t *testing.T) {
	theirs, mine := t.TempDir(), t.TempDir()
	service := newOwner(t, theirs)
	in, feed := io.Pipe()
	out := new(watched)
	var rest Rest
	o := options(mine, in, out)
	o.Agent, o.silence = service.state.Socket(), 50*time.Millisecond
	o.Rest = func(r Rest) { rest = r }
	ended := make(chan error, 1)
	go func() { ended <- Run(t.Context(), o) }()
	io.WriteString(feed, "1\n2\n")
	out.wait(t, "safe 2\n")
	service.stop()
	io.WriteString(feed, "3\n")
	out.wait(t, "safe 3\n")
	service = newOwner(t, theirs)
	for service.box.Len() < 3 {
		time.Sleep(10 * time.Millisecond) // an outbox does not tell
	}
	io.WriteString(feed, "4\n")
	out.wait(t, "safe 4\n")
	service.stop()
	io.WriteString(feed, "5\n")
	out.wait(t, "safe 5\n")
	feed.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(kept(t, theirs), " "); got != "1 2 3 4" {
		t.Errorf("the service has %q", got)
	}
	if got := strings.Join(kept(t, mine), " "); got != "5" {
		t.Errorf("the user has %q", got)
	}
	if text := rest.String(); rest.Left != 1 || !strings.Contains(text, mine) || !strings.Contains(text, "no broker was named") {
		t.Errorf("the warning is %q", text)
	}
}

// What a user's pub has kept is handed to the service as soon as that takes it, whole and
// in order.
func TestDrainHandsOver(t *testing.T) {
	theirs, mine := t.TempDir(), t.TempDir()
	if err := Run(t.Context(), options(mine, strings.NewReader(strings.Join(numbered(1, 600), "\n")+"\n"), io.Discard)); err != nil {
		t.Fatal(err)
	}
	service := newOwner(t, theirs) // without a broker
	o := options(mine, nil, nil)
	o.Agent = service.state.Socket()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var left *NotEmptyError
	if err := Drain(ctx, o, func(p Progress) {
		if p.Left == 600 {
			cancel()
		}
	}); !errors.As(err, &left) || left.Left != 600 {
		t.Errorf("%v", err)
	}
	service.stop()
	if got := kept(t, theirs); strings.Join(got, " ") != strings.Join(numbered(1, 600), " ") {
		t.Errorf("the service has %d messages", len(got))
	}
	if got := kept(t, mine); len(got) > 0 {
		t.Errorf("%d messages are left", len(got))
	}
}

// A drain beside `pithings run --mock` gave the backlog of real things to the simulation,
// whose own broker took it: it was gone, with exit status 0. Nor does the service get what
// a simulation has queued.
func TestDrainKeepsRealAndSimulatedApart(t *testing.T) {
	for _, simulated := range []bool{true, false} {
		theirs, mine := t.TempDir(), t.TempDir()
		if !simulated {
			folder := state.Folder{Dir: mine}
			if err := errors.Join(folder.Own(), folder.Claim(true)); err != nil {
				t.Fatal(err)
			}
			folder.Close()
		}
		if err := Run(t.Context(), options(mine, strings.NewReader("1\n2\n"), io.Discard)); err != nil {
			t.Fatal(err)
		}
		agent := newOwner(t, theirs)
		o := options(mine, nil, nil)
		o.Agent, o.Simulated = agent.state.Socket(), simulated
		var apart *OtherKindError
		if err := Drain(t.Context(), o, nil); !errors.As(err, &apart) || !strings.Contains(err.Error(), "2 messages are kept in "+mine) {
			t.Errorf("simulated %v: %v", simulated, err)
		}
		if n := agent.box.Len(); n > 0 {
			t.Errorf("simulated %v: the agent has %d messages", simulated, n)
		}
		agent.stop()
		if got := kept(t, mine); len(got) != 2 {
			t.Errorf("simulated %v: %q are left", simulated, got)
		}
	}
}

// choosy is a broker that hangs up upon messages to the topic "poison".
func choosy(t *testing.T) (endpoint string) {
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
			switch p := p.(type) {
			case *packets.ConnectPacket:
				answer = packets.NewControlPacket(packets.Connack)
			case *packets.PingreqPacket:
				answer = packets.NewControlPacket(packets.Pingresp)
			case *packets.PublishPacket:
				if p.TopicName == "poison" {
					return
				}
				ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
				ack.MessageID = p.MessageID
				answer = ack
			default:
				continue
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

// A dead letter is not a delivered message (mqtt-cli#147): a process that waits for
// an empty queue is reported.
func TestSetAsideIsNotDelivered(t *testing.T) {
	t.Parallel() // with the pauses between sessions
	dir := t.TempDir()
	o := options(dir, nil, nil)
	o.Input = One(mqttlink.Message{Topic: "poison", QoS: 1})
	if err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o = options(dir, strings.NewReader("good\n"), io.Discard)
	if err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o = options(dir, nil, nil)
	o.Link.Endpoint, o.Link.Backoff = choosy(t), mqttlink.Backoff{Min: time.Millisecond, Max: time.Millisecond}
	var aside *DeadLetterError
	if err := Drain(t.Context(), o, nil); !errors.As(err, &aside) || aside.N != 1 || !strings.Contains(err.Error(), "queue ls") {
		t.Errorf("%v", err)
	}
	if got := kept(t, dir); len(got) > 0 {
		t.Errorf("%q are left", got)
	}
}

// The same beside an agent that delivers.
func TestSetAsideByTheAgent(t *testing.T) {
	t.Parallel()
	theirs := t.TempDir()
	o := options(theirs, nil, nil)
	o.Link.Endpoint, o.Link.Backoff = choosy(t), mqttlink.Backoff{Min: time.Millisecond, Max: time.Millisecond}
	agent, err := Own(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Link().Publish(t.Context(), mqttlink.Message{Topic: "poison", QoS: 1}); err != nil {
		t.Fatal(err)
	}
	var aside *DeadLetterError
	if err := Drain(t.Context(), options(theirs, nil, nil), nil); !errors.As(err, &aside) {
		t.Errorf("beside an agent: %v", err)
	}
	if rest, err := agent.Close(); err != nil || rest.DeadLetters != 1 || rest.Left != 0 {
		t.Errorf("the agent: %+v, %v", rest, err)
	}
}
